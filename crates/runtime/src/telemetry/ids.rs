//! Trace and span ids that the caller chooses, so that they are the same after a restart.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceContextExt as _, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The ids of one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIds {
    /// Never all zero: that means "no trace".
    pub trace_id: [u8; 16],
    /// Never all zero.
    pub span_id: [u8; 8],
}

/// Makes a span whose OpenTelemetry ids are `ids`.
///
/// `make` must create a root (`info_span!(parent: None, …)`): a child takes the trace id of its parent.
/// With tracing off this is just `make()`.
pub fn root_span(ids: SpanIds, make: impl FnOnce() -> tracing::Span) -> tracing::Span {
    CHOSEN_SPAN.set(Some(ids.span_id));
    CHOSEN_TRACE.set(Some(ids.trace_id));
    let span = make();
    // The bridge asks for ids only when the context is first needed: need it now, on this thread.
    let _ = span.context();
    CHOSEN_SPAN.set(None);
    CHOSEN_TRACE.set(None);
    span
}

/// Whether the sampler keeps the trace of this span; `None` with tracing off.
pub fn is_sampled(span: &tracing::Span) -> Option<bool> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.is_sampled())
}

/// Marks the span as failed, and says why in its status.
pub fn fail_span(span: &tracing::Span, why: impl std::fmt::Display) {
    span.set_status(opentelemetry::trace::Status::error(why.to_string()));
}

thread_local! {
    static CHOSEN_TRACE: Cell<Option<[u8; 16]>> = const { Cell::new(None) };
    static CHOSEN_SPAN: Cell<Option<[u8; 8]>> = const { Cell::new(None) };
}

/// Gives out the ids chosen by [`root_span`] on this thread, else random ones.
#[derive(Debug, Default)]
pub(super) struct ChosenIds(RandomIdGenerator);

impl IdGenerator for ChosenIds {
    fn new_trace_id(&self) -> TraceId {
        CHOSEN_TRACE.take().map_or_else(|| self.0.new_trace_id(), TraceId::from_bytes)
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN_SPAN.take().map_or_else(|| self.0.new_span_id(), SpanId::from_bytes)
    }
}
