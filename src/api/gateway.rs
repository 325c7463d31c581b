use axum::Router;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use jiff::Timestamp;
use lambda_http::RequestExt;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequestContext;
use lambda_http::request::RequestContext;
use tower::util::MapRequest;

use super::deadline::Deadline;

/// The router as API Gateway's REST events need it: the stage is taken from the path, and the request carries the
/// invocation's [`Deadline`].
///
/// What an authorizer of the gateway says of the user is not read: the token itself is verified for every request.
pub fn gateway(router: Router) -> MapRequest<Router, fn(lambda_http::Request) -> lambda_http::Request> {
    MapRequest::new(router, from_event)
}

fn from_event(mut request: lambda_http::Request) -> lambda_http::Request {
    if let Some(deadline) = request.lambda_context_ref().and_then(|context| deadline(context.deadline)) {
        request.extensions_mut().insert(deadline);
    }
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref().cloned() else {
        return request;
    };
    let path = request.uri().path();
    let rest = route_path(path, request.raw_http_path(), &context).to_owned();
    if rest != path
        && let Some(uri) = with_path(request.uri(), &rest)
    {
        *request.uri_mut() = uri;
    }
    request
}

fn deadline(epoch_ms: u64) -> Option<Deadline> {
    let at = Timestamp::from_millisecond(i64::try_from(epoch_ms).ok()?).ok()?;
    Some(Deadline(at))
}

/// The path without the stage, wherever it comes from: the event's own path (`raw`), or `lambda_http`, which puts the
/// stage in front of a path that does not begin with it.
///
/// A stage may be called like a path's first part, `api` for us. The context's path tells: it always has the stage.
fn route_path<'a>(path: &'a str, raw: &str, context: &ApiGatewayProxyRequestContext) -> &'a str {
    let Some(stage) = context.stage.as_deref() else {
        return path;
    };
    let stage = format!("/{stage}");
    let staged = |path: &'a str| path.strip_prefix(&stage).filter(|rest| rest.starts_with('/'));
    let namesake = raw.starts_with(&format!("{stage}/")) && context.path.as_deref() == Some(&format!("{stage}{raw}"));
    if namesake { path } else { staged(path).unwrap_or(path) }
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}
