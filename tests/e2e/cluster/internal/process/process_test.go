package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

// sleeper runs a program from the folder that does nothing, until the test ends.
func sleeper(t *testing.T, folder string) (*exec.Cmd, Process) {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "program")
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "60")
	command.Args[0] = "sleep" // where one program is many, it goes by this
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	it, err := find(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return command, it
}

func TestAProcessThatIsOverButNotWaitedForIsNotAlive(t *testing.T) {
	_, it := sleeper(t, t.TempDir())
	if !it.Alive() {
		t.Fatal("not alive at first")
	}
	if err := Kill(it); err != nil {
		t.Fatal(err)
	}
	if it.Alive() {
		t.Error("alive after Kill")
	}
}

func TestAProcessWithTheNumberOfAnOlderOneIsLeftAlone(t *testing.T) {
	_, it := sleeper(t, t.TempDir())
	older := Process{PID: it.PID, Started: it.Started - 1}
	if older.Alive() {
		t.Error("taken for the older one")
	}
	if err := older.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if !it.Alive() {
		t.Error("killed in place of the older one")
	}
}

func TestARecordedProcessIsFoundAgain(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	if Saved(dir, "etcd").Alive() {
		t.Error("alive without a record")
	}
	_, it := sleeper(t, t.TempDir())
	if err := Save(dir, "etcd", it); err != nil {
		t.Fatal(err)
	}
	if got := Saved(dir, "etcd"); got != it {
		t.Errorf("got %+v, want %+v", got, it)
	}
}

func TestStraysAreFoundByTheirProgramEvenWhenItIsDeleted(t *testing.T) {
	ours, others := t.TempDir(), t.TempDir()
	_, stray := sleeper(t, ours)
	sleeper(t, others)
	for _, deleted := range []bool{false, true} {
		if deleted {
			if err := os.Remove(filepath.Join(ours, "program")); err != nil {
				t.Fatal(err)
			}
		}
		found, err := Strays(ours)
		if err != nil || len(found) != 1 || found[0] != stray {
			t.Errorf("deleted %t: found %+v, %v; want %+v", deleted, found, err, stray)
		}
	}
}

func TestThisProcessIsNoStray(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if found, err := Strays(filepath.Dir(self)); err != nil || len(found) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestAProgramsNameDoesNotConfuse(t *testing.T) {
	const rest = " R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	status, started, err := parseStat("12 (a) S 9 (b)" + rest)
	if err != nil || status != "R" || started != 4711 {
		t.Errorf("got %q, %d, %v", status, started, err)
	}
	if _, _, err := parseStat("12 (a) R 1"); err == nil {
		t.Error("took a line that is too short")
	}
}

func TestTailIsTheEndOfALog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("one\ntwo\nthree\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Tail(log, 2); got != "two\nthree" {
		t.Errorf("got %q", got)
	}
	if got := Tail(log, 9); got != "one\ntwo\nthree" {
		t.Errorf("got %q", got)
	}
	if got := Tail(log+"x", 2); !strings.Contains(got, "no such file") {
		t.Errorf("got %q", got)
	}
}
