package main

import "github.com/memmap-go/memmap/conformance"

// legend explains the signs, and the little of the language that a reader needs.
var legend = []string{
	"",
	"  ✓  did what the case says    –  can't express this step    ✗  did something else, or failed",
	"",
	`Each section goes through one or two cases step by step; --verbose goes through all, and the name of a`,
	`case through that one. The others stand in a line each: (memmap 3 of 5 steps) there says that memmap can`,
	`express only three of the case's five steps. The numbers of the sections are those of chapter 49, Memory`,
	`Mappings, of The Linux Programming Interface; the book isn't needed.`,
	"",
	"How to read a step. conformance/LANGUAGE.md has the whole language.",
	"",
	"  f = file data 3p pages          makes the file data, open as f: a page of a's, one of b's, one of c's",
	"  m = mmap 0 2p r|w shared f 1p   maps it at m: two pages, to read and write, from its second page on.",
	"                                  The arguments are mmap's: address (0: where there is room), length,",
	"                                  protection, flags, descriptor (- for none), offset",
	"  load m+1p -> 'c'                the byte one page into m must be a c",
	"  store m+9 \"abc\"                 stores three bytes. Without -> a step must succeed",
	"  munmap m 0 -> EINVAL            the call must fail with this error",
	"  load m+2p -> SEGV_MAPERR        the load must fault: with SEGV_... or BUS_..., signals that end a",
	"                                  program that isn't prepared",
	"  areas m 3p -> rw-s data+1p 2p; hole 1p",
	"                                  what lies at these addresses: two pages of data, from its second page",
	"                                  on, shared (s; p is private), and then nothing. anon is memory",
	"                                  without a file, shm the same if it is shared",
	"  kid: load m -> 'b'              a step of the process kid, which fork kid has made",
	"  repeat 3 i: load m+i*4          three steps, with 0, 1 and 2 for i",
	"  until ENOMEM i 9: mmap 0 20T none private|anon - 0",
	"                                  steps until one fails with ENOMEM, at most 9",
}

// A part is a numbered part of a section. It goes from its first case to the next part.
type part struct {
	section string // number
	title   string
	first   string // name of a case
}

var parts = []part{
	{"49.4", "49.4.1 Private File Mappings", "processes-start-from-one-file"},
	{"49.4", "49.4.2 Shared File Mappings", "memory-mapped-io"},
	{"49.4", "49.4.3 Boundary Cases", "tail-reads-zero"},
	{"49.4", "49.4.4 Memory Protection and File Access Mode Interactions", "access-rdwr-shared"},
}

// partThatBegins returns the title of the part that begins with a case, or "".
func partThatBegins(s *conformance.Section, c *conformance.Case) string {
	for _, p := range parts {
		if p.section == number(s.Title) && p.first == c.Name {
			return p.title
		}
	}
	return ""
}

