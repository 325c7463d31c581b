//! Exceptions on spans, by the OpenTelemetry semantic conventions: an event with a type, a message and a stack trace.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::io;

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::{KeyValue, Value};

use crate::attributes::{EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE};

/// The name of the event.
const EXCEPTION: &str = "exception";

/// The type of an error whose type is unknown, as in the semantic conventions.
const OTHER: &str = "_OTHER";

/// The maximum length of a type name in bytes.
const MAX_NAME: usize = 100;

/// A boxed error, which hides its type.
type BoxError = Box<dyn Error + Send + Sync>;

/// Where the messages of exceptions go. They may quote private data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExceptionMessages {
    /// Nowhere.
    #[default]
    None,
    /// To the log.
    Log,
    /// To the log and onto the span.
    All,
}

impl ExceptionMessages {
    /// Removes the message from the attributes of an exception event unless spans may contain it.
    pub(crate) fn apply(self, event: &str, attributes: &mut Vec<KeyValue>) {
        if self != Self::All && event == EXCEPTION {
            attributes.retain(|attribute| attribute.key.as_str() != EXCEPTION_MESSAGE);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Exception {
    kind: Cow<'static, str>,
    message: Option<String>,
    stacktrace: Option<String>,
}

impl Exception {
    pub(crate) fn new(kind: impl Into<Cow<'static, str>>, message: Option<String>, stacktrace: Option<String>) -> Self {
        Self { kind: kind.into(), message, stacktrace }
    }

    /// Describes an error with its sources.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Self {
        let kind = match error.downcast_ref::<io::Error>() {
            Some(_) => Some("std::io::Error".to_owned()),
            None => derived_name(&format!("{error:?}")).map(str::to_owned),
        };
        Self::new(kind.map_or(Cow::Borrowed(OTHER), Cow::Owned), Some(error_chain(error)), None)
    }

    /// Describes an error that was formatted by `Display` or `Debug`.
    pub(crate) fn from_text(value: &dyn Debug) -> Self {
        let text = format!("{value:?}");
        let name = derived_name(&text).filter(|name| is_derived(name, &format!("{value:#?}")));
        let kind = name.map_or(Cow::Borrowed(OTHER), |name| Cow::Owned(name.to_owned()));
        Self::new(kind, Some(text), None)
    }

    /// Describes an error that a handler returned. `kind` is its type, or what replaces the type of a boxed error.
    pub(crate) fn from_handler<E: Debug + 'static>(error: &E, kind: &'static str) -> Self {
        match (error as &dyn Any).downcast_ref::<BoxError>() {
            Some(boxed) => {
                let exception = Self::from_error(&**boxed);
                if exception.kind == OTHER { Self { kind: kind.into(), ..exception } } else { exception }
            }
            None => Self::new(kind, Some(format!("{error:?}")), None),
        }
    }

    /// Returns the type of the error.
    pub(crate) fn into_kind(self) -> Cow<'static, str> {
        self.kind
    }

    /// Marks `span` as failed and adds the event. The recorder removes the message where spans may not contain it.
    pub(crate) fn record_on(&self, span: &SpanRef<'_>) {
        span.set_status(Status::error(""));
        let texts = [(EXCEPTION_MESSAGE, &self.message), (EXCEPTION_STACKTRACE, &self.stacktrace)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some(KeyValue::new(key, Value::from(text.clone()?))));
        span.add_event(
            EXCEPTION,
            [KeyValue::new(EXCEPTION_TYPE, self.kind.clone())].into_iter().chain(texts).collect(),
        );
    }
}

/// Returns the messages of an error and its sources, joined by ": ".
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Returns the name in the output of a derived `Debug`, such as `NotFound` in `NotFound { id: 7 }`. Any other text has
/// no name, because a message could quote private data.
fn derived_name(debug: &str) -> Option<&str> {
    let end = debug.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(debug.len());
    let (name, rest) = debug.split_at(end);
    let has_fields = rest.starts_with('(') && rest.ends_with(')') || rest.starts_with(" {") && rest.ends_with('}');
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase()) && name.len() <= MAX_NAME;
    (is_name && (rest.is_empty() || has_fields)).then_some(name)
}

/// Returns whether a derived `Debug` wrote the text. Its alternate form has one line for each field; a message looks
/// the same in both forms.
fn is_derived(name: &str, alternate: &str) -> bool {
    alternate.strip_prefix(name).is_some_and(|rest| rest.starts_with("(\n") || rest.starts_with(" {\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "only its `Debug` output is read")]
    enum StoreError {
        Throttled,
        NotFound { id: u32 },
        Invalid(&'static str),
    }

    impl std::fmt::Display for StoreError {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a message")
        }
    }

    impl Error for StoreError {}

    fn described(exception: &Exception) -> (&str, Option<&str>) {
        (&exception.kind, exception.message.as_deref())
    }

    #[test]
    fn error_value_is_named_after_its_variant() {
        for (error, name) in [
            (StoreError::Throttled, "Throttled"),
            (StoreError::NotFound { id: 7 }, "NotFound"),
            (StoreError::Invalid("x"), "Invalid"),
        ] {
            assert_eq!(described(&Exception::from_error(&error)), (name, Some("a message")));
        }
        let error = io::Error::other(StoreError::Throttled);
        assert_eq!(described(&Exception::from_error(&error)), ("std::io::Error", Some("a message")));
    }

    #[test]
    fn message_is_never_a_type() {
        for message in ["canary", "Canary", "Canary (7)", "Canary(7)", "Canary { id: 7 }", ""] {
            let text = Exception::from_text(&format_args!("{message}"));
            assert_eq!(described(&text), (OTHER, Some(message)));
            let quoted: BoxError = message.into();
            assert_eq!(described(&Exception::from_error(&*quoted)), (OTHER, Some(message)));
        }
        let debug = Exception::from_text(&StoreError::NotFound { id: 7 });
        assert_eq!(described(&debug), ("NotFound", Some("NotFound { id: 7 }")));
    }

    #[test]
    fn boxed_handler_error_is_named_if_possible() {
        let named: BoxError = Box::new(StoreError::Throttled);
        assert_eq!(described(&Exception::from_handler(&named, "boxed")), ("Throttled", Some("a message")));
        let unnamed: BoxError = "a text".into();
        assert_eq!(described(&Exception::from_handler(&unnamed, "boxed")), ("boxed", Some("a text")));
        assert_eq!(described(&Exception::from_handler(&StoreError::Throttled, "E")), ("E", Some("Throttled")));
    }
}
