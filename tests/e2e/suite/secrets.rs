//! No secret of the run stands in anything that is kept of it: logs, objects, Events, statuses, metrics, the audit log.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use e2e::canaries::Canaries;
use e2e::github::{self, GitHub};
use e2e::tenant::REACTION;
use e2e::world::SYSTEM;
use e2e::{Namespace, World, artifacts, wait};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::PostParams;
use serde_json::json;

/// Kinds of secrets that a run of the whole suite hands out: were one missing, nothing would be proven about it.
const KINDS: [&str; 7] =
    ["app-key", "app-jwt", "installation-token", "jit-config", "runner-token", "job-token", "workflow-mask"];

pub async fn are_in_no_artifact(namespace: Namespace) -> Result<()> {
    let world = namespace.world();
    let github = world.github().await?;
    let planted = plant(&namespace, github).await?;
    for place in [namespace.name(), SYSTEM, github::NAMESPACE] {
        artifacts::collect(world, place).await?;
    }

    let secrets = of_this_run(world, github).await?;
    let kinds: BTreeSet<&str> =
        secrets.iter().map(|(name, _)| name.split(' ').next().unwrap_or(name)).collect();
    let missing: Vec<_> = KINDS.iter().filter(|it| !kinds.contains(*it)).collect();
    ensure!(missing.is_empty(), "a run of the whole suite hands out {missing:?} as well; here are {kinds:?}");
    let canaries = Canaries::new(secrets)?;
    let mut found = BTreeSet::new();
    for file in places(world)? {
        let names = canaries.in_file(&file)?;
        found.extend(names.into_iter().map(|name| format!("{name} in {}", file.display())));
    }
    let (own, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.contains(namespace.name()));
    for place in planted {
        ensure!(
            own.iter().any(|it| it.contains(&place)),
            "the search does not even find what was put into {place}"
        );
    }
    ensure!(others.is_empty(), "of {} parts of secrets there stand\n{}", canaries.count(), others.join("\n"));
    Ok(())
}

/// Puts the key of an App where it must be found: into an object, a pod's arguments and a log. Returns how each of the
/// kept files is called.
async fn plant(namespace: &Namespace, github: &GitHub) -> Result<[String; 3]> {
    let app = github.create_app(namespace.name()).await?;
    let world = namespace.world();
    let image = format!("{}:{}", world.environment.repository("runner"), world.environment.tag()?);
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "planted"}, "data": {"key": app.private_key}}))?;
    namespace.api().create(&PostParams::default(), &map).await?;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "planted"},
        "spec": {"restartPolicy": "Never", "containers": [{
            "name": "planted", "image": image, "imagePullPolicy": "IfNotPresent",
            "command": ["echo", app.private_key],
        }]},
    }))?;
    namespace.api().create(&PostParams::default(), &pod).await?;
    wait::eventually("what was planted is kept", REACTION, || async {
        let folder = world.logs.join(namespace.name());
        let log = artifacts::files(&folder)?.into_iter().next().context("no log yet")?;
        ensure!(std::fs::read_to_string(log)?.contains("END"), "it is not all there yet");
        Ok(())
    })
    .await?;
    Ok(["ConfigMap..json", "Pod..json", "planted.planted."].map(str::to_owned))
}

/// All secrets that were handed out in this run, by kind and account.
async fn of_this_run(world: &World, github: &GitHub) -> Result<Vec<(String, String)>> {
    let mut secrets = Vec::new();
    for account in accounts(world)? {
        let all = github.secrets(&account).await?;
        secrets.extend(all.into_iter().map(|it| (format!("{} of {account}", it.kind), it.value)));
    }
    Ok(secrets)
}

/// The accounts of all tests: each is called like its test's namespace.
fn accounts(world: &World) -> Result<Vec<String>> {
    let names =
        std::fs::read_dir(&world.objects)?.map(|it| Ok(it?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Every file that is kept of the run, and what the API server wrote down of it where that can be had.
fn places(world: &World) -> Result<Vec<PathBuf>> {
    let mut places = [artifacts::files(&world.logs)?, artifacts::files(&world.objects)?].concat();
    let pages = |word: &str| places.iter().any(|it| it.to_string_lossy().ends_with(word));
    ensure!(pages(".metrics.txt") && pages(".statusz.txt"), "no page of a controller was kept");
    places.extend(world.environment.audit_log().ok().map(Into::into));
    Ok(places)
}
