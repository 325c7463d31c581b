//! Why something failed, for the log.

use std::error::Error;

/// An error and what caused it, and so on, with colons between; begin with its source where the error itself is told
/// already.
pub(crate) fn causes(first: Option<&(dyn Error + 'static)>) -> String {
    let causes = std::iter::successors(first, |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
