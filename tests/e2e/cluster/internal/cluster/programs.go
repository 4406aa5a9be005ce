package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/netpol"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/preflight"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

const (
	mainProgram  = "e2e-cluster"
	pauseProgram = "pause"
)

// installPrograms gives the cluster programs of its own, so that it goes on as it is when this one
// is built anew. Components are links to this program, which tells from its name what to be.
func installPrograms(dir state.Dir) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	pause := filepath.Join(filepath.Dir(self), pauseProgram)
	if _, err := os.Stat(pause); err != nil {
		return fmt.Errorf("%w: it is built together with this program", err)
	}
	plugins, ok := preflight.PluginFolder()
	if !ok {
		return errors.New("no CNI plugins")
	}
	err = errors.Join(
		linkOrCopy(self, dir.Path("libexec", mainProgram)),
		linkOrCopy(pause, dir.Path("libexec", pauseProgram)),
		os.Symlink("../"+mainProgram, dir.Path("libexec", "cni", netpol.Plugin)),
	)
	components := []string{"kubelet", "kube-proxy", "netpol-agent", node.Program, controlplane.Forwarder}
	for _, it := range controlplane.Components {
		components = append(components, it.Program)
	}
	for _, it := range components {
		err = errors.Join(err, os.Symlink(mainProgram, dir.Path("libexec", it)))
	}
	for _, it := range []string{mainProgram, "kubectl", "helm"} {
		err = errors.Join(err, os.Symlink("../libexec/"+mainProgram, dir.Path("bin", it)))
	}
	for _, it := range []string{"ptp", "host-local", "loopback", "portmap"} {
		err = errors.Join(err, os.Symlink(filepath.Join(plugins, it), dir.Path("libexec", "cni", it)))
	}
	return err
}
