package library

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/memmap-go/memmap"
)

// A verdict is what the library says of a request for memory before the kernel is asked.
type verdict struct {
	asked   bool
	refused error
	n       int64
	limited bool // other limits may refuse what the policy grants
}

// askPolicy asks Overcommit about private writable memory, which is what the policy is about. Small requests are not
// worth reading /proc for.
func (w *worker) askPolicy(c wish) (verdict, error) {
	const large = 1 << 30
	sharedMemory := c.shared && c.file == nil
	private := !c.shared && !c.droppable && c.prot&memmap.Write != 0
	if c.n < large || !private && !sharedMemory {
		return verdict{}, nil
	}
	policy, err := memmap.ReadOvercommit()
	if err != nil || c.noReserve && policy.Mode != memmap.OvercommitNever {
		return verdict{}, err
	}
	if off := policy.CommitLimit() - policy.Limit; off <= -int64(w.page) || off >= int64(w.page) {
		return verdict{}, fmt.Errorf("CommitLimit gives %d, but the kernel says %d", policy.CommitLimit(), policy.Limit)
	}
	refused := policy.Check(int64(c.n))
	if sharedMemory {
		if refused != nil {
			err = refuse("shared memory is charged when it is touched, by design")
		}
		return verdict{}, err
	}
	return verdict{asked: true, refused: refused, n: int64(c.n), limited: w.limited}, nil
}

// contradicts reports that the kernel did not do what Overcommit said.
func (v verdict) contradicts(got error) error {
	switch {
	case !v.asked:
		return nil
	case v.refused != nil && got == nil:
		return fmt.Errorf("the kernel granted %d bytes, but Overcommit.Check said: %w", v.n, v.refused)
	case v.refused == nil && !v.limited && v.n < addressSpace && errors.Is(got, syscall.ENOMEM):
		return fmt.Errorf("Overcommit.Check granted %d bytes, but the kernel said: %v", v.n, got)
	}
	return nil
}

// addressSpace is less than what a process on any 64-bit processor has. Longer requests may fail for lack of room.
const addressSpace = 1 << 46
