// Package netpol enforces NetworkPolicies for the pods of one node with nftables.
//
// Whenever something changes the rules are made anew from all that is known and replaced in one
// transaction, so there is no state to go stale:
//
//	chain egress  { established: accept; from an isolated pod: goto out-IP }
//	chain ingress { established: accept; to an isolated pod: goto in-IP }
//	chain out-IP, in-IP { accept what a policy allows; accept the pod itself; drop }
//
// Denied packets are dropped, so that the sender sees a time-out, as on most real networks.
package netpol

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/knftables"
)

const (
	// gather is how long a burst of changes may go on before the rules are made.
	gather = 10 * time.Millisecond
	// rest is the least time between two syncs: under constant change nft would take a whole core.
	rest = 100 * time.Millisecond
	// retry is the time after a sync that failed.
	retry = time.Second
)

type agent struct {
	node       string
	table      table
	local      *addressBook
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	changes    chan struct{} // holds one: there is something to do
}

// Run enforces policies for a node's pods until ctx ends. It belongs in the node's network namespace.
func Run(ctx context.Context, kubeconfig, node string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	nft, err := knftables.New(knftables.IPv4Family, "e2e-netpol", knftables.EmulateDestroy)
	if err != nil {
		return fmt.Errorf("failed to use nftables: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces, policies := factory.Core().V1().Pods(), factory.Core().V1().Namespaces(), factory.Networking().V1().NetworkPolicies()
	a := &agent{
		node:       node,
		table:      table{nft: nft},
		local:      newAddressBook(),
		pods:       pods.Lister(),
		namespaces: namespaces.Lister(),
		policies:   policies.Lister(),
		changes:    make(chan struct{}, 1),
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { a.changed() },
			UpdateFunc: func(any, any) { a.changed() },
			DeleteFunc: func(any) { a.changed() },
		}); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("failed to read all %v", kind)
		}
	}
	if err := a.serve(ctx, Socket); err != nil {
		return err
	}
	a.loop(ctx)
	return nil
}

func (a *agent) changed() {
	select {
	case a.changes <- struct{}{}:
	default: // the sync that is due will see this change as well
	}
}

func (a *agent) loop(ctx context.Context) {
	for a.changed(); ; {
		select {
		case <-ctx.Done():
			return
		case <-a.changes:
		}
		time.Sleep(gather)
		select {
		case <-a.changes: // came while gathering
		default:
		}
		if err := a.sync(ctx); err != nil {
			klog.ErrorS(err, "Policies are not in force")
			a.changed()
			time.Sleep(retry)
		}
		time.Sleep(rest)
	}
}

// sync brings the rules in line with what is known, and releases the pods that wait for that.
func (a *agent) sync(ctx context.Context) error {
	start := time.Now()
	waiting := a.local.takeWaiting()
	now, err := a.snapshot()
	if err == nil {
		err = a.table.replace(ctx, now.chains(a.node))
	}
	if err != nil {
		a.local.putBack(waiting)
		return err
	}
	for _, it := range waiting {
		close(it)
	}
	klog.V(2).InfoS("Synced", "chains", len(a.table.present), "released", len(waiting), "took", time.Since(start))
	return nil
}

func (a *agent) snapshot() (*snapshot, error) {
	pods, err1 := a.pods.List(labels.Everything())
	namespaces, err2 := a.namespaces.List(labels.Everything())
	policies, err3 := a.policies.List(labels.Everything())
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	now := &snapshot{pods: addressed(pods, a.local.of), namespaces: map[string]labels.Set{}, policies: policies}
	for _, it := range namespaces {
		now.namespaces[it.Name] = it.Labels
	}
	slices.SortFunc(now.policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return now, nil
}

// addressed are the pods that have an address of their own, each address with one pod. An address
// that is used again stands in two pods for a moment: what this node was told counts, then the later pod.
func addressed(pods []*corev1.Pod, told func(types.UID) netip.Addr) []addressedPod {
	owners := map[netip.Addr]*corev1.Pod{}
	for _, pod := range pods {
		if pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		ip := told(pod.UID)
		if !ip.IsValid() {
			ip, _ = netip.ParseAddr(pod.Status.PodIP)
		}
		if !ip.Is4() {
			continue
		}
		rival := owners[ip]
		if rival == nil || told(rival.UID) != ip && rival.CreationTimestamp.Before(&pod.CreationTimestamp) {
			owners[ip] = pod
		}
	}
	all := make([]addressedPod, 0, len(owners))
	for ip, pod := range owners {
		all = append(all, addressedPod{pod, ip})
	}
	slices.SortFunc(all, func(a, b addressedPod) int { return a.ip.Compare(b.ip) })
	return all
}
