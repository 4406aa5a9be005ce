package addons

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func TestTheNameServerHasAReplicaOnEachOfAtMostTwoNodes(t *testing.T) {
	for nodes, want := range map[int]int32{1: 1, 2: 2, 5: 2} {
		text, err := Manifests(nodes)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for document := range strings.SplitSeq(text, "\n---\n") {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
				t.Fatalf("%v in\n%s", err, document)
			}
			if kind.Kind != "Deployment" {
				continue
			}
			found = true
			var deployment appsv1.Deployment
			if err := yaml.UnmarshalStrict([]byte(document), &deployment); err != nil {
				t.Fatal(err)
			}
			if got := *deployment.Spec.Replicas; got != want {
				t.Errorf("%d nodes: %d replicas", nodes, got)
			}
			if got := deployment.Spec.Template.Spec.Containers[0].Image; got != DNSImage {
				t.Errorf("the image is %s", got)
			}
		}
		if !found {
			t.Error("no Deployment")
		}
	}
}
