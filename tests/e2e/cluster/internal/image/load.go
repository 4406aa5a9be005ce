package image

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// Load imports archives into the containerds behind the sockets, each into all of them at once.
func Load(sockets []string, archives ...string) error {
	for _, archive := range archives {
		problems := make([]error, len(sockets))
		var nodes sync.WaitGroup
		for i, socket := range sockets {
			nodes.Go(func() { problems[i] = load(socket, archive) })
		}
		nodes.Wait()
		if err := errors.Join(problems...); err != nil {
			return fmt.Errorf("failed to load %s: %w", archive, err)
		}
	}
	return nil
}

func load(socket, archive string) error {
	said, err := exec.Command("ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}
