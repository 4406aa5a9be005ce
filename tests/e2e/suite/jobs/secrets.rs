//! Secrets stay where they belong: canaries are looked for everywhere else.

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup, RunnerJob};
use e2e::forward::Forward;
use e2e::{Namespace, Tenant, logs};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::ListParams;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub async fn stay_out_of_everything_that_is_kept(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let canary = format!("canary-{}", uuid::Uuid::new_v4().simple());
    let workflow = json!({
        "repository": format!("{}/demo", tenant.account), "workflow": "ci", "secrets": {"CANARY": canary},
        "jobs": {"build": {"runs-on": ["self-hosted", "linux"], "steps": [
            {"run": "echo \"the secret is ${{ secrets.CANARY }}, and its length is ${#CANARY}\"", "env": {"CANARY": "${{ secrets.CANARY }}"}},
        ]}},
    });
    let run = tenant.github.start(&workflow.to_string()).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    tenant.settled(run.run_id).await?;

    let log = tenant.log(&run).await?;
    ensure!(
        log.contains(&format!("its length is {}", canary.len())),
        "the step did not have the secret:\n{log}"
    );
    ensure!(log.contains("the secret is ***"), "the secret is not masked:\n{log}");
    // A line of the App's key as well: it stands in the tenant's Secret and in the controller's memory only.
    let key = tenant.app.private_key.lines().nth(1).context("a key has lines")?.to_owned();
    let canaries = [("the job's secret", canary), ("the App's key", key)];

    let mut places = vec![("the job's log at GitHub".to_owned(), log)];
    everything::<ActionsGateway>(&tenant, &mut places).await?;
    everything::<RunnerGroup>(&tenant, &mut places).await?;
    everything::<RunnerJob>(&tenant, &mut places).await?;
    everything::<Pod>(&tenant, &mut places).await?;
    everything::<Deployment>(&tenant, &mut places).await?;
    everything::<ConfigMap>(&tenant, &mut places).await?;
    everything::<Event>(&tenant, &mut places).await?;
    let controller = tenant.controller().await?;
    for (port, path) in [(8080, "/metrics"), (8081, "/statusz")] {
        let forward = Forward::open(tenant.namespace.name(), &controller.name_any(), port).await?;
        places.push((format!("the controller's {path}"), forward.get(path).await?));
    }
    let folder = tenant.namespace.world().logs.join(tenant.namespace.name());
    let kept = logs::of_namespace(&folder)?;
    ensure!(
        kept.iter().any(|it| it.container == "runner"),
        "no worker's log was kept in {}",
        folder.display()
    );
    places.extend(kept.into_iter().map(|it| (format!("the log of {} {}", it.pod, it.container), it.text)));
    for (place, text) in &places {
        for (what, canary) in &canaries {
            ensure!(!text.contains(canary), "{what} stands in {place}");
        }
    }
    Ok(())
}

async fn everything<K>(tenant: &Tenant, places: &mut Vec<(String, String)>) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let objects = tenant.namespace.api::<K>().list(&ListParams::default()).await?;
    for object in objects {
        let name = format!("{} {}", K::kind(&()), object.meta().name.clone().unwrap_or_default());
        places.push((name, serde_json::to_string(&object)?));
    }
    Ok(())
}
