//! PriorityClasses by the number of workers, and which of them the platform allows.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use api::{ActionsGateway, RunnerGroup};
use e2e::tenant::GATE;
use e2e::world::SYSTEM;
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// What the admission policy goes by.
const LISTS: &str = "actions-gateway-priority-classes";
/// For the API server to notice that the lists have changed.
const NOTICED: Duration = Duration::from_secs(30);

pub async fn the_first_workers_have_the_first_class(namespace: Namespace) -> Result<()> {
    let classes: Api<PriorityClass> = Api::all(namespace.client());
    let names = ["first", "next"].map(|it| format!("{}-{it}", namespace.name()));
    for (name, value) in names.iter().zip([100, 50]) {
        let class =
            PriorityClass { value: Some(value), preemption_policy: Some("Never".to_owned()), ..named(name) };
        classes.create(&PostParams::default(), &class).await?;
    }
    let outcome = by_tiers(namespace, &names).await;
    for name in &names {
        classes.delete(name, &DeleteParams::default()).await?;
    }
    outcome
}

fn named(name: &str) -> PriorityClass {
    let metadata = kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() };
    PriorityClass { metadata, ..PriorityClass::default() }
}

async fn by_tiers(namespace: Namespace, names: &[String; 2]) -> Result<()> {
    let [first, next] = names;
    let tiers =
        json!([{"priorityClassName": first, "threshold": 1}, {"priorityClassName": next, "threshold": 3}]);
    let tenant = Tenant::listening(namespace, json!({"priorityTiers": tiers})).await?;
    let mut gates = Vec::new();
    for (class, priority) in [(first, 100), (next, 50), (next, 50)] {
        let run = tenant.start_script(GATE).await?;
        let worker = tenant.running_pod(run).await?;
        let spec = tenant.namespace.api::<Pod>().get(&worker).await?.spec.unwrap_or_default();
        let has = (spec.priority_class_name.as_ref(), spec.priority);
        ensure!(has == (Some(class), Some(priority)), "worker {} has {has:?}", gates.len() + 1);
        gates.push((run, worker));
    }
    for (run, worker) in gates {
        tenant.open_gate(&worker).await?;
        let run = tenant.completed(run).await?;
        ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    }
    Ok(())
}

/// Alone: the lists are everybody's.
pub async fn only_allowed_classes_are_admitted(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    let lists: Api<ConfigMap> = Api::namespaced(tenant.namespace.client(), SYSTEM);
    let set = |allowed: &str| {
        let patch = json!({"data": {"allowed": allowed, "reserved": "e2e-infra"}});
        let lists = lists.clone();
        async move { lists.patch(LISTS, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop) }
    };
    set("e2e-ci,e2e-infra").await?;
    let outcome = judged(&tenant).await;
    lists
        .patch(
            LISTS,
            &PatchParams::default(),
            &Patch::Merge(json!({"data": {"allowed": "", "reserved": ""}})),
        )
        .await?;
    outcome
}

async fn judged(tenant: &Tenant) -> Result<()> {
    let tier = |class: &str| json!({"priorityTiers": [{"priorityClassName": class, "threshold": 1}]});
    let template =
        |class: &str| json!({"podTemplate": {"spec": {"priorityClassName": class, "containers": []}}});
    wait::eventually("the lists are in effect", NOTICED, || async {
        let answer = gateway_with(tenant, tier("e2e-other")).await;
        ensure!(answer.is_err(), "it is admitted");
        Ok(())
    })
    .await?;
    for class in ["e2e-other", "e2e-infra", "system-cluster-critical"] {
        for fields in [tier(class), template(class)] {
            forbidden(gateway_with(tenant, fields.clone()).await, class)?;
            forbidden(group_with(tenant, fields).await, class)?;
        }
    }
    for fields in [tier("e2e-ci"), template("e2e-ci"), json!({})] {
        gateway_with(tenant, fields.clone()).await?;
        group_with(tenant, fields).await?;
    }
    Ok(())
}

fn forbidden(answer: kube::Result<()>, class: &str) -> Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(class) => Ok(()),
        other => bail!("expected 403 that names {class}, got {other:?}"),
    }
}

/// What the API server says to a gateway whose group has these fields; nothing is stored.
async fn gateway_with(tenant: &Tenant, fields: Value) -> kube::Result<()> {
    let gateway = tenant.gateway(fields);
    let dry = PatchParams::apply("e2e-tenant").force().dry_run();
    let api = tenant.namespace.api::<ActionsGateway>();
    api.patch(e2e::tenant::GATEWAY, &dry, &Patch::Apply(&gateway)).await.map(drop)
}

/// The same of a group that is written by hand.
async fn group_with(tenant: &Tenant, fields: Value) -> kube::Result<()> {
    let mut spec = json!({"runnerLabels": ["linux"]});
    json_patch::merge(&mut spec, &fields);
    let group = json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup",
        "metadata": {"name": "by-hand"}, "spec": spec,
    });
    let dry = PatchParams::apply("e2e-tenant").force().dry_run();
    tenant.namespace.api::<RunnerGroup>().patch("by-hand", &dry, &Patch::Apply(&group)).await.map(drop)
}
