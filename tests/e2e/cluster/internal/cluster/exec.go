package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/image"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

// Variables that tell this program's verbs which cluster they are about.
const (
	NameVariable   = "E2E_CLUSTER"
	FolderVariable = "E2E_CLUSTER_STATE"
)

// Exec becomes the command, in the cluster's network namespace. It returns only if it fails.
func (c *Cluster) Exec(command []string) error {
	topology, err := c.open()
	if err != nil {
		return err
	}
	environment := c.environment(os.Environ())
	path, _ := lookUp(environment, "PATH")
	if err := os.Setenv("PATH", path); err != nil { // the command itself is looked up there, too
		return err
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the namespace is this thread's, which the command takes over
	if err := network.Enter(topology.Namespace()); err != nil {
		return err
	}
	return fmt.Errorf("failed to run %s: %w", program, syscall.Exec(program, command, environment))
}

// proxies are variables that send requests to a proxy, which can't be reached from inside.
var proxies = []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}

// environment is what a command in the cluster finds.
func (c *Cluster) environment(from []string) []string {
	path, _ := lookUp(from, "PATH")
	kept := without(from, append(slices.Clone(proxies), "PATH", "KUBECONFIG", "E2E_PROVIDER", NameVariable, FolderVariable)...)
	return append(kept,
		"PATH="+c.Dir.Bin()+":"+path,
		"KUBECONFIG="+c.Dir.Kubeconfig(),
		"E2E_PROVIDER=netns",
		NameVariable+"="+c.Name,
		FolderVariable+"="+string(c.Dir),
	)
}

// PrintEnvironment tells people how to use the cluster.
func (c *Cluster) PrintEnvironment() {
	fmt.Fprintf(c.Say, `
# from anywhere on this machine
export KUBECONFIG=%s
# inside the cluster's network, where pods and Services have addresses
%s/e2e-cluster --name %s --state %s exec -- kubectl get nodes
`, c.Dir.LocalKubeconfig(), c.Dir.Bin(), c.Name, c.Dir)
}

// LoadImages loads archives into every node that is on.
func (c *Cluster) LoadImages(archives []string) error {
	topology, err := c.open()
	if err != nil {
		return err
	}
	sockets := c.containerds(topology)
	if len(sockets) == 0 {
		return fmt.Errorf("no node of cluster %s is on", c.Name)
	}
	return image.Load(sockets, archives...)
}

func lookUp(environment []string, key string) (string, bool) {
	for _, it := range environment {
		if value, ok := strings.CutPrefix(it, key+"="); ok {
			return value, true
		}
	}
	return "", false
}

func without(environment []string, keys ...string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(it string) bool {
		key, _, _ := strings.Cut(it, "=")
		return slices.Contains(keys, key)
	})
}
