// Command argocd holds three programs of Argo CD in one file: the application controller, the repo server and the
// ApplicationSet controller.
//
// It runs the program it is called by: a symbolic link named argocd-repo-server that points here is the repo server.
// The web server and the command line are absent, so it links faster. It may not add behaviour of its own: every
// program is the unchanged upstream command of the version pinned in go.mod.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	sets "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/util/log"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

func main() {
	klog.SetLogger(log.NewLogrusLogger(log.NewWithCurrentConfig()))
	var command *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case common.CommandApplicationController:
		command = controller.NewCommand()
	case common.CommandRepoServer:
		command = reposerver.NewCommand()
	case common.CommandApplicationSetController:
		command = sets.NewCommand()
	default:
		fmt.Fprintf(os.Stderr, "%s: call this file by the name of one of its programs: %s, %s, %s\n", name,
			common.CommandApplicationController, common.CommandRepoServer, common.CommandApplicationSetController)
		os.Exit(2)
	}
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}
