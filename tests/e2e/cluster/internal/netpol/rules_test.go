package netpol

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/knftables"
	"sigs.k8s.io/yaml"
)

func pod(namespace, name, node, ip string, ports ...corev1.ContainerPort) addressedPod {
	return addressedPod{&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: ports}}},
	}, netip.MustParseAddr(ip)}
}

func policy(t *testing.T, namespace, name, spec string) *networkingv1.NetworkPolicy {
	t.Helper()
	it := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &it.Spec); err != nil {
		t.Fatal(err)
	}
	return it
}

// world has the pod under test, 10.1.0.1 on node n1, one in its namespace and one elsewhere.
func world() *snapshot {
	return &snapshot{
		pods: []addressedPod{
			pod("team", "api", "n1", "10.1.0.1",
				corev1.ContainerPort{Name: "web", ContainerPort: 8080},
				corev1.ContainerPort{Name: "web", ContainerPort: 5353, Protocol: corev1.ProtocolUDP}),
			pod("team", "db", "n2", "10.2.0.1", corev1.ContainerPort{Name: "web", ContainerPort: 8081}),
			pod("other", "spy", "n2", "10.2.0.2", corev1.ContainerPort{Name: "web", ContainerPort: 8082}),
		},
		namespaces: map[string]labels.Set{"team": {"kind": "ours"}, "other": {"kind": "theirs"}},
	}
}

// show writes the chains of the pods, leaving out what all of them end with.
func show(chains []chain) string {
	var lines []string
	for _, it := range chains[2:] {
		var rules []string
		for _, rule := range it.rules[:len(it.rules)-2] {
			rules = append(rules, rule.text)
		}
		lines = append(lines, it.name+": "+strings.Join(rules, "; "))
	}
	return strings.Join(lines, "\n")
}

func TestPoliciesBecomeRules(t *testing.T) {
	for _, it := range []struct{ name, spec, want string }{
		{
			"everything is denied",
			`{podSelector: {}, policyTypes: [Ingress, Egress]}`,
			"in-10.1.0.1: \nout-10.1.0.1: ",
		}, {
			"another pod is meant",
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}`,
			"",
		}, {
			"everyone may come in",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}`,
			"in-10.1.0.1: accept",
		}, {
			"a policy for ingress leaves egress alone, whatever it says of it",
			`{podSelector: {}, policyTypes: [Ingress], egress: [{}]}`,
			"in-10.1.0.1: ",
		}, {
			"a named port is the target's, for ingress",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: web}, {port: web, protocol: UDP}]}]}`,
			"in-10.1.0.1: tcp dport 8080 accept; udp dport 5353 accept",
		}, {
			"a named port is each peer's, for egress",
			`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: web}]}]}`,
			"out-10.1.0.1: ip daddr . tcp dport { 10.1.0.1 . 8080, 10.2.0.1 . 8081 } accept",
		}, {
			"a named port in a block is that of the pods in it",
			`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.2.0.0/16, except: [10.2.0.2/32]}}], ports: [{port: web}]}]}`,
			"out-10.1.0.1: ip daddr . tcp dport { 10.2.0.1 . 8081 } accept",
		}, {
			"a name that nobody has allows nothing",
			`{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: none}]}], egress: [{ports: [{port: none}]}]}`,
			"in-10.1.0.1: \nout-10.1.0.1: ",
		}, {
			"ranges and protocols without a port",
			`{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80, endPort: 90}, {protocol: UDP}, {protocol: SCTP, port: 7}]}]}`,
			"out-10.1.0.1: tcp dport 80-90 accept; meta l4proto udp accept; sctp dport 7 accept",
		}, {
			"a block with exceptions, and one of another family",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16, 10.3.0.0/16]}}, {ipBlock: {cidr: "fd00::/8"}}]}]}`,
			"in-10.1.0.1: ip saddr 10.0.0.0/8 ip saddr != 10.2.0.0/16 ip saddr != 10.3.0.0/16 accept",
		}, {
			"only peers of another family: nobody",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: "fd00::/8"}}]}]}`,
			"in-10.1.0.1: ",
		}, {
			"pods are looked for in the policy's namespace",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}`,
			"in-10.1.0.1: ip saddr { 10.1.0.1, 10.2.0.1 } accept",
		}, {
			"namespace and pod selector have to hold both",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kind: theirs}}, podSelector: {matchLabels: {app: db}}}]}]}`,
			"in-10.1.0.1: ",
		}, {
			"peers are alternatives, and so are ports",
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kind, operator: NotIn, values: [ours]}]}}, {ipBlock: {cidr: 172.30.77.0/24}}], ports: [{port: 1}, {port: 2}]}]}`,
			"in-10.1.0.1: ip saddr 172.30.77.0/24 tcp dport 1 accept; ip saddr { 10.2.0.2 } tcp dport 1 accept; " +
				"ip saddr 172.30.77.0/24 tcp dport 2 accept; ip saddr { 10.2.0.2 } tcp dport 2 accept",
		},
	} {
		t.Run(it.name, func(t *testing.T) {
			now := world()
			now.policies = []*networkingv1.NetworkPolicy{policy(t, "team", "p", it.spec)}
			if got := show(now.chains("n1")); got != it.want {
				t.Errorf("got\n%s\nwant\n%s", got, it.want)
			}
		})
	}
}

