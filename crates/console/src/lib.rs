//! Receives traces over the wire and shows them in a browser, as AWS X-Ray and Honeycomb will show them.
//!
//! [`Console::start`] starts it within another process; the binary `lambda-console` runs it alone.
//!
//! ```no_run
//! # async fn start() -> Result<(), lambda_console::StartError> {
//! use lambda_console::{Console, Options};
//!
//! let console = Console::start(Options::default()).await?;
//! println!("Traces: {}", console.url());
//! console.stop().await;
//! # Ok(())
//! # }
//! ```

mod analysis;
mod api;
mod clock;
mod health;
mod host;
mod json;
mod model;
mod options;
mod page;
mod receive;
mod server;
mod stop;
mod store;

pub use clock::{Clock, Nanos};
pub use model::ids::{SpanId, TraceId};
pub use options::{GRPC_PORT, HTTP_PORT, MAX_BYTES, Options, XRAY_PORT};
pub use receive::intake::DecodeError;
pub use receive::limits::Limits;
pub use server::{Addresses, Console, StartError};
pub use stop::stop_requested;
