//! A service whose responses are converted.
//!
//! tower's own `MapResponse` nests five types, and deep types exceed the compiler's recursion limit in large functions.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower::Service;

pub(crate) struct Mapped<S, T, U> {
    service: S,
    map: fn(T) -> U,
}

impl<S, T, U> Mapped<S, T, U> {
    pub(crate) fn new(service: S, map: fn(T) -> U) -> Self {
        Self { service, map }
    }
}

impl<S: Clone, T, U> Clone for Mapped<S, T, U> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), map: self.map }
    }
}

impl<S, Q, T, U> Service<Q> for Mapped<S, T, U>
where
    S: Service<Q, Response = T>,
{
    type Response = U;
    type Error = S::Error;
    type Future = MappedFuture<S::Future, T, U>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        MappedFuture { response: self.service.call(request), map: self.map }
    }
}

pin_project! {
    /// The future of [`Mapped`].
    pub(crate) struct MappedFuture<F, T, U> {
        #[pin]
        response: F,
        map: fn(T) -> U,
    }
}

impl<F, T, U, E> Future for MappedFuture<F, T, U>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<U, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.response.poll(context).map_ok(this.map)
    }
}
