//! Secrets stay where they belong. What is kept of the whole run is looked through at its end (`crate::secrets`); this
//! is what a step can see.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use api::RunnerJob;
use e2e::canaries::parts_of;
use e2e::github::Run;
use e2e::tenant::{GATE, condition};
use e2e::{Namespace, Tenant, tools};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};

/// Looks for what stands, mangled, in a file that the test brings: in every file, environment and command line. It
/// plants one of each itself, so that finding nothing else means something.
const LOOK: &str = r#"
needles() { tr A-Za-z N-ZA-Mn-za-m < /tmp/mangled; }
look() { needles | grep -lzF -f - "$@" 2>/dev/null || true; }
one=$(needles | head -n 1)
echo "$one" > /tmp/planted
env PLANTED="$one" sleep 60 &
until test -n "$(look /proc/$!/environ)"; do sleep 0.1; done
sh -c 'sleep 60; true' "$one" &
until test -n "$(look /proc/$!/cmdline)"; do sleep 0.1; done
unset one
find / -path /proc -prune -o -path /sys -prune -o -type f -print > /tmp/files 2>/dev/null || true
grep -q /run/actions-gateway/ /tmp/files
while read -r file; do look "$file"; done < /tmp/files | sed 's/^/found: /'
look /proc/[0-9]*/environ /proc/[0-9]*/cmdline | sed 's/^/found: /'
find /run/actions-gateway /run/secrets -type f 2>/dev/null | sed 's/^/left: /' || true
"#;

/// Where the step finds what it has planted.
const PLANTED: [&str; 3] = ["/proc/N/cmdline", "/proc/N/environ", "/tmp/planted"];

pub async fn a_step_finds_only_its_own(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let canary = format!("canary-{}", uuid::Uuid::new_v4().simple());
    let shown = "echo \"the secret is ${{ secrets.CANARY }}, and its length is ${#CANARY}\"";
    let workflow = json!({
        "repository": format!("{}/demo", tenant.account), "workflow": "ci", "secrets": {"CANARY": canary},
        "jobs": {"build": {"runs-on": ["self-hosted", "linux"], "steps": [
            {"run": format!("{GATE}\n{LOOK}")},
            {"run": shown, "env": {"CANARY": "${{ secrets.CANARY }}"}},
        ]}},
    });
    let run = tenant.github.start(&workflow.to_string()).await?;
    let pod = tenant.running_pod(run).await?;
    let job = tenant.runner_job(run, "there", |_| true).await?;
    let secrets = [claimed(&tenant, &job).await?, vec![canary.clone()]].concat();
    bring(&tenant, &pod, &secrets).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}\n{}", tenant.log(&run).await?);

    let log = tenant.log(&run).await?;
    let mut found: Vec<String> = after(&log, "found: ").map(without_numbers).collect();
    found.sort();
    ensure!(found == PLANTED, "a step finds secrets in {found:#?}");
    let left: Vec<&str> = after(&log, "left: ").collect();
    ensure!(left == ["/run/actions-gateway/worker"], "a step finds {left:#?}");
    ensure!(log.contains(&format!("its length is {}", canary.len())), "the step has no secret:\n{log}");
    ensure!(log.contains("the secret is ***") && !log.contains(&canary), "it is not masked:\n{log}");
    is_succeeded(&tenant, &run).await
}

/// The registration and the token that the job was handed to its worker with.
async fn claimed(tenant: &Tenant, job: &RunnerJob) -> Result<Vec<String>> {
    let payload = tenant.namespace.api::<Secret>().get(&format!("{}-payload", job.name_any())).await?;
    let data: BTreeMap<String, _> = payload.data.context("a Secret has data")?;
    let text = |key: &str| Some(String::from_utf8_lossy(&data.get(key)?.0).into_owned());
    let message: Value = serde_json::from_str(&text("payload").context("a payload")?)?;
    let token = "/resources/endpoints/0/authorization/parameters/AccessToken";
    let token = message.pointer(token).and_then(Value::as_str).context("the message holds a token")?;
    Ok(vec![text("jitconfig").context("a registration")?, token.to_owned()])
}

/// Puts the secrets' parts into the worker, mangled, and lets the step begin.
async fn bring(tenant: &Tenant, pod: &str, secrets: &[String]) -> Result<()> {
    let parts: Vec<String> = secrets.iter().flat_map(|it| parts_of(it)).map(mangled).collect();
    let take = ["sh", "-c", "cat > /tmp/mangled; : > /tmp/gate"];
    let exec = ["exec", "-i", "-n", tenant.namespace.name(), pod, "-c", "runner", "--"];
    tools::run("kubectl", &[&exec[..], &take].concat(), &format!("{}\n", parts.join("\n"))).await.map(drop)
}

/// Each letter thirteen further on, so that the list itself is not found.
fn mangled(text: &str) -> String {
    let turn = |it: char, first: u8| char::from((it as u8 - first + 13) % 26 + first);
    let mangle = |it: char| match it {
        'a'..='z' => turn(it, b'a'),
        'A'..='Z' => turn(it, b'A'),
        other => other,
    };
    text.chars().map(mangle).collect()
}

/// How the runner colours the lines of a script, which it shows before it runs it.
const SCRIPT: &str = "\u{1b}[36;1m";

/// What stands behind this word, on each line that has it and was printed by the step.
pub(super) fn after<'a>(log: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    log.lines()
        .filter(|it| !it.contains(SCRIPT))
        .filter_map(move |line| line.split_once(word))
        .map(|(_, it)| it.trim())
}

fn without_numbers(path: &str) -> String {
    let part = |it: &str| if it.parse::<u32>().is_ok() { "N".to_owned() } else { it.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn is_succeeded(tenant: &Tenant, run: &Run) -> Result<()> {
    let job = tenant.settled(run.run_id).await?;
    let status = job.status.context("a status")?;
    ensure!(condition(&status.conditions, "Complete")?.reason == "Succeeded", "{status:#?}");
    Ok(())
}
