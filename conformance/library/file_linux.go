package library

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A file is a descriptor of the case.
type file struct {
	*os.File
	path string // "" if it has none
}

// fd returns the step's descriptor, which has a name: Go programs have files, and no numbers.
func (w *worker) fd(a arg) (*file, error) {
	if f := w.files[a.Name]; f != nil {
		return f, nil
	}
	return nil, refuse("a number is no file")
}

// keep gives a new descriptor its name.
func (w *worker) keep(name string, fd int, path string) *file {
	f := &file{os.NewFile(uintptr(fd), path), path}
	if name == "" {
		name = fmt.Sprintf("descriptor %d", fd) // nobody speaks of it, but it must be closed
	}
	w.files[name] = f
	return f
}

// path is where a file that a case names really is.
func (w *worker) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(w.dir, name)
}

// name is what a case calls the file at a path: the reverse of path.
func (w *worker) name(path string) string {
	if name, ok := strings.CutPrefix(path, w.dir+"/"); ok {
		return name
	}
	return path
}

// retry does a system call until no signal interrupts it: the Go runtime sends signals to its own threads.
func retry(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

func (w *worker) open(s *step, flags int) (*file, error) {
	path := w.path(s.Args[0].Name)
	fd := -1
	err := retry(func() (err error) { fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, 0o666); return err })
	if err != nil {
		return nil, err
	}
	return w.keep(s.Var, fd, path), nil
}

func createFile(w *worker, s *step) (conformance.Result, error) {
	f, err := w.open(s, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err == nil {
		err = f.fill(s.Args, w.page)
	}
	if err == nil {
		err = f.resetMtime()
	}
	return result(conformance.FD(), err, noReasons)
}

// fill gives a new file its contents.
func (f *file) fill(args []arg, page uint64) error {
	size := args[1].Value
	if len(args) > 2 && args[2].Name == "sparse" {
		return retry(func() error { return syscall.Ftruncate(f.fd(), int64(size)) })
	}
	const most = 1 << 20
	for off := uint64(0); off < size; off += most {
		if err := f.pwrite(content(args, off, min(size-off, most), page), int64(off)); err != nil {
			return err
		}
	}
	return nil
}

// content returns n bytes of a new file.
func content(args []arg, off, n, page uint64) []byte {
	b := make([]byte, n)
	if len(args) < 3 {
		return b
	}
	text := args[2].Bytes
	for i := range b {
		at := off + uint64(i)
		if args[2].Name == "pages" {
			b[i] = 'a' + byte(at/page%26)
		} else {
			b[i] = text[at%uint64(len(text))]
		}
	}
	return b
}

// fd is the number of the descriptor. Mode bits that Fd may change don't matter to files, and pipes are not used.
func (f *file) fd() int { return int(f.Fd()) }

func (f *file) pwrite(b []byte, off int64) error {
	for {
		n := 0
		err := retry(func() (err error) { n, err = syscall.Pwrite(f.fd(), b, off); return err })
		if err != nil || n == len(b) {
			return err
		}
		b, off = b[n:], off+int64(n)
	}
}

func openFile(w *worker, s *step) (conformance.Result, error) {
	bits, flags := s.Args[1].Flags.Bits, 0
	modes := map[string]int{
		"rdonly": syscall.O_RDONLY, "wronly": syscall.O_WRONLY, "rdwr": syscall.O_RDWR,
		"append": syscall.O_APPEND, "path": sys.OpenPath, "directory": syscall.O_DIRECTORY,
	}
	for _, name := range s.Args[1].Flags.Names {
		flags |= modes[name]
	}
	_, err := w.open(s, flags|int(bits))
	return result(conformance.FD(), err, noReasons)
}

// memfd makes a memory file as the library does: it is what shared anonymous memory is made of. The file's first length
// is that of the mapping, and a memfd begins empty.
func memfd(w *worker, s *step) (conformance.Result, error) {
	name := s.Args[0].Name
	m, err := memmap.Anonymous(int64(w.page), &memmap.AnonConfig{Shared: true, Sealable: len(s.Args) > 1, Name: name})
	if err != nil {
		return result(conformance.FD(), err, noReasons)
	}
	own, err := m.File()
	if err == nil {
		err = own.Truncate(0)
	}
	if err := errors.Join(err, m.Close()); err != nil {
		return conformance.Result{}, err
	}
	f := &file{own, ""}
	w.files[s.Var] = f
	return conformance.FD(), f.resetMtime()
}

func pipe(w *worker, s *step) (conformance.Result, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return done(err, noReasons)
	}
	for i, a := range s.Args {
		w.keep(a.Name, ends[i], "pipe")
	}
	return conformance.OK(), nil
}

