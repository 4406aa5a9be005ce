//! Telemetry of a whole process: the test runs itself as a child, because subscriber, panic hook and the OTEL
//! variables are global.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test")]

use std::{convert::Infallible, process::Command};

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use runtime::telemetry::{self, LogOptions, SpanIds, Traces};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};

const IDS: SpanIds = SpanIds { trace_id: [0xa1; 16], span_id: [0xb2; 8] };

/// What the child does: one span with a line in it, a thread that panics, a flush.
#[test]
#[ignore = "run by the tests below as a process of its own"]
fn child() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let guard = telemetry::init(telemetry::Config {
            component: "agc",
            service_name: "actions-gateway-agc",
            log: LogOptions::default(),
            traces: Traces::from_vars(|name| std::env::var(name).ok()),
        })
        .unwrap();
        let span = telemetry::root_span(IDS, || tracing::info_span!(parent: None, "Provisioner.provision"));
        span.in_scope(|| tracing::info!("provisioned"));
        drop(span);
        let _ = std::thread::spawn(|| panic!("deliberate")).join();
        guard.flush().await;
    });
}

/// The child's JSON lines.
fn run_child(variables: Vec<(&'static str, String)>) -> Vec<Value> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .envs(variables)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|it| it.starts_with('{')).map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// A collector on loopback that takes every export; gives its address and the messages as they came.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let sender = sender.clone();
            let export = service_fn(move |request: Request<Incoming>| {
                let sender = sender.clone();
                async move {
                    assert_eq!(
                        request.uri().path(),
                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
                    );
                    sender.send(request.into_body().collect().await.unwrap().to_bytes()).unwrap();
                    Ok::<_, Infallible>(accepted())
                }
            });
            tokio::spawn(
                Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), export)
                    .into_owned(),
            );
        }
    });
    (address, received)
}

/// An empty message and `grpc-status: 0`.
fn accepted() -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>> {
    let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect();
    let frames = [Ok(Frame::data(Bytes::from_static(&[0; 5]))), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures::stream::iter(frames));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn contains(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|it| it == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_a_plaintext_collector_under_the_default_service_name() {
    let (address, mut received) = collector().await;
    let variables = vec![
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true".to_owned()),
    ];
    let lines = tokio::task::spawn_blocking(|| run_child(variables)).await.unwrap();
    let message = received.recv().await.unwrap();
    for part in [b"Provisioner.provision".as_slice(), b"actions-gateway-agc", &IDS.trace_id, &IDS.span_id] {
        assert!(contains(&message, part), "{part:?}");
    }
    let line = lines.iter().find(|it| it["msg"] == "provisioned").unwrap();
    assert_eq!((&line["trace_id"], &line["span_id"]), (&"a1".repeat(16).into(), &"b2".repeat(8).into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_name_of_the_environment_wins() {
    let (address, mut received) = collector().await;
    let variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_SERVICE_NAME", "team-a-runners".to_owned()),
    ];
    tokio::task::spawn_blocking(|| run_child(variables)).await.unwrap();
    let message = received.recv().await.unwrap();
    assert!(contains(&message, b"team-a-runners"));
    assert!(!contains(&message, b"actions-gateway-agc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_sends_nothing_and_the_lines_go_on() {
    let (address, mut received) = collector().await;
    let variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_SDK_DISABLED", "true".to_owned()),
    ];
    let lines = tokio::task::spawn_blocking(|| run_child(variables)).await.unwrap();
    assert!(received.try_recv().is_err());
    assert!(lines.iter().any(|it| it["msg"] == "provisioned"));
}

#[test]
fn an_endpoint_that_cannot_be_used_costs_the_traces_and_not_the_process() {
    let lines = run_child(vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[not an address".to_owned())]);
    assert_eq!(lines[0]["msg"], "tracing is off: failed to build the OTLP exporter");
    assert!(lines.iter().any(|it| it["msg"] == "provisioned"));
}

#[test]
fn a_panic_is_one_line() {
    let lines = run_child(vec![]);
    let line = lines.iter().find(|it| it["target"] == "panic").unwrap();
    assert_eq!((&line["level"], &line["error"]), (&"error".into(), &"deliberate".into()));
    assert!(line["location"].as_str().unwrap().contains("process.rs"));
}
