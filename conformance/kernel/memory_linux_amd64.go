package kernel

import (
	"fmt"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// mincore asks for the bytes in the buffer. A range too long for it gets EFAULT from the kernel: nothing is
// mapped behind the buffer.
func mincore(c *call) (conformance.Result, error) {
	v, err := c.values()
	if err != nil {
		return conformance.Result{}, err
	}
	addr, n := v[0], v[1]
	_, errno, err := c.syscall(sys.SysMincore, addr, n, c.buffer())
	if err != nil || errno != 0 {
		return result(conformance.OK(), errno, err)
	}
	vec, err := c.read(pages(n))
	if err != nil {
		return conformance.Result{}, err
	}
	bits := make([]bool, len(vec))
	for i, b := range vec {
		bits[i] = b&1 != 0
	}
	return conformance.Pages(pageString(bits)), nil
}

// pages is how many pages n bytes take.
func pages(n uint64) uint64 {
	page := uint64(sys.PageSize)
	return n/page + min(n%page, 1)
}

func load(c *call) (conformance.Result, error) {
	addr, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	left := uint64(1)
	if len(c.step.Args) > 1 {
		if left, err = c.num(1); err != nil {
			return conformance.Result{}, err
		}
	}
	var data []byte
	for ; left > 0; left -= min(left, bufferSize) {
		n := min(left, bufferSize)
		sig, err := c.copy(c.buffer(), addr, n)
		if err != nil || sig.Number != syscall.SIGTRAP {
			return fault(sig, err, addr, n)
		}
		b, err := c.read(n)
		if err != nil {
			return conformance.Result{}, err
		}
		data = append(data, b...)
		addr += n
	}
	return conformance.Data(data), nil
}

func store(c *call) (conformance.Result, error) {
	addr, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	data, err := c.step.Args[1].Bytes.Expand(c.eval)
	if err != nil {
		return conformance.Result{}, err
	}
	for len(data) > 0 {
		b := data[:min(len(data), bufferSize)]
		if err := c.write(b); err != nil {
			return conformance.Result{}, err
		}
		sig, err := c.copy(addr, c.buffer(), uint64(len(b)))
		if err != nil || sig.Number != syscall.SIGTRAP {
			return fault(sig, err, addr, uint64(len(b)))
		}
		addr, data = addr+uint64(len(b)), data[len(b):]
	}
	return conformance.OK(), nil
}

func execute(c *call) (conformance.Result, error) {
	addr, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	sig, err := c.process.execute(addr)
	if err != nil || sig.Number != syscall.SIGTRAP {
		return fault(sig, err, addr, 1)
	}
	return conformance.OK(), nil
}

// fault is the result of an access to n bytes at addr that a signal ended. The fault must be the access's own:
// one elsewhere is a mistake of this runner or of the case.
func fault(sig sys.Signal, err error, addr, n uint64) (conformance.Result, error) {
	if err != nil {
		return conformance.Result{}, err
	}
	name := sig.CodeName()
	if at := uint64(sig.Addr); at-addr >= n && name != sys.CodeKernel { // CodeKernel comes without an address
		return conformance.Result{}, fmt.Errorf("%s at %#x, outside the access to %d bytes at %#x", name, at, n, addr)
	}
	return conformance.Fault(name), nil
}

// rangeArgs are the address and the length of a step that looks at a range.
func (c *call) rangeArgs() (addr, n uint64, err error) {
	v, err := c.values()
	if err != nil {
		return 0, 0, err
	}
	if v[0]+v[1] < v[0] {
		return 0, 0, fmt.Errorf("range of %#x bytes at %#x ends beyond all addresses", v[1], v[0])
	}
	return v[0], v[1], nil
}

func areas(c *call) (conformance.Result, error) {
	addr, n, err := c.rangeArgs()
	if err != nil {
		return conformance.Result{}, err
	}
	list, err := c.session.areas(c.process, addr, addr+n)
	return conformance.Areas(list), err
}

func presentPages(c *call) (conformance.Result, error) {
	addr, n, err := c.rangeArgs()
	if err != nil {
		return conformance.Result{}, err
	}
	bits, err := present(c.pid, addr, pages(n))
	return conformance.Pages(bits), err
}

func areaFlags(c *call) (conformance.Result, error) {
	addr, err := c.num(0)
	if err != nil {
		return conformance.Result{}, err
	}
	flags, err := vmFlags(c.pid, addr)
	return conformance.VMFlags(flags), err
}
