// What the agent knows of the cluster, reduced to what decides about packets. Values only; nothing here asks or writes.
package main

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// cluster is one moment of it, in an order that does not depend on how it was learnt.
type cluster struct {
	pods       []*pod
	namespaces map[string]labels.Set
	policies   []*networkingv1.NetworkPolicy
}

// pod is a pod that has a network of its own. Its address is invalid as long as nobody has told it.
type pod struct {
	uid, namespace, name string
	labels               labels.Set
	address              netip.Addr
	ports                []namedPort
	local                bool
}

type namedPort struct {
	name     string
	protocol corev1.Protocol
	number   uint16
}

func (p *pod) String() string { return p.namespace + "/" + p.name }

// podOf gives nil for a pod that policies do not concern: one on its node's network, or one that has ended and whose
// address may already be another's.
func podOf(object *corev1.Pod, node string) *pod {
	ended := object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed
	if object.Spec.HostNetwork || ended {
		return nil
	}
	result := &pod{
		uid: string(object.UID), namespace: object.Namespace, name: object.Name,
		labels: object.Labels, local: object.Spec.NodeName == node,
	}
	for _, each := range object.Status.PodIPs {
		if address, err := netip.ParseAddr(each.IP); err == nil && address.Is4() {
			result.address = address
			break
		}
	}
	for _, container := range object.Spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			result.ports = append(result.ports, namedPorts(container)...)
		}
	}
	for _, container := range object.Spec.Containers {
		result.ports = append(result.ports, namedPorts(container)...)
	}
	return result
}

func namedPorts(container corev1.Container) []namedPort {
	var result []namedPort
	for _, each := range container.Ports {
		if each.Name != "" {
			result = append(result, namedPort{each.Name, each.Protocol, uint16(each.ContainerPort)})
		}
	}
	return result
}

// port resolves the name of a port; a pod may use one name for several protocols.
func (p *pod) port(name string, protocol corev1.Protocol) (uint16, bool) {
	at := slices.IndexFunc(p.ports, func(each namedPort) bool { return each.name == name && each.protocol == protocol })
	if at < 0 {
		return 0, false
	}
	return p.ports[at].number, true
}

func (c *cluster) sort() {
	slices.SortFunc(c.pods, func(a, b *pod) int { return strings.Compare(a.String()+a.uid, b.String()+b.uid) })
	slices.SortFunc(c.policies, func(a, b *networkingv1.NetworkPolicy) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
}
