//! The artifacts of a test: files with what a reader of the API could see of its namespace (all objects but Secrets) and
//! with the metrics and status pages of its controllers. The search for leaked secrets goes through them afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::names;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, ResourceExt as _};

use crate::World;

/// Lists under way at once.
const AT_ONCE: usize = 8;
/// A controller that has not answered by then is not there.
const PAGE: Duration = Duration::from_secs(5);
/// Port and path of the pages that each of our programs serves.
const PAGES: [(u16, &str); 2] = [(8080, "metrics"), (8081, "statusz")];

/// Every namespaced kind that can be listed, but Secrets: those are where secrets belong.
pub async fn kinds(client: &Client) -> Result<Vec<ApiResource>> {
    let discovery = Discovery::new(client.clone()).run().await.context("discovering the API's kinds")?;
    let all = discovery.groups().flat_map(|group| group.recommended_resources());
    let readable = all.filter(|(kind, capabilities)| {
        capabilities.scope == Scope::Namespaced
            && capabilities.supports_operation(verbs::LIST)
            && !(kind.group.is_empty() && kind.kind == "Secret")
    });
    Ok(readable.map(|(kind, _)| kind).collect())
}

/// Writes a namespace's objects and its controllers' pages as they are now.
pub async fn collect(world: &World, namespace: &str) -> Result<()> {
    let folder = world.objects.join(namespace);
    fs::create_dir_all(&folder)?;
    let mut lists = Vec::new();
    for kind in world.kinds().await? {
        lists.push(objects(&world.client, namespace, kind, &folder));
    }
    stream::iter(lists).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    pages(&world.client, namespace, &folder).await
}

/// The file is named `<Kind>.<group>.json`.
async fn objects(client: &Client, namespace: &str, kind: &ApiResource, folder: &Path) -> Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
    let list = api.list(&ListParams::default()).await.with_context(|| format!("listing {}", kind.plural))?;
    if list.items.is_empty() {
        return Ok(());
    }
    let file = folder.join(format!("{}.{}.json", kind.kind, kind.group));
    fs::write(file, serde_json::to_string_pretty(&list.items)?).map_err(Into::into)
}

/// A controller that does not run serves no pages, which is no error: whole tests are about such ones.
async fn pages(client: &Client, namespace: &str, folder: &Path) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let running = ListParams::default().fields("status.phase=Running");
    for pod in pods.list(&running).await?.items.iter().filter(|it| is_ours(it)) {
        for (port, page) in PAGES {
            let name = pod.name_any();
            let uri = format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/{page}");
            let request = Request::get(uri).body(Vec::new())?;
            if let Ok(Ok(text)) = tokio::time::timeout(PAGE, client.request_text(request)).await {
                fs::write(folder.join(format!("{name}.{page}.txt")), text)?;
            }
        }
    }
    Ok(())
}

/// A pod of the manager or of a controller.
fn is_ours(pod: &Pod) -> bool {
    let is = |key: &str, value: &str| pod.labels().get(key).is_some_and(|it| it == value);
    is("app", names::CONTROLLER) || is("app.kubernetes.io/component", "gmc")
}

/// All files below a folder, in order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
