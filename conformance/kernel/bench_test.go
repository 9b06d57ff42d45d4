package kernel_test

import (
	"testing"

	"github.com/memmap-go/memmap/conformance"
)

// BenchmarkStep measures what a step costs beside the kernel's own work: one cheap system call, one load.
func BenchmarkStep(b *testing.B) {
	for _, step := range []string{"munlockall", "load m"} {
		b.Run(step, func(b *testing.B) { benchmarkStep(b, step) })
	}
}

func benchmarkStep(b *testing.B, step string) {
	c := parse(b, "m = mmap 0 1p r private|anon - 0\n"+step)
	env := newEnv(b)
	s, err := newRunner(b).Start(c, env)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	if _, err := s.Do(&c.Steps[0]); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r, err := s.Do(&c.Steps[1]); err != nil || r.Kind == conformance.ResultFault {
			b.Fatal(r, err)
		}
	}
}
