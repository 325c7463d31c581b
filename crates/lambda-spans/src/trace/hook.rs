//! The program's hook: it sees each span when the span ends, and may change it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::trace::tree::is_root;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is running a hook. Spans that start now are not recorded, because their ends would call
/// the hook again.
pub(crate) fn is_running() -> bool {
    // Without thread-local storage, the thread is ending.
    RUNNING.try_with(Cell::get).unwrap_or_default()
}

type Hook = dyn Fn(&mut EndedSpan<'_>) + Send + Sync;

/// The hooks of the program, if it has any.
#[derive(Clone, Default)]
pub(crate) struct SpanHook(Option<Arc<Hook>>);

impl fmt::Debug for SpanHook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SpanHook").field(&self.0.is_some()).finish()
    }
}

impl SpanHook {
    /// Adds a hook that runs after the others.
    pub(crate) fn and(self, hook: impl Fn(&mut EndedSpan<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(match self.0 {
            Some(earlier) => Arc::new(move |span: &mut EndedSpan<'_>| {
                earlier(span);
                hook(span);
            }),
            None => Arc::new(hook),
        }))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Passes an ended span to the hook.
    pub(crate) fn apply(&self, span: &mut SpanData) {
        let Some(hook) = &self.0 else { return };
        let outer = RUNNING.try_with(|running| running.replace(true)).unwrap_or_default();
        let result = catch_unwind(AssertUnwindSafe(|| hook(&mut EndedSpan { span })));
        RUNNING.try_with(|running| running.set(outer)).ok();
        if result.is_err() {
            // The hook may have been about to redact any of them.
            span.attributes.clear();
            span.events.events.iter_mut().for_each(|event| event.attributes.clear());
            span.links.links.iter_mut().for_each(|link| link.attributes.clear());
            if let Status::Error { description } = &mut span.status {
                *description = Cow::Borrowed("");
            }
        }
    }
}

/// A span that has ended, before any destination receives it. See
/// [`Settings::with_span_hook`](crate::Settings::with_span_hook).
#[derive(Debug)]
pub struct EndedSpan<'a> {
    span: &'a mut SpanData,
}

impl EndedSpan<'_> {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.span.name
    }

    /// Replaces the name.
    pub fn set_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.span.name = name.into();
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.span.span_kind.clone()
    }

    /// Returns whether this is the span of an invocation, of a server's request, or of other work without a parent.
    #[must_use]
    pub fn is_root(&self) -> bool {
        is_root(self.span)
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.span.status
    }

    /// Replaces the status. The description of an error may quote private data.
    pub fn set_status(&mut self, status: Status) {
        self.span.status = status;
    }

    /// Returns the attributes of the span itself.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.span.attributes
    }

    /// Returns the value of an attribute of the span itself.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    /// Sets an attribute of the span itself; replaces the value of an existing one.
    pub fn set_attribute(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.span.attributes.iter_mut().find(|attribute| attribute.key == key) {
            Some(known) => known.value = value,
            None => self.span.attributes.push(KeyValue::new(key, value)),
        }
    }

    /// Removes an attribute of the span itself and returns its value.
    pub fn remove_attribute(&mut self, key: &str) -> Option<Value> {
        let position = self.span.attributes.iter().position(|attribute| attribute.key.as_str() == key)?;
        Some(self.span.attributes.remove(position).value)
    }

    /// Calls `keep` for each attribute of the span, its events and its links, and removes the attributes for which it
    /// returns false. `keep` may change the value.
    pub fn retain_attributes(&mut self, mut keep: impl FnMut(&Key, &mut Value) -> bool) {
        let mut keep = |attribute: &mut KeyValue| keep(&attribute.key, &mut attribute.value);
        self.span.attributes.retain_mut(&mut keep);
        self.span.events.events.iter_mut().for_each(|event| event.attributes.retain_mut(&mut keep));
        self.span.links.links.iter_mut().for_each(|link| link.attributes.retain_mut(&mut keep));
    }
}
