package conformance

// A ResultKind says what a step gave and which fields of a Result hold it.
type ResultKind uint8

const (
	ResultOK      ResultKind = iota // success, nothing to tell
	ResultErrno                     // the call failed: Name is the error number's name, as "ENOMEM"
	ResultFault                     // the access faulted: Name is the signal's code, as "BUS_ADRERR", or "KILLED"
	ResultFD                        // a descriptor was opened
	ResultAddress                   // Value, in the runner's own address space
	ResultCount                     // Value
	ResultBytes                     // Bytes
	ResultPages                     // Pages, one of '0' and '1' a page
	ResultAreas                     // Areas, in address order and without gaps: holes are areas too
	ResultFlags                     // Flags of the area, as smaps names them
	ResultWord                      // Name: "changed", "same"
)

// A Result is what one step did: never what it should have done.
type Result struct {
	Kind  ResultKind
	Name  string
	Value uint64
	Bytes []byte
	Pages string
	Areas []Area
	Flags []string
}

// An Area is a run of addresses with one protection and one object, clipped to the range that was asked for.
type Area struct {
	Perms  string // as "rw-s"; "" for a hole
	Object string // "anon", "shm", or the file's name; "hole" for a hole
	Off    uint64 // of the first byte in the file; 0 without a file
	Len    uint64 // bytes
}

// OK is the result of a step that succeeded and gives nothing.
func OK() Result { return Result{} }

// Errno is the result of a call that failed with the named error number.
func Errno(name string) Result { return Result{Kind: ResultErrno, Name: name} }

// Fault is the result of an access that raised a signal with the named code.
func Fault(code string) Result { return Result{Kind: ResultFault, Name: code} }

// FD is the result of a step that opened a descriptor.
func FD() Result { return Result{Kind: ResultFD} }

// Address is the result of mmap and mremap.
func Address(addr uint64) Result { return Result{Kind: ResultAddress, Value: addr} }

// Count is the result of a step that counts bytes.
func Count(n uint64) Result { return Result{Kind: ResultCount, Value: n} }

// Data is the result of a step that reads bytes.
func Data(b []byte) Result { return Result{Kind: ResultBytes, Bytes: b} }

// Pages is the result of mincore and present: one of '0' and '1' a page.
func Pages(bits string) Result { return Result{Kind: ResultPages, Pages: bits} }

// Areas is the result of areas.
func Areas(list []Area) Result { return Result{Kind: ResultAreas, Areas: list} }

// VMFlags is the result of vmflags.
func VMFlags(flags []string) Result { return Result{Kind: ResultFlags, Flags: flags} }

// Word is the result of a step that answers with a word.
func Word(w string) Result { return Result{Kind: ResultWord, Name: w} }
