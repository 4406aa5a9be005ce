package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// fake makes files and folders (names that end in a slash) below a new root.
func fake(t *testing.T, names map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range names {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestVersion1HasAGroupInEveryHierarchyButUnified(t *testing.T) {
	root := fake(t, map[string]string{
		"memory/": "", "pids/": "", "unified/": "",
		"cpuset/cpuset.cpus": "0-1\n", "cpuset/cpuset.mems": "0\n",
	})
	if err := os.Symlink("memory", filepath.Join(root, "alias")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be there already
		if err := createV1(root, "dev-n1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, it := range []string{"memory/dev-n1", "pids/dev-n1"} {
		if _, err := os.Stat(filepath.Join(root, it)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "unified/dev-n1")); err == nil {
		t.Error("a group in unified")
	}
	for file, want := range map[string]string{"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n"} {
		if got, err := os.ReadFile(filepath.Join(root, "cpuset/dev-n1", file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}

func TestVersion2HasOneGroup(t *testing.T) {
	root := fake(t, map[string]string{"cgroup.subtree_control": ""})
	if err := createV2(root, "dev-n1"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(root, "dev-n1")); err != nil || !info.IsDir() {
		t.Error(err)
	}
}

func TestATreeOfGroupsIsRemovedFromTheLeaves(t *testing.T) {
	root := fake(t, map[string]string{"dev-n1/kubepods/burstable/": "", "dev-n1/kubepods/besteffort/": "", "dev-n2/": ""})
	for range 2 { // nothing there is no error
		if err := removeTree(filepath.Join(root, "dev-n1")); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(root)
	if err != nil || len(left) != 1 || left[0].Name() != "dev-n2" {
		t.Errorf("left: %v, %v", left, err)
	}
}
