//go:build race

package memmap

// raceEnabled says that the race detector is at work: it needs memory of its own,
// and ends the process where it gets none.
const raceEnabled = true
