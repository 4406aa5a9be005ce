package netpol

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// snapshot is what is known of the cluster at one moment. Its lists are sorted, so that equal
// snapshots give equal rules.
type snapshot struct {
	pods       []addressedPod
	namespaces map[string]labels.Set
	policies   []*networkingv1.NetworkPolicy
}

type addressedPod struct {
	*corev1.Pod
	ip netip.Addr
}

// chain is a list of rules. Those of the two base chains are tried for every packet.
type chain struct {
	name  string
	rules []rule
}

type rule struct {
	text    string
	comment string
}

// direction is what tells ingress from egress.
type direction struct {
	kind networkingv1.PolicyType
	// base is the chain that hooks into the kernel, prefix begins the names of the pods' chains.
	base, prefix string
	// own matches the address of the isolated pod, peer that of the other end.
	own, peer string
	allows    func(*networkingv1.NetworkPolicySpec) []allowance
}

// allowance is one entry of a policy's ingress or egress list.
type allowance struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

var (
	ingress = direction{networkingv1.PolicyTypeIngress, "ingress", "in-", "ip daddr", "ip saddr",
		func(spec *networkingv1.NetworkPolicySpec) []allowance {
			var all []allowance
			for _, it := range spec.Ingress {
				all = append(all, allowance{it.From, it.Ports})
			}
			return all
		}}
	egress = direction{networkingv1.PolicyTypeEgress, "egress", "out-", "ip saddr", "ip daddr",
		func(spec *networkingv1.NetworkPolicySpec) []allowance {
			var all []allowance
			for _, it := range spec.Egress {
				all = append(all, allowance{it.To, it.Ports})
			}
			return all
		}}
)

// chains are the rules for the node's pods: both base chains, then one chain for each pod and
// direction in which it is isolated.
func (s *snapshot) chains(node string) []chain {
	var bases, all []chain
	for _, d := range []direction{ingress, egress} {
		var isolated []string
		for _, pod := range s.pods {
			if pod.Spec.NodeName != node {
				continue
			}
			if policies := s.policiesOf(pod, d); len(policies) > 0 {
				// named by address: a pod's name can be too long for nftables
				own := chain{d.prefix + pod.ip.String(), s.judge(pod, d, policies)}
				isolated = append(isolated, pod.ip.String()+" : goto "+own.name)
				all = append(all, own)
			}
		}
		base := chain{d.base, []rule{{text: "ct state established,related accept"}}}
		if len(isolated) > 0 {
			base.rules = append(base.rules, rule{text: d.own + " vmap { " + strings.Join(isolated, ", ") + " }"})
		}
		bases = append(bases, base)
	}
	return append(bases, all...)
}

// policiesOf are those that isolate the pod in a direction.
func (s *snapshot) policiesOf(pod addressedPod, d direction) []*networkingv1.NetworkPolicy {
	var found []*networkingv1.NetworkPolicy
	for _, it := range s.policies {
		if it.Namespace == pod.Namespace && slices.Contains(it.Spec.PolicyTypes, d.kind) && selects(&it.Spec.PodSelector, pod.Labels) {
			found = append(found, it)
		}
	}
	return found
}

// judge says what an isolated pod may do, and that it may do nothing else.
func (s *snapshot) judge(pod addressedPod, d direction, policies []*networkingv1.NetworkPolicy) []rule {
	var rules []rule
	for _, policy := range policies {
		for _, allowed := range d.allows(&policy.Spec) {
			for _, match := range s.matches(pod, d, policy.Namespace, allowed) {
				rules = append(rules, rule{strings.TrimSpace(match + " accept"), title(policy)})
			}
		}
	}
	return append(rules,
		rule{text: d.peer + " " + pod.ip.String() + " accept"}, // a pod may always reach itself
		rule{"counter drop", title(pod)})
}

// matches are the conditions under which an allowance lets a packet pass; any of them will do.
func (s *snapshot) matches(pod addressedPod, d direction, namespace string, allowed allowance) []string {
	peers, members := s.peers(d, namespace, allowed.peers)
	if len(allowed.ports) == 0 {
		return peers
	}
	var all []string
	for _, port := range allowed.ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		if named(port) && d.kind == networkingv1.PolicyTypeEgress {
			all = append(all, namedPeerPorts(members, protocol, port.Port.StrVal)...)
			continue
		}
		for _, peer := range peers {
			for _, condition := range portConditions(pod, protocol, port) {
				all = append(all, strings.TrimSpace(peer+" "+condition))
			}
		}
	}
	return all
}

