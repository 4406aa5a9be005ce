package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// sysctls are kernel-wide settings the kubelet insists on. It is shown files that hold them: the
// machine's own settings stay as they are.
var sysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// setUpMounts turns this process's copy of the machine's mounts into the node's. Everything the
// node writes goes to its folder in dir, or to memory; the machine's own folders stay untouched.
func setUpMounts(dir state.Dir, name string) error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"part from the machine's mounts", func() error { return propagate("/", unix.MS_PRIVATE) }},
		{"mount /proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"mount /sys", mountSys},
		{"mount /run", func() error { return mountRun(dir) }},
		{"mount /var/lib", func() error { return bind(inside.Node(name).Path("lib"), "/var/lib") }},
		{"mount /var/log", func() error { return mountLog(inside.Node(name)) }},
		{"show settings of the kernel", showSysctls},
		{"share mounts with containers", func() error { return propagate("/", unix.MS_SHARED) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("failed to %s: %w", step.what, err)
		}
	}
	return nil
}

// mountSys mounts a /sys that shows the interfaces of this network namespace, with the machine's control groups.
func mountSys() error {
	version, err := cgroup.Detect()
	if err != nil {
		return err
	}
	groups, err := pick(cgroup.Root)
	if err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	if err := groups.put(cgroup.Root); err != nil {
		return err
	}
	if unified := filepath.Join(cgroup.Root, "unified"); version == cgroup.V1 && exists(unified) {
		return unix.Unmount(unified, unix.MNT_DETACH) // else runc takes the machine for a hybrid and wants systemd
	}
	return nil
}

// mountRun mounts an empty /run and brings the cluster's folder to a fixed place in it.
func mountRun(dir state.Dir) error {
	folder, err := pick(string(dir)) // before /run is covered: the folder may be in it
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := os.Mkdir(string(inside), 0o755); err != nil {
		return err
	}
	return folder.put(string(inside))
}

// mountLog mounts a /var/log whose pods write to the node's folder.
func mountLog(folder state.NodeDir) error {
	if err := unix.Mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := os.Mkdir("/var/log/pods", 0o755); err != nil {
		return err
	}
	return bind(folder.Path("pods"), "/var/log/pods")
}

func showSysctls() error {
	for setting, value := range sysctls {
		file := filepath.Join("/run", "sysctl-"+strings.ReplaceAll(setting, "/", "-"))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(file, filepath.Join("/proc/sys", setting)); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) // this network namespace's own
}

// tree is a copy of a mount with all below it, held by a descriptor and not mounted anywhere.
type tree int

func pick(path string) (tree, error) {
	descriptor, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	return tree(descriptor), err
}

func (t tree) put(path string) error {
	defer unix.Close(int(t))
	return unix.MoveMount(int(t), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func bind(from, to string) error { return unix.Mount(from, to, "", unix.MS_BIND, "") }

func propagate(path string, kind uintptr) error {
	return unix.Mount("", path, "", unix.MS_REC|kind, "")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
