package controlplane

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	audit "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"
)

func TestTheAuditPolicyNotesWhatTestsReadAndNotTheNodesPulse(t *testing.T) {
	var policy audit.Policy
	if err := yaml.UnmarshalStrict(auditPolicy, &policy); err != nil {
		t.Fatal(err)
	}
	last := policy.Rules[len(policy.Rules)-1]
	if last.Level != audit.LevelMetadata || len(last.Resources)+len(last.Users)+len(last.Verbs) != 0 {
		t.Errorf("not everything else is noted: %+v", last)
	}
	for _, it := range policy.Rules[:len(policy.Rules)-1] {
		if it.Level != audit.LevelNone || len(it.NonResourceURLs) == 0 && !slices.Equal(it.UserGroups, []string{"system:nodes"}) {
			t.Errorf("leaves out more than it should: %+v", it)
		}
	}
}

func TestComponentsAreFoundByName(t *testing.T) {
	for _, want := range []string{"etcd", "apiserver", "controller-manager", "scheduler"} {
		if it, err := Find(want); err != nil || it.Name != want {
			t.Errorf("%s: got %s, %v", want, it.Name, err)
		}
	}
	if _, err := Find("kubelet"); err == nil {
		t.Error("found a component that belongs to nodes")
	}
}

func TestNoComponentWritesOutsideTheClustersFolder(t *testing.T) {
	for _, component := range Components {
		for _, argument := range component.args("/the/folder") {
			_, value, _ := strings.Cut(argument, "=")
			if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "/the/folder/") {
				t.Errorf("%s %s", component.Program, argument)
			}
		}
	}
}

// connected are the two ends of a TCP connection.
func connected(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	one, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close(); other.Close() })
	return one.(*net.TCPConn), other.(*net.TCPConn)
}

func TestTheForwarderPassesBothDirectionsAndTheirEnds(t *testing.T) {
	client, outer := connected(t)
	inner, server := connected(t)
	go forward(outer, func() (net.Conn, error) { return inner, nil })

	if _, err := io.WriteString(client, "question"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(server); err != nil || string(got) != "question" {
		t.Fatalf("the server got %q, %v", got, err)
	}
	if _, err := io.WriteString(server, "answer"); err != nil { // after the client has ended its half
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "answer" {
		t.Errorf("the client got %q, %v", got, err)
	}
}

func TestWithoutAServerTheForwarderHangsUp(t *testing.T) {
	client, outer := connected(t)
	go forward(outer, func() (net.Conn, error) { return nil, errors.New("refused") })
	if got, err := io.ReadAll(client); err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}
