// Package node makes a node out of namespaces.
//
// A node is one process with namespaces of its own (mount, process, host name, IPC, network) and
// whatever descends from it: containerd, the kubelet, kube-proxy, the policy agent, containers.
// Killing that process is pulling the node's plug: the kernel ends everything in it.
package node

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Program is the name the multi-call binary knows a node's first process by.
const Program = "node-init"

const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// Boot starts the node and waits until images can be loaded into it.
func Boot(dir state.Dir, node network.Node) error {
	if err := cgroup.Create(node.Namespace()); err != nil {
		return err
	}
	started, err := process.Start(process.Command{
		Path:      dir.Path("libexec", Program),
		Args:      []string{string(dir), node.Cluster, strconv.Itoa(node.Index)},
		Namespace: node.Namespace(),
		Clone:     namespaces,
		Log:       dir.Node(node.Name()).Log("init"),
	})
	if err != nil {
		return err
	}
	if err := process.Save(dir, RecordName(node), started); err != nil {
		return err
	}
	return waitForContainerd(dir, node)
}

// PowerOff ends the node and all in it at once, and takes away what it leaves in the kernel.
func PowerOff(dir state.Dir, node network.Node) error {
	if err := process.Kill(Process(dir, node)); err != nil {
		return err
	}
	// left behind, the groups of dead containers would each hold up the next boot by three seconds
	return cgroup.Remove(node.Namespace())
}

// Process is the node's first process.
func Process(dir state.Dir, node network.Node) process.Process {
	return process.Saved(dir, RecordName(node))
}

// RecordName is the name under which the node's first process is recorded.
func RecordName(node network.Node) string { return "node-" + node.Name() }

// Containerd is the socket of the node's containerd, as a path that anybody on the machine can use.
func Containerd(dir state.Dir, node network.Node) string {
	return fmt.Sprintf("/proc/%d/root%s", Process(dir, node).PID, containerdSocket)
}

func waitForContainerd(dir state.Dir, node network.Node) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", Containerd(dir, node)); err == nil {
			return conn.Close()
		}
		if !Process(dir, node).Alive() {
			break
		}
	}
	folder := dir.Node(node.Name())
	return fmt.Errorf("containerd of node %s does not start; %s ends:\n%s\n%s ends:\n%s", node.Name(),
		folder.Log("init"), process.Tail(folder.Log("init"), 5),
		folder.Log("containerd"), process.Tail(folder.Log("containerd"), 20))
}
