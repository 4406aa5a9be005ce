//! Our verdict about a pod is the API server's: random pods meet random quotas and LimitRanges, and both are asked.
//!
//! `ADMISSION_CASES` says how many (100), `ADMISSION_SEED` with which seed the first begins (1), the next with the one after it.

mod cases;
mod lane;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use e2e::Namespace;
use futures::future;
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use cases::Classes;
use lane::{Answer, Lane};

/// Cases at a time, each in a namespace: the API server's caches follow what is written within milliseconds, and waiting for
/// them is most of a case.
const LANES: u64 = 6;

pub async fn our_verdict_equals_the_api_servers(namespace: Namespace) -> Result<()> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    };
    let (count, first) = (number("ADMISSION_CASES", 100)?, number("ADMISSION_SEED", 1)?);
    let (client, classes) = (namespace.client(), classes(&namespace));
    create_classes(&client, &classes).await?;
    let lanes = (0..LANES.min(count))
        .map(|lane| run(&namespace, &classes, (first + lane..first + count).step_by(LANES as usize)));
    let outcomes = future::join_all(lanes).await;
    delete_classes(&client, &classes).await?;
    let mut answers: BTreeMap<Answer, u64> = BTreeMap::new();
    for answer in outcomes.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        *answers.entry(answer).or_default() += 1;
    }
    e2e::report::say(&format!("{count} cases, first seed {first}: {answers:?}"));
    let each = [Answer::Created, Answer::Counted, Answer::ExceededQuota, Answer::Refused];
    let missing: Vec<_> = each.iter().filter(|it| !answers.contains_key(it)).collect();
    ensure!(count < 100 || missing.is_empty(), "no case was answered with {missing:?}: {answers:?}");
    Ok(())
}

/// The cases of one lane, one after the other.
async fn run(
    namespace: &Namespace,
    classes: &Classes,
    seeds: impl Iterator<Item = u64>,
) -> Result<Vec<Answer>> {
    let own = Namespace::labelled(namespace.world().clone(), "arithmetic", json!({})).await?;
    let lane = Lane::new(&own, classes);
    let mut answers = Vec::new();
    for seed in seeds {
        let answer = lane.case(seed).await;
        answers.push(answer.with_context(|| format!("again with ADMISSION_CASES=1 ADMISSION_SEED={seed}"))?);
    }
    own.delete().await?;
    Ok(answers)
}

fn classes(namespace: &Namespace) -> Classes {
    let name = namespace.name();
    let priority = ["low", "high"].map(|it| format!("{name}-{it}"));
    Classes { runtime: name.to_owned(), priority }
}

async fn create_classes(client: &Client, classes: &Classes) -> Result<()> {
    let overhead = json!({"podFixed": {"cpu": "250m", "memory": "120Mi"}});
    create::<RuntimeClass>(
        client,
        json!({"metadata": {"name": classes.runtime}, "handler": "none", "overhead": overhead}),
    )
    .await?;
    for name in &classes.priority {
        create::<PriorityClass>(
            client,
            json!({"metadata": {"name": name}, "value": 0, "preemptionPolicy": "Never"}),
        )
        .await?;
    }
    Ok(())
}

async fn create<K>(client: &Client, object: Value) -> Result<()>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object)?;
    Api::<K>::all(client.clone()).create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn delete_classes(client: &Client, classes: &Classes) -> Result<()> {
    let params = DeleteParams::default();
    Api::<RuntimeClass>::all(client.clone()).delete(&classes.runtime, &params).await?;
    for name in &classes.priority {
        Api::<PriorityClass>::all(client.clone()).delete(name, &params).await?;
    }
    Ok(())
}
