package preflight

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// policy is asked by packages before they start a service; 101 forbids it.
const policy = "/usr/sbin/policy-rc.d"

// Install installs the packages of what is missing, on Debian and its relatives, and starts none of
// the services that come with them.
func Install(missing []Check, say io.Writer) error {
	packages := packagesOf(missing)
	if len(packages) == 0 {
		return nil
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !debianLike(string(release)) {
		return fmt.Errorf("don't know how to install %s here: this is no Debian or Ubuntu", strings.Join(packages, ", "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("installing %s takes root", strings.Join(packages, ", "))
	}
	fmt.Fprintf(say, "installing %s (no service is started, no package removed)\n", strings.Join(packages, " "))
	restore, err := forbidServices()
	if err != nil {
		return err
	}
	err = errors.Join(apt(say, "update", "--quiet"), apt(say, installArguments(packages)...))
	return errors.Join(err, restore())
}

func installArguments(packages []string) []string {
	// --no-remove: on a machine with Docker's own packages, Debian's would push them out
	return append([]string{"install", "--yes", "--quiet", "--no-install-recommends", "--no-remove"}, packages...)
}

func packagesOf(missing []Check) []string {
	var packages []string
	for _, it := range missing {
		if it.Package != "" {
			packages = append(packages, it.Package)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// debianLike reads /etc/os-release.
func debianLike(release string) bool {
	for _, line := range strings.Split(release, "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		for _, id := range strings.Fields(strings.Trim(value, `"'`)) {
			if id == "debian" || id == "ubuntu" {
				return true
			}
		}
	}
	return false
}

// forbidServices keeps packages from starting services until restore is called. A policy that the
// machine has already is left in force: whoever wrote it knows better.
func forbidServices() (restore func() error, err error) {
	file, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to keep services from starting: %w", err)
	}
	_, err = file.WriteString("#!/bin/sh\nexit 101\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(policy))
	}
	return func() error { return os.Remove(policy) }, nil
}

func apt(say io.Writer, arguments ...string) error {
	command := exec.Command("apt-get", arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	command.Stdout, command.Stderr = say, say
	if err := command.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", arguments[0], err)
	}
	return nil
}
