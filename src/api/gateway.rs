use axum::Router;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use jiff::Timestamp;
use lambda_http::RequestExt;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequestContext;
use lambda_http::request::RequestContext;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tower::util::MapRequest;

use super::deadline::Deadline;

/// The characters that must be encoded in a path segment, except `%`.
const NOT_IN_SEGMENTS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'/').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// Adapts the router to events of an API Gateway REST API: restores the path of the resource and inserts the
/// invocation's [`Deadline`].
///
/// The claims that API Gateway's authorizer adds are ignored: the router verifies the token of every request.
pub fn gateway(router: Router) -> MapRequest<Router, fn(lambda_http::Request) -> lambda_http::Request> {
    MapRequest::new(router, from_event)
}

fn from_event(mut request: lambda_http::Request) -> lambda_http::Request {
    if let Some(deadline) = request.lambda_context_ref().and_then(|context| deadline(context.deadline)) {
        request.extensions_mut().insert(deadline);
    }
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() else {
        return request;
    };
    let variables = request.path_parameters_ref();
    let resource = context.resource_path.as_deref();
    let path = resource.and_then(|resource| path_of(resource, |name| variables?.first(name)));
    // An event that was written by hand may have no resource.
    let path = path.unwrap_or_else(|| without_stage(request.uri().path(), request.raw_http_path(), context).to_owned());
    if path != request.uri().path()
        && let Some(uri) = with_path(request.uri(), &path)
    {
        *request.uri_mut() = uri;
    }
    request
}

fn deadline(epoch_ms: u64) -> Option<Deadline> {
    let at = Timestamp::from_millisecond(i64::try_from(epoch_ms).ok()?).ok()?;
    Some(Deadline(at))
}

/// Returns the path of a resource such as `/api/messages/{message_group_uuid}`, given the values of its variables.
///
/// Only the resource is the same for all addresses of an API. The event's `path` also contains the stage, the base path
/// of a custom domain, or both, depending on the domain's mapping.
fn path_of<'a>(resource: &str, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    resource.strip_prefix('/')?.split('/').try_fold(String::new(), |path, segment| {
        let segment = match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
            None => segment.to_owned(),
            Some(name) => match name.strip_suffix('+') {
                None => encoded(value(name)?),
                // In events of `sam local generate-event`, the value begins with a slash.
                Some(name) => {
                    value(name)?.trim_start_matches('/').split('/').map(encoded).collect::<Vec<_>>().join("/")
                }
            },
        };
        Some(format!("{path}/{segment}"))
    })
}

/// Encodes what cannot be in a path segment. API Gateway passes on encoded values, `sam local` decoded ones, so escapes
/// are kept. No id or handle contains `%`.
fn encoded(value: &str) -> String {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    let mut parts = value.split('%');
    let first = utf8_percent_encode(parts.next().unwrap_or_default(), NOT_IN_SEGMENTS).to_string();
    parts.fold(first, |text, part| {
        let percent = if is_escape(part) { "%" } else { "%25" };
        format!("{text}{percent}{}", utf8_percent_encode(part, NOT_IN_SEGMENTS))
    })
}

/// Returns the path without the stage. The stage comes from the event's own path (`raw`), or from `lambda_http`, which
/// prepends the stage to a path that does not begin with it.
///
/// A stage may have the name of the path's first segment, `api`. The context's path always contains the stage and
/// resolves the ambiguity.
fn without_stage<'a>(path: &'a str, raw: &str, context: &ApiGatewayProxyRequestContext) -> &'a str {
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
