package library

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
)

// The descriptors that a worker is started with.
const (
	messagesFD = 3
	rightsFD   = 4
)

// A worker is the inside of one process of a case.
type worker struct {
	*channel
	dir   string // the case's files
	page  uint64
	files map[string]*file

	objects []*object // all that there ever were, the newest last
	regions []*region
	held    []held // which addresses were whose; the newest last

	// unknown are addresses where the case now has something that the library doesn't, because a step there was
	// not expressible. kept is memory that a child of fork didn't get from its parent.
	unknown []span
	kept    []keptMemory

	// started says that some writeback was started, which MS_ASYNC does not do on the kernel.
	started bool

	frozen  string // why no more memory can be mapped; "" if it can
	limited bool   // has lost privileges or resources, which a new worker would not

	atStart []string // the descriptors there were at the start
}

// work serves one case, and exits.
func work() {
	// A case is short. Collecting garbage in the middle of it would only map and unmap memory that isn't the case's.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
	runtime.GOMAXPROCS(1)
	signal.Ignore(syscall.SIGXFSZ) // a write over the limit then fails with EFBIG
	w := &worker{
		channel: newChannel(os.NewFile(messagesFD, "messages"), os.NewFile(rightsFD, "descriptors")),
		page:    uint64(os.Getpagesize()),
		files:   map[string]*file{},
	}
	if err := w.serve(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance/library: worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve answers requests until it is told to end, or its parent is gone.
func (w *worker) serve() error {
	for {
		var r request
		if err := w.dec.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := w.enc.Encode(w.answer(r)); err != nil {
			return err
		}
		if r.End {
			return nil
		}
	}
}

func (w *worker) answer(r request) (a reply) {
	var err error
	switch {
	case r.Setup != nil:
		err = w.setUp(*r.Setup)
	case r.Step != nil:
		a, err = w.attempt(r.Step)
	case r.Bequeath:
		a.Estate, err = w.bequeath()
	case r.Inherit != nil:
		a.Relocated, err = w.inherit(r.Inherit)
	case r.End:
		err = w.closeAll()
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return reply{Refused: refused.reason, Private: a.Private}
	}
	if err != nil {
		return reply{Err: err.Error()}
	}
	return a
}

func (w *worker) setUp(s setup) (err error) {
	w.dir = s.Dir
	syscall.Umask(0) // other users may open the case's files
	w.atStart, err = descriptors()
	return err
}

// A refusal is the error of a step that is not expressible.
type refusal struct {
	reason   string
	diverged bool // the kernel might have changed something, so what the step was about is unknown from now on
}

func (r *refusal) Error() string { return r.reason }

// refuse is for a step that the library has no way to do, and that changes no memory on the kernel.
func refuse(format string, args ...any) error {
	return &refusal{reason: fmt.Sprintf(format, args...)}
}

// diverge is for a step that changes memory on the kernel, and that the library has no way to do.
func diverge(format string, args ...any) error {
	return &refusal{reason: fmt.Sprintf(format, args...), diverged: true}
}

// An operation carries out one step.
type operation struct {
	do func(*worker, *step) (conformance.Result, error)

	// about gives the addresses that the step is about; nil if it is about none.
	about func(*step) []span

	// changes says that the step changes memory: if it can't be done, the memory is unknown from then on.
	changes bool
}

// operations are those of the language that can be expressed, some of them in part.
var operations = map[string]operation{
	"file":      {do: createFile},
	"open":      {do: openFile},
	"memfd":     {do: memfd},
	"pipe":      {do: pipe},
	"close":     {do: closeFile},
	"unlink":    {do: unlink},
	"mkdir":     {do: mkdir},
	"chattr":    {do: chattr},
	"ftruncate": {do: ftruncate},
	"allocate":  {do: allocate},
	"punch":     {do: punch},
	"fsync":     {do: fsync},
	"pread":     {do: pread},
	"pwrite":    {do: pwrite},
	"readto":    {do: readTo, about: aboutBuffer, changes: true},
	"writefrom": {do: writeFrom, about: aboutBuffer},
	"size":      {do: size},
	"addseals":  {do: addSeals},
	"mtime":     {do: mtime},

	"mmap":             {do: mmap, about: aboutPlace, changes: true},
	"munmap":           {do: munmap, about: aboutRange, changes: true},
	"mprotect":         {do: mprotect, about: aboutRange, changes: true},
	"msync":            {do: msync, about: aboutRange},
	"mremap":           {do: mremap, about: aboutRemap, changes: true},
	"madvise":          {do: madvise, about: aboutRange, changes: true},
	"mincore":          {do: mincore, about: aboutRange},
	"mlock":            {do: mlock, about: aboutRange, changes: true},
	"mlock2":           {do: mlock2, about: aboutRange, changes: true},
	"munlock":          {do: munlock, about: aboutRange, changes: true},
	"mlockall":         {do: mlockAll},
	"munlockall":       {do: munlockAll},
	"remap_file_pages": {do: remapFilePages, about: aboutRange, changes: true},
	"mseal":            {do: mseal, about: aboutRange, changes: true},
	"load":             {do: load, about: aboutBytes},
	"store":            {do: store, about: aboutBytes, changes: true},

	"areas":   {do: areas, about: aboutRange},
	"present": {do: present, about: aboutRange},
	"vmflags": {do: vmFlags, about: aboutBytes},

	"rlimit":       {do: rlimit},
	"unprivileged": {do: unprivileged},
}

// attempt does a step, unless it is about memory that the library doesn't have as the case has it.
func (w *worker) attempt(s *step) (reply, error) {
	op, ok := operations[s.Op]
	if !ok {
		return reply{}, refuse("the library has nothing like %s", s.Op)
	}
	var about []span
	if op.about != nil {
		about = op.about(s)
	}
	if err := w.known(about, op.changes); err != nil {
		return w.refused(about, err)
	}
	r, err := op.do(w, s)
	if wrong := w.check(); wrong != nil {
		return reply{}, wrong
	}
	if err != nil {
		return w.refused(about, err)
	}
	return reply{Result: r}, nil
}

// known reports addresses of which it is not known what the case has there.
func (w *worker) known(about []span, changes bool) error {
	for _, a := range about {
		for _, u := range w.unknown {
			if a.overlaps(u) {
				return &refusal{"an earlier step there was not expressible", changes}
			}
		}
		for _, k := range w.kept {
			if a.overlaps(k.Span) {
				return &refusal{notHandedOn, changes}
			}
		}
	}
	return nil
}

// refused remembers what a step that can't be done would have changed.
func (w *worker) refused(about []span, err error) (reply, error) {
	private := w.private(about)
	var r *refusal
	if errors.As(err, &r) && r.diverged {
		for _, a := range about {
			w.unknown = append(w.unknown, span{roundDown(a.Lo, w.page), roundUp(a.Hi, w.page)})
		}
	}
	return reply{Private: private}, err
}

// private reports whether all that is at the addresses is seen by this process alone.
func (w *worker) private(about []span) bool {
	for _, a := range about {
		isKept := slices.ContainsFunc(w.kept, func(k keptMemory) bool { return k.Span.covers(a) && !k.Shared })
		isUnknown := slices.ContainsFunc(w.unknown, a.overlaps)
		o := w.live(a.Lo)
		if isUnknown || !isKept && (o == nil || o.shared || !o.span().covers(a)) {
			return false
		}
	}
	return len(about) > 0
}

// What steps are about, by where their arguments have it.

func aboutRange(s *step) []span {
	addr, n := s.Args[0].Value, s.Args[1].Value
	if addr+n < addr {
		return nil // ends beyond all addresses
	}
	return []span{spanOf(addr, n)}
}

func aboutBytes(s *step) []span {
	n := uint64(1)
	switch {
	case s.Op == "store":
		n = uint64(len(s.Args[1].Bytes))
	case len(s.Args) > 1:
		n = s.Args[1].Value
	}
	return []span{spanOf(s.Args[0].Value, n)}
}

func aboutBuffer(s *step) []span { return []span{spanOf(s.Args[2].Value, s.Args[3].Value)} }

// aboutPlace is where mmap is told to map. Without an address it is about none that exists. An area that grows
// down is also about all that it may take in: what RLIMIT_STACK is at most of the time.
func aboutPlace(s *step) []span {
	const growth = 8 << 20
	if s.Args[0].Value == 0 {
		return nil
	}
	list := aboutRange(s)
	for i := range list {
		if s.Args[3].Flags.Has("growsdown") {
			list[i].Lo -= min(list[i].Lo, growth)
		}
	}
	return list
}

func aboutRemap(s *step) []span {
	addr, old, n := s.Args[0].Value, s.Args[1].Value, s.Args[2].Value
	list := []span{spanOf(addr, max(old, 1))}
	if len(s.Args) > 4 {
		list = append(list, spanOf(s.Args[4].Value, n))
	}
	return list
}
