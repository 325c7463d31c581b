//! Tracing for AWS Lambda: every invocation is one complete trace, in X-Ray and over OTLP, and the caller
//! never waits for it.
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
//! | what the function is | entry point |
//! |---|---|
//! | an axum router, or any `lambda_http` service | [`run`], [`Spans::run`] |
//! | the same with streamed responses | [`run_streaming`], [`Spans::run_streaming`] |
//! | a handler of any other `LambdaEvent<T>` | [`run_event`], [`Spans::run_event`] |
//! | a `lambda_runtime::Runtime` of one's own | [`LambdaLayer`] with [`HttpLayer`] or [`EventLayer`] |
//! | a server that is no function, such as the same router on a laptop | [`Spans::server`] |
//!
//! Handlers need nothing: a span of the `tracing` crate that is open while a request is handled becomes a
//! span of that request's trace, and so does each AWS SDK operation of a client that has [`AwsSdkSpans`].
//!
//! # How a request becomes a trace
//! - [`lambda`](LambdaLayer): around the invocation as Lambda sees it. Takes the identity from Lambda's own
//!   X-Ray context, opens the invocation's span, and exports after the response and before the next poll.
//! - [`http`](HttpLayer): around the handler. Route, status, errors and panics, which the outer layer cannot see.
//! - [`triggers`](EventLayer): the same for what is not HTTP: queues, topics, streams, buses, schedules.
//! - [`propagation`](ContextMode): context from callers, and to those whom we [call](inject).
//! - `recorder`: what `tracing` calls when a span starts and ends; finished spans wait in their invocation.
//! - `pipeline`: takes finished invocations to the destinations, side by side, within the budget.
//! - `xray`, `otlp`, `terminal`: the destinations. Each gets what fits it; none can harm another.

mod accounting;
mod aws_sdk;
mod entry;
mod flush;
mod health;
mod honeycomb_key;
mod http;
mod inbound;
mod init;
mod invocation;
mod lambda;
mod logs;
mod otlp;
mod outcome;
mod panics;
mod pipeline;
mod propagation;
mod recorder;
mod resource;
mod sampling;
mod server;
mod settings;
mod shutdown;
mod snapshot;
mod spans;
mod stack;
mod terminal;
mod trace_header;
mod triggers;
mod watchdog;
mod xray;

pub use accounting::{Counts, Dropped, Ledger};
pub use aws_sdk::AwsSdkSpans;
pub use entry::{run, run_event, run_streaming};
pub use flush::FlushMode;
pub use http::{ErrorType, HttpLayer, HttpService, StreamLayer, StreamService, TracedBody};
pub use invocation::{request_id, trace_id};
pub use lambda::{LambdaLayer, LambdaService};
pub use propagation::{Baggage, ContextMode, inject, link, trace_id_of};
pub use settings::{Fault, Faults, Settings};
pub use spans::{InstallError, Spans};
pub use triggers::{EventLayer, EventService};
pub use {opentelemetry, tracing, tracing_opentelemetry};

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
