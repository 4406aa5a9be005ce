package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
)

// volumes is where the controller manager makes host-path volumes, of all clusters alike.
const volumes = "/tmp/hostpath_pv"

// Down removes the cluster and every trace of it. There need not be one.
func (c *Cluster) Down() error {
	release, err := c.Dir.Lock()
	if err != nil {
		return err
	}
	defer release()
	if err := c.sweep(); err != nil {
		return err
	}
	return c.Dir.Remove()
}

// sweep ends and removes all there is under the cluster's name. It goes by what it finds and not by
// the record, for there may be none, or one that is only half true.
func (c *Cluster) sweep() error {
	// Killed at once and all together: nothing of what a graceful end would save is wanted.
	strays, err := process.Strays(c.Dir.Path("libexec"))
	if err != nil {
		return err
	}
	if err := process.Kill(strays...); err != nil {
		return err
	}
	if err := network.Remove(c.Name); err != nil {
		return err
	}
	for index := 1; index <= network.MaxNodes; index++ {
		if err := cgroup.Remove(network.Node{Cluster: c.Name, Index: index}.Namespace()); err != nil {
			return err
		}
	}
	if c.alone() {
		if err := os.RemoveAll(volumes); err != nil {
			return fmt.Errorf("failed to remove volumes: %w", err)
		}
	}
	return c.clearFolder()
}

// alone tells whether no other cluster could have volumes.
func (c *Cluster) alone() bool {
	others, err := filepath.Glob("/run/netns/*-cp")
	return err == nil && len(others) == 0
}

// clearFolder empties the folder but leaves itself, which is the lock.
func (c *Cluster) clearFolder() error {
	entries, err := os.ReadDir(string(c.Dir))
	if err != nil {
		return err
	}
	for _, it := range entries {
		if err := os.RemoveAll(c.Dir.Path(it.Name())); err != nil {
			return fmt.Errorf("failed to clear the cluster's folder: %w", err)
		}
	}
	return nil
}
