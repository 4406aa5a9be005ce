//! The write blocker: for one kind of write of one namespace's controller the API server refuses the request before
//! anything is stored, as when it is overloaded, or holds it for a while and then carries it out.
//!
//! It is a validating webhook without a server. With failure policy `Fail` and an address that refuses connections, the
//! write gets a 500 at once; with `Ignore` and a black hole, an address that accepts and never answers, the write waits,
//! and is carried out when the black hole is closed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::names;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::node_agent::{self, NodeAgent};
use crate::{Namespace, wait};

/// For the API server to notice a change of its webhooks, and for a black hole to listen.
const EFFECTIVE: Duration = Duration::from_secs(20);
/// A port that nobody listens on, on the API server's own machine.
const NOBODY: &str = "https://127.0.0.1:9/";
/// Name of the ConfigMap whose dry run shows whether the blocker is in effect; it is never stored.
const PROBE: &str = "write-blocker-probe";

/// Takes one connection, passes on what comes, never answers; ends when its input does.
const SILENT_LISTENER: &str = r#"
sleep 60 2>/dev/null | busybox nc -l -p "$1" &
until grep -qi "$(printf ':%04x 0*:0000 0A' "$1")" /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done
echo listening
read -r _ || kill $!
"#;

/// A kind of write.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// `CREATE`, `UPDATE` (also what a PATCH comes to) or `DELETE`.
    pub operation: &'static str,
    /// API group; empty for the core.
    pub group: &'static str,
    /// Such as `pods` or `runnerjobs/status`.
    pub resource: &'static str,
}

/// A blocker in effect. It is removed with this value at the latest.
pub struct WriteBlocker {
    name: String,
    namespace: Namespace,
    black_hole: Option<BlackHole>,
    removed: bool,
}

impl WriteBlocker {
    /// Makes the API server answer 500 to this write of the namespace's controller.
    pub async fn refuse(namespace: &Namespace, write: Write) -> Result<Self> {
        Self::build(namespace, write, "Fail", NOBODY.to_owned(), None).await
    }

    /// Makes the API server hold the next such write of the namespace's controller.
    pub async fn hold(namespace: &Namespace, write: Write, agent: &NodeAgent) -> Result<Self> {
        let black_hole = BlackHole::start(agent).await?;
        Self::build(namespace, write, "Ignore", black_hole.url.clone(), Some(black_hole)).await
    }

    async fn build(
        namespace: &Namespace,
        write: Write,
        failure_policy: &str,
        url: String,
        black_hole: Option<BlackHole>,
    ) -> Result<Self> {
        let name = format!("write-blocker-{}", namespace.name());
        let webhooks =
            [probe_webhook(namespace.name()), webhook(namespace.name(), write, failure_policy, &url)];
        let object: ValidatingWebhookConfiguration =
            serde_json::from_value(json!({"metadata": {"name": name}, "webhooks": webhooks}))?;
        let blocker = Self { name, namespace: namespace.clone(), black_hole, removed: false };
        blocker.api().create(&PostParams::default(), &object).await.context("creating the webhook")?;
        wait::eventually("the write blocker is in effect", EFFECTIVE, || async {
            match blocker.probe().await {
                Err(kube::Error::Api(status)) if status.code == 500 => Ok(()),
                Err(error) => Err(error.into()),
                Ok(_) => bail!("the probe went through"),
            }
        })
        .await?;
        Ok(blocker)
    }

    /// Waits until a write is held.
    pub async fn held(&mut self, limit: Duration) -> Result<()> {
        let black_hole = self.black_hole.as_mut().context("this blocker holds no writes")?;
        timeout(limit, black_hole.heard.recv()).await.context("no write was held")?.context("kubectl ended")
    }

    /// Removes the blocker, and lets what is held pass first. Returns when that is in effect.
    pub async fn remove(mut self) -> Result<()> {
        self.removed = true;
        drop(self.black_hole.take());
        self.api().delete(&self.name, &DeleteParams::default()).await.context("deleting the webhook")?;
        let probe = || async { self.probe().await.map(drop).context("the probe is refused") };
        wait::eventually("the write blocker is removed", EFFECTIVE, probe).await
    }

