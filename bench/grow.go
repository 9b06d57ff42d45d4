package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/memmap-go/memmap"
)

// Adding 1 MiB to a file that must grow for it, while a reader stays inside for
// 100 ms: bbolt's in a transaction, ours in a Guard over the mapping's bytes.
func growWorks() []work {
	return []work{{
		setup: setupGrow,
		rows: []row{
			{name: "grow/reader inside beside bbolt", unit: "ms", ours: value("ours"), peer: value("bbolt"), note: bboltAlone},
		},
	}}
}

func bboltAlone(rounds []round) string {
	return "with no reader bbolt takes " + number(median(each(rounds, value("bbolt alone")))).String() + " ms; neither syncs"
}

func setupGrow(e *env) ([]doer, error) {
	inside := time.Duration(e.size(int64(100*time.Millisecond), int64(10*time.Millisecond)))
	times := func(who, file string, grow func(name string) (time.Duration, error)) doer {
		return doer{who, func(r round) error {
			name := filepath.Join(e.dir, file)
			took, err := grow(name)
			r[who] = took.Seconds() * 1e3
			return errors.Join(err, os.Remove(name))
		}}
	}
	return []doer{
		times("ours", "grow", func(name string) (time.Duration, error) { return growOurs(name, inside) }),
		times("bbolt", "grow.db", func(name string) (time.Duration, error) { return growBolt(name, inside) }),
		times("bbolt alone", "grow.db", func(name string) (time.Duration, error) { return growBolt(name, 0) }),
	}, nil
}

const added = 1 << 20

func growOurs(name string, inside time.Duration) (took time.Duration, err error) {
	if err := os.WriteFile(name, make([]byte, 64<<10), 0o600); err != nil {
		return 0, err
	}
	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write, MaxLen: 1 << 30})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	left := make(chan error)
	entered := make(chan struct{})
	go func() {
		left <- memmap.Guard(func() error {
			b := m.Bytes()
			close(entered)
			time.Sleep(inside)
			if b[0] != 0 {
				return errors.New("the bytes have changed")
			}
			return nil
		}, m)
	}()
	<-entered
	start := time.Now()
	end := m.Len()
	err = m.Grow(end + added)
	if err == nil {
		_, err = m.WriteAt(make([]byte, added), end)
	}
	took = time.Since(start)
	return took, errors.Join(err, <-left)
}

func growBolt(name string, inside time.Duration) (took time.Duration, err error) {
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	left := make(chan error, 1)
	if inside == 0 {
		left <- nil
	} else {
		tx, err := db.Begin(false)
		if err != nil {
			return 0, err
		}
		time.AfterFunc(inside, func() { left <- tx.Rollback() })
	}
	start := time.Now()
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("bucket"))
		if err != nil {
			return err
		}
		return b.Put([]byte("key"), make([]byte, added))
	})
	took = time.Since(start)
	return took, errors.Join(err, <-left)
}
