// Package image makes container images from files, and loads them into nodes. It needs no image to
// start from, no registry and no daemon, and the same files give the same image to the last bit.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Spec is what an image is made from.
type Spec struct {
	// Name is the reference the image goes by, such as localhost/e2e/probe:v1.
	Name       string
	Entrypoint []string
	// Args are the entrypoint's default arguments.
	Args    []string
	User    string
	Env     []string
	Workdir string
	Labels  map[string]string
	Files   []File
	Folders []Folder
	Links   []Link
}

const (
	layoutVersion = `{"imageLayoutVersion":"1.0.0"}`
	indexType     = "application/vnd.oci.image.index.v1+json"
	manifestType  = "application/vnd.oci.image.manifest.v1+json"
	configType    = "application/vnd.oci.image.config.v1+json"
	layerType     = "application/vnd.oci.image.layer.v1.tar" // not compressed: it never leaves the machine
)

// The structures of the OCI image specification, as far as they are needed.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int64             `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
		Platform    *platform         `json:"platform,omitempty"`
	}
	platform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	index struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	config struct {
		platform
		Config  settings  `json:"config"`
		RootFS  rootFS    `json:"rootfs"`
		History []history `json:"history"`
	}
	settings struct {
		User       string            `json:"User,omitempty"`
		Env        []string          `json:"Env,omitempty"`
		Entrypoint []string          `json:"Entrypoint,omitempty"`
		Cmd        []string          `json:"Cmd,omitempty"`
		WorkingDir string            `json:"WorkingDir,omitempty"`
		Labels     map[string]string `json:"Labels,omitempty"`
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	history struct {
		CreatedBy string `json:"created_by"`
	}
)

// Pack writes the image as an OCI archive and returns the digest of its manifest.
func Pack(spec Spec, output string) (digest string, err error) {
	tag, err := tagOf(spec.Name)
	if err != nil {
		return "", err
	}
	entries, err := spec.entries()
	if err != nil {
		return "", err
	}
	// The layer's digest is its name in the archive, so it has to be whole before the archive begins.
	layerFile, layer, err := spool(filepath.Dir(output), func(to io.Writer) error { return writeLayer(to, entries) })
	if err != nil {
		return "", err
	}
	defer os.Remove(layerFile)
	layer.MediaType = layerType

	machine := platform{Architecture: runtime.GOARCH, OS: "linux"}
	configText, configBlob, err := encode(configType, config{
		platform: machine,
		Config: settings{
			User: spec.User, Env: append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, spec.Env...),
			Entrypoint: spec.Entrypoint, Cmd: spec.Args, WorkingDir: spec.Workdir, Labels: spec.Labels,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{layer.Digest}},
		History: []history{{CreatedBy: "e2e-cluster image pack"}},
	})
	if err != nil {
		return "", err
	}
	manifestText, manifestBlob, err := encode(manifestType, manifest{2, manifestType, configBlob, []descriptor{layer}})
	if err != nil {
		return "", err
	}
	named := manifestBlob
	named.Platform = &machine
	named.Annotations = map[string]string{
		"io.containerd.image.name":          spec.Name,
		"org.opencontainers.image.ref.name": tag,
	}
	indexText, _, err := encode(indexType, index{2, indexType, []descriptor{named}})
	if err != nil {
		return "", err
	}
	finished, _, err := spool(filepath.Dir(output), func(to io.Writer) error {
		archive := tar.NewWriter(to)
		return errors.Join(
			writeText(archive, "oci-layout", []byte(layoutVersion)),
			writeText(archive, "index.json", indexText),
			writeText(archive, blobPath(manifestBlob), manifestText),
			writeText(archive, blobPath(configBlob), configText),
			writeFile(archive, blobPath(layer), layerFile, layer.Size),
			archive.Close(),
		)
	})
	if err != nil {
		return "", fmt.Errorf("failed to write the image: %w", err)
	}
	return manifestBlob.Digest, os.Rename(finished, output)
}

// tagOf checks a reference as far as containerd would hold it against us, and returns its tag.
func tagOf(name string) (string, error) {
	repository, tag, ok := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	host, _, hasHost := strings.Cut(name, "/")
	if !ok || repository == "" || tag == "" || !hasHost || !isHost(host) {
		return "", fmt.Errorf("image name %q: want HOST/NAME:TAG, such as localhost/e2e/probe:v1", name)
	}
	return tag, nil
}

// isHost tells a registry from the first part of a short name, which the kubelet would look for elsewhere.
func isHost(part string) bool { return part == "localhost" || strings.ContainsAny(part, ".:") }

func encode(mediaType string, value any) ([]byte, descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, descriptor{}, err
	}
	sum := sha256.New()
	sum.Write(text)
	return text, descriptor{MediaType: mediaType, Digest: digestOf(sum), Size: int64(len(text))}, nil
}

// spool writes a temporary file and describes what is in it.
func spool(folder string, write func(io.Writer) error) (path string, written descriptor, err error) {
	file, err := os.CreateTemp(folder, ".image-*")
	if err != nil {
		return "", descriptor{}, err
	}
	sum := sha256.New()
	counted := &counter{to: io.MultiWriter(file, sum)}
	err = errors.Join(write(counted), file.Chmod(0o644), file.Close())
	if err != nil {
		os.Remove(file.Name())
		return "", descriptor{}, err
	}
	return file.Name(), descriptor{Digest: digestOf(sum), Size: counted.size}, nil
}

type counter struct {
	to   io.Writer
	size int64
}

func (c *counter) Write(data []byte) (int, error) {
	written, err := c.to.Write(data)
	c.size += int64(written)
	return written, err
}

func digestOf(sum hash.Hash) string { return "sha256:" + hex.EncodeToString(sum.Sum(nil)) }

func blobPath(it descriptor) string { return "blobs/" + strings.Replace(it.Digest, ":", "/", 1) }

func writeText(archive *tar.Writer, name string, text []byte) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err := archive.Write(text)
	return err
}

func writeFile(archive *tar.Writer, name, source string, size int64) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size}); err != nil {
		return err
	}
	return copyFile(archive, source)
}
