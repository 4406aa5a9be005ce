//! The two containers that are ours: the one that runs the job, and the one that delivers wrapper and payload.

use std::collections::BTreeMap;

use api::names;
use handoff::pod::{GITHUB_CA_DIR, PROXY_CA_DIR, USER};
use handoff::proxy::ENV_PROXY_CA;
use handoff::worker::{
    ENV_CLAIM, ENV_GITHUB_CA, ENV_PAYLOAD_DIR, ENV_POD_GRACE, INSTALL_PRIVATE, PAYLOAD_DIR, RUN_DIR, STOP_DIR,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, PodSpec, ResourceRequirements, SeccompProfile, SecurityContext,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Platform, Template, security, wrapper};

/// Variable of the runner: its diagnostics on stdout, which images switch on.
const PRINT_LOG: &str = "ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT";

/// Makes the `runner` container run the wrapper; adds one if the template has none. `claim` names the folder of the
/// claim's files, `grace` is the pod's, in seconds.
pub(super) fn runner(spec: &mut PodSpec, platform: &Platform, template: &Template, claim: &str, grace: i64) {
    let position =
        spec.containers.iter().position(|it| it.name == names::RUNNER_CONTAINER).unwrap_or_else(|| {
            spec.containers
                .insert(0, Container { name: names::RUNNER_CONTAINER.to_owned(), ..Container::default() });
            0
        });
    let runner = &mut spec.containers[position];
    let image = runner.image.take().filter(|it| !it.is_empty());
    runner.image =
        image.or_else(|| template.worker_image.clone()).or_else(|| Some(platform.worker_image.clone()));
    runner.command = Some(vec![wrapper()]);
    runner.args = None;
    // The report is a file that the kubelet reads; logs are no substitute for it.
    runner.termination_message_path = None;
    runner.termination_message_policy = Some("File".to_owned());
    let printed = runner.env.iter().flatten().any(|it| it.name == PRINT_LOG);
    set_env(runner, environment(platform, claim, grace));
    if !printed {
        // Between the wrapper's JSON lines they would break the log's shape; a crash is printed all the same.
        runner.env.get_or_insert_default().push(variable(PRINT_LOG, "0"));
    }
    add_mounts(runner, run_mounts(platform));
}

/// Puts the install container behind the template's own init containers: while the claim lies in memory, none of them
/// runs but the sidecars among them. It runs as the job's user where the pod says which one that is, since it cannot give
/// its files to another: so nobody else can read them. Comes when all else is decided.
pub(super) fn install(spec: &mut PodSpec, platform: &Platform, claim: &str) {
    let user = security::runners_user(spec);
    let args = ["install", RUN_DIR].into_iter().chain(user.map(|_| INSTALL_PRIVATE));
    let install = Container {
        name: names::INSTALL_CONTAINER.to_owned(),
        image: Some(platform.wrapper_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(args.map(str::to_owned).collect()),
        env: Some(vec![variable(ENV_PAYLOAD_DIR, PAYLOAD_DIR), variable(ENV_CLAIM, claim)]),
        resources: Some(install_resources()),
        security_context: Some(hardened(user.unwrap_or(USER))),
        volume_mounts: Some(vec![
            mount(names::RUN_VOLUME, RUN_DIR, false),
            mount(names::PAYLOAD_VOLUME, PAYLOAD_DIR, true),
        ]),
        ..Container::default()
    };
    spec.init_containers.get_or_insert_default().push(install);
}

/// What the install container takes. Below any runner's own, so it costs nothing: a pod needs the larger of the two. The files
/// it writes stay in memory and count.
fn install_resources() -> ResourceRequirements {
    let amounts = |cpu: &str, memory: &str| {
        Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ]))
    };
    ResourceRequirements { requests: amounts("10m", "32Mi"), limits: amounts("500m", "128Mi"), claims: None }
}

fn hardened(user: i64) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(user != 0),
        run_as_user: Some(user),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..SecurityContext::default()
    }
}

fn environment(platform: &Platform, claim: &str, grace: i64) -> Vec<EnvVar> {
    let mut environment: Vec<EnvVar> =
        platform.proxy.iter().map(|(name, value)| variable(name, value)).collect();
    environment.push(variable(ENV_CLAIM, claim));
    environment.push(variable(ENV_POD_GRACE, &grace.to_string()));
    let file = |dir: &str| format!("{dir}/{}", names::CA_KEY);
    if platform.proxy_ca.is_some() {
        environment.push(variable(ENV_PROXY_CA, &file(PROXY_CA_DIR)));
    }
    if platform.github_ca.is_some() {
        environment.push(variable(ENV_GITHUB_CA, &file(GITHUB_CA_DIR)));
    }
    environment
}

fn run_mounts(platform: &Platform) -> Vec<VolumeMount> {
    let mut mounts =
        vec![mount(names::RUN_VOLUME, RUN_DIR, false), mount(names::STOP_VOLUME, STOP_DIR, true)];
    if platform.proxy_ca.is_some() {
        mounts.push(mount(names::PROXY_CA_VOLUME, PROXY_CA_DIR, true));
    }
    if platform.github_ca.is_some() {
        mounts.push(mount(names::GITHUB_CA_VOLUME, GITHUB_CA_DIR, true));
    }
    mounts
}

/// Ours replace variables of the same name.
fn set_env(container: &mut Container, ours: Vec<EnvVar>) {
    let mut all = container.env.take().unwrap_or_default();
    all.retain(|it| !ours.iter().any(|other| other.name == it.name));
    all.extend(ours);
    container.env = Some(all).filter(|it| !it.is_empty());
}

fn add_mounts(container: &mut Container, ours: Vec<VolumeMount>) {
    container.volume_mounts.get_or_insert_default().extend(ours);
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