// introductions say by number what a section or part is about, to a reader who has never seen mmap.
var introductions = map[string]string{
	"49.1": `
A mapping is a range of a process's addresses behind which something lies: a file's bytes, or memory of
its own. It is private or shared, so there are four kinds (table 49-1):

               file                               anonymous: no file
             ┌──────────────────────────────────┬──────────────────────────────┐
    private  │ memory that begins with the      │ new memory, all zeros        │
             │ file's bytes                     │                              │
             ├──────────────────────────────────┼──────────────────────────────┤
    shared   │ reading and writing the file as  │ memory that a parent has in  │
             │ memory, also by many processes   │ common with its children     │
             └──────────────────────────────────┴──────────────────────────────┘

Memory is made of page frames. Shared mappings of a file show the same frames. A private mapping shows
them too, until a store: this copies the page into a frame of its own (copy-on-write).

    before                              after a store to page 1 of the private mapping

    private  ┌─────┬─────┬─────┐        private  ┌─────┬─────┬─────┐
             │  0  │  1  │  2  │                 │  0  │  1  │  2  │
             └──┼──┴──┼──┴──┼──┘                 └──┼──┴──┼──┴──┼──┘
                │     │     │                       │    [B]    │       a frame of its own
    frames     [a]   [b]   [c]          frames     [a]   [b]   [c]      the file's frames
                │     │     │                       │     │     │
             ┌──┼──┬──┼──┬──┼──┐                 ┌──┼──┬──┼──┬──┼──┐
             │  0  │  1  │  2  │                 │  0  │  1  │  2  │
    shared   └─────┴─────┴─────┘        shared   └─────┴─────┴─────┘`,

	"49.2": `
mmap(2) makes a mapping: so many bytes, with a protection, of this kind, from that offset of a file. The
system chooses the address, unless one is asked for. Bad arguments are errors, and here is which.`,

	"49.3": `
munmap(2) ends a mapping, or a part of one: what is left are two mappings with a hole between them.
Touching a hole is a fault: SEGV_MAPERR, nothing is mapped there.`,

	"49.4": `
Mapping a file: its bytes appear as memory, page by page, when they are first touched.`,

	"49.4.1": `
A private file mapping begins with the file's bytes and keeps its stores for itself. So a program's code
and initialised data come into memory, for many processes from one file.`,

	"49.4.2": `
A shared file mapping is the file's own pages: a store is a write. It is used to read and write files
without read(2) and write(2), and to share memory between processes that have nothing else in common.`,

	"49.4.3": `
Mappings are made of whole pages, files are not. The rest of the last page reads as zeros, and what is
stored there never reaches the file. A page beyond that can be mapped but not touched: SIGBUS.

    file     ├───────── 6000 bytes ─────────┤
             ┌───────────────────┬───────────────────┬───────────────────┐
    mapping  │ page 0            │ page 1            │ page 2            │
             └───────────────────┴───────────────────┴───────────────────┘
             ├──── the file's bytes ────────┤ zeros  ├── BUS_ADRERR ─────┤`,

	"49.4.4": `
What a mapping may do depends on how its file was opened. Stores to a shared mapping write the file, so
they need a descriptor open for writing; every mapping needs one open for reading. mprotect(2) changes
the protection later. Touching a page in a way it doesn't allow is a fault: SEGV_ACCERR.`,

	"49.5": `
Stores to a shared mapping reach the file's disk some time later. msync(2) says when: with MS_SYNC it
returns after they were written.`,

	"49.6": `
Flags of mmap(2), and the calls that go with them: pages brought in beforehand, locked into memory, made
huge, given back, or growing downwards like a stack.`,

	"49.7": `
Memory without a file, filled with zeros. Private, it is what allocators are made of. Shared, it is common
to a process and the children it forks. A memfd gives such memory a descriptor.`,

	"49.8": `
mremap(2) makes a mapping longer or shorter. If there is no room it may move, contents and all:

    before   ┌─────────┬─────────┬╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐
             │ mapping │ another │ hole                        │
             └─────────┴─────────┴╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘
    after    ┌╌╌╌╌╌╌╌╌╌┬─────────┬───────────────────┬╌╌╌╌╌╌╌╌╌┐
             │ hole    │ another │ mapping, longer   │ hole    │
             └╌╌╌╌╌╌╌╌╌┴─────────┴───────────────────┴╌╌╌╌╌╌╌╌╌┘`,

	"49.9": `
Memory is promised when it is mapped, and found when it is touched. How far the system promises more than
it has (overcommit) is a setting: mode 0 refuses what is obviously too much, 1 nothing, 2 whatever it
could not keep. MAP_NORESERVE asks for addresses without a promise.`,

	"49.10": `
MAP_FIXED puts a mapping at exactly this address, over whatever is there. So it is safe only where nothing
else can be: in addresses that were reserved before, by mapping them without any access.

    reserved       ┌─────────────────────────────────────────────────────────┐
                   │ ---p anon 6p                                            │
                   └─────────────────────────────────────────────────────────┘
    two placed     ┌────────┬──────────────────┬────────┬────────────────────┐
                   │ ---p   │ rw-s data+0 2p   │ rw-p   │ ---p               │
                   └────────┴──────────────────┴────────┴────────────────────┘`,

	"49.11": `
A mapping need not show a file's pages in their order:

    pages of the file     0     1     2     3
                           ╲    │    ╱      │
                             ╲  │  ╱        │
                               ╳╳╳          │
                             ╱  │  ╲        │
                           ╱    │    ╲      │
    addresses             0     1     2     3      shows pages 2, 1, 0, 3

remap_file_pages(2) was made for this. Today the system does it with ordinary mappings, one for each run
of pages, and so can a program.`,
}
