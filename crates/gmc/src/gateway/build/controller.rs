//! The tenant's controller (AGC): one replica, its own account, credentials as files.

use std::collections::BTreeMap;

use api::{labels, names};
use handoff::agc::{APP_ID, CREDENTIALS_DIR, HEALTH_PORT, INSTALLATION_ID, METRICS_PORT, PRIVATE_KEY};
use handoff::pod::{GITHUB_CA_DIR, USER};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, HTTPGetAction, KeyToPath,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::ObjectMeta;

use super::env::environment;
use super::{child_labels, controller_metadata, controller_selector};
use crate::gateway::validate::Gateway;

const HEALTH: &str = "health";

/// Owner and group may read: the group is `USER`, by `fsGroup`.
const GROUP_READABLE: i32 = 0o440;

/// Time to delete sessions, finish writes in hand and flush spans, with room to spare.
const GRACE_SECONDS: i64 = 30;

const CREDENTIALS_VOLUME: &str = "github-app";

pub(super) fn deployment(gateway: &Gateway) -> Deployment {
    Deployment {
        metadata: controller_metadata(gateway),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            // Two controllers of one namespace would fight over sessions: the old one ends first.
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            selector: LabelSelector { match_labels: Some(controller_selector()), match_expressions: None },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels(gateway)), ..ObjectMeta::default() }),
                spec: Some(pod(gateway)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod_labels(gateway: &Gateway) -> BTreeMap<String, String> {
    let mut pod_labels = child_labels(gateway);
    pod_labels.extend(controller_selector());
    pod_labels.insert(labels::COMPONENT.to_owned(), labels::AGC.to_owned());
    pod_labels
}

fn pod(gateway: &Gateway) -> PodSpec {
    PodSpec {
        service_account_name: Some(names::CONTROLLER.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(gateway)],
        volumes: Some(volumes(gateway)),
        ..PodSpec::default()
    }
}

fn container(gateway: &Gateway) -> Container {
    Container {
        name: "agc".to_owned(),
        image: Some(gateway.platform.agc_image.clone()),
        image_pull_policy: Some(gateway.platform.image_pull_policy.clone()),
        env: Some(environment(gateway)),
        ports: Some(vec![port(names::METRICS_PORT, METRICS_PORT), port(HEALTH, HEALTH_PORT)]),
        // A start lists what the last controller left before it is ready; a minute is plenty.
        startup_probe: Some(probe("/healthz", 1, 60)),
        liveness_probe: Some(probe("/healthz", 20, 3)),
        readiness_probe: Some(probe("/readyz", 5, 3)),
        resources: Some(resources()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(gateway)),
        ..Container::default()
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(HEALTH.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

/// A thousand TLS sessions fit into 64 MiB; no CPU limit, since throttling would delay a claim.
fn resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| {
        Some(
            pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect(),
        )
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "10m"), ("memory", "64Mi")]),
        limits: quantities(&[("memory", "256Mi")]),
        claims: None,
    }
}

/// The Secret is optional, so that a missing one is a condition that the controller reports and mends by itself,
/// not a pod that never starts. The CA bundle is not: without it every call to GitHub would fail.
fn volumes(gateway: &Gateway) -> Vec<Volume> {
    let credentials = Volume {
        name: CREDENTIALS_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(gateway.credentials_secret.clone()),
            items: Some([APP_ID, INSTALLATION_ID, PRIVATE_KEY].map(key).to_vec()),
            default_mode: Some(GROUP_READABLE),
            optional: Some(true),
        }),
        ..Volume::default()
    };
    let ca = gateway.github_ca.as_ref().map(|config_map| Volume {
        name: names::GITHUB_CA_VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.clone(),
            items: Some(vec![key(names::CA_KEY)]),
            default_mode: Some(GROUP_READABLE),
            optional: Some(false),
        }),
        ..Volume::default()
    });
    std::iter::once(credentials).chain(ca).collect()
}

/// A key under its own name: nothing else of the object is mounted.
fn key(name: &str) -> KeyToPath {
    KeyToPath { key: name.to_owned(), path: name.to_owned(), mode: None }
}

fn mounts(gateway: &Gateway) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let ca = gateway.github_ca.as_ref().map(|_| mount(names::GITHUB_CA_VOLUME, GITHUB_CA_DIR));
    std::iter::once(mount(CREDENTIALS_VOLUME, CREDENTIALS_DIR)).chain(ca).collect()
}
