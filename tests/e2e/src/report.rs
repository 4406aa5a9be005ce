//! What a person would look at first when a test has failed.

use std::fmt::Write as _;
use std::io::Write as _;

use api::{ActionsGateway, RunnerGroup, RunnerJob};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Namespace, World, logs};

/// Lines of each log that are shown.
const TAIL: usize = 40;

/// A line for whoever started the suite.
pub fn say(line: &str) {
    // Nobody listens any more: there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Objects, pods, Events and logs of a test's namespace.
pub async fn of(namespace: &Namespace) -> String {
    of_namespace(namespace.world(), namespace.name()).await
}

/// Objects, pods, Events and logs of any namespace.
pub async fn of_namespace(world: &World, namespace: &str) -> String {
    let mut text = format!("──── namespace {namespace}\n");
    let client = &world.client;
    objects::<ActionsGateway>(client, namespace, "ActionsGateways", &mut text).await;
    objects::<RunnerGroup>(client, namespace, "RunnerGroups", &mut text).await;
    objects::<RunnerJob>(client, namespace, "RunnerJobs", &mut text).await;
    pods(client, namespace, &mut text).await;
    events(client, namespace, &mut text).await;
    ends_of_logs(world, namespace, &mut text);
    text
}

async fn objects<K>(client: &Client, namespace: &str, title: &str, text: &mut String)
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    for mut object in list {
        object.managed_fields_mut().clear();
        let yaml = serde_yaml::to_string(&object).unwrap_or_default();
        let _ = writeln!(text, "──── {title}: {}\n{yaml}", object.name_any());
    }
}

async fn pods(client: &Client, namespace: &str, text: &mut String) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    for pod in list {
        let status = pod.status.clone().unwrap_or_default();
        let phase = status.phase.unwrap_or_default();
        let _ = writeln!(text, "──── pod {} {phase} {}", pod.name_any(), status.message.unwrap_or_default());
        let inits = status.init_container_statuses.into_iter().flatten();
        for container in inits.chain(status.container_statuses.into_iter().flatten()) {
            let _ = writeln!(text, "       {}", state_of(&container));
        }
    }
}

fn state_of(container: &ContainerStatus) -> String {
    let state = container.state.as_ref().map(|it| serde_json::to_string(it).unwrap_or_default());
    format!("{} restarts {} {}", container.name, container.restart_count, state.unwrap_or_default())
}

async fn events(client: &Client, namespace: &str, text: &mut String) {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    let _ = writeln!(text, "──── Events");
    for event in list {
        let about = event.involved_object;
        let _ = writeln!(
            text,
            "  {} {} {}/{}: {}",
            event.type_.unwrap_or_default(),
            event.reason.unwrap_or_default(),
            about.kind.unwrap_or_default(),
            about.name.unwrap_or_default(),
            event.message.unwrap_or_default()
        );
    }
}

fn ends_of_logs(world: &World, namespace: &str, text: &mut String) {
    let Ok(logs) = logs::of_namespace(&world.logs.join(namespace)) else { return };
    for log in logs {
        let lines: Vec<&str> = log.text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        let _ = writeln!(text, "──── log of {} {} ({} lines)\n{tail}", log.pod, log.container, lines.len());
    }
}
