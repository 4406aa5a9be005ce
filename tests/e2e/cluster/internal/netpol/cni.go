package netpol

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Plugin is the type of the CNI plugin, which is the name of its program.
//
// A pod has to be isolated before its first container starts, but the API server learns its address
// only after that. So the plugin, which runs last in the chain, tells the agent the address, and the
// pod goes on when the rules for it stand. Without an agent there is no pod.
const Plugin = "e2e-netpol"

const (
	accepted = "ok"
	// patience is how long the plugin waits for the agent: several syncs, each of some 50 ms.
	patience = 10 * time.Second
)

// message tells the agent a pod's address; without one the pod has gone.
type message struct {
	uid             types.UID
	namespace, name string
	ip              netip.Addr
}

func (m message) write(to io.Writer) error {
	ip := "-"
	if m.ip.IsValid() {
		ip = m.ip.String()
	}
	_, err := fmt.Fprintln(to, m.uid, m.namespace, m.name, ip)
	return err
}

func readMessage(from io.Reader) (message, error) {
	var m message
	var ip string
	if _, err := fmt.Fscanln(from, &m.uid, &m.namespace, &m.name, &ip); err != nil {
		return message{}, err
	}
	if ip == "-" {
		return m, nil
	}
	var err error
	m.ip, err = netip.ParseAddr(ip)
	return m, err
}

// CNI is the plugin: it takes a request of the CNI specification 1.0.0 from environment and input,
// and tells the agent behind the socket.
func CNI(environment func(string) string, input io.Reader, output io.Writer, socket string) error {
	command := environment("CNI_COMMAND")
	if command == "VERSION" {
		_, err := fmt.Fprintln(output, `{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}`)
		return err
	}
	pod := podOf(environment("CNI_ARGS"))
	switch command {
	case "ADD":
		previous, ip, err := previousResult(input)
		if err != nil {
			return err
		}
		pod.ip = ip
		if err := tell(socket, pod); err != nil {
			return fmt.Errorf("the policy agent has not taken the pod's address: %w", err)
		}
		_, err = output.Write(previous)
		return err
	case "DEL":
		_ = tell(socket, pod) // without an agent there is nothing to forget
	}
	return nil
}

// podOf reads the runtime's arguments: KEY=VALUE;KEY=VALUE.
func podOf(arguments string) message {
	values := map[string]string{}
	for _, it := range strings.Split(arguments, ";") {
		key, value, _ := strings.Cut(it, "=")
		values[key] = value
	}
	return message{
		uid:       types.UID(values["K8S_POD_UID"]),
		namespace: values["K8S_POD_NAMESPACE"],
		name:      values["K8S_POD_NAME"],
	}
}

// previousResult is what the plugins before this one have done, and the IPv4 address they gave.
func previousResult(input io.Reader) (json.RawMessage, netip.Addr, error) {
	var request struct {
		PrevResult json.RawMessage `json:"prevResult"`
	}
	if err := json.NewDecoder(input).Decode(&request); err != nil {
		return nil, netip.Addr{}, fmt.Errorf("failed to read the request: %w", err)
	}
	var result struct {
		IPs []struct {
			Address netip.Prefix `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(request.PrevResult, &result); err != nil {
		return nil, netip.Addr{}, fmt.Errorf("failed to read prevResult: %w", err)
	}
	for _, it := range result.IPs {
		if it.Address.Addr().Is4() {
			return request.PrevResult, it.Address.Addr(), nil
		}
	}
	return nil, netip.Addr{}, fmt.Errorf("prevResult has no IPv4 address")
}

func tell(socket string, it message) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := it.write(conn); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != accepted {
		return fmt.Errorf("unexpected answer %q", answer)
	}
	return err
}

// PrintError reports a failure to the runtime as the CNI specification wants it.
func PrintError(err error) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": "1.0.0", "code": 100, "msg": err.Error()})
}
