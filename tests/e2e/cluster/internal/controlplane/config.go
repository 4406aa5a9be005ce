package controlplane

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/state"
)

//go:embed audit-policy.yaml
var auditPolicy []byte

// WriteConfig writes the files that the components' arguments point to.
func WriteConfig(dir state.Dir) error {
	if err := os.WriteFile(dir.Path("config", "audit-policy.yaml"), auditPolicy, 0o644); err != nil {
		return fmt.Errorf("failed to write the audit policy: %w", err)
	}
	return nil
}
