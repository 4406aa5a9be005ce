// Package conformance is upstream's end-to-end specs for Kubernetes, of which those run that a file names.
package conformance

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	// the ginkgo program takes a package for a suite when this path stands in it: "github.com/onsi/ginkgo/v2"

	"k8s.io/kubernetes/test/e2e"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	"k8s.io/kubernetes/test/e2e/framework/testfiles"
	manifests "k8s.io/kubernetes/test/e2e/testing-manifests"

	// names of features, frozen once all are known
	_ "k8s.io/kubernetes/test/e2e/feature"

	// the specs: those of storage drivers, clouds, devices and other systems are left out
	_ "k8s.io/kubernetes/test/e2e/apimachinery"
	_ "k8s.io/kubernetes/test/e2e/apps"
	_ "k8s.io/kubernetes/test/e2e/auth"
	_ "k8s.io/kubernetes/test/e2e/common"
	_ "k8s.io/kubernetes/test/e2e/instrumentation"
	_ "k8s.io/kubernetes/test/e2e/network"
	_ "k8s.io/kubernetes/test/e2e/node"
	_ "k8s.io/kubernetes/test/e2e/scheduling"

	// what the framework prints and measures when a spec fails
	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/metrics/init"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
	_ "k8s.io/kubernetes/test/utils/format"
)

func TestMain(m *testing.M) {
	specs := flag.String("specs", "", "file with the names of the specs to run, one a line")
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	if err := focus(*specs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testfiles.AddFileSource(manifests.GetE2ETestingManifestsFS())
	framework.AfterReadingAllFlags(&framework.TestContext)
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) { e2e.RunE2ETests(t) }

// focus has those specs run whose whole name is a line of the file. All of them run without a file.
func focus(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(text)) {
		// ginkgo puts the suite's name and a space before a spec's
		whole := " " + regexp.QuoteMeta(strings.TrimSuffix(name, "\n")) + "$"
		if err := flag.Set("ginkgo.focus", whole); err != nil {
			return err
		}
	}
	return nil
}
