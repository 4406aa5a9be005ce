//! Log lines on stdout and, when a collector is named, traces over OTLP/gRPC.
//!
//! Every program writes one JSON shape, described in `docs/reference/log.schema.json`: `time`, `level`,
//! `msg`, `target`, `component`, then the fields of the event and of the spans around it.

mod ids;
mod lines;
mod options;
mod panics;
mod traces;

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, Registry, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

pub use ids::{SpanIds, fail_span, is_sampled, root_span};
pub use lines::{JsonLines, chain};
pub use options::{Encoder, Level, LogOptions, UnknownWord};
pub use traces::Traces;

/// How long buffered spans may take to leave. Longer would eat into the pod's termination grace.
const FLUSH_BUDGET: Duration = Duration::from_secs(5);

/// What a program says about itself, and what its operator asked for.
#[derive(Debug, Clone)]
pub struct Config {
    /// `gmc`, `agc`, `proxy` or `worker`: the `component` of each line.
    pub component: &'static str,
    /// `service.name` of the spans, unless the OTEL variables name one.
    pub service_name: &'static str,
    /// Level and form of the lines.
    pub log: LogOptions,
    /// Where spans go, if anywhere.
    pub traces: Traces,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A subscriber was installed before.
    #[error("failed to install the log subscriber")]
    Install(#[source] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporter; give it back with [`Guard::flush`] as the last thing before the process ends.
#[derive(Debug)]
#[must_use = "spans are lost unless the guard is flushed"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    budget: Duration,
}

/// Installs the subscriber and the panic hook. Call it inside the tokio runtime, once.
///
/// A collector that cannot be used (a malformed endpoint) is logged and costs the traces, not the process.
///
/// # Errors
/// [`Error::Install`] if the process has a subscriber already.
pub fn init(config: Config) -> Result<Guard, Error> {
    // tonic takes the process-wide provider when it builds its TLS configuration.
    crate::tls::install_provider();
    let exported = traces::provider(&config.traces, config.service_name);
    let (provider, failure) = match exported {
        Ok(provider) => (provider, None),
        Err(error) => (None, Some(error)),
    };
    let spans = provider.as_ref().map(|it| traces::layer(it, config.component));
    // The lines read the ids that the spans layer assigns, so they come after it.
    let subscriber = Registry::default().with(spans).with(lines(config.component, config.log));
    subscriber.try_init().map_err(Error::Install)?;
    panics::log_panics();
    if let Some(error) = failure {
        tracing::warn!(error = %chain(&error), "tracing is off: failed to build the OTLP exporter");
    }
    Ok(Guard { provider, budget: FLUSH_BUDGET })
}

fn lines<S>(component: &'static str, log: LogOptions) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let filter = line_filter(log.level);
    match log.encoder {
        Encoder::Json => JsonLines::new(component, std::io::stdout).with_filter(filter).boxed(),
        Encoder::Console => tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(std::io::stdout)
            .with_filter(filter)
            .boxed(),
    }
}

/// Our own crates at the asked level; libraries that narrate each frame only from warn upwards.
fn line_filter(level: Level) -> Targets {
    const CHATTY: [&str; 10] = [
        "h2",
        "hyper",
        "hyper_util",
        "kube_client",
        "kube_runtime",
        "opentelemetry",
        "opentelemetry_sdk",
        "rustls",
        "tonic",
        "tower",
    ];
    let wanted: LevelFilter = level.into();
    // `opentelemetry` stays at warn: there stands that spans were lost.
    let quiet = wanted.min(LevelFilter::WARN);
    let targets = CHATTY
        .iter()
        .fold(Targets::new().with_default(wanted), |targets, it| targets.with_target(*it, quiet));
    without_answers(targets, quiet)
}

/// Silences what writes down an API server's answer as it came: a whole `Status`, or an object that could not be read,
/// be it a Secret. Whoever asked is given the same as an error, and tells it in words. The rest of kube's client keeps
/// its level.
fn without_answers(targets: Targets, rest: LevelFilter) -> Targets {
    const VERBATIM: [&str; 2] = ["kube_client::client", "kube_runtime::watcher"];
    const WITHIN: [&str; 2] = ["kube_client::client::auth", "kube_client::client::tls"];
    let targets = VERBATIM.iter().fold(targets, |targets, it| targets.with_target(*it, LevelFilter::OFF));
    WITHIN.iter().fold(targets, |targets, it| targets.with_target(*it, rest))
}

impl Guard {
    /// Sends what is buffered, for at most five seconds, without blocking the runtime's threads.
    pub async fn flush(self) {
        let Guard { provider: Some(provider), budget } = self else { return };
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(budget));
        match tokio::time::timeout(budget, flushed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(error = %chain(&error), "spans were dropped at shutdown"),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("spans were dropped at shutdown: the collector did not take them in time")
            }
        }
    }
}

#[cfg(test)]
mod tests;
