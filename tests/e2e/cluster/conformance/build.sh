#!/bin/sh
# Builds upstream's specs, the program that runs them, and what their images hold, into the folder given as the first argument.
# -trimpath and CGO_ENABLED=0 are what the cluster program is built with: half of the packages come out of its build cache.
set -eu
out=$(mkdir -p "${1:?usage: build.sh FOLDER}" && cd "$1" && pwd)
cd "$(dirname "$0")"
export CGO_ENABLED=0 GOTOOLCHAIN=local
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
v=k8s.io/component-base/version
# specs compare the cluster's version with their own
go test -c -trimpath -o "$out/conformance.test" -ldflags "-s -w \
  -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*}" .
go build -trimpath -o "$out/" -ldflags "-s -w" \
  github.com/onsi/ginkgo/v2/ginkgo k8s.io/kubernetes/test/images/agnhost k8s.io/kubernetes/test/images/nonewprivs
# agnhost's web server over TLS wants them beside it
cp "$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)"/test/images/agnhost/porter/localhost.* "$out/"
chmod u+w "$out"/localhost.*
