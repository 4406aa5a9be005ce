package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNamesFitIntoOtherNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"e2e": true, "a": true, "dev2": true, "": false, "2e": false, "E2E": false, "a-b": false, "a/b": false,
		"abcdefghijklmno": true, "abcdefghijklmnop": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func TestTheDefaultFolderIsInTheCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/somewhere")
	if dir, err := Default("dev"); err != nil || dir != "/somewhere/actions-gateway/clusters/dev" {
		t.Errorf("got %q, %v", dir, err)
	}
}

func TestARecordIsReadAsWritten(t *testing.T) {
	dir := Dir(t.TempDir())
	if _, err := dir.Load(); !errors.Is(err, ErrNoCluster) {
		t.Errorf("without a record: %v", err)
	}
	want := Record{Name: "dev", Nodes: 2, LocalPort: 4711, Complete: true}
	if err := dir.Save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.Load(); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if left, err := os.ReadDir(string(dir)); err != nil || len(left) != 1 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestALockKeepsOthersOutUntilReleased(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "clusters", "dev"))
	release, err := dir.Lock()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		release, err := dir.Lock()
		if err == nil {
			defer release()
			// the first has removed the folder: the lock has to be that of the new one
			_, err = os.Stat(string(dir))
		}
		second <- err
	}()
	select {
	case <-second:
		t.Fatal("two hold the lock")
	case <-time.After(50 * time.Millisecond):
	}
	if err := dir.Remove(); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestRemovingTheLastClusterRemovesItsParent(t *testing.T) {
	clusters := filepath.Join(t.TempDir(), "clusters")
	one, two := Dir(filepath.Join(clusters, "one")), Dir(filepath.Join(clusters, "two"))
	for _, dir := range []Dir{one, two} {
		if err := dir.Create(); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(string(two)); err != nil {
		t.Error("the other cluster has gone as well")
	}
	if err := two.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(clusters); !os.IsNotExist(err) {
		t.Errorf("%s is left", clusters)
	}
}
