//! Nodes, kubelets and runners in one task: pods that the controller makes run, and end when jobs are to end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::github::{Http, send};
use crate::world::NAMESPACE;

/// Pods that are moved on at the same time.
const AT_ONCE: usize = 4;

/// Moves pods on while it lives. Clones are the same one.
#[derive(Clone)]
pub struct Kubelet {
    pods: Api<Pod>,
    secrets: Api<Secret>,
    http: Http,
    finishing: Arc<AtomicBool>,
}

impl Kubelet {
    /// Starts one whose jobs end as soon as they have begun.
    pub fn start(client: &Client, http: Http) -> Self {
        let kubelet = Self {
            pods: Api::namespaced(client.clone(), NAMESPACE),
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            http,
            finishing: Arc::new(AtomicBool::new(true)),
        };
        tokio::spawn(kubelet.clone().run());
        kubelet
    }

    /// Jobs that begin from now on go on for ever.
    pub fn keep_running(&self) {
        self.finishing.store(false, Ordering::Relaxed);
    }

    async fn run(self) {
        let mut seen = BTreeSet::new();
        let new = watcher(self.pods.clone(), watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .filter_map(async |it| it.ok())
            .filter(move |pod| {
                let new = pod.metadata.deletion_timestamp.is_none() && seen.insert(pod.uid());
                std::future::ready(new)
            });
        let moved = new.map(Ok::<Pod, anyhow::Error>).try_for_each_concurrent(AT_ONCE, |pod| {
            let kubelet = self.clone();
            async move {
                if let Err(error) = kubelet.advance(&pod).await {
                    // The phase that waits for this pod says so when its patience ends.
                    eprintln!("the pod {} could not be moved on: {error:#}", pod.name_any());
                }
                Ok(())
            }
        });
        let _ = moved.await;
    }

    async fn advance(&self, pod: &Pod) -> Result<()> {
        let name = pod.name_any();
        let now = Timestamp::now();
        self.write(&name, "Running", json!({ "running": { "startedAt": seconds(now) } })).await?;
        if self.finishing.load(Ordering::Relaxed) {
            self.complete(pod).await?;
            let report = json!({ "v": 1, "result": "succeeded", "exit": 100, "stopped": false }).to_string();
            let terminated = json!({
                "exitCode": 0, "startedAt": seconds(now), "finishedAt": seconds(Timestamp::now()), "message": report,
            });
            self.write(&name, "Succeeded", json!({ "terminated": terminated })).await?;
        }
        Ok(())
    }

    async fn write(&self, name: &str, phase: &str, state: Value) -> Result<()> {
        let scheduled = json!({ "type": "PodScheduled", "status": "True", "lastTransitionTime": seconds(Timestamp::now()) });
        let container = json!({
            "name": "runner", "image": "bench", "imageID": "bench", "ready": false, "restartCount": 0, "state": state,
        });
        let patch = json!({ "status": { "phase": phase, "conditions": [scheduled], "containerStatuses": [container] } });
        self.pods.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// What the runner in the pod tells GitHub at its end.
    async fn complete(&self, pod: &Pod) -> Result<()> {
        let name = payload_secret(pod).context("a worker mounts its payload")?;
        let secret = self.secrets.get(&name).await?;
        let payload = secret.data.as_ref().and_then(|it| it.get("payload")).context("a plain payload")?;
        let job: Value = serde_json::from_slice(&payload.0)?;
        let endpoints = job["resources"]["endpoints"].as_array().context("endpoints")?;
        let service =
            endpoints.iter().find(|it| it["name"] == "SystemVssConnection").context("a connection")?;
        let token = service["authorization"]["parameters"]["AccessToken"].as_str().context("a token")?;
        let base = service["url"].as_str().context("an address")?.trim_end_matches('/');
        let body =
            json!({ "planId": job["plan"]["planId"], "jobId": job["jobId"], "conclusion": "succeeded" });
        let headers = [
            ("authorization", &*format!("Bearer {token}")),
            ("content-type", "application/json; charset=utf-8"),
        ];
        send(
            &self.http,
            Method::POST,
            &format!("{base}/completejob"),
            &headers,
            Bytes::from(body.to_string()),
        )
        .await?;
        Ok(())
    }
}

/// The only Secret that a worker mounts.
fn payload_secret(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    volumes.iter().find_map(|it| it.secret.as_ref()?.secret_name.clone())
}

/// As Kubernetes writes times.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
