// Memmapvet looks for code that dies of a fault in mapped memory although
// memmap.Guard stands around it:
//
//	go install github.com/memmap-go/memmap/vet/cmd/memmapvet@latest
//	go vet -vettool=$(which memmapvet) ./...
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/memmap-go/memmap/vet"
)

func main() { unitchecker.Main(vet.Analyzer) }
