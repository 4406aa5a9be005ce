package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	helm "helm.sh/helm/v4/pkg/cmd"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/controlplane"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/dns"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/netpol"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/node"
)

// components are the programs in this one, by the names they go by. Each returns its exit code.
var components = map[string]func(arguments []string) int{
	"etcd":                    runEtcd,
	"kube-apiserver":          kubernetes(apiserver.NewAPIServerCommand),
	"kube-controller-manager": kubernetes(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          kubernetes(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubelet":                 kubernetes(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"kube-proxy":              kubernetes(proxy.NewProxyCommand),
	"kubectl":                 runKubectl,
	"helm":                    runHelm,
	"coredns":                 runDNS,
	"netpol-agent":            runPolicyAgent,
	netpol.Plugin:             runPolicyPlugin,
	node.Program:              func(arguments []string) int { return exitCode(node.Init(arguments)) },
	controlplane.Forwarder:    func([]string) int { return exitCode(controlplane.Forward()) },
}

func kubernetes(command func() *cobra.Command) func([]string) int {
	return func([]string) int { return cli.Run(command()) }
}

func runEtcd([]string) int {
	etcdmain.Main(os.Args)
	return 0
}

func runKubectl([]string) int {
	return exitWith(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
}

func runHelm(arguments []string) int {
	command, err := helm.NewRootCmd(os.Stdout, arguments, helm.SetupLogging)
	if err != nil {
		return exitCode(err)
	}
	return exitWith(command.Execute())
}

func runDNS(arguments []string) int {
	if len(arguments) != 1 {
		return exitCode(fmt.Errorf("want COREFILE, got %q", arguments))
	}
	return exitCode(dns.Serve(arguments[0]))
}

func runPolicyAgent(arguments []string) int {
	if len(arguments) != 2 {
		return exitCode(fmt.Errorf("want KUBECONFIG NODE, got %q", arguments))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return exitCode(netpol.Run(ctx, arguments[0], arguments[1]))
}

func runPolicyPlugin([]string) int {
	err := netpol.CNI(os.Getenv, os.Stdin, os.Stdout, netpol.Socket)
	if err != nil {
		netpol.PrintError(err)
	}
	return exitWith(err)
}

// exitCode tells what went wrong, if anything did.
func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return exitWith(err)
}

// exitWith is for those who have told it already.
func exitWith(err error) int {
	if err != nil {
		return 1
	}
	return 0
}
