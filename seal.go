package memmap

import "github.com/memmap-go/memmap/internal/sys"

// Seals forbid changes to shared anonymous memory, for everyone and for good.
type Seals uint8

const (
	SealSeals       Seals = 1 << iota // no more seals
	SealShrink                        // the memory keeps at least its length
	SealGrow                          // the memory keeps at most its length
	SealWrite                         // no stores; fails with EBUSY while a writable mapping exists
	SealFutureWrite                   // no stores but through mappings that exist (Linux 5.1)
)

func (s Seals) String() string {
	return flagNames(uint(s), []string{"seal", "shrink", "grow", "write", "future_write"})
}

// Seal adds seals to memory that was made with AnonConfig.Sealable. With SealShrink
// a receiver of the memory needs no guard against truncation.
//
// Source: fcntl(2), F_ADD_SEALS; memfd_create(2).
func (m *Mapping) Seal(s Seals) error {
	defer m.lock().Unlock()
	if err := m.seal(s); err != nil {
		return m.fail("seal", 0, 0, err)
	}
	return nil
}

func (m *Mapping) seal(s Seals) error {
	if _, err := m.mappedView(); err != nil {
		return err
	}
	switch {
	case m.file == nil:
		return ErrPrivate
	case s >= SealFutureWrite<<1:
		return invalid("no such seals: %#x", uint8(s))
	}
	err := sys.AddSeals(m.fd, sys.Seals(s))
	switch err {
	case sys.EPERM:
		return withHint(err, "the memory is not Sealable, or sealed against more seals")
	case sys.EBUSY:
		return withHint(err, "a mapping that could become writable exists")
	}
	return err
}
