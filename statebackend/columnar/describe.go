package columnar

import (
	"encoding/json"
	"fmt"
	"slices"

	"millrace/statebackend"
	"millrace/types"
)

// fileHeader is what stands first in a file, as JSON. Its names are durable.
type fileHeader struct {
	Kind           statebackend.FileKind `json:"kind"`
	Vertex         string                `json:"vertex"`
	Subtask        int32                 `json:"subtask"`
	Parallelism    int                   `json:"parallelism,omitempty"`
	MaxParallelism int                   `json:"maxParallelism"`
	FirstGroup     types.KeyGroup        `json:"firstGroup"`
	LastGroup      types.KeyGroup        `json:"lastGroup"`
	Tables         []tableInfo           `json:"tables"`
}

// tableInfo describes a table in a file.
type tableInfo struct {
	Operator       string                      `json:"operator"`
	Name           string                      `json:"name"`
	Shape          shape                       `json:"shape"`
	Keys           []typeInfo                  `json:"keys,omitempty"`
	Namespaced     bool                        `json:"namespaced,omitempty"`
	Columns        []columnInfo                `json:"columns,omitempty"`
	Redistribution statebackend.Redistribution `json:"redistribution,omitempty"`
	// Entries says what is in the bytes of a list's entries, and of a broadcast map's values, where somebody said it.
	Entries []columnInfo `json:"entries,omitempty"`
	// Orders says the same of the orders of an ordered map, and of a broadcast map's keys.
	Orders []columnInfo `json:"orders,omitempty"`
	// Rows is how many rows the file puts into the table.
	Rows int64 `json:"rows"`
}

type columnInfo struct {
	Name string   `json:"name"`
	Type typeInfo `json:"type"`
	// NullOf is the column of whose NULL this one tells.
	NullOf string `json:"nullOf,omitempty"`
}

// typeInfo is a type. Nested ones are in entries alone.
type typeInfo struct {
	Kind      types.Kind   `json:"kind"`
	Nullable  bool         `json:"nullable,omitempty"`
	Precision int          `json:"precision,omitempty"`
	Scale     int          `json:"scale,omitempty"`
	Length    int          `json:"length,omitempty"`
	Key       *typeInfo    `json:"key,omitempty"`
	Elem      *typeInfo    `json:"elem,omitempty"`
	Fields    []columnInfo `json:"fields,omitempty"`
}

// fileFooter lists the sections of a file, so that a reader that can seek finds
// a key group without reading what stands before it.
type fileFooter struct {
	Rows     int64         `json:"rows"`
	Sections []sectionInfo `json:"sections"`
}

type sectionInfo struct {
	Table  int   `json:"table"`
	Op     op    `json:"op"`
	Offset int64 `json:"offset"` // of the section's header
	Bytes  int64 `json:"bytes"`  // of the payload
	Rows   int   `json:"rows"`
	// Groups lists the key groups present, each with its first row.
	Groups [][2]int `json:"groups,omitempty"`
}

func typeInfoOf(t types.Type) typeInfo {
	i := typeInfo{Kind: t.Kind, Nullable: t.Nullable, Precision: t.Precision, Scale: t.Scale, Length: t.Length}
	if t.Key != nil {
		i.Key = new(typeInfoOf(*t.Key))
	}
	if t.Elem != nil {
		i.Elem = new(typeInfoOf(*t.Elem))
	}
	for _, f := range t.Fields {
		i.Fields = append(i.Fields, columnInfo{Name: f.Name, Type: typeInfoOf(f.Type)})
	}
	return i
}

func (i typeInfo) typ() types.Type {
	t := types.Type{Kind: i.Kind, Nullable: i.Nullable, Precision: i.Precision, Scale: i.Scale, Length: i.Length}
	if i.Key != nil {
		t.Key = new(i.Key.typ())
	}
	if i.Elem != nil {
		t.Elem = new(i.Elem.typ())
	}
	for _, f := range i.Fields {
		t.Fields = append(t.Fields, types.Field{Name: f.Name, Type: f.Type.typ()})
	}
	return t
}

func typesOf(infos []typeInfo) []types.Type {
	ts := make([]types.Type, len(infos))
	for i, t := range infos {
		ts[i] = t.typ()
	}
	return ts
}

// header describes the store for a file.
func (s *store) header(full bool) fileHeader {
	kind := statebackend.Delta
	if full {
		kind = statebackend.Base
	}
	return fileHeader{
		Kind: kind, Vertex: string(s.spec.Task.Vertex), Subtask: s.spec.Task.Subtask, Parallelism: s.spec.Parallelism,
		MaxParallelism: s.spec.MaxParallelism, FirstGroup: s.spec.KeyGroups.First, LastGroup: s.spec.KeyGroups.Last,
	}
}

