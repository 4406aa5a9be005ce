// Package preflight tells whether this machine can carry a cluster, and what is missing if not.
package preflight

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
)

// Check is one thing a machine must have.
type Check struct {
	What string
	// Found describes what is there.
	Found string
	OK    bool
	// Package of Debian and Ubuntu that brings it; empty if none does.
	Package string
	// Remedy says how to get it where there is no package.
	Remedy string
}

const (
	// neededMemory and neededDisk are what a cluster of two nodes takes (1.3 GiB and 1.5 GB), the
	// build of this program (2.7 GiB and 3.5 GB), and room for tests.
	neededMemory = 4 << 30
	neededDisk   = 8 << 30
)

// tools are the programs a node runs, and the packages they come in.
var tools = []struct{ name, deb string }{
	{"containerd", "containerd"},
	{"containerd-shim-runc-v2", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"ip", "iproute2"},
	{"nft", "nftables"},
	{"iptables", "iptables"},
	{"mount", "mount"},
}

// plugins are the CNI plugins a node runs, and where distributions put them.
var (
	plugins       = []string{"ptp", "host-local", "loopback", "portmap"}
	pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
)

// Run makes all checks. The state of a cluster is to be kept below folder.
func Run(folder string) []Check {
	checks := []Check{root(), groups(), overlay(), memory(), disk(folder)}
	for _, it := range tools {
		checks = append(checks, tool(it.name, it.deb))
	}
	return append(checks, cni())
}

// Missing are the checks that have failed.
func Missing(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(it Check) bool { return it.OK })
}

// Error names what is missing; nil if nothing is.
func Error(checks []Check) error {
	missing := Missing(checks)
	if len(missing) == 0 {
		return nil
	}
	var names []string
	for _, it := range missing {
		names = append(names, it.What)
	}
	return fmt.Errorf("this machine lacks: %s", strings.Join(names, ", "))
}

// Print writes one line for each check, with the way to get what is missing.
func Print(to io.Writer, checks []Check) {
	for _, it := range checks {
		verdict, rest := "ok", it.Found
		if !it.OK {
			verdict, rest = "missing", it.advice()
		}
		fmt.Fprintf(to, "%-8s %-28s %s\n", verdict, it.What, rest)
	}
}

func (c Check) advice() string {
	if c.Package != "" {
		return "apt-get install " + c.Package
	}
	return c.Remedy
}

// PluginFolder is where this machine has its CNI plugins.
func PluginFolder() (string, bool) {
	for _, folder := range pluginFolders {
		if !slices.ContainsFunc(plugins, func(it string) bool { return !executable(filepath.Join(folder, it)) }) {
			return folder, true
		}
	}
	return "", false
}

func root() Check {
	return Check{
		What: "root", Found: fmt.Sprintf("user %d", os.Geteuid()), OK: os.Geteuid() == 0,
		Remedy: "run as root (sudo -E), or use kind where there is Docker: E2E_PROVIDER=kind",
	}
}

func groups() Check {
	version, err := cgroup.Detect()
	check := Check{What: "control groups", OK: err == nil, Remedy: fmt.Sprint(err)}
	switch version {
	case cgroup.V1:
		check.Found = "version 1 or hybrid"
	case cgroup.V2:
		check.Found = "version 2: clusters have not been tried on it yet"
	}
	return check
}

func overlay() Check {
	known, err := os.ReadFile("/proc/filesystems")
	if err == nil && !strings.Contains(string(known), "\toverlay\n") {
		_ = exec.Command("modprobe", "overlay").Run() // what counts is whether it is there afterwards
		known, err = os.ReadFile("/proc/filesystems")
	}
	return Check{
		What: "overlay file system", Found: "in the kernel", OK: err == nil && strings.Contains(string(known), "\toverlay\n"),
		Remedy: "a kernel with CONFIG_OVERLAY_FS",
	}
}

func memory() Check {
	text, _ := os.ReadFile("/proc/meminfo") // unreadable counts as none
	available := parseAvailable(string(text))
	return Check{
		What: "memory", Found: size(available) + " available", OK: available >= neededMemory,
		Remedy: fmt.Sprintf("%s available, want %s", size(available), size(neededMemory)),
	}
}

// parseAvailable takes the bytes of available memory from the text of /proc/meminfo.
func parseAvailable(meminfo string) uint64 {
	for _, line := range strings.Split(meminfo, "\n") {
		var kib uint64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

func disk(folder string) Check {
	for !isFolder(folder) { // it may have to be made yet
		folder = filepath.Dir(folder)
	}
	var found unix.Statfs_t
	_ = unix.Statfs(folder, &found) // unreadable counts as none
	free := found.Bavail * uint64(found.Bsize)
	return Check{
		What: "disk", Found: fmt.Sprintf("%s free at %s", size(free), folder), OK: free >= neededDisk,
		Remedy: fmt.Sprintf("%s free at %s, want %s: set XDG_CACHE_HOME to where there is more", size(free), folder, size(neededDisk)),
	}
}

func tool(name, deb string) Check {
	path, err := exec.LookPath(name)
	return Check{What: name, Found: path, OK: err == nil, Package: deb}
}

func cni() Check {
	folder, ok := PluginFolder()
	return Check{What: "CNI plugins", Found: folder, OK: ok, Package: "containernetworking-plugins"}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return path == "/" || err == nil && info.IsDir()
}

func size(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
