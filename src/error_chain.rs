use std::error::Error;

/// Returns an error and its chain of sources, separated by colons. To omit the error itself, pass its source.
pub(crate) fn error_chain(first: Option<&(dyn Error + 'static)>) -> String {
    let chain = std::iter::successors(first, |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