    fn api(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.namespace.client())
    }

    async fn probe(&self) -> Result<ConfigMap, kube::Error> {
        let object = ConfigMap {
            metadata: kube::core::ObjectMeta { name: Some(PROBE.to_owned()), ..Default::default() },
            ..Default::default()
        };
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.namespace.api::<ConfigMap>().create(&params, &object).await
    }
}

impl Drop for WriteBlocker {
    fn drop(&mut self) {
        if !self.removed {
            // A test that failed: what is left of it must not hinder the end of its namespace.
            let delete = ["delete", "validatingwebhookconfiguration", &self.name, "--wait=false"];
            let _ = Command::new("kubectl").args(delete).stdout(Stdio::null()).status();
        }
    }
}

/// The webhook that the probe runs into: it comes and goes with the other one.
fn probe_webhook(namespace: &str) -> Value {
    let rule = json!({"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["configmaps"]});
    let condition = format!("request.name == '{PROBE}' || object.metadata.name == '{PROBE}'");
    entry("probe", namespace, rule, &condition, "Fail", NOBODY)
}

fn webhook(namespace: &str, write: Write, failure_policy: &str, url: &str) -> Value {
    let rule = json!({
        "apiGroups": [write.group], "apiVersions": ["*"],
        "operations": [write.operation], "resources": [write.resource],
    });
    let controller = names::CONTROLLER;
    let by_controller =
        format!("request.userInfo.username == 'system:serviceaccount:{namespace}:{controller}'");
    // A dry run would be held in place of the write that is meant.
    let held = failure_policy == "Ignore";
    let condition = if held {
        format!("{by_controller} && !(has(request.dryRun) && request.dryRun)")
    } else {
        by_controller
    };
    entry("block", namespace, rule, &condition, failure_policy, url)
}

fn entry(
    name: &str,
    namespace: &str,
    rule: Value,
    condition: &str,
    failure_policy: &str,
    url: &str,
) -> Value {
    json!({
        "name": format!("{name}.write-blocker.e2e.test"),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 30,
        "failurePolicy": failure_policy,
        "clientConfig": {"url": url},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [rule],
        "matchConditions": [{"name": "meant", "expression": condition}],
    })
}

/// Accepts one connection and never answers. The API server gives up on it after ten seconds.
struct BlackHole {
    kubectl: Child,
    url: String,
    heard: mpsc::Receiver<()>,
}

impl BlackHole {
    async fn start(agent: &NodeAgent) -> Result<Self> {
        let (pod, address) = agent.any().await?;
        // Beyond what nodes hand out, and rarely the same for two tests.
        let port = 10_000 + uuid::Uuid::new_v4().as_fields().1 % 20_000;
        let mut kubectl = Command::new("kubectl")
            .args(["exec", "-i", "-n", node_agent::NAMESPACE, &pod, "--", "sh", "-c", SILENT_LISTENER, "sh"])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("kubectl cannot be run: is it on PATH?")?;
        let stdout = kubectl.stdout.take().context("a piped child has an output")?;
        let (tell, heard) = mpsc::channel(2);
        std::thread::spawn(move || -> std::io::Result<()> {
            let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
            if stdout.read_line(&mut line)? > 0 {
                let _ = tell.blocking_send(()); // it listens
            }
            stdout.read_exact(&mut [0])?; // the first byte of a request
            let _ = tell.blocking_send(());
            std::io::copy(&mut stdout, &mut std::io::sink()).map(drop)
        });
        let mut black_hole = Self { kubectl, url: format!("https://{address}:{port}/"), heard };
        timeout(EFFECTIVE, black_hole.heard.recv())
            .await
            .context("nobody listens")?
            .context("kubectl ended")?;
        Ok(black_hole)
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        drop(self.kubectl.stdin.take());
        let _ = self.kubectl.wait();
    }
}
