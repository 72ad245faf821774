// Command netpol enforces NetworkPolicies for the pods of one node of the test cluster, by rules of nftables in the network
// namespace that it is started in. Called by the container runtime it is the network plugin that holds a new pod back until
// its rules are in force; see plugin.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if command := os.Getenv("CNI_COMMAND"); command != "" {
		if err := plugin(command); err != nil {
			failure(err)
			os.Exit(1)
		}
		return
	}
	var own flags
	flag.StringVar(&own.kubeconfig, "kubeconfig", "", "how to reach the API server")
	flag.StringVar(&own.node, "node", "", "the node whose pods are held to their policies")
	flag.StringVar(&own.socket, "socket", "", "where the network plugin tells of new pods; it appears with the first rules")
	flag.DurationVar(&own.logDrops, "log-drops", 2*time.Second, "how often what was dropped is looked for and logged")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := enforce(ctx, own); err != nil {
		log.Fatalf("error: %v", err)
	}
	// The rules stay: a node whose agent is restarted does not open for a moment.
	log.Print("stopped; the rules stay in force")
}

type flags struct {
	kubeconfig, node, socket string
	logDrops                 time.Duration
}

func enforce(ctx context.Context, own flags) error {
	if err := bridged(); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", own.kubeconfig)
	if err != nil {
		return err
	}
	config.UserAgent = "netpol/" + own.node
	w, err := watch(ctx, config, own.node)
	if err != nil {
		return err
	}
	if err := os.Remove(own.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	a := newAgent(w)
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := func() {
		listener, err := net.Listen("unix", own.socket)
		if err != nil {
			failed <- err
			cancel()
			return
		}
		context.AfterFunc(ctx, func() { listener.Close() })
		go serve(ctx, listener, a.requests)
		log.Printf("ready: the pods of %s are held to their policies", own.node)
	}
	a.run(ctx, ready, own.logDrops)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// bridged refuses to work where packets between two pods of one node would never meet the rules.
func bridged() error {
	const setting = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	value, err := os.ReadFile(setting)
	if err != nil {
		return fmt.Errorf("the kernel module br_netfilter is needed: %w", err)
	}
	if strings.TrimSpace(string(value)) != "1" {
		return fmt.Errorf("%s is not 1: traffic between pods of one node would not be filtered", setting)
	}
	return nil
}
