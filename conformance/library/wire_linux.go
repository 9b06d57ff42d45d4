package library

import (
	"encoding/gob"
	"fmt"
	"os"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
)

// What a session and a worker say to each other. A request has one of its fields set; each gets one reply.
type request struct {
	Setup    *setup  // comes first
	Step     *step   // do it
	Bequeath bool    // say what a child of fork gets, and send the descriptors
	Inherit  *estate // be a child of fork; the descriptors have been sent
	End      bool    // close everything, look for what is left, and exit
}

// setup tells a worker about its case.
type setup struct {
	Dir string // the case's files
}

// A step is a conformance.Step whose expressions have values.
type step struct {
	Line int
	Op   string
	Var  string
	Args []arg

	// LastPlaced is, for mmap, the line of the last step that places a mapping in this memory; 0 if none does.
	LastPlaced int
}

// An arg is a conformance.Arg with its value.
type arg struct {
	Kind  conformance.ArgKind
	Name  string
	Value uint64
	Flags conformance.Flags
	Bytes []byte
}

// A reply is a worker's answer.
type reply struct {
	Result  conformance.Result
	Refused string // why the step is not expressible
	Private bool   // what a refused step would have stored could be seen by this process alone
	Err     string // what the runner did wrong, or the library in a way that no result can say

	Estate    *estate    // to Bequeath
	Relocated []relocate // to Inherit
}

// An estate is what a child of fork gets. Each file and each mapping comes with a descriptor, files first.
type estate struct {
	Files    []bequeathedFile
	Regions  []bequeathedRegion
	Mappings []bequeathedMapping
	Kept     []keptMemory // what stays with the parent
}

// keptMemory is memory that a child of fork can't be given.
type keptMemory struct {
	Span   span
	Shared bool // with the child, if it had it, or with anyone else
}

// notHandedOn is why a child doesn't have it.
const notHandedOn = "a child gets no memory of its parent's but what a descriptor leads to: Go can't fork"

// descriptors is how many belong to the estate.
func (e *estate) descriptors() int {
	n := len(e.Files)
	for _, m := range e.Mappings {
		if !m.Filler {
			n++
		}
	}
	return n
}

type bequeathedFile struct{ Name, Path string }

type bequeathedRegion struct {
	Span       span
	LastPlaced int
}

// A bequeathedMapping is a mapping of the parent's, and how its areas are mapped there.
type bequeathedMapping struct {
	Span      span
	Region    int // index in the estate's regions, -1 if it lies in none
	Areas     []bequeathedArea
	Filler    bool // nothing but inaccessible: it has no descriptor
	Anonymous bool
	ReadOnly  bool
	Name      string
}

type bequeathedArea struct {
	Off, N  uint64 // in the mapping
	Hole    bool
	Perms   string
	FileOff uint64
}

// relocate says where memory of the parent lies in the child.
type relocate struct {
	From span
	To   uint64
}

// A span is the range of addresses from Lo to Hi-1.
type span struct{ Lo, Hi uint64 }

func (s span) holds(addr uint64) bool { return s.Lo <= addr && addr < s.Hi }
func (s span) overlaps(o span) bool   { return s.Lo < o.Hi && o.Lo < s.Hi }
func (s span) covers(o span) bool     { return s.Lo <= o.Lo && o.Hi <= s.Hi }
func (s span) len() uint64            { return s.Hi - s.Lo }
func (s span) clip(o span) span       { return span{max(s.Lo, o.Lo), min(s.Hi, o.Hi)} }
func spanOf(addr, n uint64) span      { return span{addr, addr + n} }
func (s span) String() string         { return fmt.Sprintf("%#x-%#x", s.Lo, s.Hi) }
func roundUp(n, page uint64) uint64   { return (n + page - 1) / page * page }
func roundDown(n, page uint64) uint64 { return n / page * page }

// A channel carries requests and replies over one socket, and descriptors over another.
type channel struct {
	messages *os.File
	rights   *os.File
	enc      *gob.Encoder
	dec      *gob.Decoder
}

func newChannel(messages, rights *os.File) *channel {
	return &channel{messages: messages, rights: rights, enc: gob.NewEncoder(messages), dec: gob.NewDecoder(messages)}
}

// sendDescriptor passes a descriptor on: a unix(7) socket duplicates it into the receiver.
func (c *channel) sendDescriptor(fd int) error {
	err := syscall.Sendmsg(int(c.rights.Fd()), []byte{0}, syscall.UnixRights(fd), nil, 0)
	return os.NewSyscallError("sendmsg", err)
}

// receiveDescriptor returns the next descriptor that was sent.
func (c *channel) receiveDescriptor() (int, error) {
	data, control := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := syscall.Recvmsg(int(c.rights.Fd()), data, control, syscall.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	if len(messages) != 1 {
		return -1, fmt.Errorf("%d messages came with a descriptor, want 1", len(messages))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	if len(fds) != 1 {
		return -1, fmt.Errorf("%d descriptors came, want 1", len(fds))
	}
	return fds[0], nil
}
