package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/cluster"
)

// exitAlreadyUp tells `up` on a cluster that is up from a failure.
const exitAlreadyUp = 3

// options are the flags that most verbs share.
type options struct{ name, folder string }

func (o *options) cluster() (*cluster.Cluster, error) {
	return cluster.New(o.name, o.folder, os.Stdout)
}

// runVerb runs the verb that the arguments name and returns the exit code.
func runVerb() int {
	var shared options
	root := &cobra.Command{
		Use:           "e2e-cluster",
		Short:         "A throw-away Kubernetes on one Linux machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	// `exec` sets both variables, so that a verb called by what it runs is about the same cluster
	root.PersistentFlags().StringVar(&shared.name, "name", cmp.Or(os.Getenv(cluster.NameVariable), "e2e"), "the cluster")
	root.PersistentFlags().StringVar(&shared.folder, "state", os.Getenv(cluster.FolderVariable), "the cluster's folder (default: in the user's cache)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		// where root's programs are, which not everyone has on the PATH; nodes inherit it
		return os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	}
	root.AddCommand(
		preflightVerb(&shared),
		upVerb(&shared),
		statusVerb(&shared),
		execVerb(&shared),
		shellVerb(&shared),
		imageVerb(&shared),
		nodeVerb(&shared),
		faultVerb(&shared),
		checkVerb(&shared),
		logsVerb(&shared),
		downVerb(&shared),
	)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errNotUp) {
		fmt.Fprintln(os.Stderr, "e2e-cluster:", err)
	}
	if errors.Is(err, cluster.ErrAlreadyUp) {
		return exitAlreadyUp
	}
	return 1
}

func upVerb(shared *options) *cobra.Command {
	nodes := 1
	verb := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up (exit code 3: it is up already)",
		Args:  cobra.NoArgs,
		RunE: func(verb *cobra.Command, _ []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			err = it.Up(verb.Context(), nodes)
			if err == nil || errors.Is(err, cluster.ErrAlreadyUp) {
				it.PrintEnvironment()
			}
			return err
		},
	}
	verb.Flags().IntVar(&nodes, "nodes", nodes, "how many nodes")
	return verb
}

func downVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster and every trace of it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Down()
		},
	}
}

func execVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND...",
		Short: "Run a command in the cluster's network, with kubectl, helm and KUBECONFIG at hand",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, command []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Exec(command)
		},
	}
}

func shellVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "shell",
		Short: "Run a shell as `exec` would",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.Exec([]string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")})
		},
	}
}
