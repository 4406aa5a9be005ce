package controlplane

import (
	"fmt"
	"io"
	"net"
	"os"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/process"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Forwarder is the name of the process that leads from the machine's 127.0.0.1 to the API server.
const Forwarder = "forward"

// listenerFD is where a started forwarder finds its listening socket: the first after the standard three.
const listenerFD = 3

// StartForwarder starts a forwarder on a free port and returns the port.
//
// A socket stays in the network namespace it was made in, whoever holds it. So the listening socket
// is made here, and the process that accepts on it and dials on lives in the cluster's namespace.
func StartForwarder(dir state.Dir, topology network.Topology) (port int, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no port for the API server: %w", err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer socket.Close()
	started, err := process.Start(process.Command{
		Path:      dir.Path("libexec", Forwarder),
		Namespace: topology.Namespace(),
		Log:       dir.Log(Forwarder),
		Files:     []*os.File{socket},
	})
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, process.Save(dir, Forwarder, started)
}

// Forward is the forwarder: it serves the socket it has inherited until it is killed.
func Forward() error {
	listener, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("no listening socket inherited: %w", err)
	}
	for {
		outer, err := listener.Accept()
		if err != nil {
			return err
		}
		go forward(outer, func() (net.Conn, error) { return net.Dial("tcp4", network.ControlPlaneIP+":6443") })
	}
}

func forward(outer net.Conn, dial func() (net.Conn, error)) {
	defer outer.Close()
	inner, err := dial()
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the caller sees its connection closed
		return
	}
	defer inner.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(inner, outer)
	}()
	pipe(outer, inner)
	<-done
}

// pipe copies one direction and passes its end on, leaving the other direction open.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // an error ends the direction, as the end of the data does
	_ = to.(*net.TCPConn).CloseWrite()
}
