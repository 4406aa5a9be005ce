// Package cluster brings whole clusters up and down.
package cluster

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Cluster is a cluster by name and folder, whether it is up or not.
type Cluster struct {
	Name string
	Dir  state.Dir
	// Say takes progress for people to read.
	Say io.Writer
}

// New names a cluster; without a folder it gets the default one of its name.
func New(name, folder string, say io.Writer) (*Cluster, error) {
	if err := state.CheckName(name); err != nil {
		return nil, err
	}
	if folder == "" {
		dir, err := state.Default(name)
		return &Cluster{name, dir, say}, err
	}
	absolute, err := filepath.Abs(folder)
	return &Cluster{name, state.Dir(absolute), say}, err
}

// open finds the cluster that is there.
func (c *Cluster) open() (network.Topology, error) {
	record, err := c.Dir.Load()
	if err != nil {
		return network.Topology{}, err
	}
	if record.Name != c.Name {
		return network.Topology{}, fmt.Errorf("%s holds the cluster %s, not %s", c.Dir, record.Name, c.Name)
	}
	return network.Topology{Cluster: record.Name, Size: record.Nodes}, nil
}

// running tells whether the cluster has come up and has not gone since. Single components may be
// down, as tests will have them.
func (c *Cluster) running() bool {
	record, err := c.Dir.Load()
	return err == nil && record.Complete && process.Saved(c.Dir, controlplane.Forwarder).Alive()
}

// containerds are the sockets of the nodes that are powered on.
func (c *Cluster) containerds(topology network.Topology) []string {
	var sockets []string
	for _, it := range topology.Nodes() {
		if node.Process(c.Dir, it).Alive() {
			sockets = append(sockets, node.Containerd(c.Dir, it))
		}
	}
	return sockets
}
