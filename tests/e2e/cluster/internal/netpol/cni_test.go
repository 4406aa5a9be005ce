package netpol

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

const previous = `{"cniVersion":"1.0.0","ips":[{"address":"fd00::7/64"},{"address":"10.1.0.7/24"}]}`

// plugin calls the plugin for the pod team/api as a runtime would.
func plugin(command, socket string) (string, error) {
	environment := map[string]string{
		"CNI_COMMAND": command,
		"CNI_ARGS":    "IgnoreUnknown=1;K8S_POD_NAMESPACE=team;K8S_POD_NAME=api;K8S_POD_UID=api",
	}
	var output bytes.Buffer
	input := strings.NewReader(`{"cniVersion":"1.0.0","name":"e2e","type":"e2e-netpol","prevResult":` + previous + `}`)
	err := CNI(func(key string) string { return environment[key] }, input, &output, socket)
	return output.String(), err
}

// listening is an agent that knows the pods, but does not sync by itself.
func listening(t *testing.T, pods ...addressedPod) (*agent, string) {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, it := range pods {
		if err := indexer.Add(it.Pod); err != nil {
			t.Fatal(err)
		}
	}
	it := &agent{node: "n1", local: newAddressBook(), pods: corelisters.NewPodLister(indexer), changes: make(chan struct{}, 1)}
	socket := filepath.Join(t.TempDir(), "agent.sock")
	if err := it.serve(t.Context(), socket); err != nil {
		t.Fatal(err)
	}
	return it, socket
}

func TestAPodGoesOnWhenTheRulesForItStand(t *testing.T) {
	agent, socket := listening(t, pod("team", "api", "n1", "10.1.0.7"))
	type result struct {
		output string
		err    error
	}
	added := make(chan result, 1)
	go func() {
		output, err := plugin("ADD", socket)
		added <- result{output, err}
	}()
	<-agent.changes // the agent was told that there is something to do
	waiting := agent.local.takeWaiting()
	if len(waiting) != 1 || agent.local.of("api").String() != "10.1.0.7" {
		t.Fatalf("%d waiting, the address is %s", len(waiting), agent.local.of("api"))
	}
	agent.local.putBack(waiting) // a sync that failed releases nobody
	select {
	case it := <-added:
		t.Fatalf("released before its time: %+v", it)
	case <-time.After(50 * time.Millisecond):
	}
	close(agent.local.takeWaiting()[0])
	if it := <-added; it.err != nil || it.output != previous {
		t.Errorf("got %q, %v", it.output, it.err)
	}

	if _, err := plugin("DEL", socket); err != nil {
		t.Error(err)
	}
	if ip := agent.local.of("api"); ip.IsValid() {
		t.Errorf("a pod that has gone still has %s", ip)
	}
}

func TestWithoutAnAgentThereIsNoPod(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	if output, err := plugin("ADD", socket); err == nil || output != "" {
		t.Errorf("got %q, %v", output, err)
	}
	if _, err := plugin("DEL", socket); err != nil {
		t.Errorf("and it can't be removed: %v", err)
	}
}

func TestAnAddressIsTakenFromItsFormerPod(t *testing.T) {
	book := newAddressBook()
	ip := pod("team", "api", "n1", "10.1.0.7").ip
	book.add("former", ip)
	book.add("present", ip)
	if book.of("former").IsValid() || book.of("present") != ip {
		t.Errorf("former %s, present %s", book.of("former"), book.of("present"))
	}
}

func TestThePluginTellsItsVersions(t *testing.T) {
	if output, err := plugin("VERSION", ""); err != nil || !strings.Contains(output, `"supportedVersions":["0.4.0","1.0.0"]`) {
		t.Errorf("got %q, %v", output, err)
	}
}