func describe(t *table) tableInfo {
	info := tableInfo{Operator: string(t.id.Operator), Name: t.id.Name, Shape: t.shape}
	var keys []types.Type
	switch t.shape {
	case shapeValue:
		keys = t.value.spec.Keys
		info.Namespaced = t.value.spec.Namespaced
		info.Columns = columnInfos(t.value.spec.Columns)
	case shapeTimers:
		keys = t.timers.spec.Keys
	case shapeMultimap, shapeOrderedMap:
		keys = t.sorted.keys
		info.Columns = columnInfos(t.sorted.columns)
	case shapeBroadcast:
		keys = t.value.spec.Keys
		info.Columns = columnInfos(t.value.spec.Columns)
	default:
		info.Redistribution = t.list.spec.Redistribution
	}
	if t.entries != nil {
		info.Entries = columnInfos(t.entries)
	}
	if t.orders != nil {
		info.Orders = columnInfos(t.orders)
	}
	for _, k := range keys {
		info.Keys = append(info.Keys, typeInfoOf(k))
	}
	return info
}

func columnInfos(columns []statebackend.ColumnSpec) []columnInfo {
	out := make([]columnInfo, len(columns))
	for i, c := range columns {
		out[i] = columnInfo{Name: c.Name, Type: typeInfoOf(c.Type), NullOf: c.NullOf}
	}
	return out
}

func (h *fileHeader) groups() types.KeyGroupRange {
	return types.KeyGroupRange{First: h.FirstGroup, Last: h.LastGroup}
}

func (i *tableInfo) id() statebackend.TableID {
	return statebackend.TableID{Operator: types.OperatorUID(i.Operator), Name: i.Name}
}

// valueSpec returns the spec of a described value table.
func (i *tableInfo) valueSpec() statebackend.ValueSpec {
	return statebackend.ValueSpec{ID: i.id(), Keys: typesOf(i.Keys), Namespaced: i.Namespaced, Columns: i.columns()}
}

func (i *tableInfo) columns() []statebackend.ColumnSpec { return columnSpecs(i.Columns) }

// entries returns what the description says of entries, nil where it says nothing.
func (i *tableInfo) entries() []statebackend.ColumnSpec {
	if len(i.Entries) == 0 {
		return nil
	}
	return columnSpecs(i.Entries)
}

// orders returns what it says of orders, nil where it says nothing.
func (i *tableInfo) orders() []statebackend.ColumnSpec {
	if len(i.Orders) == 0 {
		return nil
	}
	return columnSpecs(i.Orders)
}

func columnSpecs(columns []columnInfo) []statebackend.ColumnSpec {
	out := make([]statebackend.ColumnSpec, len(columns))
	for i, c := range columns {
		out[i] = statebackend.ColumnSpec{Name: c.Name, Type: c.Type.typ(), NullOf: c.NullOf}
	}
	return out
}

// parseHeader reads and checks the header of a file of a version.
func parseHeader(version uint16, p []byte) (*fileHeader, error) {
	h := &fileHeader{}
	if err := json.Unmarshal(p, h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	switch {
	case h.Kind != statebackend.Base && h.Kind != statebackend.Delta:
		return nil, fmt.Errorf("header: file kind %d", h.Kind)
	case h.MaxParallelism < 1 || h.MaxParallelism > types.MaxMaxParallelism:
		return nil, fmt.Errorf("header: max parallelism %d", h.MaxParallelism)
	case h.FirstGroup > h.LastGroup || int(h.LastGroup) >= h.MaxParallelism:
		return nil, fmt.Errorf("header: key groups %s of %d", h.groups(), h.MaxParallelism)
	case h.Parallelism < 0 || h.Parallelism > h.MaxParallelism || h.Subtask < 0:
		return nil, fmt.Errorf("header: subtask %d of %d", h.Subtask, h.Parallelism)
	case len(h.Tables) > tablesMax:
		return nil, fmt.Errorf("header: %d tables, at most %d", len(h.Tables), tablesMax)
	}
	for i := range h.Tables {
		if err := h.Tables[i].check(version); err != nil {
			return nil, fmt.Errorf("header: table %s of %s: %w", h.Tables[i].Name, h.Tables[i].Operator, err)
		}
	}
	return h, nil
}

func (i *tableInfo) check(version uint16) error {
	last := shapeBroadcast
	if version == 1 {
		last = shapeList
	}
	if i.Shape < shapeValue || i.Shape > last || i.Namespaced && i.Shape != shapeValue {
		return fmt.Errorf("unknown %s", i.Shape)
	}
	if r := i.Redistribution; i.Shape == shapeList && r != statebackend.SplitEven && r != statebackend.Union {
		return fmt.Errorf("redistribution %d", r)
	}
	for _, t := range i.Keys {
		if err := t.typ().Validate(); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(i.Columns, i.Entries, i.Orders) {
		if err := c.Type.typ().Validate(); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return nil
}
