package conformance

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// linux is a system as its files describe it.
func linux() fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease":                  "6.13.4-rc1+\n",
		"proc/self/status":                           "Name:\tx\nCapEff:\t0000000000200000\n",
		"proc/meminfo":                               "MemTotal: 1 kB\nSwapTotal: 4096 kB\nHugePages_Total: 8\nHugePages_Free: 3\n",
		"proc/sys/vm/nr_overcommit_hugepages":        "0\n",
		"proc/sys/vm/overcommit_memory":              "2\n",
		"proc/sys/vm/admin_reserve_kbytes":           "8192\n",
		"proc/sys/vm/max_map_count":                  "65530\n",
		"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
		"proc/self/mountinfo": "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n" +
			"2 1 0:5 / /proc rw,nosuid,noexec - proc proc rw\n" +
			"3 1 0:6 / /tmp rw - tmpfs tmpfs rw\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestNeeds(t *testing.T) {
	other := linux()
	other["proc/self/status"].Data = []byte("CapEff:\t0000000000000000\n")
	other["proc/meminfo"].Data = []byte("SwapTotal: 0 kB\nHugePages_Total: 0\nHugePages_Free: 0\n")
	other["sys/kernel/mm/transparent_hugepage/enabled"].Data = []byte("always madvise [never]\n")
	other["proc/self/mountinfo"].Data = []byte("1 0 8:1 / / rw - ext4 /dev/vda rw\n")
	other["proc/sys/vm/overcommit_memory"].Data = []byte("0\n")
	other["proc/sys/vm/admin_reserve_kbytes"].Data = []byte("7168\n")
	other["proc/sys/vm/max_map_count"].Data = []byte("2147483642\n")
	nowhere := fstest.MapFS{}

	tests := []struct {
		need                  string
		linux, other, nowhere bool
	}{
		{"kernel >= 6.13", true, true, false},
		{"kernel >= 6.14", false, false, false},
		{"kernel >= 7.0", false, false, false},
		{"kernel >= 5.99", true, true, false},
		{"kernel < 6.13", false, false, false},
		{"kernel < 6.14", true, true, false},
		{"kernel < 7.0", true, true, false},
		{"root", true, false, false},
		{"user", false, true, false},
		{"hugepages 3", true, false, false},
		{"hugepages 4", false, false, false},
		{"no-hugepages", false, true, true},
		{"thp", true, false, false},
		{"swap", true, false, false},
		{"overcommit 0", false, true, false},
		{"overcommit 2", true, false, false},
		{"admin-reserve 8", true, false, false},
		{"admin-reserve 7", true, true, false},
		{"areas 65530", true, false, false},
		{"areas 65529", false, false, false},
		{"noexec", true, false, false},
	}
	for _, tt := range tests {
		n, err := parseNeed(tt.need)
		if err != nil {
			t.Fatal(err)
		}
		for _, sys := range []struct {
			name  string
			files fstest.MapFS
			want  bool
		}{{"linux", linux(), tt.linux}, {"other", other, tt.other}, {"nowhere", nowhere, tt.nowhere}} {
			f, err := readFacts(sys.files)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.meets(n); got != sys.want {
				t.Errorf("%s on %s: got %v, want %v", tt.need, sys.name, got, sys.want)
			}
		}
	}
}

func TestFactsErrors(t *testing.T) {
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease":     "mainline",
		"proc/self/status":              "CapEff: none\n",
		"proc/meminfo":                  "SwapTotal: much kB\n",
		"proc/sys/vm/overcommit_memory": "often",
		"proc/self/mountinfo":           "1 0 8:1 / /",
	} {
		files := linux()
		files[name].Data = []byte(text)
		if f, err := readFacts(files); err == nil {
			t.Errorf("%s says %q: got %+v, want an error", name, text, f)
		}
	}
}

func TestMountOf(t *testing.T) {
	f := facts{mounts: []mount{
		{point: "/", fsType: "ext4"},
		{point: "/tmp", fsType: "xfs"},
		{point: "/tmp", fsType: "tmpfs"}, // mounted over the one before
		{point: "/tmp/a b", fsType: "btrfs"},
	}}
	for path, want := range map[string]string{
		"/": "ext4", "/etc": "ext4", "/tmpx": "ext4", "/tmp": "tmpfs", "/tmp/x": "tmpfs", "/tmp/a b/c": "btrfs",
	} {
		if got := f.mountOf(path).fsType; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// newTestEnv is an Env whose directories are in the test's own.
func newTestEnv(t *testing.T) *Env {
	return &Env{
		facts: facts{mounts: []mount{{point: "/", fsType: "otherfs"}}},
		bases: []string{t.TempDir()},
		roots: map[string]string{},
		attrs: map[string]bool{},
	}
}

func TestEnvDir(t *testing.T) {
	env := newTestEnv(t)
	c := &Case{Name: "c"}
	a, err := env.Dir(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := env.Dir(c)
	if err != nil {
		t.Fatal(err)
	}
	if a == b || filepath.Dir(a) != filepath.Dir(b) {
		t.Errorf("got %s and %s, want two directories in one", a, b)
	}
	for _, dir := range []string{a, filepath.Dir(a)} {
		if st, err := os.Stat(dir); err != nil || os.PathSeparator == '/' && st.Mode().Perm() != 0o777 {
			t.Errorf("%s: got %v, %v, want mode 0777", dir, st, err)
		}
	}
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(a)); !os.IsNotExist(err) {
		t.Errorf("after Close: got %v, want no such directory", err)
	}
}

func TestEnvFileSystem(t *testing.T) {
	env := newTestEnv(t)
	c := &Case{Needs: []Need{{Text: "tmpfs", Name: "tmpfs"}}}
	if got, want := env.Unmet(c), "needs tmpfs"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if dir, err := env.Dir(c); err == nil {
		t.Errorf("got directory %s, want an error", dir)
	}
}

// TestNewEnv looks at the system that runs the test.
func TestNewEnv(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, fsType := range []string{"ext4", "tmpfs"} {
		c := &Case{Name: "c", Needs: []Need{{Text: fsType, Name: fsType}}}
		if env.Unmet(c) != "" {
			continue
		}
		if dir, err := env.Dir(c); err != nil || env.facts.fileSystem(dir) != fsType {
			t.Errorf("got %s on %q, %v, want a directory on %s", dir, env.facts.fileSystem(dir), err, fsType)
		}
	}
}