func closeFile(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err == nil {
		err = f.Close()
	}
	return done(err, forMap)
}

func unlink(w *worker, s *step) (conformance.Result, error) {
	return done(syscall.Unlink(w.path(s.Args[0].Name)), noReasons)
}

func mkdir(w *worker, s *step) (conformance.Result, error) {
	return done(syscall.Mkdir(w.path(s.Args[0].Name), 0o777), noReasons)
}

func chattr(w *worker, s *step) (conformance.Result, error) {
	return done(setAppendOnly(w.path(s.Args[0].Name), s.Args[1].Name == "+a"), noReasons)
}

func setAppendOnly(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(sys.SetAppendOnly(f, on), f.Close())
}

// clearAppendOnly makes a file of the case removable again.
func clearAppendOnly(dir, name string) error { return setAppendOnly(filepath.Join(dir, name), false) }

// onFile does a call with the step's descriptor and the two numbers that follow it.
func onFile(call func(f *file, a, b int64) error) func(*worker, *step) (conformance.Result, error) {
	return func(w *worker, s *step) (conformance.Result, error) {
		f, err := w.fd(s.Args[0])
		if err != nil {
			return conformance.Result{}, err
		}
		var n [2]int64
		for i, a := range s.Args[1:] {
			n[i] = int64(a.Value)
		}
		return done(retry(func() error { return call(f, n[0], n[1]) }), noReasons)
	}
}

var (
	allocate = onFile(func(f *file, off, n int64) error { return syscall.Fallocate(f.fd(), 0, off, n) })
	punch    = onFile(func(f *file, off, n int64) error { return syscall.Fallocate(f.fd(), sys.PunchHoleMode, off, n) })
	fsync    = onFile(func(f *file, _, _ int64) error { return syscall.Fsync(f.fd()) })
)

func pread(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	var data bytes.Buffer
	r := io.NewSectionReader(descriptor{f}, int64(s.Args[1].Value), int64(min(s.Args[2].Value, math.MaxInt64)))
	_, err = io.Copy(&data, r)
	return result(conformance.Data(data.Bytes()), err, noReasons)
}

// descriptor reads with pread(2) itself: os.File has opinions on what may be read.
type descriptor struct{ f *file }

func (d descriptor) ReadAt(p []byte, off int64) (n int, err error) {
	err = retry(func() (err error) { n, err = syscall.Pread(d.f.fd(), p, off); return err })
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func pwrite(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err == nil {
		err = f.pwrite(s.Args[2].Bytes, int64(s.Args[1].Value))
	}
	return done(err, noReasons)
}

func size(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	st, err := f.stat()
	return result(conformance.Count(uint64(st.Size)), err, noReasons)
}

func (f *file) stat() (st syscall.Stat_t, err error) {
	err = syscall.Fstat(f.fd(), &st)
	return st, err
}

// unchanged is the modification time, in seconds, that files get when they are made and after each look at it.
// It lies long ago, so every change moves it, however coarse the file system's clock is.
const unchanged = 1_000_000_000

func (f *file) resetMtime() error {
	times := []syscall.Timeval{{Sec: unchanged}, {Sec: unchanged}}
	return os.NewSyscallError("futimes", syscall.Futimes(f.fd(), times))
}

func mtime(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	if w.started {
		return conformance.Result{}, refuse("SyncStarted starts writing by design, where MS_ASYNC does nothing")
	}
	st, err := f.stat()
	if err != nil {
		return done(err, noReasons)
	}
	word := "same"
	if st.Mtim.Sec != unchanged {
		word = "changed"
	}
	return conformance.Word(word), f.resetMtime()
}

// addSeals seals the memory behind a descriptor. It takes an empty mapping of it: one with pages, if it could be
// written to, would itself stand against a seal.
func addSeals(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	names := map[string]memmap.Seals{
		"seal": memmap.SealSeals, "shrink": memmap.SealShrink, "grow": memmap.SealGrow,
		"write": memmap.SealWrite, "future_write": memmap.SealFutureWrite,
	}
	var seals memmap.Seals
	for _, name := range s.Args[1].Flags.Names {
		seals |= names[name]
	}
	if s.Args[1].Flags.Bits != 0 {
		return conformance.Result{}, refuse("the library knows seals by name only")
	}
	m, err := memmap.MapRange(f.File, 0, 0, nil)
	if err != nil {
		return done(err, forMap)
	}
	sealed := m.Seal(seals)
	if err := m.Close(); err != nil {
		return conformance.Result{}, err
	}
	return done(sealed, noReasons)
}
