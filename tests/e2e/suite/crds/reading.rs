//! What a person reads: defaults filled in, columns, explanations.

use anyhow::{Result, ensure};
use e2e::tenant::REACTION;
use e2e::{Namespace, tools, wait};
use serde_json::{Value, json};

use super::objects::{Kind, Writer};

/// A RunnerGroup's defaults, which stand in two kinds.
fn group_defaults() -> Value {
    json!({
        "completedPodTTL": "5m", "evictionRetryDelay": "5s", "maxEvictionRetries": 2, "maxListeners": 1,
        "maxQuotaRetries": 5, "maxWorkerLifetime": "12h", "pendingPodDeadline": "10m", "quotaRetryDelay": "30s",
        "jobHistory": {"succeeded": 20, "failed": 100, "ttl": "24h"},
    })
}

fn merged(mut value: Value, patch: &Value) -> Value {
    json_patch::merge(&mut value, patch);
    value
}

pub async fn defaults_are_filled_in(namespace: Namespace) -> Result<()> {
    let writer = Writer::new(&namespace).await?;
    let mut gateway = Kind::ActionsGateway.minimal();
    gateway["spec"]["runnerGroups"] = json!([{"name": "linux", "runnerLabels": ["linux"]}]);
    gateway["spec"]["tracing"] = json!({});
    let gateway_spec = merged(
        gateway["spec"].clone(),
        &json!({
            "logLevel": "info", "neverStarted": "CompleteJob", "securityProfile": "baseline", "tracing": {"insecure": false},
            "proxy": {"managedNetworkPolicy": true, "minReplicas": 2, "maxReplicas": 10, "targetCPUUtilizationPercentage": 60},
            "runnerGroups": [merged(json!({"name": "linux", "runnerLabels": ["linux"]}), &group_defaults())],
        }),
    );
    let group = Kind::RunnerGroup.minimal();
    let group_spec = merged(group["spec"].clone(), &group_defaults());
    let job = Kind::RunnerJob.minimal();
    let job_spec = job["spec"].clone();

    for (kind, object, wanted) in [
        (Kind::ActionsGateway, gateway, gateway_spec),
        (Kind::RunnerGroup, group, group_spec),
        (Kind::RunnerJob, job, job_spec),
    ] {
        let created = writer.create(kind, &object, true).await?;
        ensure!(created["spec"] == wanted, "{}: {:#}\nwanted {wanted:#}", kind.name(), created["spec"]);
    }
    // A part that is given brings the rest of its defaults along.
    let mut gateway = Kind::ActionsGateway.minimal();
    gateway["spec"]["proxy"] = json!({"maxReplicas": 3});
    let created = writer.create(Kind::ActionsGateway, &gateway, true).await?;
    ensure!(created["spec"]["proxy"]["minReplicas"] == json!(2), "{:#}", created["spec"]);
    Ok(())
}

pub async fn kubectl_get_shows_the_columns(namespace: Namespace) -> Result<()> {
    let writer = Writer::new(&namespace).await?;
    for kind in Kind::ALL {
        writer.create(kind, &kind.minimal(), false).await?;
    }
    let short = "NAME READY REASON AGE\nNAME MAXLISTENERS ACTIVESESSIONS ACTIVEJOBS PENDINGJOBS READY WITHHELD AGE\n\
                 NAME REPOSITORY JOB PHASE REASON AGE POD";
    let wide = "NAME READY REASON URL OBSERVEDGEN AGE\n\
                NAME MAXLISTENERS ACTIVESESSIONS ACTIVEJOBS PENDINGJOBS READY WITHHELD REASON OBSERVEDGEN AGE\n\
                NAME REPOSITORY JOB PHASE REASON AGE POD RUN NODE";
    for (output, wanted) in [("", short), ("wide", wide)] {
        let seen =
            tools::run("kubectl", &["get", "ag,rg,rj", "-n", namespace.name(), "-o", output], "").await?;
        let headers: Vec<_> = seen
            .lines()
            .filter(|line| line.starts_with("NAME "))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        ensure!(headers.join("\n") == wanted, "-o {output:?} shows\n{seen}\nwanted the headers\n{wanted}");
    }
    let category =
        tools::run("kubectl", &["get", "actions-gateway", "-n", namespace.name(), "-o", "name"], "").await?;
    ensure!(category.lines().count() >= Kind::ALL.len(), "the category actions-gateway shows\n{category}");
    Ok(())
}

pub async fn kubectl_explains_the_fields(namespace: Namespace) -> Result<()> {
    namespace.world().definitions().await?;
    for (field, words) in [
        ("ag.spec.gitHubURL", "where the runners register"),
        ("ag.spec.runnerGroups.maxWorkers", "how many workers"),
        ("rg.spec.podTemplate", "parsed strictly"),
        ("rj.status.failureReason", "closed list"),
    ] {
        // The API server takes a moment to publish what a new definition says.
        wait::eventually("the field is explained", REACTION, || async {
            let text = tools::run("kubectl", &["explain", field], "").await?;
            let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            ensure!(flowing.contains(words), "{field} is explained without {words:?}:\n{text}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
