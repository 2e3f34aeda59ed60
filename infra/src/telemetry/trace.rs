//! Traces: one from the request to the view.
//!
//! Every fact carries the W3C trace context of the work that yielded it, in the log and on the
//! brokers, and whatever takes the fact goes on from there: reactions, calls to the outside, the
//! projector. So a trace needs nothing that is kept in memory, and a crash cuts off at most the
//! spans that were open.
//!
//! Without a collector there are no spans, and a look at a flag is all that is paid. Facts carry
//! the context of the request all the same, or a new one: all facts of a request have one trace
//! id. What was not chosen to be recorded is told by its context, and is followed nowhere.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use domain::Recorded;
use futures::future::Either;
use opentelemetry::trace::{
    FutureExt, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;
use serde::Deserialize;
use tracing::{Instrument, Span, error_span};
use uuid::Uuid;

use crate::event_store::StoredFact;

pub use opentelemetry::trace::SpanKind as Kind;

/// The target under which log lines get a trace id.
const TARGET: &str = "waybill::trace";
/// What lets the id through to every line, however little is logged.
pub(super) const LINES: &str = "waybill::trace=error";
/// The header of a trace context.
const TRACEPARENT: &str = "traceparent";

static ON: AtomicBool = AtomicBool::new(false);
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// From now on there are spans.
pub(super) fn turn_on(tracer: SdkTracer) {
    TRACER.get_or_init(|| tracer);
    ON.store(true, Ordering::Release);
}

/// From now on there are no new ones.
pub(super) fn turn_off() {
    ON.store(false, Ordering::Release);
}

fn tracer() -> Option<&'static SdkTracer> {
    match ON.load(Ordering::Acquire) {
        true => TRACER.get(),
        false => None,
    }
}

/// Work that is recorded as a span, until this is dropped; or that is not recorded.
#[must_use = "the span ends when this is dropped"]
pub struct Work(Option<Recording>);

struct Recording {
    context: Context,
    /// What log lines are written within.
    lines: Span,
}

