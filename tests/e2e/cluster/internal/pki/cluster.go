package pki

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

// Users of the API server that get a certificate and a kubeconfig in the folder.
const (
	Admin             = "admin"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
	KubeProxy         = "kube-proxy"
	PolicyAgent       = "policy-agent"
)

const administrators = "system:masters"

// ForCluster fills the folder with all that the control plane and the nodes present to each other.
func ForCluster(folder string, topology network.Topology) error {
	main, err := NewAuthority(folder, "ca", "kubernetes")
	if err != nil {
		return err
	}
	frontProxy, err := NewAuthority(folder, "front-proxy-ca", "front-proxy")
	if err != nil {
		return err
	}
	leaves := map[string]Leaf{
		"apiserver": {CommonName: "kube-apiserver", Hosts: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"localhost", "127.0.0.1", network.ControlPlaneIP, network.KubernetesIP,
		}},
		"apiserver-kubelet-client": {CommonName: "kube-apiserver-kubelet-client", Organization: administrators},
	}
	users := map[string]Leaf{
		Admin:             {CommonName: "admin", Organization: administrators},
		ControllerManager: {CommonName: "system:kube-controller-manager"},
		Scheduler:         {CommonName: "system:kube-scheduler"},
		KubeProxy:         {CommonName: "system:kube-proxy"},
		PolicyAgent:       {CommonName: "e2e-policy-agent", Organization: administrators},
	}
	for _, node := range topology.Nodes() {
		users[Kubelet(node)] = Leaf{
			CommonName: "system:node:" + node.Name(), Organization: "system:nodes",
			Hosts: []string{node.Name(), node.IP()}, Client: true,
		}
	}
	err = errors.Join(
		writeSigningKey(folder),
		frontProxy.Issue(folder, "front-proxy-client", Leaf{CommonName: "front-proxy-client"}),
	)
	for name, leaf := range leaves {
		err = errors.Join(err, main.Issue(folder, name, leaf))
	}
	for name, leaf := range users {
		err = errors.Join(err,
			main.Issue(folder, name, leaf),
			WriteKubeconfig(filepath.Join(folder, name+".kubeconfig"), folder, name, network.APIServer))
	}
	return err
}

// Kubelet is the user that a node's kubelet is.
func Kubelet(node network.Node) string { return "kubelet-" + node.Name() }

// WriteKubeconfig writes a kubeconfig for a user of the folder. Everything is in the one file, so
// that it can be read from wherever the folder is mounted.
func WriteKubeconfig(path, folder, user, server string) error {
	var content [3][]byte
	for i, name := range []string{"ca.crt", user + ".crt", user + ".key"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("no kubeconfig for %s: %w", user, err)
		}
		content[i] = text
	}
	type object = map[string]any // byte slices become base64, which is what a kubeconfig wants
	text, err := json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "e2e",
		"clusters":        []object{{"name": "e2e", "cluster": object{"server": server, "certificate-authority-data": content[0]}}},
		"users":           []object{{"name": user, "user": object{"client-certificate-data": content[1], "client-key-data": content[2]}}},
		"contexts":        []object{{"name": "e2e", "context": object{"cluster": "e2e", "user": user}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
