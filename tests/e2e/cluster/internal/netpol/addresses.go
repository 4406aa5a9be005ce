package netpol

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Socket is where the agent is told the addresses of its node's pods. Every node has a /run of its own.
const Socket = "/run/e2e-netpol.sock"

// addressBook holds the addresses of this node's pods as the CNI plugin has told them, which is
// before they stand in the pods' status.
type addressBook struct {
	mutex   sync.Mutex
	ips     map[types.UID]netip.Addr
	waiting []chan struct{} // closed by the first sync that knows what they told
}

func newAddressBook() *addressBook { return &addressBook{ips: map[types.UID]netip.Addr{}} }

// of is the address of a pod; the zero address if it was never told.
func (b *addressBook) of(uid types.UID) netip.Addr {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.ips[uid]
}

// add notes an address, taking it from whichever pod had it, and returns what is closed once rules for it stand.
func (b *addressBook) add(uid types.UID, ip netip.Addr) <-chan struct{} {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for other, its := range b.ips {
		if its == ip {
			delete(b.ips, other)
		}
	}
	b.ips[uid] = ip
	done := make(chan struct{})
	b.waiting = append(b.waiting, done)
	return done
}

func (b *addressBook) remove(uid types.UID) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.ips, uid)
}

// takeWaiting hands over those who wait for a sync that begins now.
func (b *addressBook) takeWaiting() []chan struct{} {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	taken := b.waiting
	b.waiting = nil
	return taken
}

// putBack lets them wait for the next sync.
func (b *addressBook) putBack(waiting []chan struct{}) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.waiting = append(b.waiting, waiting...)
}

// serve answers the CNI plugin until ctx ends.
func (a *agent) serve(ctx context.Context, socket string) error {
	_ = os.Remove(socket) // of an agent before this one
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("failed to listen for pods' addresses: %w", err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go a.answer(conn)
		}
	}()
	return nil
}

// answer takes one message and says when it is in force.
func (a *agent) answer(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	told, err := readMessage(conn)
	if err != nil {
		return // the plugin sees the connection closed, and fails
	}
	if !told.ip.IsValid() {
		a.local.remove(told.uid)
		a.changed()
	} else {
		if !a.knows(told) {
			return // no rules without the pod's labels: the plugin fails, and the kubelet tries again
		}
		done := a.local.add(told.uid, told.ip)
		a.changed()
		<-done
	}
	fmt.Fprintln(conn, accepted)
}

// knows waits for the agent's watch, which may be slower than the kubelet's, to bring the pod.
func (a *agent) knows(told message) bool {
	for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if pod, err := a.pods.Pods(told.namespace).Get(told.name); err == nil && pod.UID == told.uid {
			return true
		}
	}
	return false
}
