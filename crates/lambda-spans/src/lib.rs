//! Tracing for AWS Lambda: every invocation is one complete trace, in X-Ray and over OTLP, and the caller
//! never waits for it.
//!
//! ```no_run
//! # async fn example(router: axum::Router) -> Result<(), lambda_runtime::Error> {
//! let settings = lambda_spans::Settings::from_env().map_err(lambda_spans::Faults)?;
//! let spans = lambda_spans::Spans::install(settings)?;
//! spans.run(router).await
//! # }
//! ```
//!
//! Handlers need nothing: a span of the `tracing` crate that is open while a request is handled becomes a
//! span of that request's trace, and so does each AWS SDK operation of a client that has [`AwsSdkSpans`].
//!
//! # How a request becomes a trace
//! - [`lambda`](LambdaLayer): around the invocation as Lambda sees it. Takes the identity from Lambda's own
//!   X-Ray context, opens the invocation's span, and exports after the response and before the next poll.
//! - [`http`](HttpLayer): around the handler. Route, status, errors and panics, which the outer layer cannot see.
//! - `recorder`: what `tracing` calls when a span starts and ends; finished spans wait in their invocation.
//! - `pipeline`: takes finished invocations to the destinations, side by side, within the budget.
//! - `xray`, `otlp`, `terminal`: the destinations. Each gets what fits it; none can harm another.

mod accounting;
mod aws_sdk;
mod event;
mod flush;
mod health;
mod honeycomb_key;
mod http;
mod init;
mod invocation;
mod lambda;
mod logs;
mod otlp;
mod panics;
mod pipeline;
mod recorder;
mod resource;
mod sampling;
mod server;
mod settings;
mod shutdown;
mod spans;
mod stack;
mod terminal;
mod trace_header;
mod watchdog;
mod xray;

pub use accounting::{Counts, Ledger};
pub use aws_sdk::AwsSdkSpans;
pub use flush::FlushMode;
pub use http::{ErrorType, HttpLayer, HttpService};
pub use invocation::{request_id, trace_id};
pub use lambda::{LambdaLayer, LambdaService};
pub use settings::{Fault, Faults, Settings};
pub use spans::{InstallError, Spans};
pub use {opentelemetry, tracing, tracing_opentelemetry};
