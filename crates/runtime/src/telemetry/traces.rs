//! The OTLP/gRPC exporter of spans.

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter, WithTonicConfig, tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::ids::ChosenIds;

/// What the OTEL variables say about traces. All other `OTEL_*` variables (endpoint, headers, timeout,
/// sampler, resource attributes) are read by the SDK itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traces {
    /// An endpoint is given and `OTEL_SDK_DISABLED` is not `true`.
    enabled: bool,
    /// `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names the service: ours would override it.
    service_named: bool,
}

impl Traces {
    /// No traces.
    pub const OFF: Traces = Traces { enabled: false, service_named: false };

    /// Decides from the environment, which `main` passes in: `Traces::from_vars(|it| std::env::var(it).ok())`.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Traces {
        let given = |name| var(name).filter(|it| !it.trim().is_empty());
        let disabled = given("OTEL_SDK_DISABLED").is_some_and(|it| it.trim().eq_ignore_ascii_case("true"));
        let endpoint =
            given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| given("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let named = given("OTEL_SERVICE_NAME").is_some()
            || given("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|it| names_the_service(&it));
        Traces { enabled: endpoint.is_some() && !disabled, service_named: named }
    }
}

fn names_the_service(attributes: &str) -> bool {
    attributes.split(',').any(|it| it.split_once('=').is_some_and(|(key, _)| key.trim() == "service.name"))
}

/// The provider, or none if traces are off.
pub(super) fn provider(
    traces: &Traces,
    service_name: &'static str,
) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    if !traces.enabled {
        return Ok(None);
    }
    // The SDK's own default is an empty trust store. Asking it for the platform's instead would fail in an
    // image without a bundle, even for a plaintext collector.
    let tls = ClientTlsConfig::new().trust_anchors(crate::tls::default_roots().roots);
    let exporter = SpanExporter::builder().with_tonic().with_tls_config(tls).build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_id_generator(ChosenIds::default())
        .with_resource(resource(traces, service_name))
        .build();
    Ok(Some(provider))
}

fn resource(traces: &Traces, service_name: &'static str) -> Resource {
    let version = KeyValue::new("service.version", crate::version::VERSION);
    let resource = Resource::builder().with_attribute(version);
    if traces.service_named { resource.build() } else { resource.with_service_name(service_name).build() }
}

/// Turns `tracing` spans into OpenTelemetry ones.
pub(super) fn layer<S>(
    provider: &SdkTracerProvider,
    component: &'static str,
) -> impl Layer<S> + Send + Sync + use<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(component))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(exported())
}

/// The exporter's own stack stays out of what it exports, or it would feed itself; and so do the answers of the API server.
pub(super) fn exported() -> Targets {
    const STACK: [&str; 7] = ["h2", "hyper", "hyper_util", "opentelemetry", "rustls", "tonic", "tower"];
    let all = Targets::new().with_default(LevelFilter::INFO);
    let others = STACK.iter().fold(all, |targets, it| targets.with_target(*it, LevelFilter::OFF));
    super::without_answers(others, LevelFilter::INFO)
}