func TestAnIsolatedPodMayReachItselfAndNothingElse(t *testing.T) {
	now := world()
	now.policies = []*networkingv1.NetworkPolicy{policy(t, "team", "p", `{podSelector: {}, policyTypes: [Egress]}`)}
	chains := now.chains("n1")
	last := chains[len(chains)-1]
	if len(last.rules) != 2 || last.rules[0].text != "ip daddr 10.1.0.1 accept" || last.rules[1] != (rule{"counter drop", "team/api"}) {
		t.Errorf("got %+v", last)
	}
	if got, want := chains[1].rules[1].text, "ip saddr vmap { 10.1.0.1 : goto out-10.1.0.1 }"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSeveralPoliciesAddUp(t *testing.T) {
	now := world()
	now.policies = []*networkingv1.NetworkPolicy{
		policy(t, "team", "deny", `{podSelector: {}, policyTypes: [Ingress]}`),
		policy(t, "team", "one", `{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 1}]}]}`),
		policy(t, "other", "elsewhere", `{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}`),
	}
	if got, want := show(now.chains("n1")), "in-10.1.0.1: tcp dport 1 accept"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheTableFollowsTheChains(t *testing.T) {
	fake := knftables.NewFake(knftables.IPv4Family, "e2e-netpol") // refuses to lead to chains that aren't there
	it := table{nft: fake}
	now := world()
	sizes := map[string]int{
		`{podSelector: {}, policyTypes: [Ingress, Egress]}`:               4,
		`{podSelector: {}, policyTypes: [Ingress]}`:                       3,
		`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}`: 2,
	}
	for range 2 {
		for spec, want := range sizes {
			now.policies = []*networkingv1.NetworkPolicy{policy(t, "team", "p", spec)}
			if err := it.replace(t.Context(), now.chains("n1")); err != nil {
				t.Fatal(err)
			}
			if got := len(fake.Table.Chains); got != want {
				t.Errorf("%s: %d chains, want %d", spec, got, want)
			}
		}
	}
}

func TestAnUnchangedWorldIsNotWrittenAgain(t *testing.T) {
	fake := knftables.NewFake(knftables.IPv4Family, "e2e-netpol")
	it := table{nft: fake}
	if err := it.replace(t.Context(), world().chains("n1")); err != nil {
		t.Fatal(err)
	}
	it.nft = nil // to be used is to panic
	if err := it.replace(t.Context(), world().chains("n1")); err != nil {
		t.Fatal(err)
	}
}

func TestAnAddressHasOnePod(t *testing.T) {
	older, newer, finished, onHost, v6 := pod("x", "older", "n1", "10.1.0.1"), pod("x", "newer", "n1", "10.1.0.1"),
		pod("x", "finished", "n1", "10.1.0.2"), pod("x", "on-host", "n1", "10.1.0.3"), pod("x", "v6", "n1", "::1")
	var pods []*corev1.Pod
	for i, it := range []addressedPod{older, newer, finished, onHost, v6} {
		it.Status.PodIP = it.ip.String()
		it.CreationTimestamp = metav1.NewTime(time.Unix(int64(i), 0))
		pods = append(pods, it.Pod)
	}
	finished.Status.Phase = corev1.PodSucceeded
	onHost.Spec.HostNetwork = true
	told := map[types.UID]netip.Addr{}
	names := func() string {
		var names []string
		for _, it := range addressed(pods, func(uid types.UID) netip.Addr { return told[uid] }) {
			names = append(names, it.Name+" "+it.ip.String())
		}
		return strings.Join(names, ", ")
	}
	if got := names(); got != "newer 10.1.0.1" {
		t.Errorf("got %s", got)
	}
	told["older"] = netip.MustParseAddr("10.1.0.1")
	if got := names(); got != "older 10.1.0.1" {
		t.Errorf("what this node was told does not count: %s", got)
	}
	told["older"] = netip.MustParseAddr("10.1.0.9") // before its status has it
	if got := names(); got != "newer 10.1.0.1, older 10.1.0.9" {
		t.Errorf("got %s", got)
	}
}
