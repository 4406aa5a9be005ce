// Package process starts programs that outlive this one, and finds and ends them again.
//
// A process is known by its number together with the moment it started, so that a number that has
// been given to somebody else is never mistaken for it.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// Process is one that was started, and maybe still runs.
type Process struct {
	PID int `json:"pid"`
	// Started is in clock ticks since the machine booted (/proc/PID/stat, field 22).
	Started uint64 `json:"started"`
}

// Command is what to start.
type Command struct {
	// Path of the program; its base name is what a multi-call binary goes by.
	Path string
	Args []string
	// Namespace is the network namespace to start it in.
	Namespace string
	// Clone holds the kinds of namespaces (CLONE_NEW…) the process gets for its own.
	Clone uintptr
	// Log takes what the process says.
	Log string
	// Files are handed on as descriptors 3 and up.
	Files []*os.File
}

// Start starts the command in a session of its own, so that it outlives its parent.
func Start(command Command) (Process, error) {
	log, err := os.OpenFile(command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Process{}, err
	}
	defer log.Close()
	child := exec.Command(command.Path, command.Args...)
	child.Dir = "/"
	// nothing else of the caller's: a proxy, say, that is set there leads nowhere from inside
	child.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	child.Stdout, child.Stderr = log, log
	child.ExtraFiles = command.Files
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: command.Clone}
	if err := network.Inside(command.Namespace, child.Start); err != nil {
		return Process{}, fmt.Errorf("failed to start %s: %w", command.Path, err)
	}
	defer child.Process.Release()
	return find(child.Process.Pid)
}

// Alive tells whether the process still runs. One that has ended and was not yet waited for doesn't.
func (p Process) Alive() bool {
	present, err := find(p.PID)
	return err == nil && present == p
}

// Signal sends a signal, unless the process has ended.
func (p Process) Signal(signal syscall.Signal) error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("failed to send %s to process %d: %w", signal, p.PID, err)
	}
	return nil
}

// Kill ends the processes at once and waits until they are gone.
func Kill(processes ...Process) error {
	for _, it := range processes {
		if err := it.Signal(syscall.SIGKILL); err != nil {
			return err
		}
	}
	// The end of a node's first process waits for every container in it.
	deadline := time.Now().Add(20 * time.Second)
	for _, it := range processes {
		for it.Alive() {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d does not end", it.PID)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// Save records a process under a name.
func Save(dir state.Dir, name string, it Process) error {
	return state.WriteJSON(dir.Process(name), it)
}

// Saved is the process recorded under a name; the zero Process, which is never alive, if there is none.
func Saved(dir state.Dir, name string) Process {
	var it Process
	if err := state.ReadJSON(dir.Process(name), &it); err != nil {
		return Process{}
	}
	return it
}

var errEnded = errors.New("the process has ended")

func find(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	status, started, err := parseStat(string(stat))
	if err != nil {
		return Process{}, err
	}
	if status == "Z" || status == "X" {
		return Process{}, errEnded
	}
	return Process{PID: pid, Started: started}, nil
}

// parseStat takes state and start time from the text of /proc/PID/stat.
func parseStat(stat string) (status string, started uint64, err error) {
	// the second field is the program's name in parentheses, which may itself hold spaces and parentheses
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const statusAt, startedAt = 0, 19 // fields 3 and 22 of proc(5)
	if len(fields) <= startedAt {
		return "", 0, fmt.Errorf("unexpected process status %q", stat)
	}
	started, err = strconv.ParseUint(fields[startedAt], 10, 64)
	return fields[statusAt], started, err
}
