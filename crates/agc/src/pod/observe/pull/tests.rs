use super::*;

/// What containerd, CRI-O and Docker say of an image, as kubelets show it.
#[test]
fn only_what_a_registry_says_for_good_is_a_refusal() {
    let refused = [
        r#"failed to pull and unpack image "docker.io/team/app:9": failed to resolve reference "docker.io/team/app:9": docker.io/team/app:9: not found"#,
        r#"rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/team/app:9": no match for platform in manifest: not found"#,
        r#"rpc error: code = Unknown desc = reading manifest 9 in quay.io/team/app: manifest unknown"#,
        r#"failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.corp.test/token: 401 Unauthorized"#,
        r#"pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"#,
        r#"unexpected status from HEAD request to https://ghcr.io/v2/team/app/manifests/9: 403 Forbidden"#,
        r#"failed to parse image name: invalid reference format"#,
        r#"no matching manifest for linux/arm64/v8 in the manifest list entries"#,
    ];
    for message in refused {
        assert!(is_refused(message), "{message}");
    }
}

#[test]
fn trouble_on_the_way_to_a_registry_may_pass() {
    let passing = [
        r#"failed to do request: Head "https://registry.corp.test/v2/team/runner/manifests/1": dial tcp: lookup registry.corp.test on 10.96.0.10:53: no such host"#,
        r#"failed to do request: Head "https://registry.corp.test/v2/team/runner/manifests/1": dial tcp: lookup registry.corp.test on 10.255.255.53:53: dial udp 10.255.255.53:53: connect: network is unreachable"#,
        r#"failed to do request: Head "http://10.255.255.1:5000/v2/team/runner/manifests/1": dial tcp 10.255.255.1:5000: connect: network is unreachable"#,
        r#"failed to do request: Head "https://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused"#,
        r#"dial tcp 10.0.0.1:443: i/o timeout"#,
        r#"failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.corp.test/v2/x: 502 Bad Gateway"#,
        r#"unexpected status from GET request to https://registry.corp.test/v2/: 500 Internal Server Error"#,
        r#"failed to do request: Get "https://registry.corp.test/v2/": EOF"#,
        r#"pull QPS exceeded"#,
        r#"429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit"#,
        r#"failed to do request: Get "https://registry.corp.test/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
        r#"context canceled"#,
        "",
    ];
    for message in passing {
        assert!(!is_refused(message), "{message}");
    }
}

#[test]
fn what_an_image_is_called_is_no_refusal() {
    for message in [
        r#"failed to resolve reference "registry.corp.test/access-denied/not found:1": EOF"#,
        "unexpected status from HEAD request to https://registry.corp.test/v2/forbidden/unauthorized/manifests/1: 503 Service Unavailable",
    ] {
        assert!(!is_refused(message), "{message}");
    }
}

#[test]
fn a_mirror_that_does_not_know_an_image_is_no_refusal_while_the_registry_is_away() {
    assert!(!is_refused("mirror: not found; registry.corp.test: connection refused"));
}

#[test]
fn a_back_off_without_its_cause_is_told_from_one_with_it() {
    assert!(hides_its_cause(r#"Back-off pulling image "registry.corp.test/team/runner:1""#));
    assert!(!hides_its_cause(
        r#"Back-off pulling image "registry.corp.test/team/runner:1": ErrImagePull: connection refused"#
    ));
}
