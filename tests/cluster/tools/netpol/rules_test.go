package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The fixture: on this node shop/web (port "http" is 8080), shop/db and shop/young, which has no address yet; elsewhere shop/far
// (port "http" is 9090), tools/probe and odd/other.
func fixture() *cluster {
	one := func(namespace, name, address string, local bool, ports ...namedPort) *pod {
		result := &pod{uid: name, namespace: namespace, name: name, labels: labels.Set{"app": name}, local: local, ports: ports}
		if address != "" {
			result.address = netip.MustParseAddr(address)
		}
		return result
	}
	return &cluster{
		namespaces: map[string]labels.Set{"shop": {"team": "a"}, "tools": {"team": "b"}, "odd": {}},
		pods: []*pod{
			one("shop", "web", "10.0.1.1", true, namedPort{"http", corev1.ProtocolTCP, 8080}),
			one("shop", "db", "10.0.1.2", true),
			one("shop", "young", "", true),
			one("shop", "far", "10.0.2.1", false, namedPort{"http", corev1.ProtocolTCP, 9090}),
			one("tools", "probe", "10.0.2.2", false),
			one("odd", "other", "10.0.2.3", false),
		},
	}
}

// Each spec belongs to a policy of the namespace shop; wanted is what is said of shop/web: a line for each direction in which it
// is isolated, then what may pass.
var cases = []struct {
	name, wanted string
	specs        []string
}{
	{"a pod that no policy selects is open", "", []string{`{podSelector: {matchLabels: {app: db}}}`}},
	{"an empty selector selects all, no rules let nothing in", "ingress:", []string{`{podSelector: {}}`}},
	{"an empty rule lets everything in", "ingress: return", []string{`{ingress: [{}]}`}},
	{"without types egress rules isolate both ways", "ingress: | egress: return", []string{`{egress: [{}]}`}},
	{"types decide", "egress:", []string{`{policyTypes: [Egress]}`}},
	{"rules of a type that is not named mean nothing", "ingress:", []string{`{policyTypes: [Ingress], egress: [{}]}`}},
	{"a podSelector means the policy's namespace", "ingress: ip saddr { 10.0.1.2, 10.0.2.1 } return",
		[]string{`{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [db, far, probe]}]}}]}]}`}},
	{"a namespaceSelector means all its pods", "ingress: ip saddr { 10.0.2.2 } return",
		[]string{`{ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]}`}},
	{"both selectors have to match", "ingress: ip saddr { 10.0.2.3 } return",
		[]string{`{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: other}}}]}]}`}},
	{"expressions can deny", "ingress: ip saddr { 10.0.2.3 } return",
		[]string{`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}]}]}`}},
	{"peers that are no pod let nothing in", "ingress:",
		[]string{`{ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}`}},
	{"several peers are a union", "ingress: ip saddr 192.0.2.0/24 return | ip saddr { 10.0.1.2, 10.0.2.2 } return",
		[]string{`{ingress: [{from: [{podSelector: {matchLabels: {app: db}}}, {ipBlock: {cidr: 192.0.2.7/24}}, {namespaceSelector: {matchLabels: {team: b}}}]}]}`}},
	{"a block has exceptions", "egress: ip daddr 10.0.0.0/8 ip daddr != 10.1.0.0/16 ip daddr != 10.2.0.0/16 return",
		[]string{`{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}]}]}`}},
	{"a block of IPv6 matches nothing here", "egress:",
		[]string{`{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "2001:db8::/32"}}]}]}`}},
	{"ports are of TCP unless said otherwise", "ingress: tcp dport 80 return | udp dport 53 return | sctp dport 7 return",
		[]string{`{ingress: [{ports: [{port: 80}, {port: 53, protocol: UDP}, {port: 7, protocol: SCTP}]}]}`}},
	{"a port may be a range, or all of a protocol", "ingress: tcp dport 8000-8010 return | meta l4proto udp return",
		[]string{`{ingress: [{ports: [{port: 8000, endPort: 8010}, {protocol: UDP}]}]}`}},
	{"on the way in a named port is the pod's own", "ingress: tcp dport 8080 return", []string{`{ingress: [{ports: [{port: http}]}]}`}},
	{"a name that the pod does not have lets nothing in", "ingress:",
		[]string{`{ingress: [{ports: [{port: metrics}, {port: http, protocol: UDP}]}]}`}},
	{"on the way out a named port is each peer's own",
		"egress: ip daddr { 10.0.1.1 } tcp dport 8080 return | ip daddr { 10.0.2.1 } tcp dport 9090 return",
		[]string{`{policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: http}]}]}`}},
	{"a named port of a block is that of the pods in it", "egress: ip daddr { 10.0.2.1 } tcp dport 9090 return",
		[]string{`{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/16, except: [10.0.1.0/24]}}], ports: [{port: http}]}]}`}},
	{"several policies are a union", "ingress: tcp dport 80 return | tcp dport 81 return",
		[]string{`{}`, `{ingress: [{ports: [{port: 80}]}]}`, `{ingress: [{ports: [{port: 81}]}]}`}},
}

