package node

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/netpol"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Init is the node: the first process of its namespaces. Its arguments are the cluster's folder,
// the cluster's name and the node's index. It returns only if it fails.
func Init(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want FOLDER CLUSTER INDEX, got %q", args)
	}
	index, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	dir, node := state.Dir(args[0]), network.Node{Cluster: args[1], Index: index}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM) // a node ends by SIGKILL
	if err := unix.Sethostname([]byte(node.Name())); err != nil {
		return fmt.Errorf("failed to set the host name: %w", err)
	}
	if err := setUpMounts(dir, node.Name()); err != nil {
		return err
	}
	// the network namespace outlives the node; a machine's rules don't outlive its power
	if said, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		return fmt.Errorf("failed to clear the packet filter: %w: %s", err, said)
	}
	return run(node)
}

// run starts the node's services, each when it can work, and keeps them running.
func run(node network.Node) error {
	folder := inside.Node(node.Name())
	services := &supervisor{folder: folder}
	if err := services.start("containerd", "containerd", "--config", folder.Path("config", "containerd.toml")); err != nil {
		return err
	}
	// Earlier, the kubelet would be turned away and then wait longer and longer. A machine that is
	// booted while the API server is down has to start all the same.
	waitFor(30*time.Second, apiServerReady())
	kubeconfig := func(user string) string { return inside.Path("pki", user+".kubeconfig") }
	if err := services.start("netpol-agent", inside.Path("libexec", "netpol-agent"), kubeconfig("policy-agent"), node.Name()); err != nil {
		return err
	}
	waitFor(10*time.Second, func() bool { return exists(netpol.Socket) }) // a pod is refused without its agent
	if err := services.start("kubelet", inside.Path("libexec", "kubelet"),
		"--config="+folder.Path("config", "kubelet.yaml"),
		"--kubeconfig="+kubeconfig("kubelet-"+node.Name()),
		"--root-dir=/var/lib/kubelet",
		"--cert-dir=/var/lib/kubelet/pki",
		"--node-ip="+node.IP(),
		"--hostname-override="+node.Name(),
		"--v=2"); err != nil {
		return err
	}
	if err := services.start("kube-proxy", inside.Path("libexec", "kube-proxy"),
		"--config="+folder.Path("config", "kube-proxy.yaml")); err != nil {
		return err
	}
	return services.supervise()
}

// supervisor keeps the node's services running.
type supervisor struct {
	folder  state.NodeDir
	running map[int]service
}

type service struct {
	name string
	argv []string
}

func (s *supervisor) start(name string, argv ...string) error {
	program, err := lookUp(argv[0])
	if err != nil {
		return fmt.Errorf("no %s: %w", name, err)
	}
	log, err := os.OpenFile(s.folder.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	started, err := os.StartProcess(program, argv, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{nil, log, log},
	})
	if err != nil {
		return fmt.Errorf("failed to start %s: %w", name, err)
	}
	if s.running == nil {
		s.running = map[int]service{}
	}
	s.running[started.Pid] = service{name, argv}
	return started.Release() // supervise does all the waiting
}

// supervise waits for whatever ends, orphans of containers included, and starts services again.
func (s *supervisor) supervise() error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("failed to wait for services: %w", err)
		}
		ended, ours := s.running[pid]
		if !ours {
			continue
		}
		delete(s.running, pid)
		fmt.Fprintf(os.Stderr, "%s %s ended (exit code %d, signal %d), starting it again\n",
			time.Now().UTC().Format(time.RFC3339), ended.name, status.ExitStatus(), status.Signal())
		time.Sleep(time.Second)
		if err := s.start(ended.name, ended.argv...); err != nil {
			return err
		}
	}
}

func lookUp(program string) (string, error) {
	if filepath.IsAbs(program) {
		return program, nil
	}
	return exec.LookPath(program)
}

// apiServerReady makes a test of whether the API server answers, and lets nodes in.
func apiServerReady() func() bool {
	roots := x509.NewCertPool()
	if text, err := os.ReadFile(inside.Path("pki", "ca.crt")); err == nil {
		roots.AppendCertsFromPEM(text)
	}
	client := http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
	}
	return func() bool {
		response, err := client.Get(network.APIServer + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
}

func waitFor(limit time.Duration, done func() bool) {
	for deadline := time.Now().Add(limit); !done() && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
}
