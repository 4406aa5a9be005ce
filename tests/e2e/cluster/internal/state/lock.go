package state

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Lock makes the folder if need be and keeps other calls of this program from changing the cluster
// until release is called or the process ends.
func (d Dir) Lock() (release func(), err error) {
	for {
		if err := os.MkdirAll(string(d), 0o755); err != nil {
			return nil, fmt.Errorf("failed to make the cluster's folder: %w", err)
		}
		folder, err := os.Open(string(d))
		if err != nil {
			return nil, fmt.Errorf("failed to open the cluster's folder: %w", err)
		}
		if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
			folder.Close()
			return nil, fmt.Errorf("failed to lock the cluster's folder: %w", err)
		}
		if d.is(folder) {
			return func() { folder.Close() }, nil
		}
		folder.Close() // removed by the one who held the lock: lock the folder that stands there now
	}
}

func (d Dir) is(folder *os.File) bool {
	held, err1 := folder.Stat()
	present, err2 := os.Stat(string(d))
	return err1 == nil && err2 == nil && os.SameFile(held, present)
}
