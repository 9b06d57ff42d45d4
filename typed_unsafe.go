package memmap

import (
	"errors"
	"io"
	"reflect"
	"sync"
	"unsafe"
)

// Load returns a copy of the T that lies at byte off, in the processor's byte
// order. It is guarded. T must not contain pointers. The offset need not be
// aligned.
func Load[T any](m *Mapping, off int64) (v T, err error) {
	if err := pointerFree[T](); err != nil {
		return v, m.fail("load", off, int64(unsafe.Sizeof(v)), err)
	}
	n, err := m.ReadAt(bytesOf(&v), off)
	if err == io.EOF || errors.Is(err, ErrRange) {
		err = m.fail("read", off, int64(unsafe.Sizeof(v)), withHint(ErrRange, "%d bytes are there", n))
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// Store copies v to byte off. It is guarded; T is as for Load.
func Store[T any](m *Mapping, off int64, v T) error {
	if err := pointerFree[T](); err != nil {
		return m.fail("store", off, int64(unsafe.Sizeof(v)), err)
	}
	_, err := m.WriteAt(bytesOf(&v), off)
	return err
}

// Pointer returns a pointer to the T that lies at byte off. It is raw, as Bytes is.
// T must not contain pointers, and off must be aligned for T: then atomic
// operations work on it, also between processes.
func Pointer[T any](m *Mapping, off int64) (*T, error) {
	s, err := Slice[T](m, off, 1)
	if err != nil {
		return nil, err
	}
	return &s[0], nil
}

// Slice returns the n values of type T that lie from byte off on. It is raw, as
// Bytes is; T and off are as for Pointer.
func Slice[T any](m *Mapping, off int64, n int) ([]T, error) {
	var t T
	size := int64(unsafe.Sizeof(t))
	fail := func(err error) ([]T, error) { return nil, m.fail("view", off, size*int64(n), err) }
	if err := pointerFree[T](); err != nil {
		return fail(err)
	}
	v, err := m.view()
	switch {
	case err != nil:
		return fail(err)
	case n < 0 || size > 0 && int64(n) > maxLen/size:
		return nil, m.fail("view", off, 0, ErrRange)
	case checkRange(off, size*int64(n), int64(len(v.data))) != nil:
		return fail(ErrRange)
	case n == 0 || size == 0:
		return make([]T, n), nil
	}
	p := unsafe.Pointer(&v.data[off])
	if align := alignOf[T](); uintptr(p)%align != 0 {
		return fail(invalid("a %T must be aligned to %d bytes", t, align))
	}
	return unsafe.Slice((*T)(p), n)[:n:n], nil
}

// alignOf returns what a T must be aligned to. On 32-bit systems the compiler aligns
// numbers of 8 bytes to 4, but atomic operations on them need 8 there, too.
func alignOf[T any]() uintptr {
	var t T
	align := unsafe.Alignof(t)
	if is64bit == 0 && align < 8 && holdsWide(reflect.TypeFor[T]()) {
		return 8
	}
	return align
}

// holdsWide reports whether a type without pointers holds numbers of 8 bytes or
// more.
func holdsWide(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return holdsWide(t.Elem())
	case reflect.Struct:
	default:
		return t.Size() >= 8
	}
	for i := range t.NumField() {
		if holdsWide(t.Field(i).Type) {
			return true
		}
	}
	return false
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// pointerFree reports types that must not lie in mapped memory: the garbage
// collector doesn't look there, and in another process, or on the disk, an
// address means nothing.
func pointerFree[T any]() error {
	t := reflect.TypeFor[T]()
	if isNumber(t.Kind()) {
		return nil
	}
	if err, ok := checkedTypes.Load(t); ok {
		return err.(*typeError).orNil()
	}
	found := &typeError{t, pointerIn(t)}
	checkedTypes.Store(t, found)
	return found.orNil()
}

// checkedTypes remembers types that are no plain numbers: reflect.Type to
// *typeError.
var checkedTypes sync.Map

// typeError says which type in a type is a pointer; none if pointer is nil.
type typeError struct{ whole, pointer reflect.Type }

func (e *typeError) orNil() error {
	if e.pointer == nil {
		return nil
	}
	return invalid("%v can't lie in mapped memory: it contains %v", e.whole, e.pointer)
}

func isNumber(k reflect.Kind) bool { return reflect.Bool <= k && k <= reflect.Complex128 }

// pointerIn returns the first type in t that holds an address.
func pointerIn(t reflect.Type) reflect.Type {
	switch {
	case isNumber(t.Kind()):
		return nil
	case t.Kind() == reflect.Array:
		return pointerIn(t.Elem())
	case t.Kind() != reflect.Struct:
		return t
	}
	for i := range t.NumField() {
		if p := pointerIn(t.Field(i).Type); p != nil {
			return p
		}
	}
	return nil
}
