// The agent's one loop: collect what has changed, write the rules, tell those who wait for it. It owns all state.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/netip"
	"os/exec"
	"time"
)

// Changes often come in groups; the rules are written once for those of this time.
const collecting = 20 * time.Millisecond

type agent struct {
	watches  *watches
	requests chan request
	// Pods of this node by the container of their network, as the network plugin has told them. It knows an address
	// seconds before the API server does.
	sandboxes map[string]*sandbox
	waiting   []request
	written   string
	guards    map[string]guard
	stale     map[string]bool
	dropped   map[drop]uint64
}

type sandbox struct {
	uid     string
	address netip.Addr
	pod     *pod // As last seen: a pod can be deleted by force and go on running.
}

func newAgent(w *watches) *agent {
	return &agent{
		watches: w, requests: make(chan request), sandboxes: map[string]*sandbox{}, stale: map[string]bool{},
		dropped: map[drop]uint64{},
	}
}

// run calls ready once the first rules are in force.
func (a *agent) run(ctx context.Context, ready func(), logDrops time.Duration) {
	ticker := time.NewTicker(logDrops)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.logDrops()
			continue
		case <-a.watches.changed:
		case one := <-a.requests:
			a.take(one)
		}
		a.collect()
		c, complete := a.watches.snapshot()
		if !complete {
			continue
		}
		if err := a.write(a.withSandboxes(c)); err != nil {
			log.Printf("error: the rules could not be written, the old ones stay in force: %v", err)
			time.AfterFunc(time.Second, func() { wake(a.watches.changed) })
			continue
		}
		if ready != nil {
			ready()
			ready = nil
		}
		a.answer()
	}
}

func (a *agent) collect() {
	until := time.After(collecting)
	for {
		select {
		case <-until:
			return
		case <-a.watches.changed:
		case one := <-a.requests:
			a.take(one)
		}
	}
}

func (a *agent) take(one request) {
	if one.Address.IsValid() {
		for container, each := range a.sandboxes {
			if each.uid == one.UID {
				delete(a.sandboxes, container)
			}
		}
		a.sandboxes[one.Container] = &sandbox{uid: one.UID, address: one.Address}
	} else {
		delete(a.sandboxes, one.Container)
	}
	a.waiting = append(a.waiting, one)
}

// withSandboxes gives the pods of this node the addresses that the network plugin has told.
func (a *agent) withSandboxes(c *cluster) *cluster {
	byUID := make(map[string]int, len(c.pods))
	for index, each := range c.pods {
		byUID[each.uid] = index
	}
	for _, each := range a.sandboxes {
		index, known := byUID[each.uid]
		if known {
			each.pod = c.pods[index]
		}
		if each.pod == nil {
			continue
		}
		own := *each.pod
		own.address = each.address
		if known {
			c.pods[index] = &own
		} else {
			c.pods = append(c.pods, &own)
		}
	}
	c.sort()
	return c
}

// write puts the rules in force in one transaction. When the kernel refuses to replace only the rules, the table is made
// anew, in one transaction, too; only its counters are lost.
func (a *agent) write(c *cluster) error {
	all := guards(c)
	text := script(all, false)
	if text == a.written {
		return nil
	}
	begin := time.Now()
	fromScratch := a.written == ""
	if !fromScratch {
		if err := nft(text); err != nil {
			log.Printf("error: replacing the rules failed, making the table anew: %v", err)
			fromScratch = true
		}
	}
	if fromScratch {
		if err := nft(script(all, true)); err != nil {
			return err
		}
		a.stale = map[string]bool{}
	}
	a.written = text
	took := time.Since(begin)
	before := a.guards
	a.guards = make(map[string]guard, len(all))
	for _, each := range all {
		a.guards[each.chain()] = each
		delete(a.stale, each.chain())
		if old, was := before[each.chain()]; !was || fmt.Sprint(old.policies) != fmt.Sprint(each.policies) {
			log.Printf("%s of %s (%s) is held to %v", each.direction, each.pod, each.pod.address, each.policies)
		}
	}
	for name, each := range before {
		if _, still := a.guards[name]; !still {
			log.Printf("%s of %s is held to no policy any more", each.direction, each.pod)
			if !fromScratch {
				a.stale[name] = true
			}
		}
	}
	log.Printf("wrote the rules of %d directions of pods in %s", len(all), took.Round(100*time.Microsecond))
	a.clean()
	return nil
}

func (a *agent) clean() {
	if len(a.stale) == 0 {
		return
	}
	var names []string
	for name := range a.stale {
		names = append(names, name)
	}
	if err := nft(cleanup(names)); err != nil {
		log.Printf("error: unused chains stay until the next change: %v", err)
		return
	}
	a.stale = map[string]bool{}
}

// answer tells the network plugin of every pod whose rules are in force. One that the API server has not shown yet waits
// for it; the plugin gives up by itself.
func (a *agent) answer() {
	var waiting []request
	for _, each := range a.waiting {
		own, present := a.sandboxes[each.Container]
		if !each.Address.IsValid() || present && own.pod != nil {
			close(each.done)
		} else if time.Now().Before(each.deadline) {
			waiting = append(waiting, each)
		}
	}
	a.waiting = waiting
}

func nft(text string) error {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = bytes.NewBufferString(text)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}
