package memmap

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
	"unique"

	"github.com/memmap-go/memmap/internal/race"
)

// work is something that programs do with raw bytes, and that recovers when it
// faults. docs/guard.md lists what is tried here.
type work struct {
	name string
	do   func(d *desk, w, v []byte) // w and v lie in two mappings, and have at least shortest bytes
	kind workKind
}

type workKind uint8

const (
	anyWork    workKind = iota
	endsIt              // ends the goroutine
	notByRacer          // the race detector does it in C code, where a fault is deadly
)

// shortest is how many bytes a work gets at least; block is an array of them.
const shortest = 64

type block [shortest]byte

// desk is what one goroutine works with. Results go there, so that the compiler
// leaves nothing out.
type desk struct {
	heap   []byte // as many bytes as a work may get
	block  block
	boxed  any
	header struct {
		ID   uint64
		Kind uint32
		Data [16]byte
	}
	names   map[string]int
	blocks  map[block]int
	shared  sync.Map
	channel chan byte
	passed  chan block
	seed    maphash.Seed

	byte  byte
	n     int
	word  uint64
	bytes []byte
	text  string
	runes []rune
	any   any
}

func newDesk(n int64) *desk {
	d := &desk{
		heap: pattern(n), boxed: block{}, seed: maphash.MakeSeed(),
		names:   map[string]int{"a name": 1},
		blocks:  map[block]int{{}: 1, {1}: 2},
		channel: make(chan byte, 1), passed: make(chan block, 1),
	}
	d.shared.Store("a name", 1)
	return d
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var works = []work{
	{name: "load", do: func(d *desk, w, _ []byte) { d.byte = w[len(w)-1] }},
	{name: "store", do: func(d *desk, w, _ []byte) { w[len(w)-1] = d.byte }},
	{name: "add", do: func(_ *desk, w, _ []byte) { w[len(w)-1]++ }},
	{name: "copy out", do: func(d *desk, w, _ []byte) { copy(d.heap, w) }},
	{name: "copy in", do: func(d *desk, w, _ []byte) { copy(w, d.heap) }},
	{name: "copy between mappings", do: func(_ *desk, w, v []byte) { copy(w, v) }},
	{name: "copy of an array", do: func(d *desk, w, _ []byte) { d.block = block(w) }},
	{name: "clear", do: func(_ *desk, w, _ []byte) { clear(w) }},
	{name: "append from", do: func(d *desk, w, _ []byte) { d.bytes = append([]byte(nil), w...) }},
	{name: "append to", do: func(d *desk, w, _ []byte) { d.bytes = append(w[:0:len(w)], d.heap[:len(w)]...) }},
	{name: "append that grows", do: func(d *desk, w, v []byte) { d.bytes = append(w, v...) }},
	{name: "range", do: func(d *desk, w, _ []byte) {
		for _, x := range w {
			d.byte += x
		}
	}},
	{name: "range over a function", do: func(d *desk, w, v []byte) {
		for i, x := range slices.Backward(w) {
			d.byte += x + v[min(i, len(v)-1)]
		}
	}},
	{name: "string(b)", do: func(d *desk, w, _ []byte) { d.text = string(w) }},
	{name: "concatenation", do: func(d *desk, w, v []byte) { d.text = "<" + string(w) + "|" + mappedString(v) + ">" }},
	{name: "[]byte(s)", do: func(d *desk, w, _ []byte) { d.bytes = []byte(mappedString(w)) }},
	{name: "[]rune(s)", do: func(d *desk, w, _ []byte) { d.runes = []rune(mappedString(w)) }},
	{name: "range over a string", do: func(d *desk, w, _ []byte) {
		for _, r := range mappedString(w) {
			d.n += int(r)
		}
	}},
	{name: "comparison of strings", do: func(d *desk, w, v []byte) {
		if mappedString(w) < mappedString(v) || mappedString(w) == string(d.heap[:len(w)]) {
			d.n++
		}
	}},
	{name: "map lookup", do: func(d *desk, w, _ []byte) { d.n += d.names[string(w)] + d.blocks[block(w)] }},
	{name: "map lookup in place", do: func(d *desk, w, _ []byte) { d.n += d.blocks[*(*block)(w)] }},
	{name: "sync.Map", do: func(d *desk, w, _ []byte) { d.any, _ = d.shared.Load(mappedString(w)) }},
	{name: "unique.Make", do: func(d *desk, w, _ []byte) { d.text = unique.Make(mappedString(w[:shortest])).Value() }},
	{name: "strings.Index", do: func(d *desk, w, _ []byte) { d.n = strings.Index(mappedString(w), "not in there") }},
	{name: "strings.ToUpper", do: func(d *desk, w, _ []byte) { d.text = strings.ToUpper(mappedString(w)) }},
	{name: "strings.Builder", do: func(d *desk, w, _ []byte) {
		var b strings.Builder
		b.WriteString(mappedString(w))
		b.Write(w)
		d.text = b.String()
	}},
	{name: "strconv.Quote", do: func(d *desk, w, _ []byte) { d.text = strconv.Quote(mappedString(w[:shortest])) }},
	{name: "utf8.Valid", do: func(d *desk, w, _ []byte) {
		if utf8.Valid(w) {
			d.n++
		}
	}},
	{name: "bytes.Count", do: func(d *desk, w, _ []byte) { d.n = bytes.Count(w, []byte{0}) }},
	{name: "bytes.Index", do: func(d *desk, w, v []byte) { d.n = bytes.Index(w, v[:8]) }},
	{name: "bytes.IndexByte", do: func(d *desk, w, _ []byte) { d.n = bytes.IndexByte(w, 0xff) }},
	{name: "bytes.Equal", do: func(d *desk, w, v []byte) {
		if bytes.Equal(w, v[:min(len(w), len(v))]) || bytes.Equal(w, d.heap[:len(w)]) {
			d.n++
		}
	}},
	{name: "bytes.Compare", do: func(d *desk, w, v []byte) { d.n = bytes.Compare(w, v) + bytes.Compare(d.heap, w) }},
	{name: "bytes.Repeat", do: func(d *desk, w, _ []byte) { d.bytes = bytes.Repeat(w, 3) }},
	{name: "bytes.Reader", do: func(d *desk, w, _ []byte) { d.bytes, _ = io.ReadAll(bytes.NewReader(w)) }},
	{name: "crc32 IEEE", do: func(d *desk, w, _ []byte) { d.word = uint64(crc32.ChecksumIEEE(w)) }},
	{name: "crc32 Castagnoli", do: func(d *desk, w, _ []byte) { d.word = uint64(crc32.Checksum(w, castagnoli)) }},
	{name: "sha256", do: func(d *desk, w, _ []byte) { d.byte = sha256.Sum256(w)[0] }},
	{name: "maphash", do: func(d *desk, w, _ []byte) { d.word = maphash.Bytes(d.seed, w) }},
	{name: "slices.Sort", do: func(_ *desk, w, _ []byte) { slices.Sort(w) }},
	{name: "sort.Slice", do: func(_ *desk, w, _ []byte) { sort.Slice(w, func(i, j int) bool { return w[i] < w[j] }) }},
	{name: "slices.Reverse", do: func(_ *desk, w, _ []byte) { slices.Reverse(w) }},
	{name: "fmt of bytes and strings", do: func(_ *desk, w, v []byte) { fmt.Fprintf(io.Discard, "%x %q", w, mappedString(v)) }},
	{name: "fmt of values", do: func(d *desk, w, _ []byte) { d.text = fmt.Sprint(w[:shortest], block(w)) }},
	{name: "encoding/binary", do: func(d *desk, w, v []byte) {
		_, _ = binary.Decode(w, binary.LittleEndian, &d.header)
		_, _ = binary.Encode(v, binary.BigEndian, &d.header)
		d.word += binary.LittleEndian.Uint64(v)
	}},
	{name: "json", do: func(d *desk, w, v []byte) {
		d.bytes, _ = json.Marshal(map[string]any{"bytes": w[:shortest], "text": mappedString(v[:shortest])})
	}},
	{name: "hex and base64", do: func(d *desk, w, v []byte) {
		d.text = hex.EncodeToString(w[:shortest]) + base64.StdEncoding.EncodeToString(v)
	}},
	{name: "boxing", do: func(d *desk, w, _ []byte) { d.any = *(*block)(w) }},
	{name: "comparison of interfaces", do: func(d *desk, w, _ []byte) {
		if any(*(*block)(w)) == d.boxed {
			d.n++
		}
	}},
	{name: "reflect.Copy", do: func(d *desk, w, _ []byte) {
		reflect.Copy(reflect.ValueOf(w), reflect.ValueOf(d.heap))
		reflect.Copy(reflect.ValueOf(d.heap), reflect.ValueOf(w))
	}},
	{name: "reflect.Value.Set", do: func(d *desk, w, _ []byte) {
		reflect.ValueOf((*block)(w)).Elem().Set(reflect.ValueOf(d.block))
	}},
	{name: "reflect.Value.Interface", do: func(d *desk, w, _ []byte) { d.any = reflect.ValueOf((*block)(w)).Elem().Interface() }},
	{name: "receive into", do: func(d *desk, w, _ []byte) {
		sendNow(d.channel, 1)
		w[len(w)-1] = <-d.channel
	}},
	{name: "receive of an array into", do: func(d *desk, w, _ []byte) {
		sendNow(d.passed, d.block)
		*(*block)(w) = <-d.passed
	}},
	{name: "send of a copy", do: func(d *desk, w, _ []byte) {
		x := w[len(w)-1]
		select {
		case d.channel <- x:
		default:
			<-d.channel
		}
	}},
	{name: "send in a select", do: func(d *desk, w, _ []byte) {
		select {
		case d.channel <- w[len(w)-1]:
		case <-d.channel:
		}
		select {
		case d.passed <- *(*block)(w):
		default:
			<-d.passed
		}
	}},
	{name: "atomics", kind: notByRacer, do: func(d *desk, w, v []byte) {
		a, b := mappedWord(w), mappedWord(v)
		d.word = uint64(a.Load())
		a.Store(1)
		a.CompareAndSwap(1, 2)
		b.Add(1)
		b.Swap(3)
	}},
	{name: "defer that faults again", do: func(d *desk, w, v []byte) {
		defer func() { d.byte = v[len(v)-1] }()
		defer func() { d.byte = w[0] }()
		d.byte = w[len(w)-1]
	}},
	{name: "panic that faults again", do: func(d *desk, w, _ []byte) {
		defer func() { d.byte = w[len(w)-1]; _ = recover() }()
		panic("own")
	}},
	{name: "stack growth", do: func(d *desk, w, _ []byte) { deep(300, func() { d.byte = w[len(w)-1] }) }},
	{name: "collection inside", do: func(d *desk, w, v []byte) {
		d.text = string(w)
		if d.n++; d.n%64 == 0 {
			runtime.GC()
		}
		d.byte = v[len(v)-1]
	}},
	{name: "Goexit inside", kind: endsIt, do: func(d *desk, w, v []byte) {
		defer func() { d.byte = v[0] }()
		d.byte = w[len(w)-1]
		runtime.Goexit()
	}},
}

// sendNow sends what the channel has room for. A fault may have come between the
// last send and its receive.
func sendNow[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// pickWork returns one of the works that may be done here.
func pickWork(rnd *rand.Rand) int {
	for {
		i := rnd.IntN(len(works))
		if works[i].kind != notByRacer || !race.Enabled {
			return i
		}
	}
}

// onFreshStack runs fn in a new goroutine, whose stack is small.
func onFreshStack(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}
