//! Responses of handlers that return any type of `lambda_http::IntoResponse`, such as a text.

use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::Response;
use lambda_http::{Body, IntoResponse, Request};
use pin_project_lite::pin_project;
use tower::Service;

type Converting = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Converts the responses of a handler, so that [`HttpLayer`](crate::HttpLayer) sees their status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responding<S>(pub(crate) S);

impl<S> Service<Request> for Responding<S>
where
    S: Service<Request>,
    S::Response: IntoResponse,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = RespondingFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        RespondingFuture::Handling { handler: self.0.call(request) }
    }
}

pin_project! {
    /// The future of [`Responding`].
    #[project = Stage]
    pub(crate) enum RespondingFuture<F> {
        Handling { #[pin] handler: F },
        Converting { response: Converting },
    }
}

impl<F, R, E> Future for RespondingFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response<Body>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Stage::Handling { handler } = self.as_mut().project() {
            let response = ready!(handler.poll(context))?.into_response();
            self.set(Self::Converting { response });
        }
        match self.project() {
            Stage::Converting { response } => response.as_mut().poll(context).map(Ok),
            Stage::Handling { .. } => Poll::Pending,
        }
    }
}

/// A response that `lambda_http` does not convert a second time.
pub(crate) struct Converted(pub(crate) Response<Body>);

impl IntoResponse for Converted {
    fn into_response(self) -> Converting {
        Box::pin(ready(self.0))
    }
}
