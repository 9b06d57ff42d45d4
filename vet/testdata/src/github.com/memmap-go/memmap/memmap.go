// Package memmap has of the real one what the tests of the analyzer use.
package memmap

import "context"

type Mapping struct{ b []byte }

func (m *Mapping) Bytes() []byte { return m.b }

func (m *Mapping) Scan(ctx context.Context, off, n, size int64, fn func(off int64, b []byte) error) error {
	return fn(0, m.b)
}

type Region struct{ b []byte }

func (r *Region) Bytes() []byte { return r.b }

func Guard(fn func() error, ms ...*Mapping) error { return fn() }

func Pointer[T any](m *Mapping, off int64) (*T, error) { return new(T), nil }

func Slice[T any](m *Mapping, off int64, n int) ([]T, error) { return make([]T, n), nil }
