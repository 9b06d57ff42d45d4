package memmap

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/memmap-go/memmap/internal/race"
)

// TestRaceDetector has two goroutines access a mapping in a child process, and looks
// whether the race detector reports it.
func TestRaceDetector(t *testing.T) {
	if !race.Enabled {
		t.Skip("for go test -race")
	}
	write := func(m *Mapping, off int64) { _, _ = m.WriteAt(make([]byte, 5), off) }
	read := func(m *Mapping, off int64) { _, _ = m.ReadAt(make([]byte, 5), off) }
	tests := []struct {
		name string
		a, b func(m *Mapping)
		race bool
	}{
		{"write and write", func(m *Mapping) { write(m, 100) }, func(m *Mapping) { write(m, 104) }, true},
		{"read and write", func(m *Mapping) { read(m, 100) }, func(m *Mapping) { write(m, 96) }, true},
		{"store and load", func(m *Mapping) { _ = Store(m, 8, uint64(1)) }, func(m *Mapping) { _, _ = Load[uint16](m, 14) }, true},
		{"side by side", func(m *Mapping) { write(m, 100) }, func(m *Mapping) { write(m, 105) }, false},
		{"reads", func(m *Mapping) { read(m, 100) }, func(m *Mapping) { read(m, 100) }, false},
		{"across chunks", func(m *Mapping) { write(m, shadowChunk-2) }, func(m *Mapping) { write(m, shadowChunk+1) }, true},
		{"over the end", func(m *Mapping) { write(m, 2*shadowChunk) }, func(m *Mapping) { write(m, 2*shadowChunk-3) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if os.Getenv("MEMMAP_RACE") == "" {
				report := raceReport(t)
				if got := bytes.Contains(report, []byte("DATA RACE")); got != tt.race {
					t.Errorf("reported: %v, want %v\n%s", got, tt.race, report)
				}
				return
			}
			m := mustMap(t)(Map(makeFile(t, pattern(2*shadowChunk)), &FileConfig{Prot: Read | Write}))
			read(m, 4096) // the mapping has been used before
			var wg sync.WaitGroup
			wg.Go(func() { tt.a(m) })
			wg.Go(func() { tt.b(m) })
			wg.Wait()
		})
	}
}

// raceReport runs this test in a child process and returns what it prints.
func raceReport(t *testing.T) []byte {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.count=1")
	child.Env = append(os.Environ(), "MEMMAP_RACE=1", "GORACE=atexit_sleep_ms=0 halt_on_error=0")
	out, _ := child.CombinedOutput() // a race makes the test fail
	return out
}

// TestNoRaceShadow tells the detector nothing.
func TestNoRaceShadow(t *testing.T) {
	needMappings(t)
	m := mustMap(t)(Anonymous(pageSize, &AnonConfig{NoRaceShadow: true}))
	f := mustMap(t)(Map(makeFile(t, pattern(10)), &FileConfig{NoRaceShadow: true}))
	if m.shadow != nil || f.shadow != nil {
		t.Error("there is a shadow")
	}
	if m := mustMap(t)(Anonymous(pageSize, nil)); (m.shadow != nil) != race.Enabled {
		t.Errorf("shadow is %v, and the detector at work: %v", m.shadow, race.Enabled)
	}
}
