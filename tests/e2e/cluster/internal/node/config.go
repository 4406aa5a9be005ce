package node

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

const (
	// PauseImage is what keeps a pod's namespaces; it holds the probe of the checks as well.
	PauseImage = "localhost/e2e/pause:v1"

	// inside is where a node finds the cluster's folder, wherever the machine has it.
	inside = state.Dir("/run/cluster")

	containerdSocket = "/run/containerd/containerd.sock"
)

//go:embed templates
var templates embed.FS

// settings are what the configuration files are made from.
type settings struct {
	Name, IP, PodCIDR, CgroupName string
	CgroupV1                      bool
	Inside, Config, PKI           string
	PauseImage, ContainerdSocket  string
	DNSIP, ClusterCIDR, NodeCIDR  string
}

func newSettings(node network.Node, version cgroup.Version) settings {
	return settings{
		Name:             node.Name(),
		IP:               node.IP(),
		PodCIDR:          node.PodCIDR(),
		CgroupName:       node.Namespace(),
		CgroupV1:         version == cgroup.V1,
		Inside:           string(inside),
		Config:           inside.Node(node.Name()).Path("config"),
		PKI:              inside.Path("pki"),
		PauseImage:       PauseImage,
		ContainerdSocket: containerdSocket,
		DNSIP:            network.DNSIP,
		ClusterCIDR:      network.PodCIDR,
		NodeCIDR:         network.NodeCIDR,
	}
}

// files are the configuration's files, by the path they get in the node's folder.
var files = map[string]string{
	"containerd.toml": "config/containerd.toml",
	"cni.conflist":    "config/cni/10-e2e.conflist",
	"kubelet.yaml":    "config/kubelet.yaml",
	"kube-proxy.yaml": "config/kube-proxy.yaml",
	"resolv.conf":     "config/resolv.conf",
}

// render fills a template in.
func render(name string, values settings) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, values)
	return text.Bytes(), err
}

// WriteConfig makes the node's folder with its configuration.
func WriteConfig(dir state.Dir, node network.Node) error {
	version, err := cgroup.Detect()
	if err != nil {
		return err
	}
	folder := dir.Node(node.Name())
	for _, it := range []string{"config/cni", "lib", "logs", "pods"} {
		if err := os.MkdirAll(folder.Path(it), 0o755); err != nil {
			return fmt.Errorf("failed to make the node's folder: %w", err)
		}
	}
	for name, path := range files {
		text, err := render(name, newSettings(node, version))
		if err != nil {
			return fmt.Errorf("failed to render %s: %w", name, err)
		}
		if err := os.WriteFile(folder.Path(filepath.FromSlash(path)), text, 0o644); err != nil {
			return fmt.Errorf("failed to configure the node: %w", err)
		}
	}
	return nil
}
