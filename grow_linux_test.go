package memmap

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGrowStep fits the step to where the file is, and to the room there.
func TestGrowStep(t *testing.T) {
	checkLeaks(t)
	step := func(m *Mapping) int64 {
		n, err := m.GrowStep()
		must(t, err)
		return n
	}
	memory := mustMap(t)(Anonymous(pageSize, &AnonConfig{Shared: true}))
	if got := step(memory); got != memoryStep {
		t.Errorf("in memory: got %d, want %d", got, memoryStep)
	}
	private := mustMap(t)(Anonymous(pageSize, nil))
	_, err := private.GrowStep()
	wantError(t, err, "grow step", ErrPrivate)
	forSmallDisks(t, func(t *testing.T, dir string) {
		f, err := os.Create(filepath.Join(dir, "file"))
		must(t, err)
		defer f.Close()
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: 1 << 30}))
		n := step(m)
		if n <= 0 || n > 1<<20 || n%pageSize != 0 {
			t.Errorf("with 4 MiB of room: got %d", n)
		}
		must(t, m.Grow(n))
	})
}
