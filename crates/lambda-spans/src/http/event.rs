//! Repairs of HTTP events that have no valid URL.

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Uri};
use lambda_http::request::LambdaRequest;
use lambda_runtime::LambdaEvent;
use url::Url;

use super::authority;

const FORWARDED_PROTOCOL: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Removes from an event what forms no URL. `lambda_http` builds the request's URL from `X-Forwarded-Proto` and `Host`,
/// and panics if it is invalid, so that a client's header would end the invocation.
pub(crate) fn with_valid_url(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    match &mut event.payload {
        LambdaRequest::ApiGatewayV1(request) => {
            repair(&mut request.headers, &mut request.request_context.domain_name);
        }
        LambdaRequest::ApiGatewayV2(request) => {
            repair(&mut request.headers, &mut request.request_context.domain_name);
        }
        LambdaRequest::Alb(request) => repair(&mut request.headers, &mut None),
        LambdaRequest::WebSocket(request) => {
            repair(&mut request.headers, &mut request.request_context.domain_name);
        }
        LambdaRequest::VpcLatticeV2(request) => repair(&mut request.headers, &mut None),
        _ => {}
    }
    event
}

fn repair(headers: &mut HeaderMap, domain: &mut Option<String>) {
    if text(headers, HOST).is_some_and(|host| !is_url("https", host)) {
        headers.remove(HOST);
    }
    if domain.as_deref().is_some_and(|domain| !is_url("https", domain)) {
        *domain = None;
    }
    let host = text(headers, HOST).or(domain.as_deref()).unwrap_or("localhost");
    let Some(protocol) = text(headers, FORWARDED_PROTOCOL).filter(|protocol| !is_url(protocol, host)) else { return };
    // Proxies append to a list. The client spoke the first protocol.
    let first = protocol.split(',').next().map(str::trim).filter(|first| is_url(first, host));
    match first.and_then(|first| HeaderValue::try_from(first).ok()) {
        Some(first) => drop(headers.insert(FORWARDED_PROTOCOL, first)),
        None => drop(headers.remove(FORWARDED_PROTOCOL)),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_url(protocol: &str, host: &str) -> bool {
    // Nearly every request ends here, without an allocation. Encoded names need a parser.
    let is_usual = matches!(protocol, "https" | "http") && authority::parse(host).is_some() && !host.contains("--");
    is_usual || Url::parse(&format!("{protocol}://{host}/")).is_ok_and(|url| Uri::try_from(url.as_str()).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Returns protocol, host and domain after the repair.
    fn repaired(protocol: &str, host: &str, domain: &str) -> [Option<String>; 3] {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_PROTOCOL, HeaderValue::from_str(protocol).unwrap());
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        let mut domain = Some(domain.to_owned());
        repair(&mut headers, &mut domain);
        let owned = |name| text(&headers, name).map(str::to_owned);
        [owned(FORWARDED_PROTOCOL), owned(HOST), domain]
    }

    #[test]
    fn valid_event_is_not_changed() {
        for (protocol, host) in [("https", "api.example.com"), ("HTTPS", "xn--bcher-kva.example:8080")] {
            let [kept_protocol, kept_host, domain] = repaired(protocol, host, "api.example.com");
            assert_eq!((kept_protocol.as_deref(), kept_host.as_deref()), (Some(protocol), Some(host)));
            assert_eq!(domain.as_deref(), Some("api.example.com"));
        }
    }

    #[test]
    fn invalid_host_and_domain_are_removed() {
        for host in ["a b", "999.1.1.1", "xn--a", "example.com:99999", ""] {
            let [_, kept, domain] = repaired("https", host, host);
            assert_eq!((kept, domain), (None, None), "{host}");
        }
    }

    #[test]
    fn first_protocol_of_a_list_is_kept() {
        let protocol = |list| repaired(list, "a.example", "a.example")[0].clone();
        assert_eq!(protocol("https,http").as_deref(), Some("https"));
        assert_eq!(protocol(" https , http").as_deref(), Some("https"));
        assert_eq!(protocol(",").as_deref(), None);
    }

    /// The events of every kind, with these header values.
    fn events(protocol: &str, host: &str) -> [Value; 5] {
        let sources = [
            include_str!("../../tests/data/apigw_rest.json"),
            include_str!("../../tests/data/apigw_http.json"),
            include_str!("../../tests/data/alb.json"),
            include_str!("../../tests/data/aws_lambda_events/apigw-websocket-request-without-method.json"),
            include_str!("../../tests/data/aws_lambda_events/vpc-lattice-v2-request.json"),
        ];
        sources.map(|source| {
            let mut event: Value = serde_json::from_str(source).unwrap();
            for name in ["Host", "host"] {
                event["headers"][name] = json!(host);
            }
            event["headers"]["x-forwarded-proto"] = json!(protocol);
            event["requestContext"]["domainName"] = json!(host);
            event
        })
    }

    proptest! {
        #[test]
        fn no_header_of_a_client_panics(
            protocol in "https?|file|ftp|[a-z,: ]{0,12}|[a-z]{60,80}|[ -~]{0,8}",
            host in "[a-z0-9.:_-]{0,20}|[0-9a-fx.]{1,12}|\\[[0-9a-f:]{0,8}\\](:[0-9]{0,6})?|[ -~]{0,20}|xn--[a-z0-9-]{0,8}",
        ) {
            for event in events(&protocol, &host) {
                if let Ok(payload) = serde_json::from_value::<LambdaRequest>(event) {
                    let event = with_valid_url(LambdaEvent::new(payload, lambda_runtime::Context::default()));
                    drop(lambda_http::Request::from(event.payload));
                }
            }
        }
    }
}
