package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"millrace/connectors"
	"millrace/types"
)

// inProgress marks the names of staged files.
const inProgress = ".inprogress"

// finalName is the name of what a subtask wrote for a checkpoint, of its first file in a directory
// and of those behind it: no other subtask, job or checkpoint ever has it.
func finalName(id connectors.Identity, c types.CheckpointID, ordinal int) string {
	name := fmt.Sprintf("%s%05d-%012d", finalPrefix(id), id.Subtask, c)
	if ordinal > 0 {
		name += fmt.Sprintf("-%d", ordinal)
	}
	return name
}

func finalPrefix(id connectors.Identity) string {
	return fmt.Sprintf("part-%s-%s-", escape(string(id.Job)), escape(string(id.Operator)))
}

// checkpointOf returns the checkpoint of a final name of the same sink; 0 for
// other names.
func checkpointOf(id connectors.Identity, name string) types.CheckpointID {
	if !strings.HasPrefix(name, finalPrefix(id)) {
		return 0
	}
	return checkpointIn(name)
}

// checkpointIn returns the checkpoint of a final name of any sink; 0 for other names. Behind "part", job and operator, which have no
// dash, stand the numbers of subtask and checkpoint, and perhaps one of the file.
func checkpointIn(name string) types.CheckpointID {
	parts := strings.Split(name, "-")
	if len(parts) < 5 || len(parts) > 6 || parts[0] != "part" {
		return 0
	}
	var last uint64
	for i, text := range parts[3:] {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0
		}
		if i == 1 {
			last = n
		}
	}
	return types.CheckpointID(last)
}

// stagedName is the name of a file while it is written, and until it is
// committed. n counts the files of one writer.
func stagedName(id connectors.Identity, n int) string {
	return fmt.Sprintf("%s%d-%05d-%d%s", stagedPrefix(id), id.Attempt, id.Subtask, n, inProgress)
}

func stagedPrefix(id connectors.Identity) string {
	return fmt.Sprintf(".part-%s-%s-", escape(string(id.Job)), escape(string(id.Operator)))
}

// stagedBefore tells whether a name is that of a staged file of the same sink, by
// an earlier attempt.
func stagedBefore(id connectors.Identity, name string) bool {
	rest, ok := strings.CutPrefix(name, stagedPrefix(id))
	if !ok || !strings.HasSuffix(rest, inProgress) {
		return false
	}
	var attempt uint64
	var subtask, n int
	_, err := fmt.Sscanf(strings.TrimSuffix(rest, inProgress), "%d-%d-%d", &attempt, &subtask, &n)
	return err == nil && attempt < uint64(id.Attempt)
}

// escape makes a text a part of a file name, without the dash that separates
// parts. Long ones are cut, and told apart by a hash.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= nameBytesMax {
		return b.String()
	}
	sum := sha256.Sum256([]byte(s))
	return b.String()[:nameBytesMax] + "%" + hex.EncodeToString(sum[:8])
}
