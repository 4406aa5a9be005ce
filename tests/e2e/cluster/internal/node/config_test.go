package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	proxyconfig "k8s.io/kube-proxy/config/v1alpha1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cgroup"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

func rendered(t *testing.T, name string, version cgroup.Version) []byte {
	t.Helper()
	text, err := render(name, newSettings(network.Node{Cluster: "dev", Index: 2}, version))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheKubeletsFileHasNoUnknownField(t *testing.T) {
	for version, wantFail := range map[cgroup.Version]bool{cgroup.V1: true, cgroup.V2: false} {
		var config kubeletconfig.KubeletConfiguration
		if err := yaml.UnmarshalStrict(rendered(t, "kubelet.yaml", version), &config); err != nil {
			t.Fatal(err)
		}
		if config.CgroupRoot != "/dev-n2" || config.Address != "172.30.77.12" || config.TLSCertFile != "/run/cluster/pki/kubelet-n2.crt" {
			t.Errorf("got %+v", config)
		}
		if allowed := config.FailCgroupV1 != nil && !*config.FailCgroupV1; allowed != wantFail {
			t.Errorf("version %d: takes version 1: %t", version, allowed)
		}
	}
}

func TestKubeProxysFileHasNoUnknownField(t *testing.T) {
	var config proxyconfig.KubeProxyConfiguration
	if err := yaml.UnmarshalStrict(rendered(t, "kube-proxy.yaml", cgroup.V1), &config); err != nil {
		t.Fatal(err)
	}
	if config.Mode != "nftables" || config.HostnameOverride != "n2" {
		t.Errorf("got %+v", config)
	}
}

func TestTheLastCNIPluginIsThePolicyAgents(t *testing.T) {
	var list struct {
		Plugins []struct{ Type string }
	}
	text := rendered(t, "cni.conflist", cgroup.V1)
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if last := list.Plugins[len(list.Plugins)-1].Type; last != "e2e-netpol" {
		t.Errorf("it is %s", last)
	}
	if !strings.Contains(string(text), "10.244.2.0/24") {
		t.Error("the addresses are not the node's")
	}
}

func TestContainerdsFileIsTOML(t *testing.T) {
	var config struct {
		Version int            `toml:"version"`
		Plugins map[string]any `toml:"plugins"`
	}
	if err := toml.Unmarshal(rendered(t, "containerd.toml", cgroup.V1), &config); err != nil {
		t.Fatal(err)
	}
	cri, _ := config.Plugins["io.containerd.grpc.v1.cri"].(map[string]any)
	if config.Version != 2 || cri["sandbox_image"] != PauseImage {
		t.Errorf("got %+v", config)
	}
}
