// The network plugin, called after the one that gives a pod its address and before any container of the pod runs. It tells
// the agent and waits until the pod's rules are in force: a pod has no moment without them. Without the agent no pod starts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

const patience = 10 * time.Second

// request is what the plugin tells the agent; without an address the container is gone.
type request struct {
	Container string     `json:"container"`
	UID       string     `json:"uid"`
	Address   netip.Addr `json:"address"`
	deadline  time.Time
	done      chan struct{}
}

// settings is what the runtime passes on standard input, after the CNI specification.
type settings struct {
	Version  string          `json:"cniVersion"`
	Socket   string          `json:"socket"`
	Previous json.RawMessage `json:"prevResult"`
}

func plugin(command string) error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var own settings
	if err := json.Unmarshal(input, &own); err != nil {
		return err
	}
	one := request{Container: os.Getenv("CNI_CONTAINERID")}
	switch command {
	case "VERSION":
		fmt.Printf(`{"cniVersion": %q, "supportedVersions": ["0.4.0", "1.0.0"]}`, own.Version)
	case "DEL":
		// The agent may have stopped before the pods of its node, and there is nothing left to be held to rules.
		_ = tell(own.Socket, one, time.Second)
	case "ADD":
		if one.UID, one.Address, err = added(own.Previous); err != nil {
			return err
		}
		if err := tell(own.Socket, one, patience); err != nil {
			return fmt.Errorf("the agent that enforces NetworkPolicies does not answer: %w", err)
		}
		_, err = os.Stdout.Write(own.Previous)
	}
	return err
}

// added reads the pod out of the runtime's arguments and its address out of the earlier plugin's result.
func added(previous json.RawMessage) (uid string, address netip.Addr, err error) {
	for _, each := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		if value, found := strings.CutPrefix(each, "K8S_POD_UID="); found {
			uid = value
		}
	}
	var result struct {
		IPs []struct {
			Address netip.Prefix `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(previous, &result); err != nil {
		return "", address, fmt.Errorf("the result of the plugin before: %w", err)
	}
	for _, each := range result.IPs {
		if each.Address.Addr().Is4() {
			address = each.Address.Addr()
		}
	}
	if uid == "" || !address.IsValid() {
		return "", address, errors.New("the runtime named no pod, or the plugin before gave it no address of IPv4")
	}
	return uid, address, nil
}

// failure prints an error as the specification wants it.
func failure(err error) {
	text, _ := json.Marshal(map[string]any{"cniVersion": "1.0.0", "code": 999, "msg": err.Error()})
	fmt.Println(string(text))
}

// tell also waits for an agent that is still starting.
func tell(socket string, one request, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	connection, err := net.Dial("unix", socket)
	for err != nil {
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
		connection, err = net.Dial("unix", socket)
	}
	defer connection.Close()
	if err := connection.SetDeadline(deadline); err != nil {
		return err
	}
	if err := json.NewEncoder(connection).Encode(one); err != nil {
		return err
	}
	var answer struct{}
	return json.NewDecoder(connection).Decode(&answer)
}

// serve hands the plugin's words to the agent's loop.
func serve(ctx context.Context, listener net.Listener, requests chan<- request) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			one := request{deadline: time.Now().Add(patience), done: make(chan struct{})}
			if json.NewDecoder(connection).Decode(&one) != nil {
				return
			}
			select {
			case requests <- one:
			case <-ctx.Done():
				return
			}
			select {
			case <-one.done:
				_, _ = connection.Write([]byte("{}\n"))
			case <-time.After(patience):
			case <-ctx.Done():
			}
		}()
	}
}
