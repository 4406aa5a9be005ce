package network

import "testing"

func TestTheLinksOfTwoNodes(t *testing.T) {
	topology := Topology{Cluster: "dev", Size: 2}
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	check(topology.controlPlaneLinks(), `link set lo up
link add lan type bridge
address add 172.30.77.2/24 dev lan
link set lan up
link add lan-n1 type veth peer name eth0 netns dev-n1
link set lan-n1 master lan up
route add 10.244.1.0/24 via 172.30.77.11
link add lan-n2 type veth peer name eth0 netns dev-n2
link set lan-n2 master lan up
route add 10.244.2.0/24 via 172.30.77.12
route add 10.96.0.0/16 via 172.30.77.11
`)
	check(topology.nodeLinks(topology.Nodes()[1]), `link set lo up
address add 172.30.77.12/24 dev eth0
link set eth0 up
route add 10.244.1.0/24 via 172.30.77.11
`)
}

func TestNodesAreFoundByName(t *testing.T) {
	topology := Topology{Cluster: "dev", Size: 2}
	if node, err := topology.Node("n2"); err != nil || node.Namespace() != "dev-n2" {
		t.Errorf("got %+v, %v", node, err)
	}
	for _, name := range []string{"n3", "n0", "dev-n1", ""} {
		if _, err := topology.Node(name); err == nil {
			t.Errorf("found node %q", name)
		}
	}
}

func TestNamespacesAreToldApartByCluster(t *testing.T) {
	for namespace, ours := range map[string]bool{
		"dev-cp": true, "dev-n1": true, "dev-n9": true, "dev-n0": false, "dev-n10": false, "dev-nx": false,
		"dev-n": false, "dev": false, "dev2-cp": false, "my-dev-cp": false, "dev-cni": false,
	} {
		if got := belongs(namespace, "dev"); got != ours {
			t.Errorf("belongs(%q) = %t", namespace, got)
		}
	}
}
