package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

func made(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := ForCluster(folder, network.Topology{Cluster: "dev", Size: 2}); err != nil {
		t.Fatal(err)
	}
	return folder
}

func certificate(t *testing.T, folder, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func verify(t *testing.T, folder, authority, name string, options x509.VerifyOptions) error {
	t.Helper()
	options.Roots = x509.NewCertPool()
	options.Roots.AddCert(certificate(t, folder, authority))
	_, err := certificate(t, folder, name).Verify(options)
	return err
}

var (
	asClient = x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	asServer = x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
)

func TestTheAPIServerIsWhoeverItIsCalled(t *testing.T) {
	folder := made(t)
	for _, host := range []string{"172.30.77.2", "127.0.0.1", "10.96.0.1", "localhost", "kubernetes.default.svc"} {
		options := asServer
		options.DNSName = host
		if err := verify(t, folder, "ca", "apiserver", options); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := verify(t, folder, "ca", "apiserver", asClient); err == nil {
		t.Error("a server's certificate is good for a client")
	}
}

func TestUsersAreClientsOfTheMainAuthorityOnly(t *testing.T) {
	folder := made(t)
	for _, user := range []string{Admin, ControllerManager, Scheduler, KubeProxy, PolicyAgent, "kubelet-n1", "kubelet-n2"} {
		if err := verify(t, folder, "ca", user, asClient); err != nil {
			t.Errorf("%s: %v", user, err)
		}
		if err := verify(t, folder, "front-proxy-ca", user, asClient); err == nil {
			t.Errorf("%s could pass for the front proxy, which may be anyone", user)
		}
	}
	if err := verify(t, folder, "ca", "front-proxy-client", asClient); err == nil {
		t.Error("the front proxy is a user")
	}
}

func TestAKubeletIsClientAndServer(t *testing.T) {
	folder := made(t)
	options := asServer
	options.DNSName = "172.30.77.12"
	if err := verify(t, folder, "ca", "kubelet-n2", options); err != nil {
		t.Error(err)
	}
	subject := certificate(t, folder, "kubelet-n2").Subject
	if subject.CommonName != "system:node:n2" || len(subject.Organization) != 1 || subject.Organization[0] != "system:nodes" {
		t.Errorf("its subject is %s", subject)
	}
}

func TestAKubeconfigNeedsNoOtherFile(t *testing.T) {
	folder := made(t)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := WriteKubeconfig(path, folder, Admin, "https://127.0.0.1:4711"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:4711" {
		t.Errorf("the server is %s", config.Host)
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a key that others can read: %v, %v", info.Mode(), err)
	}
}
