//! The JSON lines: one object for each event, with the fields of the spans around it.

use std::{collections::BTreeMap, error::Error, fmt, io::Write as _, sync::OnceLock};

use opentelemetry::trace::TraceContextExt as _;
use serde::Serializer as _;
use serde::ser::SerializeMap as _;
use serde_json::Value;
use tracing::{
    Dispatch, Event, Subscriber,
    dispatcher::WeakDispatch,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context, registry::LookupSpan};

/// Field names that the line itself uses: a field of that name is written with `field_` before it.
const OWN_KEYS: [&str; 5] = ["component", "level", "msg", "target", "time"];

/// An error and all its sources on one line, `outer: inner: innermost`.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Chain(error)
}

/// Writes events as JSON lines.
#[derive(Debug)]
pub struct JsonLines<W> {
    component: &'static str,
    writer: W,
    dispatch: OnceLock<WeakDispatch>,
}

impl<W> JsonLines<W> {
    /// A layer that writes to what `writer` makes, each line in one call.
    pub fn new(component: &'static str, writer: W) -> Self {
        JsonLines { component, writer, dispatch: OnceLock::new() }
    }

    /// The ids of the OpenTelemetry span that is in scope, if there is one.
    fn otel_ids<S>(&self, event: &Event<'_>, cx: &Context<'_, S>) -> Option<[(&'static str, String); 2]>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let span = cx.event_span(event)?;
        let dispatch = self.dispatch.get()?.upgrade()?;
        let otel = tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)?;
        let ids = otel.span().span_context().clone();
        ids.is_valid()
            .then(|| [("trace_id", ids.trace_id().to_string()), ("span_id", ids.span_id().to_string())])
    }

    /// Root to leaf, so that what is closest to the event wins; the event's own ids win over the span's.
    fn fields<S>(&self, event: &Event<'_>, cx: &Context<'_, S>) -> Fields
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut fields = Fields::default();
        for span in cx.event_scope(event).into_iter().flat_map(|it| it.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        for (name, id) in self.otel_ids(event, cx).into_iter().flatten() {
            fields.0.insert(name.to_owned(), Value::String(id));
        }
        event.record(&mut fields);
        fields
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let fields = self.fields(event, &cx);
        if let Ok(line) = render(self.component, jiff::Timestamp::now(), event.metadata(), fields) {
            // Nobody is left to tell when stdout is gone.
            let _ = self.writer.make_writer_for(event.metadata()).write_all(&line);
        }
    }
}

fn render(
    component: &str,
    now: jiff::Timestamp,
    metadata: &tracing::Metadata<'_>,
    Fields(mut fields): Fields,
) -> Result<Vec<u8>, serde_json::Error> {
    let message = fields.remove(MESSAGE).unwrap_or_else(|| Value::String(String::new()));
    let mut line = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut object = (&mut serializer).serialize_map(None)?;
    object.serialize_entry("time", &format!("{now:.6}"))?;
    object.serialize_entry("level", level(metadata.level()))?;
    object.serialize_entry("msg", &message)?;
    object.serialize_entry("target", metadata.target())?;
    object.serialize_entry("component", component)?;
    for (name, value) in &fields {
        object.serialize_entry(name, value)?;
    }
    object.end()?;
    line.push(b'\n');
    Ok(line)
}

fn level(level: &tracing::Level) -> &'static str {
    match *level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        tracing::Level::DEBUG | tracing::Level::TRACE => "debug",
    }
}

/// Where the text of an event waits until the line is written. No field can have this name.
const MESSAGE: &str = "";

#[derive(Debug, Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        match field.name() {
            // Instructions to the OpenTelemetry layer.
            name if name.starts_with("otel.") => {}
            "message" => drop(self.0.insert(MESSAGE.to_owned(), value.into())),
            name => drop(self.0.insert(snake_case(name), value.into())),
        }
    }
}

/// Span attributes are dotted by convention (`runnergroup.name`), keys of lines are not.
fn snake_case(name: &str) -> String {
    let name = name.strip_prefix("r#").unwrap_or(name).replace(['.', '-'], "_").to_ascii_lowercase();
    if OWN_KEYS.contains(&name.as_str()) { format!("field_{name}") } else { name }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set(field, chain(value).to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            let text = source.to_string();
            // Many errors of libraries repeat their source in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            next = source.source();
        }
        Ok(())
    }
}
