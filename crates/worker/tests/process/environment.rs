//! What the runner sees of its surroundings.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use handoff::worker::{RunInfo, WRAPPER_ENV};

use crate::pod::Pod;

/// The variables that the runner saw.
fn seen(pod: &Pod) -> Vec<String> {
    pod.read("seen").lines().map(str::to_owned).collect()
}

fn name(variable: &str) -> &str {
    variable.split_once('=').unwrap().0
}

fn certificate(name: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----")
}

#[test]
fn the_runner_has_the_containers_variables_the_listeners_and_the_images() {
    let pod = Pod::new("env >$OUT/seen; exit 100");
    pod.run_info(&RunInfo {
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
        span_id: "00f067aa0ba902b7".into(),
        run_span_id: "b7ad6b7169203331".into(),
        ..RunInfo::default()
    });
    fs::write(pod.path("home/.env"), "LANG=C.UTF-8\nJAVA_HOME=\nQUOTED=\"q r\"\n").unwrap();
    let mut command = pod.command();
    command.env("JAVA_HOME", "/java").env("LOG_LEVEL", "debug").env("POD_TERMINATION_GRACE_SECONDS", "30");
    assert_eq!(pod.wait(command).code, Some(0));
    let seen = seen(&pod);
    for expected in [
        "GITHUB_ACTIONS=true",
        "CI=true",
        "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01",
        "LANG=C.UTF-8",
        "QUOTED=\"q r\"",
        "PATH=/usr/bin:/bin",
    ] {
        assert!(seen.iter().any(|it| it == expected), "{expected}: {seen:?}");
    }
    for it in &seen {
        assert!(name(it) != "JAVA_HOME" && !WRAPPER_ENV.contains(&name(it)), "{it}");
    }
}

#[test]
fn a_variable_that_is_not_text_reaches_the_runner_as_it_is() {
    let pod = Pod::new("printf %s \"$LATIN\" >$OUT/seen; exit 100");
    let mut command = pod.command();
    command.env("LATIN", OsStr::from_bytes(b"caf\xe9"));
    assert_eq!(pod.wait(command).code, Some(0));
    assert_eq!(fs::read(pod.path("seen")).unwrap(), b"caf\xe9");
}

#[test]
fn the_runner_reads_nothing_from_the_containers_input() {
    let pod = Pod::new("readlink /proc/$$/fd/0 >$OUT/input; exit 100");
    let mut command = pod.command();
    command.stdin(Stdio::piped());
    assert_eq!(pod.wait(command).code, Some(0));
    assert_eq!(pod.read("input"), "/dev/null\n");
}

#[test]
fn the_extra_cas_join_the_systems_in_one_file_that_every_tool_is_pointed_at() {
    let pod = Pod::new(
        "for it in $SSL_CERT_FILE $NODE_EXTRA_CA_CERTS $GIT_SSL_CAINFO $CURL_CA_BUNDLE $REQUESTS_CA_BUNDLE \
         $GIT_PROXY_SSL_CAINFO; do cat $it >>$OUT/seen; done; exit 100",
    );
    for name in ["system", "proxy", "github"] {
        fs::write(pod.path(name), certificate(name)).unwrap();
    }
    let mut command = pod.command();
    command
        .env("SSL_CERT_FILE", pod.path("system"))
        .env("PROXY_CA_CERT_PATH", pod.path("proxy"))
        .env("GITHUB_CA_CERT_PATH", pod.path("github"));
    assert_eq!(pod.wait(command).code, Some(0));
    let bundle = format!("{}\n{}\n{}\n", certificate("system"), certificate("proxy"), certificate("github"));
    assert_eq!(pod.read("home/ca-bundle.crt"), bundle);
    assert_eq!(pod.read("seen"), bundle.repeat(6));
}

#[test]
fn git_is_told_of_a_proxys_ca_only_where_the_proxy_has_one() {
    let pod = Pod::new("env >$OUT/seen; exit 100");
    fs::write(pod.path("github"), certificate("github")).unwrap();
    fs::write(pod.path("empty"), "").unwrap();
    let mut command = pod.command();
    command.env("PROXY_CA_CERT_PATH", pod.path("empty")).env("GITHUB_CA_CERT_PATH", pod.path("github"));
    assert_eq!(pod.wait(command).code, Some(0));
    let seen = seen(&pod);
    assert!(seen.iter().any(|it| name(it) == "GIT_SSL_CAINFO"));
    assert!(!seen.iter().any(|it| name(it) == "GIT_PROXY_SSL_CAINFO"));
}

#[test]
fn without_extra_cas_the_image_keeps_its_own_trust() {
    let pod = Pod::new("env >$OUT/seen; exit 100");
    let mut command = pod.command();
    command.env("PROXY_CA_CERT_PATH", pod.path("missing")).env("SSL_CERT_FILE", "/own.pem");
    assert_eq!(pod.wait(command).code, Some(0));
    let trust: Vec<_> =
        seen(&pod).into_iter().filter(|it| it.contains("CERT") || it.contains("CA")).collect();
    assert_eq!(trust, ["SSL_CERT_FILE=/own.pem"]);
    assert!(!pod.path("home/ca-bundle.crt").exists());
}
