// Package dns is the cluster's name server: CoreDNS with the plugins a cluster of tests needs.
package dns

import (
	"fmt"
	"os"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

// Serve answers queries as the Corefile at the path says, until the process is told to end.
func Serve(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	caddy.Quiet = true
	caddy.TrapSignals()
	server, err := caddy.Start(caddy.CaddyfileInput{Contents: text, Filepath: path, ServerTypeName: "dns"})
	if err != nil {
		return fmt.Errorf("failed to start the name server: %w", err)
	}
	server.Wait()
	return nil
}
