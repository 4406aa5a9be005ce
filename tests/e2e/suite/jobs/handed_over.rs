//! What a worker is handed, and what it is not: neither the runner's key nor the wrapper's own variables.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use e2e::tenant::GATE;
use e2e::{Namespace, Tenant, tools};
use handoff::worker::WRAPPER_ENV;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

/// The file of a registration that holds the key.
const KEY_FILE: &str = ".credentials_rsaparams";

/// Looks through every file that a step can read for the text on its standard input, which it turns round so that it
/// does not find itself.
const SEARCH: &str = r#"
needle=$(rev)
find / -path /proc -prune -o -path /sys -prune -o -type f -print 2>/dev/null |
while read -r file; do grep -lF -e "$needle" "$file" 2>/dev/null || true; done
echo searched
"#;

pub async fn the_private_key_is_in_nothing_that_runs_the_job(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script(GATE).await?;
    let pod = tenant.running_pod(run).await?;
    let job = tenant.runner_job(run, "there", |_| true).await?;

    let payload = tenant.namespace.api::<Secret>().get(&format!("{}-payload", job.name_any())).await?;
    let handed = files(text(&payload, "jitconfig")?)?;
    ensure!(handed.keys().eq([".credentials", ".runner"]), "{:?}", handed.keys());

    let key = key_of(&tenant, &job).await?;
    let everything = serde_json::to_string(&payload)?
        + &serde_json::to_string(&tenant.namespace.api::<Pod>().get(&pod).await?)?;
    for form in [key.clone(), BASE64.encode(&key)] {
        ensure!(!everything.contains(&form), "the key stands in the payload or the pod");
    }
    let turned: String = key.chars().rev().collect();
    let exec = ["exec", "-i", "-n", tenant.namespace.name(), &pod, "-c", "runner", "--", "sh", "-c", SEARCH];
    let found = tools::run("kubectl", &exec, &turned).await?;
    ensure!(found.trim() == "searched", "the key stands in {found}");

    tenant.open_gate(&pod).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    Ok(())
}

/// The private exponent of the runner that runs this job, as its agent's Secret has it.
async fn key_of(tenant: &Tenant, job: &RunnerJob) -> Result<String> {
    let secrets = tenant.namespace.api::<Secret>().list(&ListParams::default()).await?;
    let offer = job.spec.broker.as_ref().context("an offer of the broker")?;
    let agent = secrets.iter().find(|it| text(it, "name").is_ok_and(|it| it == offer.agent.name));
    let stored = files(text(agent.context("the agent's Secret")?, "jitconfig")?)?;
    let parameters: Value =
        serde_json::from_slice(stored.get(KEY_FILE).context("the controller keeps the key")?)?;
    Ok(parameters["d"].as_str().context("a private exponent")?.to_owned())
}

fn text<'a>(secret: &'a Secret, key: &str) -> Result<&'a str> {
    let data = secret.data.as_ref().and_then(|it| it.get(key)).with_context(|| format!("no {key}"))?;
    Ok(std::str::from_utf8(&data.0)?)
}

/// The files of a registration.
fn files(blob: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let map: BTreeMap<String, String> = serde_json::from_slice(&BASE64.decode(blob)?)?;
    map.into_iter().map(|(name, content)| Ok((name, BASE64.decode(content)?))).collect()
}

pub async fn a_step_sees_no_variable_of_the_wrapper(namespace: Namespace) -> Result<()> {
    let loud = json!({"name": "runner", "env": [{"name": "LOG_LEVEL", "value": "loud"}, {"name": "MINE", "value": "kept"}]});
    let tenant =
        Tenant::listening(namespace, json!({"podTemplate": {"spec": {"containers": [loud]}}})).await?;
    let run = tenant.start_script("env | sed 's/^/variable: /'").await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}");
    let log = tenant.log(&run).await?;
    let variables: BTreeMap<&str, &str> = log
        .lines()
        .filter(|it| !it.contains("s/^/variable"))
        .filter_map(|it| it.split_once("variable: ")?.1.trim().split_once('='))
        .collect();
    for name in WRAPPER_ENV {
        ensure!(!variables.contains_key(name), "a step sees {name}:\n{log}");
    }
    ensure!(variables.get("MINE") == Some(&"kept") && variables.get("CI") == Some(&"true"), "{log}");
    let job = tenant.settled(run.run_id).await?;
    let trace = job.status.and_then(|it| it.trace_id).context("a trace id")?;
    let parent = variables.get("TRACEPARENT").context("a step can join the trace")?;
    ensure!(
        parent.starts_with(&format!("00-{trace}-")) && parent.ends_with("-01"),
        "{parent} is not of {trace}"
    );
    Ok(())
}
