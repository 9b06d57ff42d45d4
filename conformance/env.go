package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// An Env is this system as cases see it: what they may need, and directories for their files.
// Its methods may be called by several goroutines.
type Env struct {
	facts facts
	bases []string // directories that may hold case directories, the preferred one first

	mu    sync.Mutex
	roots map[string]string // by file system type: our own directory in the first base of that type
	attrs map[string]bool   // by root: whether the append-only attribute works there
}

// NewEnv finds out about this system. Close removes the directories that it gave out.
func NewEnv() (*Env, error) {
	f, err := readFacts(os.DirFS("/"))
	if err != nil {
		return nil, fmt.Errorf("conformance: look at this system: %w", err)
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return &Env{
		facts: f,
		bases: []string{os.TempDir(), "/dev/shm", "/var/tmp", wd},
		roots: map[string]string{},
		attrs: map[string]bool{},
	}, nil
}

// Close removes all directories.
func (e *Env) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, root := range e.roots {
		errs = append(errs, os.RemoveAll(root))
	}
	clear(e.roots)
	return errors.Join(errs...)
}

// Dir makes a new directory for the case's files, on the file system that the case needs.
// Every user may write in it: a case's processes may give up their privileges.
func (e *Env) Dir(c *Case) (string, error) {
	root, err := e.root(c.fileSystem())
	if err != nil {
		return "", err
	}
	return openDir(root, c.Name+"-*")
}

// fileSystem is the type of file system that the case needs, or "".
func (c *Case) fileSystem() string {
	for _, n := range c.Needs {
		if n.Name == "ext4" || n.Name == "tmpfs" {
			return n.Name
		}
	}
	return ""
}

