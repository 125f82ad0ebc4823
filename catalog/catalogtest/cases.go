package catalogtest

import (
	"strings"

	"millrace/catalog"
)

var other = catalog.Path{Catalog: catalog.DefaultCatalog, Database: "other", Name: "t"}

func do(changes ...catalog.Change) []catalog.Change { return changes }

var cases = []struct {
	name  string
	steps []step
}{
	{"tables and views share names, functions have their own", []step{
		{changes: do(create("t", "one")), objects: []string{"t TABLE one"}},
		{changes: do(&catalog.Create{Path: at("t"), Object: &catalog.View{Query: "SELECT 1"}}), err: catalog.ErrExists, texts: []string{"table default_catalog.default_database.t exists already"}},
		{changes: do(&catalog.Create{Path: at("t"), Object: &catalog.Function{Name: "F"}}), objects: []string{"t TABLE one", "t FUNCTION F"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "VIEW"}), err: catalog.ErrNotFound, texts: []string{"it is a TABLE"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "FUNCTION"}), objects: []string{"t TABLE one"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "TABLE"}), objects: []string{}},
	}},
	{"what becomes of a taken path", []step{
		{changes: do(&catalog.Create{Path: at("t"), Object: table("one"), Existing: catalog.MustExist}), err: catalog.ErrNotFound},
		{changes: do(create("t", "one"))},
		{changes: do(&catalog.Create{Path: at("t"), Object: table("two"), Existing: catalog.Keep}), objects: []string{"t TABLE one"}},
		{changes: do(&catalog.Create{Path: at("t"), Object: table("two")}), err: catalog.ErrExists, objects: []string{"t TABLE one"}},
		{changes: do(&catalog.Create{Path: at("t"), Object: table("two"), Existing: catalog.Replace}), objects: []string{"t TABLE two"}},
		{changes: do(&catalog.Create{Path: at("t"), Object: table("three"), Existing: catalog.MustExist}), objects: []string{"t TABLE three"}},
	}},
	{"temporary objects shadow", []step{
		{changes: do(create("t", "lasting"))},
		{changes: do(&catalog.Create{Path: at("t"), Object: table("short"), Temporary: true}), objects: []string{"t TABLE short"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "TABLE"}), err: catalog.ErrShadowed, texts: []string{"DROP TEMPORARY TABLE first"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "TABLE", Temporary: true}), objects: []string{"t TABLE lasting"}},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "TABLE", Temporary: true}), err: catalog.ErrNotFound},
		{changes: do(&catalog.Drop{Path: at("t"), Kind: "TABLE", Temporary: true, IfExists: true})},
	}},
	{"a system function needs no database", []step{
		{changes: do(&catalog.Create{Path: catalog.Path{Name: "f"}, Object: &catalog.Function{Name: "F"}, Temporary: true})},
		{changes: do(&catalog.Create{Path: catalog.Path{Name: "f"}, Object: &catalog.Function{Name: "F"}, Temporary: true}), err: catalog.ErrExists, texts: []string{"function f exists"}},
		{changes: do(&catalog.Drop{Path: catalog.Path{Name: "f"}, Kind: "FUNCTION", Temporary: true})},
	}},
	{"an error names the object and a near name", []step{
		{changes: do(create("orders", ""))},
		{changes: do(&catalog.Drop{Path: at("order"), Kind: "TABLE"}), err: catalog.ErrNotFound, texts: []string{"table default_catalog.default_database.order does not exist", "did you mean orders?"}},
		{changes: do(&catalog.Drop{Path: at("order"), Kind: "TABLE", IfExists: true})},
		{changes: do(&catalog.Create{Path: catalog.Path{Catalog: "default_catalg", Database: "d", Name: "t"}, Object: table("")}), err: catalog.ErrNotFound, texts: []string{"did you mean default_catalog?"}},
	}},
	{"databases", []step{
		{changes: do(&catalog.Create{Path: other, Object: table("")}), err: catalog.ErrNotFound, texts: []string{"database default_catalog.other"}},
		{changes: do(&catalog.CreateDatabase{Catalog: catalog.DefaultCatalog, Name: "other"}, &catalog.Create{Path: other, Object: table("")})},
		{changes: do(&catalog.CreateDatabase{Catalog: catalog.DefaultCatalog, Name: "other"}), err: catalog.ErrExists},
		{changes: do(&catalog.CreateDatabase{Catalog: catalog.DefaultCatalog, Name: "other", IfNotExists: true})},
		{changes: do(&catalog.DropDatabase{Catalog: catalog.DefaultCatalog, Name: "other"}), err: catalog.ErrNotEmpty, texts: []string{"CASCADE"}},
		{changes: do(&catalog.Describe{Catalog: catalog.DefaultCatalog, Database: "other", Set: map[string]string{"k": "v"}, Reset: []string{"l"}})},
		{changes: do(&catalog.DropDatabase{Catalog: catalog.DefaultCatalog, Name: "other", Cascade: true})},
		{changes: do(&catalog.DropDatabase{Catalog: catalog.DefaultCatalog, Name: "other", Cascade: true}), err: catalog.ErrNotFound},
		{changes: do(&catalog.DropDatabase{Catalog: catalog.DefaultCatalog, Name: "other", IfExists: true})},
	}},
	{"catalogs", []step{
		{changes: do(&catalog.CreateCatalog{Name: "c"})},
		{changes: do(&catalog.Create{Path: catalog.Path{Catalog: "c", Database: catalog.DefaultDatabase, Name: "t"}, Object: table("")})},
		{changes: do(&catalog.CreateCatalog{Name: "c"}), err: catalog.ErrExists},
		{changes: do(&catalog.CreateCatalog{Name: "c", IfNotExists: true})},
		{changes: do(&catalog.Describe{Catalog: "c", Set: map[string]string{"k": "v"}, Reset: []string{"l"}})},
		{changes: do(&catalog.DropCatalog{Name: "c"})},
		{changes: do(&catalog.DropCatalog{Name: "c"}), err: catalog.ErrNotFound},
		{changes: do(&catalog.DropCatalog{Name: "c", IfExists: true})},
		{changes: do(&catalog.Describe{Catalog: "c"}), err: catalog.ErrNotFound},
	}},
	{"an alteration wants what it was made of", []step{
		{changes: do(create("t", "one"))},
		{changes: do(&catalog.Alter{Path: at("t"), Was: table("one"), Object: table("two")}), objects: []string{"t TABLE two"}},
		{changes: do(&catalog.Alter{Path: at("t"), Was: table("one"), Object: table("three")}), err: catalog.ErrChanged, objects: []string{"t TABLE two"}},
		{changes: do(&catalog.Alter{Path: at("u"), Was: table("one"), Object: table("three")}), err: catalog.ErrNotFound},
	}},
	{"renaming", []step{
		{changes: do(create("t", "one"), create("u", "two"))},
		{changes: do(&catalog.Rename{Path: at("t"), To: "u", Kind: "TABLE"}), err: catalog.ErrExists},
		{changes: do(&catalog.Rename{Path: at("t"), To: "v", Kind: "VIEW"}), err: catalog.ErrNotFound, texts: []string{"it is a TABLE"}},
		{changes: do(&catalog.Rename{Path: at("t"), To: "v", Kind: "TABLE"}), objects: []string{"u TABLE two", "v TABLE one"}},
		{changes: do(&catalog.Rename{Path: at("t"), To: "v", Kind: "TABLE"}), err: catalog.ErrNotFound},
		{changes: do(&catalog.Rename{Path: at("t"), To: "v", Kind: "TABLE", IfExists: true})},
	}},
	{"names have bounds", []step{
		{changes: do(create("", "")), err: catalog.ErrInvalid},
		{changes: do(create(strings.Repeat("n", catalog.NameCharsMax+1), "")), err: catalog.ErrInvalid, texts: []string{"at most 256 characters"}},
		{changes: do(create(strings.Repeat("ü", catalog.NameCharsMax), ""))},
		{changes: do(&catalog.CreateDatabase{Catalog: catalog.DefaultCatalog}), err: catalog.ErrInvalid},
		{changes: do(&catalog.CreateCatalog{}), err: catalog.ErrInvalid},
	}},
}
