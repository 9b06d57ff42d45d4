package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	edsrzf "github.com/edsrzf/mmap-go"

	"github.com/memmap-go/memmap"
)

// Counting the lines of a resident file of 2 GiB, from opening it to closing it:
// a mapping begins without pages in its page table.
func scanWorks() []work {
	return []work{{
		setup: setupScan,
		rows: []row{
			{name: "scan/2GiB beside read(2)", unit: "GiB/s", ours: value("ours"), peer: value("read(2)"), goal: atLeast(1.3), note: populated},
			{name: "scan/2GiB beside a plain mapping", unit: "GiB/s", ours: value("ours"), peer: value("edsrzf"), goal: atLeast(1.1), note: populated},
		},
	}}
}

// populated says how fast counting alone is: a scan can't be faster.
func populated(rounds []round) string {
	return "counting alone, in memory that is in the page table, reaches " + number(median(each(rounds, value("counting alone")))).String() + " GiB/s"
}

const scanBlock = 1 << 20

func setupScan(e *env) ([]doer, error) {
	size := e.size(2<<30, 4<<20)
	name, err := e.dataFile(size)
	if err != nil {
		return nil, err
	}
	if err := load(name); err != nil {
		return nil, err
	}
	want, err := countRead(name)
	if err != nil {
		return nil, err
	}
	counts := func(who string, count func(string) (int, error)) doer {
		return doer{who, func(r round) error {
			start := time.Now()
			got, err := count(name)
			r[who] = float64(size) / (1 << 30) / time.Since(start).Seconds()
			if err == nil && got != want {
				err = errors.New("counted wrong")
			}
			return err
		}}
	}
	m, err := memmap.Open(name, &memmap.FileConfig{Populate: true})
	if err != nil {
		return nil, err
	}
	e.after(m.Close)
	return []doer{
		counts("ours", countOurs), counts("read(2)", countRead), counts("edsrzf", countEdsrzf),
		counts("counting alone", func(string) (int, error) { return lines(m.Bytes()), nil }),
	}, nil
}

func lines(b []byte) int { return bytes.Count(b, []byte{'\n'}) }

func countOurs(name string) (n int, err error) {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return 0, err
	}
	err = m.Scan(context.Background(), 0, m.Len(), scanBlock, func(_ int64, b []byte) error {
		n += lines(b)
		return nil
	})
	return n, errors.Join(err, m.Close())
}

func countRead(name string) (n int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	b := make([]byte, scanBlock)
	for {
		got, err := f.Read(b)
		n += lines(b[:got])
		if err == io.EOF {
			return n, f.Close()
		}
		if err != nil {
			return n, errors.Join(err, f.Close())
		}
	}
}

func countEdsrzf(name string) (n int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	m, err := edsrzf.Map(f, edsrzf.RDONLY, 0)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	return lines(m), errors.Join(m.Unmap(), f.Close())
}
