//! A client of the API server that gives up.
//!
//! kube's own default retries for five minutes and waits for an answer without end; a reconcile or a lease
//! renewal would look hung. Here each call is tried once and bounded; who called decides what comes next.

mod connection;

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, Layer, Service};

use crate::metrics::RestMetrics;

/// From sending a request to the last byte of its answer. Watches have a window of their own.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// There is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file is absent or malformed.
    #[error("failed to read the kubeconfig")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// There is neither a kubeconfig nor a pod's ServiceAccount.
    #[error("failed to infer how to reach the API server")]
    Infer(#[source] kube::config::InferConfigError),
    /// The kubeconfig, or `HTTPS_PROXY` beside it, names a proxy.
    #[error(
        "a proxy towards the API server is not supported: leave out the kubeconfig's proxy-url and HTTPS_PROXY"
    )]
    Proxy,
    /// The configuration cannot be used, for instance because of its certificates.
    #[error("failed to build a Kubernetes client")]
    Build(#[source] kube::Error),
}

/// A call took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the API server within {0:?}")]
pub struct TimedOut(Duration);

/// A client from `kubeconfig`, or else from what the environment offers: the default kubeconfig, then the
/// pod's ServiceAccount. Does not talk to the server yet.
///
/// # Errors
/// [`ConnectError`] with the step that failed.
pub async fn connect(kubeconfig: Option<&Path>, metrics: RestMetrics) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.map_err(ConnectError::Infer)?,
    };
    client(config, metrics)
}

fn client(config: Config, metrics: RestMetrics) -> Result<Client, ConnectError> {
    if config.proxy_url.is_some() {
        return Err(ConnectError::Proxy);
    }
    let service = connection::service(&config).map_err(ConnectError::Build)?;
    // Requests pass our layer before kube's makes their path a whole URL.
    let host = config.cluster_url.authority().map_or("", |it| it.as_str()).into();
    let builder = ClientBuilder::new(service, config.default_namespace);
    Ok(builder.with_layer(&BoundedLayer { metrics, host }).build())
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let file = Kubeconfig::read_from(path).map_err(ConnectError::Kubeconfig)?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(ConnectError::Kubeconfig)
}

/// Bounds a call, or several, tighter than [`CALL_DEADLINE`] does.
///
/// # Errors
/// What `call` fails with, or [`kube::Error::Service`] with [`TimedOut`] inside.
pub async fn bounded<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    match tokio::time::timeout(deadline, call).await {
        Ok(result) => result,
        Err(_) => Err(kube::Error::Service(Box::new(TimedOut(deadline)))),
    }
}

/// Counts and bounds what goes through.
#[derive(Debug, Clone)]
struct BoundedLayer {
    metrics: RestMetrics,
    host: Arc<str>,
}

#[derive(Debug, Clone)]
struct Bounded<S> {
    inner: S,
    metrics: RestMetrics,
    host: Arc<str>,
}

impl<S> Layer<S> for BoundedLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, metrics: self.metrics.clone(), host: self.host.clone() }
    }
}

type Answer = Response<Box<DynBody>>;

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().clone();
        let streaming = is_stream(request.uri().query().unwrap_or_default());
        let answer = self.inner.call(request);
        let (metrics, host) = (self.metrics.clone(), self.host.clone());
        Box::pin(async move {
            let answer = if streaming { answer.await } else { whole(answer).await };
            metrics.observe(&method, &host, answer.as_ref().ok().map(Response::status));
            answer
        })
    }
}

/// Watches and followed logs answer for minutes.
fn is_stream(query: &str) -> bool {
    query.split('&').any(|it| matches!(it, "watch=true" | "watch=1" | "follow=true"))
}

/// The answer with its body read to the end, so that the deadline holds for all of it.
async fn whole(answer: impl Future<Output = Result<Answer, BoxError>>) -> Result<Answer, BoxError> {
    let read = async {
        let (head, body) = answer.await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, boxed(bytes)))
    };
    match tokio::time::timeout(CALL_DEADLINE, read).await {
        Ok(result) => result,
        Err(_) => Err(Box::new(TimedOut(CALL_DEADLINE))),
    }
}

fn boxed(bytes: Bytes) -> Box<DynBody> {
    Box::new(Full::new(bytes).map_err(|never| match never {}))
}

#[cfg(test)]
mod tests;
