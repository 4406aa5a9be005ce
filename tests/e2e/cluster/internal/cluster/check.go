package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
)

const (
	serverPort = "8080"
	// dialMillis is how long a pod tries to get out: long enough to fall into any gap at its start.
	dialMillis = "2000"
	// checkPatience is the limit of the whole check, which takes some 10 s with 10 pods.
	checkPatience = 90 * time.Second
)

// ErrLeak says that a pod got out which should not have.
var ErrLeak = errors.New("isolation leaks")

// CheckPolicies proves that NetworkPolicies hold from a pod's first instant: of so many pods in a
// namespace that denies everything, each dialling out as soon as it runs, none gets through. That
// the same pods do get through without a policy shows that the check can fail.
func (c *Cluster) CheckPolicies(ctx context.Context, pods int) error {
	topology, err := c.open()
	if err != nil {
		return err
	}
	client, err := c.client(topology)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	check := &policyCheck{client: client, nodes: topology.Nodes()}
	defer check.cleanUp()
	target, err := check.server(ctx)
	if err != nil {
		return err
	}
	open, err := check.dialers(ctx, "open", false, pods, target)
	if err != nil {
		return err
	}
	denied, err := check.dialers(ctx, "denied", true, pods, target)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Say, "without a policy %d of %d pods got through, with one that denies everything %d of %d\n", open, pods, denied, pods)
	if open != pods {
		return fmt.Errorf("only %d of %d pods got through without a policy: the check proves nothing", open, pods)
	}
	if denied > 0 {
		return fmt.Errorf("%w: %d of %d pods got out", ErrLeak, denied, pods)
	}
	return nil
}

// policyCheck makes and removes the namespaces of a check.
type policyCheck struct {
	client     *kubernetes.Clientset
	nodes      []network.Node
	namespaces []string
}

func (p *policyCheck) namespace(ctx context.Context, suffix string) (string, error) {
	made, err := p.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "netpol-check-" + suffix + "-"},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	p.namespaces = append(p.namespaces, made.Name)
	return made.Name, nil
}

func (p *policyCheck) cleanUp() {
	// its own time: the check may have run out of its
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, it := range p.namespaces {
		_ = p.client.CoreV1().Namespaces().Delete(ctx, it, metav1.DeleteOptions{}) // what stays goes with the cluster
	}
}

// server runs a pod that answers, and returns its address.
func (p *policyCheck) server(ctx context.Context) (string, error) {
	namespace, err := p.namespace(ctx, "server")
	if err != nil {
		return "", err
	}
	pods := p.client.CoreV1().Pods(namespace)
	if _, err := pods.Create(ctx, probePod("server", p.nodes[0], "serve", serverPort), metav1.CreateOptions{}); err != nil {
		return "", err
	}
	var ip string
	err = poll(ctx, func() (bool, error) {
		pod, err := pods.Get(ctx, "server", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		ip = pod.Status.PodIP
		return pod.Status.Phase == corev1.PodRunning && ip != "", nil
	})
	return ip + ":" + serverPort, err
}

// dialers runs pods that dial the target as soon as they start, and counts those that got through.
func (p *policyCheck) dialers(ctx context.Context, suffix string, deny bool, count int, target string) (int, error) {
	namespace, err := p.namespace(ctx, suffix)
	if err != nil {
		return 0, err
	}
	if deny {
		if err := denyAll(ctx, p.client, namespace); err != nil {
			return 0, err
		}
	}
	pods := p.client.CoreV1().Pods(namespace)
	for i := range count {
		pod := probePod(fmt.Sprintf("dialer-%d", i), p.nodes[i%len(p.nodes)], "dial", target, dialMillis)
		if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return 0, err
		}
	}
	through := 0
	err = poll(ctx, func() (bool, error) {
		list, err := pods.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		phases := map[corev1.PodPhase]int{}
		for _, it := range list.Items {
			phases[it.Status.Phase]++
		}
		through = phases[corev1.PodSucceeded]
		return through+phases[corev1.PodFailed] == count, nil
	})
	return through, err
}

func denyAll(ctx context.Context, client kubernetes.Interface, namespace string) error {
	_, err := client.NetworkingV1().NetworkPolicies(namespace).Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "deny-all"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}, metav1.CreateOptions{})
	return err
}

// probePod runs the probe that is in the pause image. It goes to its node without the scheduler,
// and needs no ServiceAccount, which a new namespace hasn't got yet.
func probePod(name string, on network.Node, arguments ...string) *corev1.Pod {
	no, immediately := false, int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			NodeName:                      on.Name(),
			RestartPolicy:                 corev1.RestartPolicyNever,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			TerminationGracePeriodSeconds: &immediately,
			Containers: []corev1.Container{{
				Name:            "probe",
				Image:           node.PauseImage,
				ImagePullPolicy: corev1.PullNever,
				Args:            arguments,
			}},
		},
	}
}

// poll asks until the answer is yes.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if yes, err := done(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the pods of the check did not finish: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