impl Work {
    /// Does `work` within the span: what it begins is a part of it.
    pub fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        match &self.0 {
            None => Either::Left(work),
            Some(Recording { context, lines }) => {
                let within = work.with_context(context.clone());
                Either::Right(within.instrument(lines.clone()))
            }
        }
    }

    /// Whether there is a span.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Says something about the work.
    pub fn note(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(Recording { context, .. }) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says that the work did not go well.
    pub fn failed(&self, reason: &dyn std::fmt::Display) {
        if let Some(Recording { context, .. }) = &self.0 {
            context.span().set_status(Status::error(reason.to_string()));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Whoever else still has the context: a client keeps that of the request for which it
        // opened a connection.
        self.context.span().end();
    }
}

/// A request; where it says no context, the beginning of a new trace.
pub fn of_request(method: &str, route: &str, headers: &HeaderMap) -> Work {
    let Some(tracer) = tracer() else {
        return Work(None);
    };
    match context_in(headers) {
        Some(parent) => below(tracer, SpanKind::Server, method, route, parent),
        None => begin(tracer, SpanKind::Server, method, route, &Context::new()),
    }
}

/// What follows from a fact.
pub fn of_fact(kind: Kind, what: &str, fact: &Recorded) -> Work {
    let work = of_cause(kind, what, fact.fact.name(), fact.traceparent.as_deref());
    if work.is_recorded() {
        work.note("waybill.fact", fact.id.to_string());
        work.note("waybill.correlation", fact.correlation.clone());
    }
    work
}

/// What follows from a fact that is not decoded.
pub fn of_stored(kind: Kind, what: &str, fact: &StoredFact) -> Work {
    #[derive(Deserialize)]
    struct Metadata {
        traceparent: Option<String>,
    }
    if tracer().is_none() {
        return Work(None);
    }
    let metadata: Option<Metadata> = serde_json::from_slice(&fact.metadata).ok();
    let traceparent = metadata.and_then(|metadata| metadata.traceparent);
    let work = of_cause(kind, what, &fact.name, traceparent.as_deref());
    if work.is_recorded() {
        work.note("waybill.fact", fact.id.to_string());
    }
    work
}

/// What follows from a cause with `traceparent`; not recorded where it has none.
pub fn of_cause(kind: Kind, what: &str, about: &str, traceparent: Option<&str>) -> Work {
    let Some(tracer) = tracer() else {
        return Work(None);
    };
    match traceparent.and_then(parse) {
        Some(parent) => below(tracer, kind, what, about, parent),
        None => Work(None),
    }
}

/// A part of the work that is under way; not recorded where that is not.
pub fn within(kind: Kind, what: &str, about: &str) -> Work {
    let Some(tracer) = tracer() else {
        return Work(None);
    };
    let parent = Context::current();
    match parent.span().span_context().is_sampled() {
        true => begin(tracer, kind, what, about, &parent),
        false => Work(None),
    }
}

/// The context of the work that is under way, for what follows from it.
pub fn current() -> Option<String> {
    tracer()?;
    Context::map_current(|context| {
        let span = context.span();
        let context = span.span_context();
        context.is_valid().then(|| written(context))
    })
}

/// The context that the facts of a request carry: that of its span, or what the request says, or a
/// new one, made of the id of the command, that nobody records.
pub fn for_request(headers: &HeaderMap, command_id: Uuid) -> String {
    let said = || context_in(headers).map(|context| written(&context));
    let new = || {
        let bytes = command_id.into_bytes();
        let mut end = [0; 8];
        end.copy_from_slice(&bytes[8..]);
        let (trace, span) = (TraceId::from_bytes(bytes), SpanId::from_bytes(end));
        let of_nobody = TraceFlags::default();
        let context = SpanContext::new(trace, span, of_nobody, false, TraceState::NONE);
        written(&context)
    };
    current().or_else(said).unwrap_or_else(new)
}

/// Below the work of another process, or of another time, where that was chosen to be recorded.
fn below(tracer: &SdkTracer, kind: Kind, what: &str, about: &str, parent: SpanContext) -> Work {
    if !parent.is_sampled() {
        return Work(None);
    }
    let context = Context::new().with_remote_span_context(parent);
    begin(tracer, kind, what, about, &context)
}

fn begin(tracer: &SdkTracer, kind: Kind, what: &str, about: &str, parent: &Context) -> Work {
    let name = format!("{what} {about}");
    let span = tracer.span_builder(name).with_kind(kind);
    let context = parent.with_span(span.start_with_context(tracer, parent));
    let trace_id = context.span().span_context().trace_id();
    let lines = error_span!(target: TARGET, "trace", %trace_id);
    Work(Some(Recording { context, lines }))
}

fn context_in(headers: &HeaderMap) -> Option<SpanContext> {
    parse(headers.get(TRACEPARENT)?.to_str().ok()?)
}

/// Reads the context of another: four parts in lower-case hex, of version 00 or of a later one that
/// begins as it does, with ids that are not zero.
fn parse(text: &str) -> Option<SpanContext> {
    let hex = |part: &str| {
        part.bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    };
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let lengths = [version.len(), trace.len(), span.len(), flags.len()];
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let hex = [version, trace, span, flags].into_iter().all(hex);
    if lengths != [2, 32, 16, 2] || !known || !hex {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags & TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

fn written(context: &SpanContext) -> String {
    let (trace, span) = (context.trace_id(), context.span_id());
    let flags = context.trace_flags().to_u8();
    format!("00-{trace}-{span}-{flags:02x}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const SAID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(traceparent: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            axum::http::header::HeaderName::from_static(TRACEPARENT),
            HeaderValue::from_static(traceparent),
        )])
    }

    #[test]
    fn what_a_request_says_is_carried_on_as_it_is() {
        let id = Uuid::from_u128(7);
        assert_eq!(for_request(&headers(SAID), id), SAID);
        let not_recorded = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(for_request(&headers(not_recorded), id), not_recorded);
    }

    #[test]
    fn of_a_later_version_that_is_taken_which_is_known() {
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-ever";
        assert_eq!(for_request(&headers(later), Uuid::from_u128(7)), SAID);
    }

    #[test]
    fn without_a_context_or_with_one_that_is_none_a_request_has_a_new_one_that_nobody_records() {
        let id: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let new = "00-01890a5dac96774bbcceb302099a8057-bcceb302099a8057-00";
        assert_eq!(for_request(&HeaderMap::new(), id), new);
        for none in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-011",
        ] {
            assert_eq!(for_request(&headers(none), id), new, "{none}");
        }
    }

    #[test]
    fn without_a_collector_there_are_no_spans() {
        assert!(!of_request("GET", "/", &headers(SAID)).is_recorded());
        assert!(!of_cause(Kind::Internal, "task", "void", Some(SAID)).is_recorded());
        assert_eq!(current(), None);
    }
}
