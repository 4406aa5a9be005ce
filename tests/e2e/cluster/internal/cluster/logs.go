package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Logs copies what everything in the cluster has said into a folder: control-plane/ with the audit
// log, and for each node its services' logs and pods/ as on any node, NAMESPACE_POD_UID/CONTAINER/N.log.
func (c *Cluster) Logs(folder string) error {
	topology, err := c.open()
	if err != nil {
		return err
	}
	err = copyTree(c.Dir.Logs(), filepath.Join(folder, "control-plane"))
	for _, it := range topology.Nodes() {
		from := c.Dir.Node(it.Name())
		err = errors.Join(err,
			copyTree(from.Path("logs"), filepath.Join(folder, it.Name())),
			copyTree(from.Path("pods"), filepath.Join(folder, it.Name(), "pods")))
	}
	if err != nil {
		return fmt.Errorf("failed to copy logs: %w", err)
	}
	return nil
}

// copyTree copies the files that are there. Some grow, and some go, while it does.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, it fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, inside)
		if it.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if !it.Type().IsRegular() {
			return nil
		}
		if err := os.RemoveAll(target); err != nil { // of an earlier call
			return err
		}
		if err := copyFile(path, target, 0o644); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