// peers turns an allowance's peers into conditions on the address, and names the pods among them.
// No peers at all means everyone.
func (s *snapshot) peers(d direction, namespace string, peers []networkingv1.NetworkPolicyPeer) (conditions []string, members []addressedPod) {
	if len(peers) == 0 {
		return []string{""}, s.pods
	}
	var selected []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			block, ok := parseBlock(peer.IPBlock)
			if !ok {
				continue // of another address family, which no pod here has
			}
			conditions = append(conditions, block.condition(d.peer))
			for _, pod := range s.pods {
				if block.contains(pod.ip) {
					members = append(members, pod)
				}
			}
			continue
		}
		for _, pod := range s.pods {
			if s.isPeer(pod, namespace, peer) {
				members = append(members, pod)
				selected = append(selected, pod.ip.String())
			}
		}
	}
	if len(selected) > 0 {
		conditions = append(conditions, d.peer+" "+anyOf(selected))
	}
	return conditions, members
}

func (s *snapshot) isPeer(pod addressedPod, namespace string, peer networkingv1.NetworkPolicyPeer) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, s.namespaces[pod.Namespace]) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

func named(port networkingv1.NetworkPolicyPort) bool {
	return port.Port != nil && port.Port.Type == intstr.String
}

// portConditions match a port by number, or by the name it has in the pod the packet goes to.
func portConditions(pod addressedPod, protocol corev1.Protocol, port networkingv1.NetworkPolicyPort) []string {
	name := strings.ToLower(string(protocol))
	switch {
	case port.Port == nil:
		return []string{"meta l4proto " + name}
	case named(port):
		var conditions []string
		for _, number := range portsNamed(pod, protocol, port.Port.StrVal) {
			conditions = append(conditions, fmt.Sprintf("%s dport %d", name, number))
		}
		return conditions
	case port.EndPort != nil:
		return []string{fmt.Sprintf("%s dport %d-%d", name, port.Port.IntVal, *port.EndPort)}
	default:
		return []string{fmt.Sprintf("%s dport %d", name, port.Port.IntVal)}
	}
}

// namedPeerPorts match a port by the name it has in each of the peers.
func namedPeerPorts(members []addressedPod, protocol corev1.Protocol, name string) []string {
	var pairs []string
	for _, pod := range members {
		for _, number := range portsNamed(pod, protocol, name) {
			pairs = append(pairs, fmt.Sprintf("%s . %d", pod.ip, number))
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("ip daddr . %s dport %s", strings.ToLower(string(protocol)), anyOf(pairs))}
}

func portsNamed(pod addressedPod, protocol corev1.Protocol, name string) []int32 {
	var numbers []int32
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, port := range container.Ports {
			if port.Name == name && cmp.Or(port.Protocol, corev1.ProtocolTCP) == protocol {
				numbers = append(numbers, port.ContainerPort)
			}
		}
	}
	return numbers
}

// block is an ipBlock of IPv4.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

func parseBlock(from *networkingv1.IPBlock) (block, bool) {
	cidr, err := netip.ParsePrefix(from.CIDR)
	if err != nil || !cidr.Addr().Is4() {
		return block{}, false
	}
	parsed := block{cidr: cidr.Masked()}
	for _, it := range from.Except {
		if except, err := netip.ParsePrefix(it); err == nil {
			parsed.except = append(parsed.except, except.Masked())
		}
	}
	return parsed, true
}

func (b block) condition(field string) string {
	text := field + " " + b.cidr.String()
	for _, it := range b.except {
		text += " " + field + " != " + it.String()
	}
	return text
}

func (b block) contains(ip netip.Addr) bool {
	return b.cidr.Contains(ip) && !slices.ContainsFunc(b.except, func(it netip.Prefix) bool { return it.Contains(ip) })
}

// selects applies a selector; one the API server should have refused selects nothing.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

func anyOf(elements []string) string {
	slices.Sort(elements)
	return "{ " + strings.Join(slices.Compact(elements), ", ") + " }"
}

// title names an object in a rule's comment, for which nftables has 128 bytes.
func title(object metav1.Object) string {
	text := object.GetNamespace() + "/" + object.GetName()
	return text[:min(len(text), 127)]
}
