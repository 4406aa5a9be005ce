package network

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// namespaces is where iproute2 keeps its network namespaces.
const namespaces = "/run/netns"

// Create makes the namespaces and connects them.
func (t Topology) Create() error {
	if err := ip("", "netns", "add", t.Namespace()); err != nil {
		return err
	}
	for _, node := range t.Nodes() {
		if err := ip("", "netns", "add", node.Namespace()); err != nil {
			return err
		}
	}
	if err := ip(t.controlPlaneLinks(), "-n", t.Namespace(), "-batch", "-"); err != nil {
		return err
	}
	for _, node := range t.Nodes() {
		if err := ip(t.nodeLinks(node), "-n", node.Namespace(), "-batch", "-"); err != nil {
			return err
		}
	}
	return nil
}

// controlPlaneLinks are the lines for `ip -batch` in the control plane's namespace.
func (t Topology) controlPlaneLinks() string {
	lines := []string{
		"link set lo up",
		"link add lan type bridge",
		"address add " + ControlPlaneIP + "/24 dev lan",
		"link set lan up",
	}
	for _, node := range t.Nodes() {
		lines = append(lines,
			fmt.Sprintf("link add %s type veth peer name eth0 netns %s", node.link(), node.Namespace()),
			fmt.Sprintf("link set %s master lan up", node.link()),
			fmt.Sprintf("route add %s via %s", node.PodCIDR(), node.IP()))
	}
	// The control plane itself needs no Services. What people run beside it does, and any node's kube-proxy will do.
	lines = append(lines, fmt.Sprintf("route add %s via %s", ServiceCIDR, t.Nodes()[0].IP()))
	return strings.Join(lines, "\n") + "\n"
}

// nodeLinks are the lines for `ip -batch` in a node's namespace.
func (t Topology) nodeLinks(node Node) string {
	lines := []string{
		"link set lo up",
		"address add " + node.IP() + "/24 dev eth0",
		"link set eth0 up",
	}
	for _, other := range t.Nodes() {
		if other != node {
			lines = append(lines, fmt.Sprintf("route add %s via %s", other.PodCIDR(), other.IP()))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Unplug cuts the node's cable at the control plane's end: the node keeps its addresses and routes.
func (t Topology) Unplug(node Node) error {
	return ip("", "-n", t.Namespace(), "link", "set", node.link(), "down")
}

// Plug mends the node's cable.
func (t Topology) Plug(node Node) error {
	return ip("", "-n", t.Namespace(), "link", "set", node.link(), "up")
}

// Plugged tells whether the node's cable is whole.
func (t Topology) Plugged(node Node) bool {
	shown, err := exec.Command("ip", "-n", t.Namespace(), "-o", "link", "show", "dev", node.link()).Output()
	_, flags, _ := strings.Cut(string(shown), "<")
	flags, _, _ = strings.Cut(flags, ">")
	return err == nil && slices.Contains(strings.Split(flags, ","), "UP")
}

// Remove deletes the cluster's namespaces, and with them the links. It goes by name, so that it
// also finds those of a cluster whose record is lost.
func Remove(cluster string) error {
	names, err := Existing(cluster)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ip("", "netns", "delete", name); err != nil {
			return err
		}
	}
	// iproute2 mounts its folder on itself and never undoes that
	if left, err := os.ReadDir(namespaces); err == nil && len(left) == 0 {
		_ = unmount(namespaces) // not mounted: the folder was made by somebody else
		_ = os.Remove(namespaces)
	}
	return nil
}

// Existing lists the cluster's network namespaces.
func Existing(cluster string) ([]string, error) {
	entries, err := os.ReadDir(namespaces)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to list network namespaces: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if belongs(entry.Name(), cluster) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func belongs(namespace, cluster string) bool {
	rest, ours := strings.CutPrefix(namespace, cluster+"-")
	if !ours {
		return false
	}
	number, isNode := strings.CutPrefix(rest, "n")
	return rest == "cp" || isNode && len(number) == 1 && number >= "1" && number <= "9"
}

func ip(input string, args ...string) error {
	command := exec.Command("ip", args...)
	command.Stdin = strings.NewReader(input)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}
