// The text that nft reads: guards become chains of one table. Pure; the same guards give the same text.
package main

import (
	"fmt"
	"strings"
)

const table = "inet ragline-netpol"

// What is dropped is counted for every pair of addresses and every port, for the log; other protocols have no ports and
// are counted for the pod only. Both sets and the counters live on when the rules are replaced.
const fixed = `  set dropped-%[1]s {
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    size 4096
    flags dynamic,timeout
    timeout 10m
  }
`

// base: the traffic of a pod with its own node does not pass the hook forward and is never filtered. Packets between two pods of
// one node are bridged; the kernel takes them through this hook, too, as long as bridge-nf-call-iptables is on. kube-proxy has
// replaced the address of a Service by that of a pod before.
const base = `  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    meta nfproto ipv6 counter drop comment "the cluster has no IPv6"
`

func (g guard) chain() string { return string(g.direction) + "-" + g.pod.uid }

// script replaces all rules at once. Chains and counters of guards that are gone stay behind; see cleanup.
func script(all []guard, fromScratch bool) string {
	var text strings.Builder
	fmt.Fprintf(&text, "table %s {\n}\n", table)
	if fromScratch {
		fmt.Fprintf(&text, "delete table %s\n", table)
	} else {
		fmt.Fprintf(&text, "flush table %s\n", table)
	}
	fmt.Fprintf(&text, "table %s {\n", table)
	fmt.Fprintf(&text, fixed, ingress)
	fmt.Fprintf(&text, fixed, egress)
	for _, each := range all {
		fmt.Fprintf(&text, "  counter %s {\n  }\n", each.chain())
	}
	for _, each := range all {
		writeChain(&text, each)
	}
	text.WriteString(base)
	// A pod's own way out comes first: both ends of a connection on one node have to agree to it.
	writeJumps(&text, all, egress, "saddr")
	writeJumps(&text, all, ingress, "daddr")
	text.WriteString("  }\n}\n")
	return text.String()
}

// cleanup removes what no rule refers to any more. A later transaction than the flush: older kernels call a chain busy that
// the same one has let go of.
func cleanup(stale []string) string {
	var text strings.Builder
	for _, name := range stale {
		fmt.Fprintf(&text, "delete chain %s %s\ndelete counter %s %s\n", table, name, table, name)
	}
	return text.String()
}

func writeJumps(text *strings.Builder, all []guard, way direction, field string) {
	var jumps []string
	for _, each := range all {
		if each.direction == way {
			jumps = append(jumps, fmt.Sprintf("%s : jump %s", each.pod.address, each.chain()))
		}
	}
	if len(jumps) > 0 {
		fmt.Fprintf(text, "    ip %s vmap { %s }\n", field, strings.Join(jumps, ", "))
	}
}

func writeChain(text *strings.Builder, g guard) {
	peer := "saddr"
	if g.direction == egress {
		peer = "daddr"
	}
	fmt.Fprintf(text, "  chain %s {\n", g.chain())
	fmt.Fprintf(text, "    ip %s %s return comment %s\n", peer, g.pod.address, comment("itself: "+g.pod.String()))
	for _, each := range g.allows {
		fmt.Fprintf(text, "    %sreturn comment %s\n", matches(each, peer), comment(each.policy))
	}
	fmt.Fprintf(text, "    counter name %s\n", g.chain())
	fmt.Fprintf(text, "    meta l4proto { tcp, udp, sctp } update @dropped-%s { ip saddr . ip daddr . meta l4proto . th dport counter }\n", g.direction)
	text.WriteString("    drop\n  }\n")
}

func matches(a allow, peer string) string {
	var text strings.Builder
	if len(a.addresses) > 0 {
		fmt.Fprintf(&text, "ip %s { %s } ", peer, join(a.addresses))
	}
	if a.block.IsValid() {
		fmt.Fprintf(&text, "ip %s %s ", peer, a.block)
	}
	for _, each := range a.except {
		fmt.Fprintf(&text, "ip %s != %s ", peer, each)
	}
	if a.protocol == "" {
		return text.String()
	}
	protocol := strings.ToLower(string(a.protocol))
	switch a.ports {
	case portRange{}:
		fmt.Fprintf(&text, "meta l4proto %s ", protocol)
	case portRange{a.ports.first, a.ports.first}:
		fmt.Fprintf(&text, "%s dport %d ", protocol, a.ports.first)
	default:
		fmt.Fprintf(&text, "%s dport %d-%d ", protocol, a.ports.first, a.ports.last)
	}
	return text.String()
}

func join[T fmt.Stringer](items []T) string {
	words := make([]string, len(items))
	for index, each := range items {
		words[index] = each.String()
	}
	return strings.Join(words, ", ")
}

// comment quotes a comment; nft takes 128 bytes at most.
func comment(text string) string {
	return `"` + text[:min(len(text), 120)] + `"`
}
