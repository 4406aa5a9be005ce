package cluster

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Status is how a cluster fares.
type Status struct {
	Name string `json:"name"`
	// Up says that the cluster has come up and is there; what follows may still be partly down.
	Up              bool              `json:"up"`
	Folder          string            `json:"folder"`
	Kubeconfig      string            `json:"kubeconfig,omitempty"`
	LocalKubeconfig string            `json:"localKubeconfig,omitempty"`
	APIServerReady  bool              `json:"apiServerReady"`
	Components      []ComponentStatus `json:"components,omitempty"`
	Nodes           []NodeStatus      `json:"nodes,omitempty"`
}

// ComponentStatus is how a component of the control plane fares.
type ComponentStatus struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Running bool   `json:"running"`
}

// NodeStatus is how a node fares.
type NodeStatus struct {
	Name string `json:"name"`
	IP   string `json:"ip"`
	PID  int    `json:"pid"`
	// On says that the node has power, Plugged that its cable is whole.
	On      bool `json:"on"`
	Plugged bool `json:"plugged"`
	// Ready is what the API server believes; it takes some 20 s to notice that a node has gone.
	Ready bool `json:"ready"`
}

// Status looks at the cluster. That there is none is a status, too.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	status := Status{Name: c.Name, Folder: string(c.Dir)}
	topology, err := c.open()
	if errors.Is(err, state.ErrNoCluster) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.Up = c.running()
	status.Kubeconfig, status.LocalKubeconfig = c.Dir.Kubeconfig(), c.Dir.LocalKubeconfig()
	for _, it := range controlplane.Components {
		status.Components = append(status.Components, componentStatus(it.Name, it.Process(c.Dir)))
	}
	status.Components = append(status.Components,
		componentStatus(controlplane.Forwarder, process.Saved(c.Dir, controlplane.Forwarder)))
	for _, it := range topology.Nodes() {
		first := node.Process(c.Dir, it)
		status.Nodes = append(status.Nodes, NodeStatus{
			Name: it.Name(), IP: it.IP(), PID: first.PID, On: first.Alive(), Plugged: topology.Plugged(it),
		})
	}
	c.askAPIServer(ctx, topology, &status)
	return status, nil
}

func componentStatus(name string, it process.Process) ComponentStatus {
	return ComponentStatus{Name: name, PID: it.PID, Running: it.Alive()}
}

// askAPIServer adds what only the API server knows, if it answers.
func (c *Cluster) askAPIServer(ctx context.Context, topology network.Topology, status *Status) {
	client, err := c.client(topology)
	if err != nil || !ready(ctx, client) {
		return
	}
	status.APIServerReady = true
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	known := map[string]*corev1.Node{}
	for i := range nodes.Items {
		known[nodes.Items[i].Name] = &nodes.Items[i]
	}
	for i := range status.Nodes {
		if it := known[status.Nodes[i].Name]; it != nil {
			status.Nodes[i].Ready = nodeReady(it)
		}
	}
}

// PrintStatus writes a status for people.
func (c *Cluster) PrintStatus(status Status) {
	if status.Kubeconfig == "" {
		fmt.Fprintf(c.Say, "cluster %s is down\n", status.Name)
		return
	}
	fmt.Fprintf(c.Say, "cluster %s is %s, in %s\n\n", status.Name, choose(status.Up, "up", "not complete"), status.Folder)
	table := tabwriter.NewWriter(c.Say, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "API server\t\t%s\n", choose(status.APIServerReady, "ready", "not ready"))
	for _, it := range status.Components {
		fmt.Fprintf(table, "%s\t%d\t%s\n", it.Name, it.PID, choose(it.Running, "running", "not running"))
	}
	for _, it := range status.Nodes {
		fmt.Fprintf(table, "%s %s\t%d\t%s, %s, %s\n", it.Name, it.IP, it.PID,
			choose(it.On, "on", "off"), choose(it.Plugged, "plugged", "unplugged"), choose(it.Ready, "ready", "not ready"))
	}
	_ = table.Flush() // the terminal is gone: nobody to tell
}

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
