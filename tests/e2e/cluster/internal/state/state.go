// Package state says where a cluster keeps its files.
//
// Everything a cluster writes is below one folder, so that removing the folder forgets the cluster.
package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Dir is the folder of one cluster.
type Dir string

// A name becomes part of namespace and cgroup names, and has to be told from the suffix `-n1`.
var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,14}$`)

// CheckName refuses names that can't be part of the names of namespaces and cgroups.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("cluster name %q: want a letter and at most 14 letters and digits, all lower case", name)
	}
	return nil
}

// Default is the folder of a cluster for which none was given.
func Default(name string) (Dir, error) {
	cache, err := os.UserCacheDir() // XDG_CACHE_HOME, else HOME/.cache
	if err != nil {
		return "", fmt.Errorf("nowhere to keep the cluster's state: %w", err)
	}
	return Dir(filepath.Join(cache, "actions-gateway", "clusters", name)), nil
}

// Path joins elements to the folder.
func (d Dir) Path(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// Kubeconfig is the administrator's, for use inside the cluster's network namespace.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// LocalKubeconfig is the administrator's, for use by ordinary processes of the machine.
func (d Dir) LocalKubeconfig() string { return d.Path("kubeconfig.local") }

// Bin holds the commands put on the PATH of `exec`.
func (d Dir) Bin() string { return d.Path("bin") }

// Libexec holds the program under the names of the cluster's components.
func (d Dir) Libexec() string { return d.Path("libexec") }

// Logs holds what the components of the control plane say.
func (d Dir) Logs() string { return d.Path("logs") }

// Log is the log file of a component of the control plane.
func (d Dir) Log(component string) string { return d.Path("logs", component+".log") }

// AuditLog holds the requests the API server has answered, one JSON object a line.
func (d Dir) AuditLog() string { return d.Path("logs", "audit.log") }

// Process is the record of a started process.
func (d Dir) Process(name string) string { return d.Path("run", name+".json") }

// Node is the folder of one node.
func (d Dir) Node(name string) NodeDir { return NodeDir(d.Path("nodes", name)) }

// NodeDir is the folder of one node.
type NodeDir string

// Path joins elements to the folder.
func (d NodeDir) Path(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// Log is the log file of one of the node's processes.
func (d NodeDir) Log(component string) string { return d.Path("logs", component+".log") }

// Create makes the folders in which others put their files.
func (d Dir) Create() error {
	var all error
	for _, folder := range []string{"bin", "libexec", "libexec/cni", "logs", "run", "pki", "nodes", "images", "config"} {
		all = errors.Join(all, os.MkdirAll(d.Path(folder), 0o755))
	}
	return all
}

// Remove deletes the folder, and its parents as far as they are empty and ours.
func (d Dir) Remove() error {
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("failed to remove the cluster's folder: %w", err)
	}
	clusters := filepath.Dir(string(d))
	if filepath.Base(clusters) == "clusters" {
		_ = os.Remove(clusters) // fails while another cluster is there, as it should
	}
	return nil
}
