//! The end of an execution environment: what is held leaves within the time that Lambda gives.

use std::time::Duration;

use lambda_extension::Extension;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::spans::Spans;

/// Lambda kills the process half a second after it has asked it to end.
const LAST_EXPORT: Duration = Duration::from_millis(400);
/// It is one exchange on the machine; where nobody answers, tracing must not keep the function from starting.
const REGISTRATION: Duration = Duration::from_millis(500);

/// Asks Lambda for a SIGTERM before the end, and exports what is held when it comes. Belongs to the init phase.
///
/// Lambda sends the signal only to functions with an extension. Where there is no Extensions API, as in some
/// emulators, false is returned and nothing is done.
pub(crate) async fn export_at_the_end(spans: Spans) -> bool {
    // It subscribes to no event: it never wakes, and it may stand beside any other extension.
    let extension = Extension::new().with_events(&[]).with_extension_name("lambda-spans");
    let extension = match tokio::time::timeout(REGISTRATION, extension.register()).await {
        Ok(Ok(extension)) => extension,
        Ok(Err(error)) => {
            warn!(%error, "no SIGTERM will come before the end: every response is followed by an export");
            return false;
        }
        Err(_) => {
            warn!("the Extensions API does not answer: every response is followed by an export");
            return false;
        }
    };
    tokio::spawn(async move {
        // It ends only with an error, and then there is nobody to tell.
        extension.run().await.ok();
    });
    let Ok(mut asked_to_end) = signal(SignalKind::terminate()) else { return false };
    tokio::spawn(async move {
        asked_to_end.recv().await;
        spans.shutdown(LAST_EXPORT).await;
        std::process::exit(0);
    });
    true
}
