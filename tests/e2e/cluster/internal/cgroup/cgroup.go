// Package cgroup makes and removes the control group that holds a node's pods.
//
// Two layouts are known: version 1 (or hybrid), with one hierarchy per controller, and version 2.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Root is where control groups are mounted.
const Root = "/sys/fs/cgroup"

// Version is the layout of control groups on this machine.
type Version int

// The two layouts.
const (
	V1 Version = 1 // or hybrid
	V2 Version = 2
)

// Detect looks at what is mounted.
func Detect() (Version, error) {
	var found unix.Statfs_t
	if err := unix.Statfs(Root, &found); err != nil {
		return 0, fmt.Errorf("no control groups at %s: %w", Root, err)
	}
	switch found.Type {
	case unix.TMPFS_MAGIC:
		return V1, nil
	case unix.CGROUP2_SUPER_MAGIC:
		return V2, nil
	default:
		return 0, fmt.Errorf("unknown control groups at %s: file system type %#x", Root, found.Type)
	}
}

// controllers are those that a kubelet wants.
var controllers = []string{"cpu", "cpuset", "io", "memory", "pids"}

// Create makes the group in every hierarchy.
func Create(name string) error {
	version, err := Detect()
	if err != nil {
		return err
	}
	if version == V2 {
		return createV2(Root, name)
	}
	return createV1(Root, name)
}

func createV2(root, name string) error {
	for _, it := range controllers {
		// one the machine doesn't have is refused; the kubelet names what it can't do without
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+it), 0o644)
	}
	return os.MkdirAll(filepath.Join(root, name), 0o755)
}

func createV1(root, name string) error {
	hierarchies, err := hierarchies(root)
	if err != nil {
		return err
	}
	for _, hierarchy := range hierarchies {
		if err := os.MkdirAll(filepath.Join(hierarchy, name), 0o755); err != nil {
			return fmt.Errorf("failed to make control group: %w", err)
		}
	}
	// a new cpuset has neither processors nor memory, and takes no process until it does
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		whole, err := os.ReadFile(filepath.Join(root, "cpuset", file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "cpuset", name, file), whole, 0o644)
		}
		if err != nil {
			return fmt.Errorf("failed to fill control group: %w", err)
		}
	}
	return nil
}

// hierarchies are the folders of version 1's controllers.
func hierarchies(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		// links such as cpu,cpuacct lead to folders that are in the list themselves
		if entry.IsDir() && entry.Name() != "unified" {
			found = append(found, filepath.Join(root, entry.Name()))
		}
	}
	return found, nil
}

// Remove deletes the group with all below it, waiting for processes that are on their way out.
func Remove(name string) error {
	groups, err := filepath.Glob(filepath.Join(Root, "*", name))
	if err != nil {
		return err
	}
	groups = append(groups, filepath.Join(Root, name))
	deadline := time.Now().Add(10 * time.Second)
	for _, group := range groups {
		err := removeTree(group)
		for ; errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); err = removeTree(group) {
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("failed to remove control group: %w", err)
		}
	}
	return nil
}

// removeTree removes folders from the leaves up; the files in them are the kernel's.
func removeTree(group string) error {
	entries, err := os.ReadDir(group)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(group, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
