// Command pause is the first process of every pod: it holds the pod's namespaces and buries the dead.
//
// It may do nothing else. It ends at once when it is told to, so that pods disappear quickly.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for got := range signals {
		if got != syscall.SIGCHLD {
			return
		}
		for {
			if dead, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); dead <= 0 || err != nil {
				break
			}
		}
	}
}
