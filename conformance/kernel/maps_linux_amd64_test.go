package kernel

import "testing"

func TestParseMapsLine(t *testing.T) {
	s := &session{dir: "/tmp/case"}
	const prefix = "7f0000001000-7f0000003000 "
	tests := []struct{ line, path, object string }{
		{"rw-p 00000000 00:00 0 \n", "", "anon"},
		{"rw-p 00000000 00:00 0                          [stack]\n", "[stack]", "anon"},
		{"rw-s 00000000 00:01 1024                       /dev/zero (deleted)\n", "/dev/zero (deleted)", "shm"},
		{"rw-p 00000000 00:01 1024                       /dev/zero\n", "/dev/zero", "/dev/zero"},
		{"rw-p 00000000 00:0f 99                         /anon_hugepage (deleted)\n", "/anon_hugepage (deleted)", "anon"},
		{"rw-s 00001000 00:01 3                          /memfd:my data (deleted)\n", "/memfd:my data (deleted)", "my data"},
		{"r--s 00001000 fe:00 12                         /tmp/case/data\n", "/tmp/case/data", "data"},
		{"r--s 00001000 fe:00 12                         /tmp/case/d/x (deleted)\n", "/tmp/case/d/x (deleted)", "d/x"},
		{"r-xp 00001000 fe:00 12                         /usr/lib/a b.so\n", "/usr/lib/a b.so", "/usr/lib/a b.so"},
	}
	for _, tt := range tests {
		a, err := parseMapsLine(prefix + tt.line)
		if err != nil || a.start != 0x7f0000001000 || a.end != 0x7f0000003000 || a.path != tt.path {
			t.Errorf("%q: got %+v, %v, want path %q", tt.line, a, err, tt.path)
		}
		if got := s.object(a); got != tt.object {
			t.Errorf("%q: got object %q, want %q", tt.line, got, tt.object)
		}
	}
	if a, err := parseMapsLine("Size: 4 kB\n"); err == nil {
		t.Errorf("got %+v, want an error", a)
	}
}
