//! Does what the runtime does around a handler: deserializes the event, contains a panic and keeps the answer.
//!
//! The futures are named types. The compiler could not prove that an `async` block with a handler's boxed error is `Send`.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;
use tower::Service;

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The handler returned an error, which the runtime reports to Lambda in this form.
    Error(Diagnostic),
    /// The handler panicked with this message.
    Panic(String),
    /// The event could not be serialized, or it could not be deserialized to the handler's event.
    Unreadable(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(formatter, "the handler failed: {}", error.error_message),
            Self::Panic(message) => write!(formatter, "the handler panicked: {message}"),
            Self::Unreadable(problem) => write!(formatter, "the event is unreadable: {problem}"),
        }
    }
}

impl std::error::Error for Failure {}

/// The first answer to an invocation, once there is one.
pub(super) struct Answer<R>(Arc<Mutex<Option<Result<R, Failure>>>>);

impl<R> Default for Answer<R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<R> Clone for Answer<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R> Answer<R> {
    pub(super) fn set(&self, answer: Result<R, Failure>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(answer);
    }

    pub(super) fn take(&self) -> Result<R, Failure> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.unwrap_or_else(|| Err(Failure::Unreadable("the handler was not called".to_owned())))
    }
}

/// Answers an invocation with a handler of its event.
pub(super) struct Answering<S, T, R> {
    handler: S,
    answer: Answer<R>,
    event: PhantomData<fn(T)>,
}

impl<S, T, R> Answering<S, T, R> {
    pub(super) fn new(handler: S, answer: Answer<R>) -> Self {
        Self { handler, answer, event: PhantomData }
    }
}

impl<S, T, R> Service<LambdaInvocation> for Answering<S, T, R>
where
    S: Service<LambdaEvent<T>, Response = R>,
    S::Error: Into<Diagnostic>,
    T: DeserializeOwned,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = AnswerFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(ready!(self.handler.poll_ready(context)).map_err(|error| {
            self.answer.set(Err(Failure::Error(error.into())));
            "the handler is not ready".into()
        }))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let LambdaInvocation { body, context, .. } = invocation;
        let work = serde_json::from_slice(&body).map_err(|error| Failure::Unreadable(error.to_string()));
        let work = work.and_then(|payload| {
            let call = || self.handler.call(LambdaEvent::new(payload, context));
            catch_unwind(AssertUnwindSafe(call)).map_err(|payload| panic_of(&*payload))
        });
        let work = work.map_err(|failure| self.answer.set(Err(failure))).ok();
        AnswerFuture { work: work.map(|work| AssertUnwindSafe(work).catch_unwind()), answer: self.answer.clone() }
    }
}

fn panic_of(payload: &(dyn Any + Send)) -> Failure {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Failure::Panic(text.unwrap_or_default())
}

pin_project! {
    /// The future of [`Answering`].
    pub(super) struct AnswerFuture<F, R> {
        // Absent if there is an answer already.
        #[pin]
        work: Option<CatchUnwind<AssertUnwindSafe<F>>>,
        answer: Answer<R>,
    }
}

impl<F, R, E> Future for AnswerFuture<F, R>
where
    F: Future<Output = Result<R, E>>,
    E: Into<Diagnostic>,
{
    type Output = Result<(), lambda_runtime::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(work) = this.work.as_pin_mut() {
            let result = match ready!(work.poll(context)) {
                Ok(result) => result.map_err(|error| Failure::Error(error.into())),
                Err(payload) => Err(panic_of(&*payload)),
            };
            this.answer.set(result);
        }
        // The runtime reports the failure of a handler to Lambda, and the invocation itself succeeds.
        Poll::Ready(Ok(()))
    }
}
