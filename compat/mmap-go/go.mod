// A module of its own, so that a replace line can put it in the place of
// github.com/edsrzf/mmap-go: see doc.go, which also says what a release does here.
module github.com/memmap-go/memmap/compat/mmap-go

go 1.26.0

require github.com/memmap-go/memmap v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/memmap-go/memmap => ../..
