use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, WatchParams};
use prometheus::Registry;

use super::*;

/// A server of the lowest layer: as kube's own stack hands it to ours.
fn under_layer<F>(
    registry: &Registry,
    answer: impl Fn(Request<Body>) -> F + Send + Sync + Clone + 'static,
) -> Client
where
    F: Future<Output = Result<Answer, BoxError>> + Send + 'static,
{
    let metrics = RestMetrics::register(registry).unwrap();
    let service = tower::service_fn(answer);
    ClientBuilder::new(service, "default")
        .with_layer(&BoundedLayer { metrics, host: "api.test:6443".into() })
        .build()
}

fn answered(status: StatusCode) -> Result<Answer, BoxError> {
    let body = if status.is_success() { r#"{"metadata":{"name":"a"}}"# } else { r#"{"code":503}"# };
    Ok(Response::builder().status(status).body(boxed(Bytes::from(body)))?)
}

/// A body that never comes.
fn endless() -> Box<DynBody> {
    let body = http_body_util::StreamBody::new(futures::stream::pending::<Result<_, Infallible>>());
    let body: http_body_util::combinators::BoxBody<Bytes, BoxError> =
        body.map_err(|never| match never {}).boxed();
    Box::new(body)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_silent_ends_the_call_at_its_deadline() {
    let client = under_layer(&Registry::new(), |_| std::future::pending());
    let error = Api::<ConfigMap>::default_namespaced(client).get("a").await.unwrap_err();
    assert!(
        runtime::telemetry::chain(&error).to_string().contains("no answer from the API server within 30s")
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_ends_the_call_too() {
    let client = under_layer(&Registry::new(), |_| async { Ok(Response::new(endless())) });
    assert!(Api::<ConfigMap>::default_namespaced(client).get("a").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_may_take_longer() {
    let client = under_layer(&Registry::new(), |_| async { Ok(Response::new(endless())) });
    let api = Api::<ConfigMap>::default_namespaced(client);
    assert!(api.watch(&WatchParams::default(), "0").await.is_ok());
}

#[tokio::test]
async fn a_call_is_tried_once_and_counted_by_its_answer() {
    let registry = Registry::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let client = under_layer(&registry, move |_| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => answered(StatusCode::OK),
                1 => answered(StatusCode::SERVICE_UNAVAILABLE),
                _ => Err("connection refused".into()),
            }
        }
    });
    let api = Api::<ConfigMap>::default_namespaced(client);
    assert!(api.get("a").await.is_ok());
    assert!(api.get("a").await.is_err());
    assert!(api.get("a").await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    let metrics = runtime::metrics::render(&registry).unwrap();
    for code in ["200", "503", "<error>"] {
        assert!(
            metrics
                .contains(&format!(r#"{{code="{code}",host="api.test:6443",method="{}"}} 1"#, Method::GET)),
            "{metrics}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_tighter_bound_says_that_it_was_reached() {
    let error = bounded(Duration::from_secs(2), std::future::pending::<Result<(), _>>()).await.unwrap_err();
    assert!(error.to_string().contains("within 2s"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_refused_without_naming_it() {
    let mut config = Config::new(http::Uri::from_static("https://api.test:6443"));
    config.proxy_url = Some(http::Uri::from_static("http://user:secret@proxy.test:3128"));
    let refused = client(config, RestMetrics::register(&Registry::new()).unwrap()).err().unwrap();
    assert!(matches!(refused, ConnectError::Proxy));
    assert!(!refused.to_string().contains("secret"));
}
