package memmap

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		err  Error
		want string
	}{
		{Error{Op: "map", Name: "file", Off: 5, Len: 10, Err: cause}, "memmap: map file at 5, 10 bytes: cause"},
		{Error{Op: "close", Name: "file", Err: cause}, "memmap: close file: cause"},
		{Error{Op: "reserve", Len: -1, Err: cause}, "memmap: reserve: cause"},
		{Error{Op: "read", Name: "file", Off: -3, Len: 1, Err: cause}, "memmap: read file at -3: cause"},
		{Error{Op: "grow", Name: "file", Len: 200, Err: withHint(cause, "do %d things", 2)}, "memmap: grow file, 200 bytes: cause: do 2 things"},
		{Error{Op: "read", Err: &fault{ErrTruncated}}, "memmap: read: memory fault: page lies beyond the end of the file"},
		{Error{Op: "alias", Err: unsupported("no aliases")}, "memmap: alias: unsupported operation: no aliases"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestErrorCauses looks for each cause that callers may ask for, and that no other
// answers.
func TestErrorCauses(t *testing.T) {
	all := map[string]error{
		"ErrClosed": ErrClosed, "ErrRange": ErrRange, "ErrInUse": ErrInUse, "ErrPrivate": ErrPrivate,
		"ErrProtected": ErrProtected, "ErrFault": ErrFault, "ErrMoved": ErrMoved, "ErrAgain": ErrAgain, "ErrTruncated": ErrTruncated, "ErrUnmapped": ErrUnmapped,
		"fs.ErrClosed": fs.ErrClosed, "EINVAL": sys.EINVAL, "EEXIST": sys.EEXIST, "EACCES": sys.EACCES,
		"ENOMEM": sys.ENOMEM, "ENOSPC": sys.ENOSPC, "ErrUnsupported": errors.ErrUnsupported,
	}
	tests := []struct {
		err  error
		want string
	}{
		{ErrClosed, "ErrClosed fs.ErrClosed"},
		{ErrRange, "ErrRange EINVAL"},
		{ErrInUse, "ErrInUse EEXIST"},
		{ErrPrivate, "ErrPrivate EINVAL"},
		{ErrProtected, "ErrProtected EACCES"},
		{ErrTruncated, "ErrTruncated"},
		{&fault{ErrTruncated}, "ErrFault ErrTruncated"},
		{&fault{ErrClosed}, "ErrFault ErrClosed fs.ErrClosed"},
		{&fault{withHint(ErrProtected, "why")}, "ErrFault ErrProtected EACCES"},
		{&fault{sys.ENOSPC}, "ErrFault ENOSPC"},
		{&fault{ErrMoved}, "ErrFault ErrMoved"},
		{&fault{ErrAgain}, "ErrFault ErrAgain"},
		{errNoRoom, "ENOMEM"},
		{withHint(sys.ENOMEM, "why"), "ENOMEM"},
		{invalid("why"), "EINVAL"},
		{unsupported("it"), "ErrUnsupported"},
	}
	for _, tt := range tests {
		err := error(&Error{Op: "op", Err: tt.err})
		want := strings.Fields(tt.want)
		for name, cause := range all {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == name
			}
			if got := errors.Is(err, cause); got != wanted {
				t.Errorf("%v: errors.Is(%s) = %v, want %v", err, name, got, wanted)
			}
		}
	}
	// The errno itself says fs.ErrPermission, and so on.
	if !errors.Is(&Error{Err: ErrProtected}, fs.ErrPermission) || !errors.Is(&Error{Err: ErrInUse}, fs.ErrExist) {
		t.Error("the errnos don't work with package fs")
	}
}

func TestPathCause(t *testing.T) {
	cause := errors.New("cause")
	if got := pathCause(&fs.PathError{Op: "open", Path: "file", Err: cause}); got != cause {
		t.Errorf("got %v, want the cause", got)
	}
	if got := pathCause(cause); got != cause {
		t.Errorf("got %v, want the error itself", got)
	}
	if got := pathCause(nil); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

func TestJoined(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	if got := joined(nil, nil); got != nil {
		t.Errorf("of nothing: got %v, want nil", got)
	}
	if got := joined(nil, a, nil); got != a {
		t.Errorf("of one: got %v, want it", got)
	}
	if got := joined(a, nil, b); !errors.Is(got, a) || !errors.Is(got, b) {
		t.Errorf("of two: got %v, want both", got)
	}
	if got := firstOf(nil, a, b); got != a {
		t.Errorf("firstOf: got %v, want the first", got)
	}
}
