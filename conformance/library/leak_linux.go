package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// closeAll closes all that the case has left open, and reports what is still there afterwards.
func (w *worker) closeAll() error {
	var errs []error
	for _, r := range w.regions {
		if !r.closed {
			errs = append(errs, w.closeRegion(r))
		}
	}
	for _, o := range w.objects {
		if !o.closed {
			errs = append(errs, w.close(o))
		}
	}
	for _, f := range w.files {
		if f.fd() >= 0 {
			errs = append(errs, f.Close())
		}
	}
	errs = append(errs, w.check(), w.checkClosed(), w.leakedDescriptors(), w.leakedMemory())
	return errors.Join(errs...)
}

// descriptors lists what is open, but for what the Go runtime opens when it first needs it.
func descriptors() ([]string, error) {
	const dir = "/proc/self/fd/"
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var open []string
	for _, e := range list {
		target, err := os.Readlink(dir + e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // the one by which the list was read
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(target, "anon_inode:") {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open, nil
}

func (w *worker) leakedDescriptors() error {
	open, err := descriptors()
	errs := []error{err}
	for _, d := range open {
		if !slices.Contains(w.atStart, d) {
			errs = append(errs, fmt.Errorf("after all mappings and files were closed, descriptor %s is open", d))
		}
	}
	return errors.Join(errs...)
}

// leakedMemory reports memory that can still be accessed: at an address that a mapping ever had, or of a file of the
// case's, wherever it is.
func (w *worker) leakedMemory() error {
	lines, err := readMaps()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range lines {
		held := slices.ContainsFunc(w.held, func(h held) bool { return h.span.overlaps(l.span) })
		of := strings.HasPrefix(l.path, "/memfd:") || w.dir != "" && strings.HasPrefix(l.path, w.dir+"/")
		if of || held && !strings.HasPrefix(l.perms, "---") {
			errs = append(errs, fmt.Errorf("after all mappings were closed there is %v %s %s", l.span, l.perms, l.path))
		}
	}
	return errors.Join(errs...)
}
