package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string, mode fs.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// spec has something of everything.
func spec(t *testing.T) Spec {
	folder := t.TempDir()
	mode := fs.FileMode(0o750)
	write(t, filepath.Join(folder, "tree/sub/b"), "b", 0o600)
	write(t, filepath.Join(folder, "tree/a"), "a", 0o644)
	if err := os.Symlink("sub/b", filepath.Join(folder, "tree/link")); err != nil {
		t.Fatal(err)
	}
	return Spec{
		Name: "localhost/e2e/thing:v1", Entrypoint: []string{"/bin/thing"}, Args: []string{"serve"},
		User: "1000:1000", Env: []string{"A=b"}, Workdir: "/work", Labels: map[string]string{"x": "1", "y": "2"},
		Files: []File{
			{Source: write(t, filepath.Join(folder, "thing"), "program", 0o755), Target: "/bin/thing", Mode: &mode, Owner: Owner{1000, 1001}},
			{Source: filepath.Join(folder, "tree"), Target: "/tree"},
		},
		Folders: []Folder{{Target: "/tmp", Mode: goMode(0o1777)}},
		Links:   []Link{{"/usr/bin/other", "/bin/thing"}},
	}
}

func pack(t *testing.T, spec Spec) (digest string, archive map[string][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	digest, err := Pack(spec, path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	archive = map[string][]byte{}
	for name, file := range untar(t, text) {
		archive[name] = file.text
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
	return digest, archive
}

type unpacked struct {
	header *tar.Header
	text   []byte
}

func untar(t *testing.T, text []byte) map[string]unpacked {
	t.Helper()
	files := map[string]unpacked{}
	for reader := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = unpacked{header, content}
	}
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheSameInputGivesTheSameImage(t *testing.T) {
	one := spec(t)
	first, _ := pack(t, one)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(one.Files[0].Source, later, later); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(one.Files)
	if second, _ := pack(t, one); second != first {
		t.Errorf("first %s, then %s", first, second)
	}
	write(t, one.Files[1].Source, "another", 0o755)
	if third, _ := pack(t, one); third == first {
		t.Error("another program, the same image")
	}
}

func TestEveryBlobIsWhatItsNameSays(t *testing.T) {
	_, archive := pack(t, spec(t))
	blobs := 0
	for name, text := range archive {
		want, isBlob := strings.CutPrefix(name, "blobs/sha256/")
		if !isBlob {
			continue
		}
		blobs++
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has another digest", name)
		}
	}
	if blobs != 3 {
		t.Errorf("%d blobs, want manifest, config and layer", blobs)
	}
}

func TestAnImageLeadsFromItsNameToItsFiles(t *testing.T) {
	digest, archive := pack(t, spec(t))
	listed := decode[index](t, archive["index.json"]).Manifests
	if len(listed) != 1 || listed[0].Digest != digest || listed[0].Annotations["io.containerd.image.name"] != "localhost/e2e/thing:v1" {
		t.Fatalf("the index lists %+v", listed)
	}
	listedManifest := decode[manifest](t, archive[blobPath(listed[0])])
	described := decode[config](t, archive[blobPath(listedManifest.Config)])
	got := fmt.Sprint(described.Config)
	if want := "{1000:1000 [PATH=/usr/local/bin:/usr/bin:/bin A=b] [/bin/thing] [serve] /work map[x:1 y:2]}"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	layer := listedManifest.Layers[0]
	if described.RootFS.DiffIDs[0] != layer.Digest {
		t.Error("config and manifest name different layers")
	}
	var lines []string
	for name, it := range untar(t, archive[blobPath(layer)]) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %o %d:%d %s%s", name, it.header.Mode, it.header.Uid, it.header.Gid, it.header.Linkname, it.text)))
		if !it.header.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s is of %s", name, it.header.ModTime)
		}
	}
	slices.Sort(lines)
	want := []string{
		"bin/ 755 0:0",
		"bin/thing 750 1000:1001 program",
		"tmp/ 1777 0:0",
		"tree/ 755 0:0",
		"tree/a 644 0:0 a",
		"tree/link 777 0:0 sub/b",
		"tree/sub/ 755 0:0",
		"tree/sub/b 600 0:0 b",
		"usr/ 755 0:0",
		"usr/bin/ 755 0:0",
		"usr/bin/other 777 0:0 /bin/thing",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnImageThatCannotBeMadeLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	for name, change := range map[string]func(*Spec){
		"no such file": func(s *Spec) { s.Files[0].Source = "/no/such/file" },
		"no tag":       func(s *Spec) { s.Name = "localhost/e2e/thing" },
		"no host":      func(s *Spec) { s.Name = "e2e/thing:v1" },
		"host only":    func(s *Spec) { s.Name = "localhost:5000" },
	} {
		bad := spec(t)
		change(&bad)
		if _, err := Pack(bad, filepath.Join(folder, "image.tar")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestFlagsAreReadFromLeftToRight(t *testing.T) {
	file := func(text string) string {
		it, err := ParseFile(text)
		if err != nil {
			return "refused"
		}
		mode := "as it is"
		if it.Mode != nil {
			mode = fmt.Sprintf("%o", unixMode(*it.Mode))
		}
		return fmt.Sprintf("%s to %s, %s, %d:%d", it.Source, it.Target, mode, it.Owner.UID, it.Owner.GID)
	}
	folder := func(text string) string {
		it, err := ParseFolder(text)
		if err != nil {
			return "refused"
		}
		return fmt.Sprintf("%s, %o, %d:%d", it.Target, unixMode(it.Mode), it.Owner.UID, it.Owner.GID)
	}
	link := func(text string) string {
		it, err := ParseLink(text)
		if err != nil {
			return "refused"
		}
		return it.Path + " to " + it.Target
	}
	for _, it := range []struct {
		parse      func(string) string
		text, want string
	}{
		{file, "a:/b", "a to /b, as it is, 0:0"},
		{file, "a:/b:0755", "a to /b, 755, 0:0"},
		{file, "a:/b:4755:1000", "a to /b, 4755, 1000:1000"},
		{file, "a:/b::1000:0", "a to /b, as it is, 1000:0"},
		{file, "a", "refused"},
		{file, "a:b", "refused"},
		{file, "a:/b:888", "refused"},
		{file, "a:/b:17777", "refused"},
		{file, "a:/b:644:me", "refused"},
		{file, "a:/b:644:1:2:3", "refused"},
		{folder, "/tmp:1777", "/tmp, 1777, 0:0"},
		{folder, "/home:700:1000", "/home, 700, 1000:1000"},
		{folder, "/home", "/home, 755, 0:0"},
		{folder, "home", "refused"},
		{link, "/a:b", "/a to b"},
		{link, "/a:", "refused"},
		{link, "a:b", "refused"},
	} {
		if got := it.parse(it.text); got != it.want {
			t.Errorf("%s: got %q, want %q", it.text, got, it.want)
		}
	}
}
