package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

// client talks to the API server from wherever this process is: it dials inside the cluster's namespace.
func (c *Cluster) client(topology network.Topology) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.Dial = network.Dialer(topology.Namespace())
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // there is no proxy in there
	config.Timeout = 5 * time.Second
	config.QPS, config.Burst = 100, 100
	return kubernetes.NewForConfig(config)
}

// ready tells whether the API server says it is.
func ready(ctx context.Context, client *kubernetes.Clientset) bool {
	answer, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err == nil && string(answer) == "ok"
}

// readyNodes counts the nodes that report Ready.
func readyNodes(ctx context.Context, client *kubernetes.Clientset) (int, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	count := 0
	for _, it := range nodes.Items {
		if nodeReady(&it) {
			count++
		}
	}
	return count, nil
}

func nodeReady(node *corev1.Node) bool {
	for _, it := range node.Status.Conditions {
		if it.Type == corev1.NodeReady {
			return it.Status == corev1.ConditionTrue
		}
	}
	return false
}

// available tells whether all replicas of the name server serve.
func available(ctx context.Context, client *kubernetes.Clientset) bool {
	deployment, err := client.AppsV1().Deployments("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	return err == nil && allAvailable(deployment)
}

func allAvailable(deployment *appsv1.Deployment) bool {
	wanted := deployment.Spec.Replicas
	return wanted != nil && deployment.Status.ObservedGeneration == deployment.Generation && deployment.Status.AvailableReplicas == *wanted
}

// apply applies manifests with the cluster's own kubectl.
func (c *Cluster) apply(topology network.Topology, manifests string) error {
	command := exec.Command(c.Dir.Path("bin", "kubectl"), "apply", "--server-side", "--field-manager=e2e-cluster", "-f", "-")
	command.Env = c.environment(os.Environ())
	command.Stdin = strings.NewReader(manifests)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := network.Inside(topology.Namespace(), command.Run); err != nil {
		return fmt.Errorf("kubectl apply: %w: %s", err, said.String())
	}
	return nil
}