// root returns our directory on a file system of that type. It is made when it is first asked for.
func (e *Env) root(fsType string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if root, ok := e.roots[fsType]; ok {
		return root, nil
	}
	var errs []error
	for _, base := range e.bases {
		if fsType != "" && e.facts.fileSystem(base) != fsType {
			continue
		}
		root, err := openDir(base, "memmap-conformance-*")
		if err == nil {
			e.roots[fsType] = root
			return root, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(append(errs, fmt.Errorf("no directory to write on a file system %q", fsType))...)
}

// openDir makes a directory that every user may write in.
func openDir(parent, pattern string) (string, error) {
	dir, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o777)
}

// Unmet names the first need of the case that is not met here, as "needs root", or is "" if all are.
func (e *Env) Unmet(c *Case) string {
	for _, n := range c.Needs {
		if !e.meets(n, c.fileSystem()) {
			return "needs " + n.Text
		}
	}
	return ""
}

func (e *Env) meets(n Need, fsType string) bool {
	switch n.Name {
	case "ext4", "tmpfs":
		_, err := e.root(n.Name)
		return err == nil
	case "chattr":
		return e.canChattr(fsType)
	}
	return e.facts.meets(n)
}

// canChattr tries the append-only attribute on a file where the case's files will be.
func (e *Env) canChattr(fsType string) bool {
	root, err := e.root(fsType)
	if err != nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	can, known := e.attrs[root]
	if !known {
		can = tryAppendOnly(root) == nil
		e.attrs[root] = can
	}
	return can
}

func tryAppendOnly(dir string) error {
	f, err := os.CreateTemp(dir, "append-*")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.SetAppendOnly(f, true); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(sys.SetAppendOnly(f, false), os.Remove(f.Name()))
}

// facts is what the system's own files say. Zero facts meet no need that asks for something special.
type facts struct {
	major, minor int    // of the kernel
	caps         uint64 // effective capabilities
	hugeFree     int    // free huge pages of the default size
	hugeMost     int    // how many there could be
	thp          bool
	swap         bool
	overcommit   int // vm.overcommit_memory, -1 if unknown
	adminReserve int // vm.admin_reserve_kbytes
	areas        int // vm.max_map_count
	mounts       []mount
}

// A mount is one line of mountinfo.
type mount struct {
	point, fsType string
	noexec        bool
}

// capSysAdmin is CAP_SYS_ADMIN of capabilities(7).
const capSysAdmin = 1 << 21

func (f *facts) meets(n Need) bool {
	switch n.Name {
	case "kernel":
		older := f.major < n.Major || f.major == n.Major && f.minor < n.Minor
		return f.major != 0 && older == n.Below
	case "root":
		return f.caps&capSysAdmin != 0
	case "user":
		return f.major != 0 && f.caps == 0
	case "hugepages":
		return f.hugeFree >= n.N
	case "no-hugepages":
		return f.hugeMost == 0
	case "thp":
		return f.thp
	case "swap":
		return f.swap
	case "overcommit":
		return f.overcommit == n.N
	case "admin-reserve":
		return f.adminReserve>>10 >= n.N
	case "areas":
		return 0 < f.areas && f.areas <= n.N
	case "amd64":
		return runtime.GOARCH == "amd64"
	case "64bit":
		return strconv.IntSize == 64
	case "noexec":
		return f.mountOf("/proc").noexec
	}
	return false
}

// mountOf finds the mount that a path lies on. The last of several at one point is the visible one.
func (f *facts) mountOf(path string) mount {
	var best mount
	for _, m := range f.mounts {
		inside := path == m.point || strings.HasPrefix(path, strings.TrimSuffix(m.point, "/")+"/")
		if inside && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best
}

// fileSystem returns the type of the file system that dir lies on, or "".
func (f *facts) fileSystem(dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	return f.mountOf(real).fsType
}

// readFacts reads /proc and /sys. A file that doesn't exist leaves its facts unknown:
// on other systems there are none of them.
func readFacts(root fs.FS) (facts, error) {
	r := factReader{root: root}
	f := facts{overcommit: -1}
	f.major, f.minor = r.version("proc/sys/kernel/osrelease")
	f.caps = r.caps("proc/self/status")
	f.hugeFree = r.field("proc/meminfo", "HugePages_Free:")
	f.hugeMost = r.field("proc/meminfo", "HugePages_Total:") + r.number("proc/sys/vm/nr_overcommit_hugepages", 0)
	thp := r.text("sys/kernel/mm/transparent_hugepage/enabled")
	f.thp = thp != "" && !strings.Contains(thp, "[never]")
	f.swap = r.field("proc/meminfo", "SwapTotal:") > 0
	f.overcommit = r.number("proc/sys/vm/overcommit_memory", -1)
	f.adminReserve = r.number("proc/sys/vm/admin_reserve_kbytes", 0)
	f.areas = r.number("proc/sys/vm/max_map_count", 0)
	f.mounts = r.mounts("proc/self/mountinfo")
	return f, r.err
}

// A factReader reads small files and keeps the first error.
type factReader struct {
	root fs.FS
	err  error
}

func (r *factReader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// text returns the file's text, or "" if there is no such file for us.
func (r *factReader) text(name string) string {
	b, err := fs.ReadFile(r.root, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		r.keep(err)
	}
	return strings.TrimSpace(string(b))
}

func (r *factReader) number(name string, missing int) int {
	text := r.text(name)
	if text == "" {
		return missing
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", name, err))
	}
	return n
}

// word returns the word after key on its line, or "".
func (r *factReader) word(name, key string) string {
	for line := range strings.Lines(r.text(name)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			return f[1]
		}
	}
	return ""
}

func (r *factReader) field(name, key string) int {
	word := r.word(name, key)
	if word == "" {
		return 0
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", name, err))
	}
	return n
}

func (r *factReader) caps(name string) uint64 {
	word := r.word(name, "CapEff:")
	if word == "" {
		return 0
	}
	n, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", name, err))
	}
	return n
}

// version reads the first two numbers of a release such as 6.18.44-fc or 6.1-rc3.
func (r *factReader) version(name string) (major, minor int) {
	text := r.text(name)
	if text == "" {
		return 0, 0
	}
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		r.keep(fmt.Errorf("%s: %q: %w", name, text, err))
	}
	return major, minor
}

// mounts reads the fields that proc_pid_mountinfo(5) numbers 5, 6 and 9.
func (r *factReader) mounts(name string) []mount {
	var list []mount
	for line := range strings.Lines(r.text(name)) {
		before, after, ok := strings.Cut(line, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if !ok || len(b) < 6 || len(a) < 1 {
			r.keep(fmt.Errorf("%s: bad line %q", name, line))
			continue
		}
		options := "," + b[5] + ","
		list = append(list, mount{point: b[4], fsType: a[0], noexec: strings.Contains(options, ",noexec,")})
	}
	return list
}
