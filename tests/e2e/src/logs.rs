//! Copies the logs of a namespace's containers to files, also of pods that are deleted and containers that are killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use futures::io::AsyncReadExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::LogParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};

/// A log is given up after so many attempts: its pod is gone, most likely.
const ATTEMPTS: usize = 5;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows every container of a namespace, for as long as the suite runs.
///
/// A file is named `<pod>.<container>.<start of the container>.log`.
pub fn follow(client: Client, namespace: String, folder: PathBuf) {
    tokio::spawn(async move {
        let folder = folder.join(&namespace);
        let api: Api<Pod> = Api::namespaced(client, &namespace);
        let mut followed = HashSet::new();
        let pods = watcher(api.clone(), watcher::Config::default()).default_backoff().applied_objects();
        let mut pods = std::pin::pin!(pods);
        while let Some(pod) = pods.next().await {
            // An API server that is away for a moment is asked again.
            let Ok(pod) = pod else { continue };
            for (container, started) in started_containers(&pod) {
                let file = folder.join(format!("{}.{container}.{started}.log", pod.name_any()));
                if followed.insert(file.clone()) {
                    tokio::spawn(copy(api.clone(), pod.name_any(), container, file));
                }
            }
        }
    });
}

/// Name and start of each container that has started.
fn started_containers(pod: &Pod) -> Vec<(String, String)> {
    let status = pod.status.as_ref();
    let inits = status.and_then(|it| it.init_container_statuses.as_ref());
    let mains = status.and_then(|it| it.container_statuses.as_ref());
    let statuses = inits.into_iter().chain(mains).flatten();
    statuses.filter_map(|it| Some((it.name.clone(), started(it)?))).collect()
}

fn started(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let running = state.running.as_ref().and_then(|it| it.started_at.clone());
    let terminated = state.terminated.as_ref().and_then(|it| it.started_at.clone());
    running.or(terminated).map(|it| it.0.as_second().to_string())
}

/// What is cut off by the container's end stays as it is: a log that breaks off is the truth about a killed process.
/// One that the API server cuts off is read again from its beginning.
async fn copy(api: Api<Pod>, pod: String, container: String, file: PathBuf) {
    for _ in 0..ATTEMPTS {
        if copy_once(&api, &pod, &container, &file).await.is_ok() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn copy_once(api: &Api<Pod>, pod: &str, container: &str, file: &Path) -> Result<()> {
    let params = LogParams { container: Some(container.to_owned()), follow: true, ..LogParams::default() };
    let mut stream = api.log_stream(pod, &params).await?;
    // Small writes to a local file: not worth a thread each.
    fs::create_dir_all(file.parent().context("a log stands in a folder")?)?;
    let mut file = File::create(file)?;
    let mut buffer = vec![0; 8192];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..length])?;
    }
}

/// A collected log.
#[derive(Clone, Debug)]
pub struct Log {
    /// Where it is.
    pub path: PathBuf,
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Its lines so far.
    pub text: String,
}

/// Every log collected so far, of all namespaces.
pub fn collected(folder: &Path) -> Result<Vec<Log>> {
    let mut logs = Vec::new();
    for namespace in read_dir(folder)? {
        logs.extend(of_namespace(&namespace)?);
    }
    Ok(logs)
}

/// Every log collected of one namespace, by its folder.
pub fn of_namespace(folder: &Path) -> Result<Vec<Log>> {
    read_dir(folder)?.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Result<Log> {
    // Containers have no dots in their names, and our pods have none either.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = name.split('.').map(str::to_owned);
    let (pod, container) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let namespace =
        path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    Ok(Log { path, namespace, pod, container, text })
}

/// A folder's entries in order; one that is not there has none, since a namespace may have had no pod.
fn read_dir(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths =
        fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
