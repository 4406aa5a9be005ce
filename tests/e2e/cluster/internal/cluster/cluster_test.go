package cluster

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

func TestACommandFindsTheClusterInItsEnvironment(t *testing.T) {
	it := &Cluster{Name: "dev", Dir: "/clusters/dev"}
	got := it.environment([]string{"HOME=/root", "KUBECONFIG=/other", "PATH=/bin", "E2E_CLUSTER=other", "https_proxy=http://proxy", "KUBECONFIG_X=1"})
	want := []string{
		"HOME=/root", "KUBECONFIG_X=1", "PATH=/clusters/dev/bin:/bin", "KUBECONFIG=/clusters/dev/kubeconfig",
		"E2E_PROVIDER=netns", "E2E_CLUSTER=dev", "E2E_CLUSTER_STATE=/clusters/dev",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWithoutAClusterThereIsNothingToActOn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dev")
	it, err := New("dev", folder, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"exec":  it.Exec([]string{"true"}),
		"node":  it.Node("boot", "n1"),
		"fault": it.Fault("etcd", "kill"),
		"load":  it.LoadImages(nil),
		"logs":  it.Logs(t.TempDir()),
	} {
		if !errors.Is(err, state.ErrNoCluster) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, err := it.Status(t.Context()); err != nil || status.Up {
		t.Errorf("status: %+v, %v", status, err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Error("asking has made a folder")
	}
}

func TestAFolderBelongsToOneName(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Save(state.Record{Name: "dev", Nodes: 1}); err != nil {
		t.Fatal(err)
	}
	other, err := New("other", string(dir), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Fault("etcd", "kill"); err == nil || errors.Is(err, state.ErrNoCluster) {
		t.Errorf("got %v", err)
	}
}

func TestADeploymentIsAvailableWhenTheLatestOfItIs(t *testing.T) {
	two := int32(2)
	deployment := &appsv1.Deployment{}
	deployment.Generation = 3
	deployment.Spec.Replicas = &two
	for _, it := range []struct {
		observed  int64
		available int32
		want      bool
	}{{3, 2, true}, {3, 1, false}, {2, 2, false}} {
		deployment.Status.ObservedGeneration, deployment.Status.AvailableReplicas = it.observed, it.available
		if got := allAvailable(deployment); got != it.want {
			t.Errorf("%+v: got %t", it, got)
		}
	}
}

func TestLogsAreCopiedOverThoseOfBefore(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, "pod/c"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first and long", "second"} {
		if err := os.WriteFile(filepath.Join(from, "pod/c/0.log"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := copyTree(from, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(to, "pod/c/0.log")); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := copyTree(filepath.Join(from, "none"), to); err != nil {
		t.Errorf("nothing to copy: %v", err)
	}
}
