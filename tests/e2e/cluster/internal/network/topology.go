// Package network lays out a cluster's addresses and makes the namespaces they live in.
//
//	<name>-cp: bridge lan, 172.30.77.2/24 ── veth ── <name>-n1: eth0 172.30.77.11, pods 10.244.1.0/24
//	                                      ── veth ── <name>-n2: eth0 172.30.77.12, pods 10.244.2.0/24
//
// Every cluster has the same addresses: its namespaces have no route to anything but each other.
package network

import "fmt"

const (
	// ControlPlaneIP is where the API server listens.
	ControlPlaneIP = "172.30.77.2"
	// NodeCIDR holds the control plane and the nodes.
	NodeCIDR = "172.30.77.0/24"
	// PodCIDR holds the pods of all nodes.
	PodCIDR = "10.244.0.0/16"
	// ServiceCIDR holds the Services.
	ServiceCIDR = "10.96.0.0/16"
	// KubernetesIP is the Service of the API server itself.
	KubernetesIP = "10.96.0.1"
	// DNSIP is the Service of the cluster's name server.
	DNSIP = "10.96.0.10"
	// APIServer is its address for everything inside the namespaces.
	APIServer = "https://" + ControlPlaneIP + ":6443"
	// MaxNodes is as many as two cores bear; the addresses would do for more.
	MaxNodes = 9
)

// Topology is a cluster's name and how many nodes it has.
type Topology struct {
	Cluster string
	Size    int
}

// Namespace is the network namespace of the control plane.
func (t Topology) Namespace() string { return t.Cluster + "-cp" }

// Nodes are the cluster's nodes in order.
func (t Topology) Nodes() []Node {
	nodes := make([]Node, t.Size)
	for i := range nodes {
		nodes[i] = Node{Cluster: t.Cluster, Index: i + 1}
	}
	return nodes
}

// Node finds a node by the name Kubernetes knows it by.
func (t Topology) Node(name string) (Node, error) {
	for _, node := range t.Nodes() {
		if node.Name() == name {
			return node, nil
		}
	}
	return Node{}, fmt.Errorf("cluster %s has no node %q (it has n1 to n%d)", t.Cluster, name, t.Size)
}

// Node is one node; the first has index 1.
type Node struct {
	Cluster string
	Index   int
}

// Name is what Kubernetes calls the node.
func (n Node) Name() string { return fmt.Sprintf("n%d", n.Index) }

// Namespace is the node's network namespace, and the name of its cgroups.
func (n Node) Namespace() string { return n.Cluster + "-" + n.Name() }

// IP is the node's address.
func (n Node) IP() string { return fmt.Sprintf("172.30.77.%d", 10+n.Index) }

// PodCIDR holds the node's pods.
func (n Node) PodCIDR() string { return fmt.Sprintf("10.244.%d.0/24", n.Index) }

// link is the control plane's end of the node's cable.
func (n Node) link() string { return "lan-" + n.Name() }
