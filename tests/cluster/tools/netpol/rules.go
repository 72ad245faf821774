// The meaning of NetworkPolicies: which pods of this node are isolated in which direction, and what may pass all the same.
// Pure; nft.go writes the result down.
package main

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
)

// guard is a pod of this node that at least one policy isolates in a direction. What no allow matches is dropped.
type guard struct {
	pod       *pod
	direction direction
	policies  []string
	allows    []allow
}

// allow is what one entry of one policy lets pass: peers and ports. Without addresses and without a block it is every peer.
type allow struct {
	policy    string
	addresses []netip.Addr
	block     netip.Prefix
	except    []netip.Prefix
	protocol  corev1.Protocol // Empty: every protocol.
	ports     portRange       // Empty: every port of the protocol.
}

type portRange struct{ first, last uint16 }

// guards gives those of all pods of this node; a pod that no policy selects has none.
func guards(c *cluster) []guard {
	var result []guard
	for _, each := range c.pods {
		if !each.local || !each.address.IsValid() {
			continue
		}
		for _, way := range []direction{ingress, egress} {
			one := guard{pod: each, direction: way}
			for _, policy := range c.policies {
				if policy.Namespace == each.namespace && concerns(policy, way) && selects(&policy.Spec.PodSelector, each.labels) {
					one.policies = append(one.policies, policy.Namespace+"/"+policy.Name)
					one.allows = append(one.allows, allowsOf(c, policy, each, way)...)
				}
			}
			if one.policies != nil {
				result = append(result, one)
			}
		}
	}
	return result
}

// concerns: a policy that names no types is one of ingress, and of egress when it has rules for it.
func concerns(policy *networkingv1.NetworkPolicy, way direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return way == ingress || len(policy.Spec.Egress) > 0
	}
	wanted := networkingv1.PolicyTypeIngress
	if way == egress {
		wanted = networkingv1.PolicyTypeEgress
	}
	return slices.Contains(policy.Spec.PolicyTypes, wanted)
}

// selects: the API server has checked the selector; one that it would refuse selects nothing.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

func allowsOf(c *cluster, policy *networkingv1.NetworkPolicy, subject *pod, way direction) []allow {
	var result []allow
	add := func(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
		for _, base := range peersOf(c, policy.Namespace, peers) {
			base.policy = policy.Namespace + "/" + policy.Name
			result = append(result, withPorts(c, base, ports, subject, way)...)
		}
	}
	if way == ingress {
		for _, rule := range policy.Spec.Ingress {
			add(rule.From, rule.Ports)
		}
	} else {
		for _, rule := range policy.Spec.Egress {
			add(rule.To, rule.Ports)
		}
	}
	return result
}

// peersOf gives an allow of all ports for each kind of peer: nothing when the selectors select no pod that has an address.
func peersOf(c *cluster, namespace string, peers []networkingv1.NetworkPolicyPeer) []allow {
	if len(peers) == 0 {
		return []allow{{}}
	}
	var result []allow
	var pods allow
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if block, ok := blockOf(peer.IPBlock); ok {
				result = append(result, block)
			}
			continue
		}
		for _, each := range c.pods {
			if each.address.IsValid() && isPeer(c, namespace, peer, each) {
				pods.addresses = append(pods.addresses, each.address)
			}
		}
	}
	if len(pods.addresses) > 0 {
		slices.SortFunc(pods.addresses, netip.Addr.Compare)
		pods.addresses = slices.Compact(pods.addresses)
		result = append(result, pods)
	}
	return result
}

// isPeer: without a namespaceSelector the policy's own namespace is meant, without a podSelector every pod.
func isPeer(c *cluster, namespace string, peer networkingv1.NetworkPolicyPeer, candidate *pod) bool {
	if peer.NamespaceSelector == nil {
		if candidate.namespace != namespace {
			return false
		}
	} else if set, known := c.namespaces[candidate.namespace]; !known || !selects(peer.NamespaceSelector, set) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, candidate.labels)
}

// blockOf: the cluster has addresses of IPv4 only, so that a block of IPv6 matches nothing.
func blockOf(source *networkingv1.IPBlock) (allow, bool) {
	block, err := netip.ParsePrefix(source.CIDR)
	if err != nil || !block.Addr().Is4() {
		return allow{}, false
	}
	result := allow{block: block.Masked()}
	for _, each := range source.Except {
		if prefix, err := netip.ParsePrefix(each); err == nil && prefix.Addr().Is4() {
			result.except = append(result.except, prefix.Masked())
		}
	}
	return result, true
}

// withPorts narrows an allow to the ports of a rule: one allow for each protocol, and one for each number that a named port
// stands for. On the way in a name is a port of the subject, on the way out one of each peer.
func withPorts(c *cluster, base allow, ports []networkingv1.NetworkPolicyPort, subject *pod, way direction) []allow {
	if len(ports) == 0 {
		return []allow{base}
	}
	var result []allow
	for _, each := range ports {
		one := base
		one.protocol = corev1.ProtocolTCP
		if each.Protocol != nil {
			one.protocol = *each.Protocol
		}
		switch {
		case each.Port == nil:
		case each.Port.Type == intstr.Int:
			one.ports = portRange{uint16(each.Port.IntVal), uint16(each.Port.IntVal)}
			if each.EndPort != nil {
				one.ports.last = uint16(*each.EndPort)
			}
		case way == ingress:
			number, ok := subject.port(each.Port.StrVal, one.protocol)
			if !ok {
				continue
			}
			one.ports = portRange{number, number}
		default:
			result = append(result, portsOfPeers(c, one, each.Port.StrVal)...)
			continue
		}
		result = append(result, one)
	}
	return result
}

// portsOfPeers resolves a named port by the pods among the peers; a peer that is no pod has no named ports.
func portsOfPeers(c *cluster, base allow, name string) []allow {
	var result []allow
	for _, each := range c.pods {
		if number, ok := each.port(name, base.protocol); ok && each.address.IsValid() && base.admits(each.address) {
			one := allow{policy: base.policy, protocol: base.protocol}
			one.addresses = []netip.Addr{each.address}
			one.ports = portRange{number, number}
			result = append(result, one)
		}
	}
	return result
}

// admits tells whether an address is among the peers.
func (a allow) admits(address netip.Addr) bool {
	switch {
	case a.block.IsValid():
		excepted := slices.ContainsFunc(a.except, func(each netip.Prefix) bool { return each.Contains(address) })
		return a.block.Contains(address) && !excepted
	case a.addresses != nil:
		return slices.Contains(a.addresses, address)
	}
	return true
}
