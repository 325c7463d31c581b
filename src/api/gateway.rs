use axum::Router;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use jiff::Timestamp;
use lambda_http::RequestExt;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequestContext;
use lambda_http::request::RequestContext;
use tower::util::MapRequest;

use super::deadline::Deadline;

/// Adapts the router to events of an API Gateway REST API: removes the stage from the path and inserts the invocation's
/// [`Deadline`].
///
/// The claims that API Gateway's authorizer adds are ignored: the router verifies the token of every request.
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

/// Returns the path without the stage. The stage comes from the event's own path (`raw`), or from `lambda_http`, which
/// prepends the stage to a path that does not begin with it.
///
/// A stage may have the name of the path's first segment, `api`. The context's path always contains the stage and
/// resolves the ambiguity.
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
