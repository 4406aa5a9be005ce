package main

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/preflight"
)

func preflightVerb(shared *options) *cobra.Command {
	install := false
	verb := &cobra.Command{
		Use:   "preflight",
		Short: "Tell whether this machine can carry a cluster, and what is missing if not",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			checks := preflight.Run(string(it.Dir))
			if install {
				if err := preflight.Install(preflight.Missing(checks), os.Stdout); err != nil {
					return err
				}
				checks = preflight.Run(string(it.Dir))
			}
			preflight.Print(os.Stdout, checks)
			return preflight.Error(checks)
		},
	}
	verb.Flags().BoolVar(&install, "install", false, "install missing packages (Debian and Ubuntu, as root)")
	return verb
}

func statusVerb(shared *options) *cobra.Command {
	asJSON := false
	verb := &cobra.Command{
		Use:   "status",
		Short: "Tell how the cluster fares (exit code 1: it is not up)",
		Args:  cobra.NoArgs,
		RunE: func(verb *cobra.Command, _ []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			status, err := it.Status(verb.Context())
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				err = encoder.Encode(status)
			} else {
				it.PrintStatus(status)
			}
			if err == nil && !status.Up {
				return errNotUp
			}
			return err
		},
	}
	verb.Flags().BoolVar(&asJSON, "json", false, "for programs to read")
	return verb
}

// errNotUp has been told already.
var errNotUp = errors.New("")

func nodeVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:       "node {poweroff|boot|partition|heal} NAME",
		Short:     "Pull a node's plug or cable, and put it back",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"poweroff", "boot", "partition", "heal"},
		RunE: func(_ *cobra.Command, arguments []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Node(arguments[0], arguments[1])
		},
	}
}

func faultVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "fault {etcd|apiserver|controller-manager|scheduler} {kill|stop|cont|start}",
		Short: "Kill or freeze a component of the control plane, and bring it back",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, arguments []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Fault(arguments[0], arguments[1])
		},
	}
}

func logsVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "logs DIR",
		Short: "Copy the logs of components and containers, and the audit log, into a folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Logs(arguments[0])
		},
	}
}

func checkVerb(shared *options) *cobra.Command {
	pods := 10
	verb := &cobra.Command{
		Use:   "netpol-check",
		Short: "Prove that NetworkPolicies hold from a pod's first instant",
		Args:  cobra.NoArgs,
		RunE: func(verb *cobra.Command, _ []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.CheckPolicies(verb.Context(), pods)
		},
	}
	verb.Flags().IntVar(&pods, "pods", pods, "how many pods try")
	return verb
}
