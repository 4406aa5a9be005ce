// Command pause keeps a pod's namespaces alive. It is a program of its own because every pod holds
// one, and so that it starts in a millisecond. The checks of the network use it as well, as its two
// other verbs need nothing but an image that every node has anyway:
//
//	pause                       wait until told to end, taking in orphans
//	pause serve PORT            answer every connection with the caller's address
//	pause dial ADDRESS MILLIS   connect and read an answer within so many milliseconds, else exit 1
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 0:
		pause()
	case len(arguments) == 2 && arguments[0] == "serve":
		go pause()
		err = serve(arguments[1])
	case len(arguments) == 3 && arguments[0] == "dial":
		err = dial(arguments[1], arguments[2])
	default:
		err = fmt.Errorf("unknown arguments %q", arguments)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pause ends the program when told to. With a shared process namespace it is everyone's first process.
func pause() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for it := range signals {
		if it != syscall.SIGCHLD {
			os.Exit(0)
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
}

func serve(port string) error {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(conn, conn.RemoteAddr())
		conn.Close()
	}
}

func dial(address, millis string) error {
	limit, err := strconv.Atoi(millis)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Duration(limit) * time.Millisecond)
	conn, err := net.DialTimeout("tcp", address, time.Until(deadline))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	fmt.Printf("%s answered %s", address, answer)
	return nil
}
