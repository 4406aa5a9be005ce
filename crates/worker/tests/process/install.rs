//! The init container.

use std::fs;
use std::process::{Command, Stdio};

use crate::pod::{Pod, names, spawn};

#[test]
fn what_install_leaves_behind_runs_the_job() {
    let pod = Pod::new("env | sort > $OUT/environment; exit 100");
    fs::rename(pod.path("run/claim"), pod.path("secret")).unwrap();
    let mut install = pod.command();
    install.arg("install").arg(pod.path("run")).arg("--private").env("ACTIONS_GATEWAY_CLAIM", "name");
    assert_eq!(pod.wait(install).code, Some(0));
    assert_eq!(names(&pod.path("run/claim")), ["name"]);
    let mut run = pod.command();
    run.env("ACTIONS_GATEWAY_CLAIM", "name");
    let installed = Command::new(pod.path("run/worker"));
    let variables: Vec<_> =
        run.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
    run = installed;
    run.env_clear().envs(variables).stdout(Stdio::piped());
    assert_eq!(pod.wait(run).code, Some(0));
    assert_eq!(names(&pod.path("run/claim/name")), [""; 0]);
    let environment = pod.read("environment");
    assert!(!environment.contains("ACTIONS_GATEWAY_CLAIM"), "{environment}");
}

#[test]
fn an_install_without_a_job_reports_it() {
    let pod = Pod::new("exit 100");
    let mut install = pod.command();
    install.arg("install").arg(pod.path("elsewhere"));
    let ended = pod.wait(install);
    assert_eq!(ended.code, Some(1));
    assert!(ended.report.error.unwrap().contains("no job message"));
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    let pod = Pod::new("exit 100");
    let status = spawn(pod.command().arg("install")).wait().unwrap();
    assert_eq!(status.code(), Some(2));
}
