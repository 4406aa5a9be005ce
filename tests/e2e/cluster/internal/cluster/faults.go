package cluster

import (
	"fmt"
	"syscall"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
)

// Node does to a node what the verb says.
func (c *Cluster) Node(verb, name string) error {
	act, ok := map[string]func(network.Topology, network.Node) error{
		"poweroff": func(_ network.Topology, it network.Node) error { return node.PowerOff(c.Dir, it) },
		"boot":     func(_ network.Topology, it network.Node) error { return c.boot(it) },
		"partition": func(topology network.Topology, it network.Node) error {
			return topology.Unplug(it)
		},
		"heal": func(topology network.Topology, it network.Node) error { return topology.Plug(it) },
	}[verb]
	if !ok {
		return fmt.Errorf("a node can't %q: want poweroff, boot, partition or heal", verb)
	}
	return c.locked(func(topology network.Topology) error {
		it, err := topology.Node(name)
		if err != nil {
			return err
		}
		return act(topology, it)
	})
}

func (c *Cluster) boot(it network.Node) error {
	if node.Process(c.Dir, it).Alive() {
		return fmt.Errorf("node %s is on", it.Name())
	}
	// one that has died by itself has left its control groups
	if err := node.PowerOff(c.Dir, it); err != nil {
		return err
	}
	return node.Boot(c.Dir, it)
}

// Fault does to a component of the control plane what the verb says.
func (c *Cluster) Fault(name, verb string) error {
	component, err := controlplane.Find(name)
	if err != nil {
		return err
	}
	return c.locked(func(topology network.Topology) error {
		running := component.Process(c.Dir)
		if verb == "start" {
			if running.Alive() {
				return fmt.Errorf("%s is running", name)
			}
			return component.Start(c.Dir, topology)
		}
		act, ok := map[string]func() error{
			"kill": func() error { return process.Kill(running) },
			"stop": func() error { return running.Signal(syscall.SIGSTOP) },
			"cont": func() error { return running.Signal(syscall.SIGCONT) },
		}[verb]
		if !ok {
			return fmt.Errorf("no fault %q: want kill, stop, cont or start", verb)
		}
		if !running.Alive() {
			return fmt.Errorf("%s is not running", name)
		}
		return act()
	})
}

// locked acts on the cluster while no other call of this program does.
func (c *Cluster) locked(act func(network.Topology) error) error {
	if _, err := c.open(); err != nil { // before the lock, which would make the folder
		return err
	}
	release, err := c.Dir.Lock()
	if err != nil {
		return err
	}
	defer release()
	topology, err := c.open()
	if err != nil {
		return err
	}
	return act(topology)
}
