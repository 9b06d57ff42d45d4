//go:build !race

package memmap

const raceEnabled = false
