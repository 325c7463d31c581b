//! Tracing for AWS Lambda: every invocation is one complete trace, in X-Ray and over OTLP, and the caller never waits
//! for it. A trace is complete up to 1,000 spans in X-Ray and 16,384 over OTLP.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), lambda_runtime::Error> {
//!     lambda_spans::run(Router::new().route("/", get(|| async { "hello" }))).await
//! }
//! ```
//!
//! | your program | entry point |
//! |---|---|
//! | an axum router, or any `lambda_http` service | [`run()`], [`Spans::run`] |
//! | the same with streamed responses | [`run_streaming`], [`Spans::run_streaming`] |
//! | a handler of any other `LambdaEvent<T>` | [`run_event`], [`Spans::run_event`] |
//! | each of these with concurrent invocations | [`run_concurrent`], [`run_streaming_concurrent`], [`run_event_concurrent`] |
//! | your own `lambda_runtime::Runtime` | [`Spans::start`], with [`HttpLayer`] or [`EventLayer`] around the handler |
//! | a long-running server, such as the same router on a laptop | [`Spans::server`] |
//!
//! The feature `testing` adds the module `testing`: finished spans in memory, for the unit tests of a handler.
//!
//! Handlers need no change. Each span of the `tracing` crate in a request becomes a span of the request's trace, and so
//! does each AWS SDK operation of a client with [`AwsSdkSpans`].
//!
//! # How a request becomes a trace
//! - [`run`](LambdaLayer): the outer layer around the invocation. Reads the trace id from Lambda's X-Ray context, opens
//!   the invocation's span, and exports after the response and before the next poll.
//! - [`http`](HttpLayer): the layer around the handler. Records route, status, errors and panics.
//! - [`triggers`](EventLayer): the same for other events: queues, topics, streams, brokers, buses, schedules.
//! - [`propagation`](ContextMode): the trace context of callers, and of [outgoing requests](inject).
//! - `capture`: records spans when `tracing` starts and ends them. Ended spans wait in their invocation (`trace`).
//! - `export`: sends finished invocations to the destinations in parallel and within the budget.
//! - `xray`, `otlp`: the destinations. A failure of one does not affect the others.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "the core also serves HTTP, such as the trace context of callers")
)]

pub mod attributes;
mod capture;
mod clock;
mod export;
#[cfg(feature = "http")]
mod http;
mod otlp;
mod propagation;
mod run;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod trace;
mod triggers;
mod variables;
mod xray;

pub use capture::aws_sdk::AwsSdkSpans;
pub use capture::client::{ClientFuture, ClientLayer, ClientService};
pub use capture::inject::{Propagator, context_pairs, inject};
pub use capture::link::{continue_from, link};
pub use capture::logs::LogLayer;
#[cfg(feature = "http")]
pub use http::stream::{StreamLayer, StreamService, TracedBody};
#[cfg(feature = "http")]
pub use http::{ErrorType, HttpLayer, HttpService};
pub use propagation::ContextMode;
pub use propagation::recent::is_recent;
pub use propagation::traceparent::trace_id_of;
#[cfg(feature = "http")]
pub use run::entry::http::{run, run_concurrent, run_streaming, run_streaming_concurrent};
pub use run::entry::{run_event, run_event_concurrent};
pub use run::flush::FlushMode;
pub use run::forward::{ForwardedSpan, Forwarder};
pub use run::lambda::{LambdaLayer, LambdaService};
pub use run::settings::Settings;
pub use run::spans::{InstallError, Spans};
pub use trace::accounting::{Counts, Dropped, Forwarded, Ledger};
pub use trace::error_type::{TypedError, register_typed_error};
pub use trace::hook::EndedSpan;
pub use trace::lookup::{exclude_from_otlp, request_id, trace_id};
pub use triggers::{EventLayer, EventService};
pub use variables::SettingsWarning;
pub use {opentelemetry, tracing, tracing_opentelemetry};

/// Compiles what the README and the pages show.
#[cfg(all(doctest, feature = "http"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/from-adot.md")]
    struct FromAdot;

    #[doc = include_str!("../docs/from-lambda-otel-lite.md")]
    struct FromLambdaOtelLite;

    #[doc = include_str!("../docs/from-lambda-runtime-opentelemetry.md")]
    struct FromLambdaRuntimeOpenTelemetry;

    #[doc = include_str!("../docs/from-xray-sdk.md")]
    struct FromXraySdk;
}
