package main

import (
	"errors"
	"os"

	edsrzf "github.com/edsrzf/mmap-go"
	xmmap "golang.org/x/exp/mmap"

	"github.com/memmap-go/memmap"
)

// Opening a file of 64 KiB, reading its first byte, closing it.
func openWorks() []work {
	return []work{{
		many: true, setup: setupOpen,
		rows: []row{
			{name: "open, read, close beside x/exp/mmap", unit: "µs", ours: value("ours"), peer: value("x/exp/mmap"), goal: atMost(1.3)},
			{name: "open, read, close beside edsrzf", unit: "µs", ours: value("ours"), peer: value("edsrzf")},
			{name: "open, read, close beside os.File", unit: "µs", ours: value("ours"), peer: value("os.File")},
		},
	}}
}

func setupOpen(e *env) ([]doer, error) {
	name, err := e.dataFile(64 << 10)
	if err != nil {
		return nil, err
	}
	n := int(e.size(100, 10))
	p := make([]byte, 1)
	opens := func(who string, once func(name string, p []byte) error) doer {
		return doer{who, func(r round) error {
			each, err := eachTakes(n, func() error {
				for range n {
					if err := once(name, p); err != nil {
						return err
					}
				}
				return nil
			})
			r[who] = each / 1e3
			return err
		}}
	}
	return []doer{
		opens("ours", openOurs), opens("x/exp/mmap", openExp), opens("edsrzf", openEdsrzf), opens("os.File", openFile),
	}, nil
}

func openOurs(name string, p []byte) error {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return err
	}
	_, err = m.ReadAt(p, 0)
	return errors.Join(err, m.Close())
}

func openExp(name string, p []byte) error {
	m, err := xmmap.Open(name)
	if err != nil {
		return err
	}
	_, err = m.ReadAt(p, 0)
	return errors.Join(err, m.Close())
}

func openEdsrzf(name string, p []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	m, err := edsrzf.Map(f, edsrzf.RDONLY, 0)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	copy(p, m)
	return errors.Join(m.Unmap(), f.Close())
}

func openFile(name string, p []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = f.ReadAt(p, 0)
	return errors.Join(err, f.Close())
}
