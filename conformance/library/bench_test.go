package library_test

import "testing"

// BenchmarkStart measures what a case costs before its first step: a worker that starts and ends.
func BenchmarkStart(b *testing.B) {
	r, env := newRunner(b), newEnv(b)
	c := parse(b, "mkdir a")
	for b.Loop() {
		s, err := r.Start(c, env)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep measures what a step costs beside the library's own work: one load.
func BenchmarkStep(b *testing.B) {
	c := parse(b, "m = mmap 0 1p r private|anon - 0\nload m")
	s, err := newRunner(b).Start(c, newEnv(b))
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
		if _, err := s.Do(&c.Steps[1]); err != nil {
			b.Fatal(err)
		}
	}
}
