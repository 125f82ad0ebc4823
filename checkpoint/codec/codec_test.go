package codec_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"millrace/checkpoint"
	"millrace/checkpoint/codec"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

func manifest() *checkpointv1.Manifest {
	sum := sha256.Sum256([]byte("s"))
	return &checkpointv1.Manifest{
		FormatVersion: checkpoint.FormatVersion, JobId: "j", CheckpointId: 2, Attempt: 3, Term: 4, PreviousCheckpointId: 1,
		PreviousSha256: sum[:], Kind: checkpoint.Periodic.Proto(), TriggeredUnixMillis: 5,
		Vertices: []*checkpointv1.VertexState{{
			VertexId: "v", MaxParallelism: 8, LargestParallelism: 1, Enumerator: []byte("e"),
			Unassigned: []*checkpointv1.SplitState{{Id: "r", State: []byte{2}}},
			Tasks: []*checkpointv1.TaskState{{
				Files: []*checkpointv1.StateFile{
					{At: &checkpointv1.StateFile_Object{Object: "o"}, Sha256: sum[:], Bytes: 9, Rows: 2, Kind: 1, LastKeyGroup: 7},
					{At: &checkpointv1.StateFile_Inline{Inline: []byte("s")}, Sha256: sum[:], Bytes: 1, Kind: 2, LastKeyGroup: 7},
				},
				Splits:       []*checkpointv1.SplitState{{Id: "s", State: []byte{1}, Watermark: -3, HasWatermark: true}},
				Watermarks:   []*checkpointv1.OperatorWatermark{{Uid: "o", Watermark: -1}},
				Committables: [][]byte{{1}, {}}, Ended: true,
				InFlight:     &checkpointv1.StateFile{At: &checkpointv1.StateFile_Object{Object: "f"}, Sha256: sum[:], Bytes: 7, Rows: 5, Kind: 3},
				InFlightRows: []int64{5},
			}},
		}},
	}
}

func TestRoundTrip(t *testing.T) {
	b, sum, err := codec.Encode(manifest())
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := codec.Encode(manifest())
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same manifest has other bytes, or %v", err)
	}
	got, err := codec.DecodeVerified(b, sum)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifest(), got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

// TestVersions reads a manifest that each version of the format wrote. The samples are never written anew.
func TestVersions(t *testing.T) {
	first, second := manifest(), manifest()
	for version, m := range []*checkpointv1.Manifest{1: first, 2: second} {
		if m != nil {
			m.FormatVersion = uint32(version)
			m.Vertices[0].Tasks[0].InFlight, m.Vertices[0].Tasks[0].InFlightRows = nil, nil
		}
	}
	first.Vertices[0].Unassigned = nil
	for version, want := range map[int]*checkpointv1.Manifest{1: first, 2: second, 3: manifest()} {
		b, err := os.ReadFile(fmt.Sprintf("testdata/manifest-v%d", version))
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.DecodeVerified(b, sha256.Sum256(b))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("version %d: %s", version, diff)
		}
	}
}

func TestChangedBytesAreRefused(t *testing.T) {
	b, sum, err := codec.Encode(manifest())
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x40
		if _, err := codec.DecodeVerified(b, sum); err == nil || !strings.Contains(err.Error(), "corrupt") {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		b[i] ^= 0x40
	}
	if _, err := codec.DecodeVerified(b[:len(b)-1], sum); err == nil {
		t.Error("a cut manifest was read")
	}
}

func TestInvalidManifestsAreNotWritten(t *testing.T) {
	m := manifest()
	m.Vertices[0].Tasks[0].Files = m.Vertices[0].Tasks[0].Files[1:]
	if _, _, err := codec.Encode(m); err == nil || !strings.Contains(err.Error(), "a chain is a base and deltas") {
		t.Errorf("got %v", err)
	}
}

// Whatever bytes come: an error, or a manifest that can be written again, restored at other parallelisms, and compared.
func FuzzDecode(f *testing.F) {
	b, _, err := codec.Encode(manifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte{})
	f.Add([]byte{0x52, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := codec.Decode(b)
		if err != nil {
			return
		}
		if _, _, err := codec.Encode(m); err != nil {
			t.Fatalf("decoded, yet not to be encoded: %v", err)
		}
		spec := checkpoint.RestoreSpec{Parallelism: make(map[types.VertexID]int32), MaxParallelism: int(m.Vertices[0].MaxParallelism)}
		for _, v := range m.Vertices {
			if int(v.MaxParallelism) != spec.MaxParallelism {
				return
			}
			spec.Parallelism[types.VertexID(v.VertexId)] = min(2, v.MaxParallelism)
		}
		if _, err := checkpoint.Restore(m, spec); err != nil {
			t.Fatalf("valid, yet not to be restored: %v", err)
		}
		if got := checkpoint.Unreferenced([]*checkpointv1.Manifest{m}, []*checkpointv1.Manifest{m}); got != nil {
			t.Fatalf("retained objects to be deleted: %v", got)
		}
		_ = checkpoint.Describe(m)
	})
}
