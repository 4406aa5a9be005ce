// Package addons holds what runs in the cluster itself: the name server and a storage class.
package addons

import (
	"bytes"
	_ "embed"
	"text/template"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/network"
)

// DNSImage is the image of the name server.
const DNSImage = "localhost/e2e/coredns:v1"

//go:embed addons.yaml
var manifests string

var parsed = template.Must(template.New("addons").Parse(manifests))

// Manifests are the objects to apply to a cluster of so many nodes.
func Manifests(nodes int) (string, error) {
	var text bytes.Buffer
	err := parsed.Execute(&text, map[string]any{
		"Image":    DNSImage,
		"DNSIP":    network.DNSIP,
		"Replicas": min(nodes, 2), // on a node each, so that names are still served when one is powered off
	})
	return text.String(), err
}
