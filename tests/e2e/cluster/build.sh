#!/bin/sh
# Builds e2e-cluster and pause into the folder given as the first argument.
# -trimpath and CGO_ENABLED=0 are part of what the build cache goes by: keep them the same everywhere.
set -eu
out=$(mkdir -p "${1:?usage: build.sh FOLDER}" && cd "$1" && pwd)
cd "$(dirname "$0")"
version=$(GOTOOLCHAIN=local go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
v=k8s.io/component-base/version
# Without these, servers and nodes call themselves v0.0.0-master, which clients can't make sense of.
# The commit is not known to the module: any 40 digits will do.
CGO_ENABLED=0 GOTOOLCHAIN=local go build -trimpath -o "$out/" -ldflags "-s -w \
  -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*} -X $v.gitTreeState=clean \
  -X $v.gitCommit=0000000000000000000000000000000000000000 -X $v.buildDate=1970-01-01T00:00:00Z" ./cmd/...
