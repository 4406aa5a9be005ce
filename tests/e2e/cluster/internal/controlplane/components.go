// Package controlplane runs etcd and the three servers of Kubernetes' control plane, and the
// forwarder through which the rest of the machine reaches them.
package controlplane

import (
	"fmt"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/pki"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Component is one server of the control plane.
type Component struct {
	// Name is what the verbs call it.
	Name string
	// Program is the name the multi-call binary knows it by.
	Program string
	args    func(state.Dir) []string
}

// The components.
var (
	Etcd              = Component{"etcd", "etcd", etcdArgs}
	APIServer         = Component{"apiserver", "kube-apiserver", apiServerArgs}
	ControllerManager = Component{"controller-manager", "kube-controller-manager", controllerManagerArgs}
	Scheduler         = Component{"scheduler", "kube-scheduler", schedulerArgs}
)

// Components are all of them, in the order they start.
var Components = []Component{Etcd, APIServer, ControllerManager, Scheduler}

// Find looks a component up by its name.
func Find(name string) (Component, error) {
	for _, it := range Components {
		if it.Name == name {
			return it, nil
		}
	}
	return Component{}, fmt.Errorf("no component %q: want etcd, apiserver, controller-manager or scheduler", name)
}

// Start starts the component in the cluster's network namespace and records it.
func (c Component) Start(dir state.Dir, topology network.Topology) error {
	started, err := process.Start(process.Command{
		Path:      dir.Path("libexec", c.Program),
		Args:      c.args(dir),
		Namespace: topology.Namespace(),
		Log:       dir.Log(c.Name),
	})
	if err != nil {
		return err
	}
	return process.Save(dir, c.Name, started)
}

// Process is the component's process.
func (c Component) Process(dir state.Dir) process.Process { return process.Saved(dir, c.Name) }

const etcdClient = "http://127.0.0.1:2379"

func etcdArgs(dir state.Dir) []string {
	const peer = "http://127.0.0.1:2380"
	return []string{
		"--data-dir=" + dir.Path("etcd"),
		"--unsafe-no-fsync", // what a power cut would lose is thrown away anyway
		"--listen-client-urls=" + etcdClient,
		"--advertise-client-urls=" + etcdClient,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
	}
}

func apiServerArgs(dir state.Dir) []string {
	file := func(name string) string { return dir.Path("pki", name) }
	return []string{
		"--advertise-address=" + network.ControlPlaneIP,
		"--secure-port=6443",
		"--etcd-servers=" + etcdClient,
		"--service-cluster-ip-range=" + network.ServiceCIDR,
		"--allow-privileged",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + file("ca.crt"),
		"--tls-cert-file=" + file("apiserver.crt"),
		"--tls-private-key-file=" + file("apiserver.key"),
		"--kubelet-client-certificate=" + file("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + file("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + file("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file("sa.pub"),
		"--service-account-signing-key-file=" + file("sa.key"),
		"--requestheader-client-ca-file=" + file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"),
		"--proxy-client-key-file=" + file("front-proxy-client.key"),
		"--enable-aggregator-routing", // calls webhooks at their pods: the control plane has no kube-proxy
		"--audit-policy-file=" + dir.Path("config", "audit-policy.yaml"),
		"--audit-log-path=" + dir.AuditLog(),
		"--audit-log-maxsize=10000", // megabytes: in one file, for the tests that read it
	}
}

func controllerManagerArgs(dir state.Dir) []string {
	file := func(name string) string { return dir.Path("pki", name) }
	return append(asUser(dir, pki.ControllerManager),
		"--use-service-account-credentials",
		"--service-account-private-key-file="+file("sa.key"),
		"--root-ca-file="+file("ca.crt"),
		"--client-ca-file="+file("ca.crt"),
		"--cluster-signing-cert-file="+file("ca.crt"),
		"--cluster-signing-key-file="+file("ca.key"),
		"--requestheader-client-ca-file="+file("front-proxy-ca.crt"),
		"--controllers=*,-nodeipam",
		"--node-monitor-grace-period=16s",                      // four of the kubelet's status updates
		"--flex-volume-plugin-dir="+dir.Path("volume-plugins"), // the default is a folder of the machine's
		"--enable-hostpath-provisioner",
		// it makes a hundred requests before any controller starts: at the default of 20 a second, 5 s of waiting
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	)
}

func schedulerArgs(dir state.Dir) []string { return asUser(dir, pki.Scheduler) }

// asUser are the arguments of a component that is a client of the API server.
func asUser(dir state.Dir, user string) []string {
	kubeconfig := dir.Path("pki", user+".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	}
}
