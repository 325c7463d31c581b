//! The entry points accept each program that the runtime's own accept.

use crate::support::{Stack, attributes, summary};

/// Programs of each kind, for the entry points of one crate. Each is type-checked; its future is never polled.
macro_rules! programs {
    ($module:ident, $run:path, $run_concurrent:path, $streaming:path, $streaming_concurrent:path, $event:path, $event_concurrent:path) => {
        mod $module {
            use std::cell::Cell;
            use std::convert::Infallible;
            use std::rc::Rc;

            use axum::Router;
            use axum::routing::get;
            use futures_util::stream;
            use lambda_http::{Body, Request, Response};
            use lambda_runtime::streaming::{self, channel};
            use lambda_runtime::{Diagnostic, Error, FunctionResponse, LambdaEvent, StreamResponse, service_fn};
            use serde_json::{Value, json};

            /// A client that a handler cannot clone.
            struct Client(String);

            impl Client {
                async fn get(&self) -> &str {
                    &self.0
                }
            }

            #[derive(Debug)]
            struct Failure;

            impl From<Failure> for Diagnostic {
                fn from(_: Failure) -> Self {
                    Self { error_type: "Failure".to_owned(), error_message: String::new() }
                }
            }

            #[derive(serde::Deserialize)]
            struct Order {
                id: u32,
            }

            #[derive(serde::Serialize)]
            struct Receipt {
                id: u32,
            }

            async fn named(_: Request) -> Result<impl lambda_http::IntoResponse, Error> {
                Ok("hello")
            }

            pub(super) fn http() {
                let client = Client("hello".to_owned());
                let calls = Rc::new(Cell::new(0));
                drop($run(service_fn(named)));
                drop($run(Router::new().route("/", get(async || "hello"))));
                drop($run(service_fn(async |_: Request| Ok::<_, Infallible>("hello"))));
                drop($run(service_fn(|_: Request| async { Ok::<_, Error>(client.get().await) })));
                drop($run(service_fn(|_: Request| async { Ok::<_, &'static str>(json!({ "hello": client.get().await })) })));
                drop($run(service_fn(async |_: Request| Ok::<_, String>(Response::new(Body::from("hello"))))));
                drop($run(service_fn(async |_: Request| Ok::<_, Failure>((http::StatusCode::CREATED, "hello")))));
                drop($run(service_fn(|_: Request| {
                    calls.set(calls.get() + 1);
                    async { Ok::<_, Error>(vec![1_u8]) }
                })));
                drop($run_concurrent(service_fn(named)));
                drop($run_concurrent(service_fn(async |_: Request| Ok::<_, Failure>(json!({})))));
            }

            pub(super) fn streamed() {
                let client = Client("hello".to_owned());
                drop($streaming(Router::new().route("/", get(async || "hello"))));
                drop($streaming(service_fn(|_: Request| async {
                    Ok::<_, Failure>(Response::new(client.get().await.to_owned()))
                })));
                drop($streaming_concurrent(Router::new().route("/", get(async || "hello"))));
                drop($streaming_concurrent(service_fn(async |_: Request| {
                    Ok::<_, Infallible>(Response::new(axum::body::Body::from("hello")))
                })));
            }

            async fn receipt(event: LambdaEvent<Order>) -> Result<Receipt, Failure> {
                Ok(Receipt { id: event.payload.id })
            }

            async fn channeled(_: LambdaEvent<Value>) -> Result<streaming::Response<streaming::Body>, Error> {
                Ok(streaming::Response::from(channel().1))
            }

            pub(super) fn events() {
                let client = Client("hello".to_owned());
                let calls = Rc::new(Cell::new(0));
                drop($event(service_fn(receipt)));
                drop($event(service_fn(channeled)));
                drop($event(service_fn(async |_: LambdaEvent<Value>| {
                    let items = ["a", "b"].map(Ok::<_, std::io::Error>);
                    Ok::<_, Error>(StreamResponse::from(stream::iter(items)))
                })));
                drop($event(service_fn(async |_: LambdaEvent<Value>| {
                    let response: FunctionResponse<Value, streaming::Body> = FunctionResponse::BufferedResponse(json!(1));
                    Ok::<_, Error>(response)
                })));
                drop($event(service_fn(|_: LambdaEvent<Value>| async { Ok::<_, Error>(client.get().await) })));
                drop($event(service_fn(|_: LambdaEvent<()>| {
                    calls.set(calls.get() + 1);
                    async { Ok::<_, Infallible>(()) }
                })));
                drop($event_concurrent(service_fn(receipt)));
                drop($event_concurrent(service_fn(channeled)));
            }
        }
    };
}

/// The bounds of functions that `lambda_http` has only with a feature, which this workspace does not enable.
mod feature_of_lambda_http {
    use std::fmt::Debug;

    use bytes::Bytes;
    use http_body::Body;
    use lambda_http::{IntoResponse, Request, Response, Service};
    use lambda_runtime::{Diagnostic, Error};

    pub(super) async fn run_concurrent<R, S, E>(handler: S) -> Result<(), Error>
    where
        S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + Send + Sync + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
    {
        lambda_http::run(handler).await
    }

    pub(super) async fn run_with_streaming_response_concurrent<S, B, E>(handler: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        lambda_http::run_with_streaming_response(handler).await
    }
}

programs!(
    of_the_runtime,
    lambda_http::run,
    crate::entry::feature_of_lambda_http::run_concurrent,
    lambda_http::run_with_streaming_response,
    crate::entry::feature_of_lambda_http::run_with_streaming_response_concurrent,
    lambda_runtime::run,
    lambda_runtime::run_concurrent
);

programs!(
    of_this_crate,
    lambda_spans::run,
    lambda_spans::run_concurrent,
    lambda_spans::run_streaming,
    lambda_spans::run_streaming_concurrent,
    lambda_spans::run_event,
    lambda_spans::run_event_concurrent
);

#[test]
fn every_program_for_the_runtime_compiles() {
    of_the_runtime::http();
    of_the_runtime::streamed();
    of_the_runtime::events();
    of_this_crate::http();
    of_this_crate::streamed();
    of_this_crate::events();
    // The runtime's own requires responses that are `Sync`, which those of a router are not.
    drop(lambda_spans::run_concurrent(axum::Router::new()));
}

const HTTP: &str = include_str!("../data/apigw_http.json");
const PLAIN: &str = include_str!("../data/plain.json");

/// The status and the size of the response, as recorded on the span.
async fn recorded(handler: &str) -> (Option<String>, Option<String>, String) {
    let trace = Stack::start(handler, &[]).await.invoke(HTTP).await;
    assert!(trace.answer.success, "{:?}", trace.answer);
    let (_, _, _, mut found) = summary(trace.root());
    let [status, size] = ["http.response.status_code", "http.response.body.size"].map(|key| found.remove(key));
    let response: serde_json::Value = serde_json::from_str(&trace.answer.body).unwrap();
    (status, size, response["body"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn any_response_of_a_borrowing_handler_is_recorded() {
    let (status, size, body) = recorded("borrowed-text").await;
    assert_eq!((status.as_deref(), size.as_deref()), (Some("int 200"), Some("int 12")));
    assert_eq!(body, "a kept text\n");
    let (status, size, body) = recorded("json").await;
    assert_eq!((status.as_deref(), size.as_deref()), (Some("int 503"), Some("int 16")));
    assert_eq!(body, r#"{"retry":"soon"}"#);
}

#[tokio::test]
async fn streamed_event_response_is_covered_by_the_span() {
    let trace = Stack::start("streamed-event", &[]).await.invoke(PLAIN).await;
    trace.assert_streamed_within_the_root();
    let root = trace.root();
    let (name, _, failed, mut found) = summary(root);
    assert!(found.remove("http.response.time_to_first_byte_ms").is_some());
    let expected = attributes([
        ("faas.trigger", "other"),
        ("http.response.body.size", "int 24"),
        ("http.response.status_code", "int 200"),
    ]);
    assert_eq!((name.as_str(), failed, found), ("cruddur-api", false, expected));
}

#[tokio::test]
async fn broken_event_stream_fails_the_span() {
    let trace = Stack::start("broken-event", &[]).await.invoke(PLAIN).await;
    let (_, _, failed, found) = summary(trace.root());
    assert_eq!((failed, found["error.type"].as_str()), (true, "handler_error"));
    assert_eq!(found.get("http.response.body.size"), None);
    trace.assert_nothing_private();
}

/// The number of traces of three concurrent invocations, and the log.
async fn concurrent(handler: &str, event: &str) -> (usize, String) {
    let function = Stack::start(handler, &[("AWS_LAMBDA_MAX_CONCURRENCY", "3".to_owned())]).await;
    function.invoke_concurrently(3, event).await
}

#[tokio::test]
async fn concurrent_streams_are_separate_traces() {
    let url = include_str!("../data/function_url.json").replace("/fail", "/items/42");
    let (traces, log) = concurrent("streaming-concurrent", &url).await;
    assert_eq!((traces, log.matches("AWS_LAMBDA_MAX_CONCURRENCY").count()), (3, 0), "{log}");
}

#[tokio::test]
async fn sequential_run_warns_of_concurrency() {
    let url = include_str!("../data/function_url.json").replace("/fail", "/items/42");
    let mut function = Stack::start("streaming", &[("AWS_LAMBDA_MAX_CONCURRENCY", "1".to_owned())]).await;
    function.invoke(&url).await;
    assert_eq!(function.lambda.kill().await.matches("AWS_LAMBDA_MAX_CONCURRENCY").count(), 1);
}
