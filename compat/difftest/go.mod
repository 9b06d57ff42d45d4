// The packages in compat beside their originals. A module of its own, since the
// adapters must not require what they replace.
module github.com/memmap-go/memmap/compat/difftest

go 1.26.0

replace (
	github.com/memmap-go/memmap => ../..
	github.com/memmap-go/memmap/compat/mmap-go => ../mmap-go
)

require (
	github.com/dgraph-io/ristretto/v2 v2.4.2
	github.com/edsrzf/mmap-go v1.2.0
	github.com/memmap-go/memmap v0.0.0
	github.com/memmap-go/memmap/compat/mmap-go v0.0.0
	golang.org/x/exp v0.0.0-20261113113407-e3970619a1a4
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
