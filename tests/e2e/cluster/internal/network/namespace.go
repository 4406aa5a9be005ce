package network

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Inside runs act on a thread that is in the named network namespace. Processes that act starts are born there.
func Inside(namespace string, act func() error) error {
	result := make(chan error, 1)
	go func() {
		// never unlocked: the thread ends with the goroutine, so no other code ever runs in the namespace
		runtime.LockOSThread()
		if err := Enter(namespace); err != nil {
			result <- err
			return
		}
		result <- act()
	}()
	return <-result
}

// Enter moves the calling thread into the named network namespace. The caller has to hold the thread locked.
func Enter(namespace string) error {
	handle, err := os.Open(filepath.Join(namespaces, namespace))
	if err != nil {
		return fmt.Errorf("no network namespace %s: %w", namespace, err)
	}
	defer handle.Close()
	if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("failed to enter network namespace %s: %w", namespace, err)
	}
	return nil
}

// Dialer connects to addresses as they are seen inside the named network namespace.
func Dialer(namespace string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = Inside(namespace, func() error {
			var dialer net.Dialer
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

func unmount(path string) error { return unix.Unmount(path, unix.MNT_DETACH) }
