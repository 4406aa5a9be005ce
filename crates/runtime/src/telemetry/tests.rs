use std::{
    io,
    sync::{Arc, Mutex},
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
use serde_json::Value;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

use super::*;

const SCHEMA: &str = include_str!("../../../../docs/reference/log.schema.json");

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Captured;

    fn make_writer(&self) -> Captured {
        self.clone()
    }
}

impl Captured {
    /// Each line parsed, each valid by the schema.
    fn lines(&self) -> Vec<Value> {
        let schema = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        for line in &lines {
            schema.validate(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        lines
    }
}

/// What is logged inside `body`, without traces.
fn logged(body: impl FnOnce()) -> Vec<Value> {
    let captured = Captured::default();
    let subscriber = Registry::default().with(JsonLines::new("agc", captured.clone()));
    tracing::subscriber::with_default(subscriber, body);
    captured.lines()
}

/// What is logged and exported inside `body`, with traces.
fn traced(body: impl FnOnce()) -> (Vec<Value>, Vec<opentelemetry_sdk::trace::SpanData>) {
    let captured = Captured::default();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_id_generator(ids::ChosenIds::default())
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = Registry::default().with(spans).with(JsonLines::new("agc", captured.clone()));
    tracing::subscriber::with_default(subscriber, body);
    (captured.lines(), exporter.get_finished_spans().unwrap())
}

#[derive(Debug, thiserror::Error)]
#[error("failed to apply Secret team-a/x")]
struct Outer(#[source] Middle);

#[derive(Debug, thiserror::Error)]
#[error("the server said no: {0}")]
struct Middle(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("forbidden")]
struct Inner;

#[test]
fn a_line_has_the_event_and_its_spans_and_the_event_wins() {
    let lines = logged(|| {
        let outer = tracing::info_span!("outer", namespace = "team-a", attempt = 1);
        let _outer = outer.enter();
        let inner = tracing::info_span!("inner", attempt = 2, pod = tracing::field::Empty);
        let _inner = inner.enter();
        inner.record("pod", "worker-1");
        tracing::warn!(attempt = 3, ok = false, "tried again");
    });
    let mut line = lines[0].clone();
    line.as_object_mut().unwrap().remove("time");
    insta::assert_json_snapshot!(line, @r#"
    {
      "attempt": 3,
      "component": "agc",
      "level": "warn",
      "msg": "tried again",
      "namespace": "team-a",
      "ok": false,
      "pod": "worker-1",
      "target": "runtime::telemetry::tests"
    }
    "#);
}

#[test]
fn the_first_five_keys_come_first_and_in_order() {
    let captured = Captured::default();
    let subscriber = Registry::default().with(JsonLines::new("agc", captured.clone()));
    tracing::subscriber::with_default(subscriber, || tracing::info!(alpha = 1, "hello"));
    let line = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    let keys = ["\"time\":", "\"level\":", "\"msg\":", "\"target\":", "\"component\":", "\"alpha\":"];
    let places: Vec<_> = keys.iter().map(|it| line.find(it).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
    assert!(line.ends_with("}\n"));
}

#[test]
fn fields_are_snake_case_and_never_hide_a_key_of_the_line() {
    let lines = logged(|| {
        tracing::info!(
            runnergroup.name = "gpu",
            "log-level" = "x",
            level = "loud",
            otel.kind = "client",
            "hello"
        );
    });
    assert_eq!(lines[0]["runnergroup_name"], "gpu");
    assert_eq!(lines[0]["log_level"], "x");
    assert_eq!(lines[0]["level"], "info");
    assert_eq!(lines[0]["field_level"], "loud");
    assert_eq!(lines[0].get("otel_kind"), None);
}

#[test]
fn an_error_is_written_with_its_sources_once_each() {
    let error = Outer(Middle(Inner));
    let lines = logged(|| {
        tracing::error!(error = %chain(&error), "by chain");
        tracing::error!(error = &error as &dyn std::error::Error, "by value");
    });
    let expected = "failed to apply Secret team-a/x: the server said no: forbidden";
    assert_eq!(lines[0]["error"], expected);
    assert_eq!(lines[1]["error"], expected);
}

#[test]
fn a_newline_in_a_value_does_not_break_the_line() {
    let lines = logged(|| tracing::info!(text = "a\nb \"c\"", "two\nlines"));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["msg"], "two\nlines");
}

#[test]
fn without_traces_the_ids_of_a_jobs_fields_stand() {
    let lines = logged(|| {
        let job = tracing::info_span!(
            "job",
            trace_id = "0af7651916cd43dd8448eb211c80319c",
            span_id = "b7ad6b7169203331"
        );
        job.in_scope(|| tracing::info!("claimed"));
        tracing::info!("elsewhere");
    });
    assert_eq!(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(lines[0]["span_id"], "b7ad6b7169203331");
    assert_eq!(lines[1].get("trace_id"), None);
}

#[test]
fn chosen_ids_are_those_of_the_span_its_lines_and_its_children() {
    let ids = SpanIds { trace_id: [0xab; 16], span_id: [0xcd; 8] };
    let (lines, spans) = traced(|| {
        let elsewhere = tracing::info_span!("elsewhere");
        let _elsewhere = elsewhere.enter();
        let root = root_span(ids, || tracing::info_span!(parent: None, "Provisioner.provision"));
        root.in_scope(|| {
            tracing::info!("in the root");
            tracing::info_span!("createPod").in_scope(|| tracing::info!("in a child"));
        });
        // Chosen for one span, not for the thread.
        tracing::info_span!(parent: None, "another").in_scope(|| tracing::info!("in another root"));
    });
    assert_eq!(lines[0]["trace_id"], "ab".repeat(16));
    assert_eq!(lines[0]["span_id"], "cd".repeat(8));
    assert_eq!(lines[1]["trace_id"], "ab".repeat(16));
    assert_ne!(lines[1]["span_id"], "cd".repeat(8));
    assert_ne!(lines[2]["trace_id"], "ab".repeat(16));
    let child = spans.iter().find(|it| it.name == "createPod").unwrap();
    assert_eq!(child.parent_span_id.to_bytes(), ids.span_id);
}

#[test]
fn a_trace_is_sampled_when_the_sampler_keeps_it_and_neither_when_tracing_is_off() {
    let ids = SpanIds { trace_id: [0xab; 16], span_id: [0xcd; 8] };
    let asked = |sampler: Sampler| {
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_id_generator(ids::ChosenIds::default())
            .build();
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(Registry::default().with(spans), || {
            is_sampled(&root_span(ids, || tracing::info_span!(parent: None, "Provisioner.provision")))
        })
    };
    assert_eq!((asked(Sampler::AlwaysOn), asked(Sampler::AlwaysOff)), (Some(true), Some(false)));
    assert_eq!(is_sampled(&tracing::Span::none()), None);
}

#[test]
fn a_failed_span_says_why() {
    let (_, spans) = traced(|| {
        let span = tracing::info_span!("RunnerGroup.Reconcile");
        fail_span(&span, chain(&Outer(Middle(Inner))));
    });
    let expected =
        opentelemetry::trace::Status::error("failed to apply Secret team-a/x: the server said no: forbidden");
    assert_eq!(spans[0].status, expected);
}

#[test]
fn traces_are_on_only_with_an_endpoint_and_without_the_kill_switch() {
    let decide = |vars: &[(&str, &str)]| {
        let vars: std::collections::HashMap<_, _> = vars.iter().copied().collect();
        Traces::from_vars(|name| vars.get(name).map(ToString::to_string))
    };
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317");
    assert_eq!(decide(&[]), Traces::OFF);
    assert_eq!(decide(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Traces::OFF);
    assert_eq!(decide(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]), Traces::OFF);
    assert_ne!(decide(&[ENDPOINT, ("OTEL_SDK_DISABLED", "0")]), Traces::OFF);
    assert_ne!(decide(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")]), Traces::OFF);
    // Only a service name takes the default's place, other attributes do not.
    let named = decide(&[ENDPOINT, ("OTEL_SERVICE_NAME", "mine")]);
    assert_eq!(decide(&[ENDPOINT, ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=mine")]), named);
    assert_ne!(decide(&[ENDPOINT, ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")]), named);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_the_end_for_at_most_its_budget() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    crate::tls::install_provider();
    // Accepts by the kernel's backlog and stays silent. The budget is real time: the exporter has a thread of its own.
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let exporter = {
        use opentelemetry_otlp::WithExportConfig as _;
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap()
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("lost").entered()));
    let guard = Guard { provider: Some(provider), budget: std::time::Duration::from_millis(200) };
    guard.flush().await;
    assert!(listener.accept().await.is_ok(), "the exporter had tried");
}

#[test]
fn what_the_api_server_answered_is_never_written_down_as_it_came() {
    use tracing::Level as Severity;
    for filter in [line_filter(Level::Debug), line_filter(Level::Info), traces::exported()] {
        let passes = |target| filter.would_enable(target, &Severity::WARN);
        assert!(!passes("kube_client::client"), "it writes whole answers");
        assert!(!passes("kube_runtime::watcher"), "it writes a whole Status");
        for other in ["kube_client::client::tls", "kube_client::config", "kube_runtime::controller", "agc"] {
            assert!(passes(other), "{other}");
        }
    }
}