func TestPoliciesBecomeRules(t *testing.T) {
	for _, each := range cases {
		t.Run(each.name, func(t *testing.T) {
			c := fixture()
			for index, text := range each.specs {
				policy := &networkingv1.NetworkPolicy{}
				policy.Namespace, policy.Name = "shop", fmt.Sprint("p", index)
				if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
					t.Fatal(err)
				}
				c.policies = append(c.policies, policy)
			}
			var said []string
			for _, one := range guards(c) {
				if one.pod.name == "young" {
					t.Error("a pod without an address has a guard")
				}
				if one.pod.name == "web" {
					said = append(said, speak(one))
				}
			}
			if got := strings.Join(said, " | "); got != each.wanted {
				t.Errorf("\n got %s\nwant %s", got, each.wanted)
			}
		})
	}
}

func speak(one guard) string {
	peer := map[direction]string{ingress: "saddr", egress: "daddr"}[one.direction]
	var rules []string
	for _, each := range one.allows {
		rules = append(rules, matches(each, peer)+"return")
	}
	return strings.TrimSpace(string(one.direction) + ": " + strings.Join(rules, " | "))
}

func TestPodsOfTheNodesNetworkAndEndedOnesAreLeftOut(t *testing.T) {
	running := corev1.Pod{Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "2001:db8::1"}, {IP: "10.0.1.9"}}}}
	if got := podOf(&running, "node1"); got == nil || got.address.String() != "10.0.1.9" {
		t.Errorf("a running pod is %v", got)
	}
	ended, host := running, running
	ended.Status.Phase = corev1.PodSucceeded
	host.Spec.HostNetwork = true
	if podOf(&ended, "node1") != nil || podOf(&host, "node1") != nil {
		t.Error("an ended pod or one on its node's network is held to policies")
	}
}

func TestTheWayOutComesBeforeTheWayIn(t *testing.T) {
	c := fixture()
	policy := &networkingv1.NetworkPolicy{}
	policy.Namespace, policy.Name = "shop", "closed"
	policy.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	c.policies = append(c.policies, policy)
	text := script(guards(c), false)
	out := strings.Index(text, "ip saddr vmap { 10.0.1.1 : jump egress-web, 10.0.1.2 : jump egress-db }")
	in := strings.Index(text, "ip daddr vmap { 10.0.1.1 : jump ingress-web, 10.0.1.2 : jump ingress-db }")
	if out < 0 || in < out {
		t.Errorf("the jumps are not as they should be:\n%s", text)
	}
}

func TestDropsAreReadFromNft(t *testing.T) {
	text := `{"nftables": [{"metainfo": {}}, {"set": {"elem": [{"elem": {"val": {"concat": ["10.0.2.2", "10.0.1.1", "tcp", 80]},
		"timeout": 600, "expires": 597, "counter": {"packets": 3, "bytes": 180}}}]}}]}`
	got, err := parseDrops(ingress, []byte(text))
	if err != nil || len(got) != 1 || got[drop{ingress, "10.0.2.2", "10.0.1.1", "tcp", "80"}] != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}
