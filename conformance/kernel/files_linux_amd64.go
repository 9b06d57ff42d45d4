package kernel

import (
	"encoding/binary"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// cwd stands for "no directory" in the system calls that end in "at"; all our paths are absolute.
const cwd = uint64(sys.AtFdcwd & (1<<64 - 1))

// atPath does a system call whose second argument is the path of the file that argument i names.
func (c *call) atPath(nr uint64, i int, rest ...uint64) (uint64, syscall.Errno, error) {
	path := append([]byte(c.session.path(c.step.Args[i].Name)), 0)
	if err := c.write(path); err != nil {
		return 0, 0, err
	}
	return c.syscall(nr, append([]uint64{cwd, c.buffer()}, rest...)...)
}

// keepFD gives the step's name to a new descriptor.
func (c *call) keepFD(fd uint64, errno syscall.Errno, err error) (conformance.Result, error) {
	if c.step.Var != "" && errno == 0 && err == nil {
		c.fds[c.step.Var] = int(fd)
	}
	return result(conformance.FD(), errno, err)
}

func file(c *call) (conformance.Result, error) {
	size, err := c.num(1)
	if err != nil {
		return conformance.Result{}, err
	}
	fd, errno, err := c.atPath(sys.SysOpenat, 0, sys.OpenCreate, 0o666)
	if err == nil && errno == 0 {
		errno, err = c.fill(fd, size)
	}
	if err == nil && errno == 0 {
		err = c.resetMtime(fd)
	}
	return c.keepFD(fd, errno, err)
}

// fill gives a new file its contents.
func (c *call) fill(fd, size uint64) (syscall.Errno, error) {
	content, sparse, err := c.content()
	if err != nil {
		return 0, err
	}
	if sparse {
		_, errno, err := c.syscall(sys.SysFtruncate, fd, size)
		return errno, err
	}
	for off := uint64(0); off < size; {
		b := make([]byte, min(size-off, bufferSize))
		for i := range b {
			b[i] = content(off + uint64(i))
		}
		n, errno, err := c.pwrite(fd, off, b)
		if err != nil || errno != 0 {
			return errno, err
		}
		off += n
	}
	return 0, nil
}

// content gives the byte at each offset of a new file.
func (c *call) content() (at func(off uint64) byte, sparse bool, err error) {
	if len(c.step.Args) < 3 {
		return func(uint64) byte { return 0 }, false, nil
	}
	switch a := c.step.Args[2]; a.Name {
	case "sparse":
		return nil, true, nil
	case "pages":
		return func(off uint64) byte { return 'a' + byte(off/uint64(sys.PageSize)%26) }, false, nil
	default:
		text, err := a.Bytes.Expand(c.eval)
		return func(off uint64) byte { return text[off%uint64(len(text))] }, false, err
	}
}

// pwrite writes as much of b as fits into the buffer.
func (c *call) pwrite(fd, off uint64, b []byte) (uint64, syscall.Errno, error) {
	b = b[:min(len(b), bufferSize)]
	if err := c.write(b); err != nil {
		return 0, 0, err
	}
	return c.syscall(sys.SysPwrite64, fd, c.buffer(), uint64(len(b)), off)
}

func open(c *call) (conformance.Result, error) {
	flags, err := flagBits(c.step.Args[1].Flags, sys.OpenNames())
	if err != nil {
		return conformance.Result{}, err
	}
	return c.keepFD(c.atPath(sys.SysOpenat, 0, flags, 0))
}

func memfd(c *call) (conformance.Result, error) {
	flags := uint64(0)
	if len(c.step.Args) > 1 {
		flags = sys.MemfdAllowSealing
	}
	if err := c.write(append([]byte(c.step.Args[0].Name), 0)); err != nil {
		return conformance.Result{}, err
	}
	fd, errno, err := c.syscall(sys.SysMemfdCreate, c.buffer(), flags)
	if err == nil && errno == 0 {
		err = c.resetMtime(fd)
	}
	return c.keepFD(fd, errno, err)
}

func pipe(c *call) (conformance.Result, error) {
	_, errno, err := c.syscall(sys.SysPipe2, c.buffer(), 0)
	if err != nil || errno != 0 {
		return result(conformance.OK(), errno, err)
	}
	ends, err := c.read(8)
	if err != nil {
		return conformance.Result{}, err
	}
	for i, a := range c.step.Args {
		c.fds[a.Name] = int(binary.LittleEndian.Uint32(ends[4*i:]))
	}
	return conformance.OK(), nil
}

func unlink(c *call) (conformance.Result, error) {
	_, errno, err := c.atPath(sys.SysUnlinkat, 0, 0)
	return result(conformance.OK(), errno, err)
}

func mkdir(c *call) (conformance.Result, error) {
	_, errno, err := c.atPath(sys.SysMkdirat, 0, 0o777)
	return result(conformance.OK(), errno, err)
}

// chattr sets or clears the append-only attribute.
func chattr(c *call) (conformance.Result, error) {
	path, on := c.session.path(c.step.Args[0].Name), c.step.Args[1].Name == "+a"
	fd, errno, err := c.atPath(sys.SysOpenat, 0, sys.OpenRead, 0)
	if err != nil || errno != 0 {
		return result(conformance.OK(), errno, err)
	}
	errno, err = c.setAppendOnly(fd, on)
	if err == nil && errno == 0 {
		c.session.appendOnly[path] = on
	}
	if _, err := c.must(sys.SysClose, fd); err != nil {
		return conformance.Result{}, err
	}
	return result(conformance.OK(), errno, err)
}

func (c *call) setAppendOnly(fd uint64, on bool) (syscall.Errno, error) {
	_, errno, err := c.syscall(sys.SysIoctl, fd, sys.IoctlGetFlags, c.buffer())
	if err != nil || errno != 0 {
		return errno, err
	}
	b, err := c.read(4)
	if err != nil {
		return 0, err
	}
	flags := binary.LittleEndian.Uint32(b) &^ sys.AppendFlag
	if on {
		flags |= sys.AppendFlag
	}
	if err := c.write(binary.LittleEndian.AppendUint32(nil, flags)); err != nil {
		return 0, err
	}
	_, errno, err = c.syscall(sys.SysIoctl, fd, sys.IoctlSetFlags, c.buffer())
	return errno, err
}

// allocate is fallocate(2) with a mode.
func allocate(mode uint64) operation {
	return func(c *call) (conformance.Result, error) {
		v, err := c.values()
		if err != nil {
			return conformance.Result{}, err
		}
		_, errno, err := c.syscall(sys.SysFallocate, v[0], mode, v[1], v[2])
		return result(conformance.OK(), errno, err)
	}
}

func pread(c *call) (conformance.Result, error) {
	v, err := c.values()
	if err != nil {
		return conformance.Result{}, err
	}
	fd, off, want := v[0], v[1], v[2]
	var data []byte
	for {
		n, errno, err := c.syscall(sys.SysPread64, fd, c.buffer(), min(want, bufferSize), off)
		if err != nil || errno != 0 {
			return result(conformance.OK(), errno, err)
		}
		b, err := c.read(n)
		if err != nil {
			return conformance.Result{}, err
		}
		data = append(data, b...)
		off, want = off+n, want-n
		if n == 0 || want == 0 {
			return conformance.Data(data), nil
		}
	}
}

func pwrite(c *call) (conformance.Result, error) {
	fd, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	off, err := c.num(1)
	if err != nil {
		return conformance.Result{}, err
	}
	data, err := c.step.Args[2].Bytes.Expand(c.eval)
	if err != nil {
		return conformance.Result{}, err
	}
	for {
		n, errno, err := c.pwrite(fd, off, data)
		if err != nil || errno != 0 {
			return result(conformance.OK(), errno, err)
		}
		off, data = off+n, data[n:]
		if len(data) == 0 {
			return conformance.OK(), nil
		}
	}
}

// stat returns struct stat of a descriptor.
func (c *call) stat(fd uint64) ([]byte, syscall.Errno, error) {
	_, errno, err := c.syscall(sys.SysFstat, fd, c.buffer())
	if err != nil || errno != 0 {
		return nil, errno, err
	}
	b, err := c.read(sys.StatLen)
	return b, 0, err
}

func size(c *call) (conformance.Result, error) {
	fd, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	st, errno, err := c.stat(fd)
	if err != nil || errno != 0 {
		return result(conformance.OK(), errno, err)
	}
	return conformance.Count(binary.LittleEndian.Uint64(st[sys.StatSize:])), nil
}

func addSeals(c *call) (conformance.Result, error) {
	v, err := c.values(sys.SealNames())
	if err != nil {
		return conformance.Result{}, err
	}
	_, errno, err := c.syscall(sys.SysFcntl, v[0], sys.FcntlAddSeals, v[1])
	return result(conformance.OK(), errno, err)
}

// unchanged is the modification time, in seconds, that files get when they are made and after each look at it.
// It lies long ago, so every change moves it, however coarse the file system's clock is.
const unchanged = 1_000_000_000

func (c *call) resetMtime(fd uint64) error {
	var times []byte
	for _, v := range []uint64{unchanged, 0, unchanged, 0} { // access and modification time, each with nanoseconds
		times = binary.LittleEndian.AppendUint64(times, v)
	}
	if err := c.write(times); err != nil {
		return err
	}
	_, err := c.must(sys.SysUtimensat, fd, 0, c.buffer(), 0)
	return err
}

func mtime(c *call) (conformance.Result, error) {
	fd, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	st, errno, err := c.stat(fd)
	if err != nil || errno != 0 {
		return result(conformance.OK(), errno, err)
	}
	word := "same"
	if binary.LittleEndian.Uint64(st[sys.StatMtime:]) != unchanged {
		word = "changed"
	}
	return conformance.Word(word), c.resetMtime(fd)
}
