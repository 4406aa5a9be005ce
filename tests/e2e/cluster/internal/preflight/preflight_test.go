package preflight

import (
	"slices"
	"strings"
	"testing"
)

func TestDebianAndItsRelativesAreKnown(t *testing.T) {
	for release, want := range map[string]bool{
		"PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n": true,
		"NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n":         true,
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n":        true,
		"ID=fedora\n": false,
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nX=debian\n": false,
		"": false,
	} {
		if got := debianLike(release); got != want {
			t.Errorf("debianLike(%q) = %t", release, got)
		}
	}
}

func TestAvailableMemoryIsRead(t *testing.T) {
	if got := parseAvailable("MemTotal:       100 kB\nMemFree:  2 kB\nMemAvailable:   23345604 kB\n"); got != 23345604<<10 {
		t.Errorf("got %d", got)
	}
	if got := parseAvailable("MemTotal: 100 kB\n"); got != 0 {
		t.Errorf("got %d from a kernel that does not say", got)
	}
}

var checks = []Check{
	{What: "root", Found: "user 0", OK: true},
	{What: "nft", Package: "nftables"},
	{What: "ctr", Package: "containerd"},
	{What: "containerd", Package: "containerd"},
	{What: "overlay file system", Remedy: "a kernel that has it"},
}

func TestWhatIsMissingIsNamedWithAWayToGetIt(t *testing.T) {
	var text strings.Builder
	Print(&text, checks)
	const want = `ok       root                         user 0
missing  nft                          apt-get install nftables
missing  ctr                          apt-get install containerd
missing  containerd                   apt-get install containerd
missing  overlay file system          a kernel that has it
`
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
	if err := Error(checks); err == nil || err.Error() != "this machine lacks: nft, ctr, containerd, overlay file system" {
		t.Errorf("got %v", err)
	}
	if err := Error(checks[:1]); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
}

func TestEachMissingPackageIsInstalledOnceAndNoneIsRemoved(t *testing.T) {
	got := strings.Join(installArguments(packagesOf(Missing(checks))), " ")
	if got != "install --yes --quiet --no-install-recommends --no-remove containerd nftables" {
		t.Errorf("got %s", got)
	}
}

func TestEveryToolNamesItsPackage(t *testing.T) {
	for _, it := range tools {
		if it.deb == "" {
			t.Errorf("%s has none", it.name)
		}
	}
	if slices.Contains(pluginFolders, "") {
		t.Error("a folder without a name")
	}
}
