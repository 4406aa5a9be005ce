package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/version"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/addons"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/image"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/pki"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/preflight"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// ErrAlreadyUp says that there is nothing to bring up.
var ErrAlreadyUp = errors.New("is already up")

// patience is how long a cluster may take to come up, which is 13 s on two idle cores.
const patience = 120 * time.Second

// Up brings the cluster up with so many nodes and returns when pods can run and names resolve.
// If that fails, what there is stays for people to look at, until the next Up or Down.
func (c *Cluster) Up(ctx context.Context, nodes int) error {
	if nodes < 1 || nodes > network.MaxNodes {
		return fmt.Errorf("%d nodes: want 1 to %d", nodes, network.MaxNodes)
	}
	if v := version.Get().GitVersion; v != "v1.36.4" {
		return fmt.Errorf("this program calls itself Kubernetes %s: build it with the flags its README gives", v)
	}
	if err := preflight.Error(preflight.Run(string(c.Dir))); err != nil {
		return fmt.Errorf("%w; `preflight` says how to get it", err)
	}
	release, err := c.Dir.Lock()
	if err != nil {
		return err
	}
	defer release()
	if c.running() {
		there, err := c.open()
		if err != nil {
			return err
		}
		return fmt.Errorf("cluster %s %w, with %d node(s)", c.Name, ErrAlreadyUp, there.Size)
	}
	if err := c.sweep(); err != nil {
		return fmt.Errorf("failed to clear the remains of an earlier cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rise := &ascent{Cluster: c, topology: network.Topology{Cluster: c.Name, Size: nodes}, start: time.Now()}
	return rise.run(ctx)
}

// ascent is a cluster on its way up.
type ascent struct {
	*Cluster
	topology network.Topology
	client   *kubernetes.Clientset
	start    time.Time
}

func (a *ascent) run(ctx context.Context) error {
	if err := a.prepare(); err != nil {
		return err
	}
	a.say("folder, certificates and network made")
	if err := a.startControlPlane(); err != nil {
		return err
	}
	// containerd needs no API server: nodes boot and take their images while that starts
	booted := make(chan error, 1)
	go func() { booted <- a.bootNodes() }()
	if err := a.await(ctx, "the API server", func() bool { return ready(ctx, a.client) }); err != nil {
		return err
	}
	a.say("API server ready")
	if err := a.startControllers(); err != nil {
		return err
	}
	if err := <-booted; err != nil {
		return err
	}
	a.say("%d node(s) booted, images loaded", a.topology.Size)
	if err := a.applyAddons(); err != nil {
		return err
	}
	if err := a.await(ctx, "the nodes", func() bool {
		count, err := readyNodes(ctx, a.client)
		return err == nil && count == a.topology.Size
	}); err != nil {
		return err
	}
	a.say("node(s) ready")
	if err := a.await(ctx, "the name server", func() bool { return available(ctx, a.client) }); err != nil {
		return err
	}
	a.say("names resolve")
	record, err := a.Dir.Load()
	if err != nil {
		return err
	}
	record.Complete = true
	return a.Dir.Save(record)
}

// prepare makes everything that is not a process.
func (a *ascent) prepare() error {
	if err := a.Dir.Create(); err != nil {
		return err
	}
	if err := a.Dir.Save(state.Record{Name: a.Name, Nodes: a.topology.Size}); err != nil {
		return err
	}
	if err := installPrograms(a.Dir); err != nil {
		return fmt.Errorf("failed to install the programs: %w", err)
	}
	if err := pki.ForCluster(a.Dir.Path("pki"), a.topology); err != nil {
		return fmt.Errorf("failed to make certificates: %w", err)
	}
	if err := pki.WriteKubeconfig(a.Dir.Kubeconfig(), a.Dir.Path("pki"), pki.Admin, network.APIServer); err != nil {
		return err
	}
	if err := controlplane.WriteConfig(a.Dir); err != nil {
		return err
	}
	for _, it := range a.topology.Nodes() {
		if err := node.WriteConfig(a.Dir, it); err != nil {
			return err
		}
	}
	if err := a.topology.Create(); err != nil {
		return fmt.Errorf("failed to make the network: %w", err)
	}
	client, err := a.Cluster.client(a.topology)
	a.client = client
	return err
}

// startControlPlane starts what the API server needs, itself, and the way to it.
func (a *ascent) startControlPlane() error {
	for _, it := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer} {
		if err := it.Start(a.Dir, a.topology); err != nil {
			return err
		}
	}
	port, err := controlplane.StartForwarder(a.Dir, a.topology)
	if err != nil {
		return err
	}
	local := fmt.Sprintf("https://127.0.0.1:%d", port)
	if err := pki.WriteKubeconfig(a.Dir.LocalKubeconfig(), a.Dir.Path("pki"), pki.Admin, local); err != nil {
		return err
	}
	return a.Dir.Save(state.Record{Name: a.Name, Nodes: a.topology.Size, LocalPort: port})
}

// bootNodes boots all nodes and gives them the images that they need themselves.
func (a *ascent) bootNodes() error {
	problems := make([]error, a.topology.Size)
	var all sync.WaitGroup
	for i, it := range a.topology.Nodes() {
		all.Go(func() { problems[i] = node.Boot(a.Dir, it) })
	}
	archives, err := packImages(a.Dir)
	all.Wait()
	if err := errors.Join(append(problems, err)...); err != nil {
		return err
	}
	return image.Load(a.containerds(a.topology), archives...)
}

// startControllers starts what only makes sense with an API server that answers.
func (a *ascent) startControllers() error {
	for _, it := range []controlplane.Component{controlplane.ControllerManager, controlplane.Scheduler} {
		if err := it.Start(a.Dir, a.topology); err != nil {
			return err
		}
	}
	return nil
}

func (a *ascent) applyAddons() error {
	manifests, err := addons.Manifests(a.topology.Size)
	if err != nil {
		return err
	}
	return a.apply(a.topology, manifests)
}

// await waits until done, and fails early if a process has ended meanwhile.
func (a *ascent) await(ctx context.Context, what string, done func() bool) error {
	for !done() {
		if err := a.checkProcesses(); err != nil {
			return fmt.Errorf("%s can't come up: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come up in time: %w; `logs DIR` collects what everything has said", what, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// checkProcesses shows the last words of a process that has ended.
func (a *ascent) checkProcesses() error {
	logs := map[string]string{}
	for _, it := range controlplane.Components {
		logs[it.Name] = a.Dir.Log(it.Name)
	}
	logs[controlplane.Forwarder] = a.Dir.Log(controlplane.Forwarder)
	for _, it := range a.topology.Nodes() {
		logs[node.RecordName(it)] = a.Dir.Node(it.Name()).Log("init")
	}
	for name, log := range logs {
		it := process.Saved(a.Dir, name)
		if it != (process.Process{}) && !it.Alive() {
			return fmt.Errorf("%s has ended; %s ends:\n%s", name, log, process.Tail(log, 20))
		}
	}
	return nil
}

func (a *ascent) say(format string, arguments ...any) {
	fmt.Fprintf(a.Say, "%5.1f s  %s\n", time.Since(a.start).Seconds(), fmt.Sprintf(format, arguments...))
}

// packImages makes the images that every node has.
func packImages(dir state.Dir) ([]string, error) {
	mode := os.FileMode(0o755)
	specs := []image.Spec{{
		Name:       node.PauseImage,
		Entrypoint: []string{"/pause"},
		User:       "65535:65535",
		Files:      []image.File{{Source: dir.Path("libexec", pauseProgram), Target: "/pause", Mode: &mode}},
	}, {
		Name:       addons.DNSImage,
		Entrypoint: []string{"/coredns"},
		Files:      []image.File{{Source: dir.Path("libexec", mainProgram), Target: "/coredns", Mode: &mode}},
	}}
	var archives []string
	for _, it := range specs {
		archive := dir.Path("images", filepath.Base(it.Entrypoint[0])+".tar")
		if _, err := image.Pack(it, archive); err != nil {
			return nil, fmt.Errorf("failed to pack %s: %w", it.Name, err)
		}
		archives = append(archives, archive)
	}
	return archives, nil
}
