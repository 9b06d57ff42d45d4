// Package difftest holds the adapters in compat against their originals: the
// exported API must be the same, and so must be what calls do, but for what the
// adapters document as different. It needs the originals, from the module proxy
// or from the module cache:
//
//	cd compat/difftest && go test ./...
package difftest
