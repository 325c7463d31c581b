use crate::support::{Stack, attributes, summary};

const REST: &str = include_str!("../data/apigw_rest.json");
const REST_PROXY: &str = include_str!("../data/apigw_rest_proxy.json");
const HTTP: &str = include_str!("../data/apigw_http.json");
const URL: &str = include_str!("../data/function_url.json");
const ALB: &str = include_str!("../data/alb.json");

const SERVER: i32 = 2;

async fn http() -> Stack {
    Stack::start("http", &[("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true".to_owned())]).await
}

#[tokio::test]
async fn rest_span_has_route_sizes_scheme_and_status() {
    let trace = http().await.invoke(REST).await;
    let expected = attributes([
        // The event contains each header twice: as a single value and in a list.
        ("client.trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 12"),
        ("http.request.method", "PUT"),
        ("http.response.body.size", "int 12"),
        ("http.response.status_code", "int 200"),
        ("http.route", "/items/{id}"),
        ("network.protocol.version", "1.1"),
        ("server.address", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"),
        ("url.path", "/prod/items/42"),
        ("url.scheme", "https"),
        ("user_agent.original", "curl/8.5.0"),
    ]);
    assert_eq!(summary(trace.root()), ("PUT /items/{id}".to_owned(), SERVER, false, expected));
    assert_eq!(trace.root().parent_span_id, b"");
    trace.assert_nothing_private();
}

#[tokio::test]
async fn http_api_span_has_the_route_key_and_404_is_no_error() {
    let missing = HTTP.replace("/items/42", "/elsewhere");
    let trace = http().await.invoke(&missing).await;
    let expected = attributes([
        ("client.trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", "int 0"),
        ("http.response.status_code", "int 404"),
        ("http.route", "/items/{id}"),
        ("network.protocol.version", "1.1"),
        ("server.address", "f6g7h8i9j0.execute-api.eu-west-1.amazonaws.com"),
        ("url.path", "/elsewhere"),
        ("url.scheme", "https"),
        ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
    ]);
    assert_eq!(summary(trace.root()), ("GET /items/{id}".to_owned(), SERVER, false, expected));
    trace.assert_nothing_private();
}

#[tokio::test]
async fn function_url_span_has_route_and_error_type() {
    let trace = http().await.invoke(URL).await;
    let expected = attributes([
        ("error.type", "upstream"),
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", "int 0"),
        ("http.response.status_code", "int 502"),
        ("http.route", "/fail"),
        ("network.protocol.version", "1.1"),
        ("server.address", "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws"),
        ("url.path", "/fail"),
        ("url.scheme", "https"),
        ("user_agent.original", "curl/8.5.0"),
    ]);
    assert_eq!(summary(trace.root()), ("GET /fail".to_owned(), SERVER, true, expected));
}

#[tokio::test]
async fn alb_span_has_only_the_router_route() {
    let mut function = http().await;
    let trace = function.invoke(ALB).await;
    let expected = attributes([
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", "int 7"),
        ("http.response.status_code", "int 200"),
        ("http.route", "/items/{id}"),
        ("server.address", "items-1234567890.eu-west-1.elb.amazonaws.com"),
        ("url.path", "/items/7"),
        ("url.scheme", "http"),
        ("user_agent.original", "ELB-Client/1.0"),
    ]);
    assert_eq!(summary(trace.root()), ("GET /items/{id}".to_owned(), SERVER, false, expected));
    let (name, ..) = summary(function.invoke(&ALB.replace("/items/7", "/elsewhere")).await.root());
    assert_eq!(name, "GET");
}

#[tokio::test]
async fn greedy_gateway_route_is_the_fallback() {
    let mut function = http().await;
    let (name, _, _, attributes) = summary(function.invoke(REST_PROXY).await.root());
    assert_eq!((name.as_str(), attributes["http.route"].as_str()), ("GET /{proxy+}", "/{proxy+}"));
    let (name, ..) = summary(function.invoke(&REST_PROXY.replace("/nowhere", "/items/1")).await.root());
    assert_eq!(name, "GET /items/{id}");
}

#[tokio::test]
async fn route_has_no_stage_and_client_address_is_opt_in() {
    let mut function = Stack::start("http-with-address", &[]).await;
    let (name, _, _, rest) = summary(function.invoke(REST).await.root());
    assert_eq!((name.as_str(), rest["http.route"].as_str()), ("PUT /items/{id}", "/items/{id}"));
    assert_eq!((rest["url.path"].as_str(), rest["client.address"].as_str()), ("/prod/items/42", "203.0.113.7"));
    let (.., url) = summary(function.invoke(URL).await.root());
    assert_eq!(url["client.address"], "2001:db8::7");
    let (.., alb) = summary(function.invoke(ALB).await.root());
    assert_eq!(alb["client.address"], "203.0.113.7");
}

#[tokio::test]
async fn unknown_methods_share_one_span_name() {
    let (name, _, _, attributes) = summary(http().await.invoke(&ALB.replace("GET", "BREW")).await.root());
    assert_eq!(name, "HTTP /items/{id}");
    assert_eq!(attributes["http.request.method"], "_OTHER");
    assert_eq!(attributes["http.request.method_original"], "BREW");
}

#[tokio::test]
async fn panic_ends_the_span() {
    let trace = http().await.invoke(&ALB.replace("/items/7", "/panic")).await;
    assert!(!trace.answer.success);
    let (name, _, failed, attributes) = summary(trace.root());
    assert_eq!((name.as_str(), failed, attributes["error.type"].as_str()), ("GET /panic", true, "panic"));
    assert!(!attributes.contains_key("http.response.status_code"));
    assert_eq!(trace.root_document()["fault"], true);
    trace.assert_nothing_private();
}

#[tokio::test]
async fn handler_error_ends_the_span() {
    let trace = Stack::start("http-error", &[]).await.invoke(ALB).await;
    assert!(!trace.answer.success);
    let (name, _, failed, attributes) = summary(trace.root());
    assert_eq!((name.as_str(), failed), ("GET", true));
    assert_eq!(attributes["error.type"], "std::io::error::Error");
    trace.assert_nothing_private();
}

#[tokio::test]
async fn unparsable_event_ends_the_span() {
    let mut function = http().await;
    let trace = function.invoke(r#"{"canary": "canary"}"#).await;
    assert!(!trace.answer.success);
    let expected = attributes([("error.type", "event_refused")]);
    assert_eq!(summary(trace.root()), ("cruddur-api".to_owned(), SERVER, true, expected));
    assert_eq!(trace.root_document()["fault"], true);
    trace.assert_nothing_private();
    // The next invocation is not affected.
    assert!(!summary(function.invoke(ALB).await.root()).2);
}

/// The event `http_<name>.json`.
macro_rules! case {
    ($name:literal) => {
        include_str!(concat!("../data/http_", $name, ".json"))
    };
}

#[tokio::test]
async fn gateway_events_have_the_path_and_host_that_were_sent() {
    let mut function = http().await;
    for (event, name, path, url) in [
        (
            case!("rest_execute_api"),
            "GET /user/{id}",
            "/dev/user/42",
            "https://mcwkra0ya4.execute-api.sa-east-1.amazonaws.com/dev/user/42",
        ),
        (case!("rest_custom_domain"), "GET /user/{id}", "/user/42", "https://api.example.com/user/42"),
        (case!("rest_custom_domain_basepath"), "GET /user/{id}", "/v1/user/42", "https://api.example.com/v1/user/42"),
        (case!("http_custom_domain"), "GET /user/{id}", "/user/42", "https://api.example.com/user/42"),
        (case!("http_any"), "GET /user/{id}", "/user/42", "https://api.example.com/user/42"),
        (case!("http_default_route"), "GET", "/user/42", "https://api.example.com/user/42"),
        (case!("host_port"), "GET /user/{id}", "/user/42", "https://localhost:3000/user/42"),
        (case!("proto_list"), "GET /user/{id}", "/user/42", "https://x.example.com/user/42"),
        (case!("alb_proto"), "GET", "/", "https://items-0987654321.us-east-1.elb.amazonaws.com/"),
        (case!("route_axum"), "GET /items/{id}", "/items/42", "https://x.example.com/items/42"),
        (case!("route_axum_custom"), "GET /items/{id}", "/items/42", "https://api.example.com/items/42"),
    ] {
        let trace = function.invoke(event).await;
        let (found, _, _, attributes) = summary(trace.root());
        assert_eq!((found.as_str(), attributes["url.path"].as_str()), (name, path), "{url}");
        assert_eq!(attributes.get("http.route").map(String::as_str), name.strip_prefix("GET "), "{url}");
        assert_eq!(trace.root_document()["http"]["request"]["url"], url);
        let host = url.strip_prefix("https://").and_then(|url| url.split(['/', ':']).next()).unwrap();
        assert_eq!((attributes["server.address"].as_str(), attributes["url.scheme"].as_str()), (host, "https"));
        let port = url.contains(":3000").then_some("int 3000");
        assert_eq!(attributes.get("server.port").map(String::as_str), port);
    }
}

#[tokio::test]
async fn invalid_host_leaves_only_the_server_out() {
    let trace = http().await.invoke(case!("host_bad")).await;
    assert!(trace.answer.success);
    let expected = attributes([
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", "int 0"),
        ("http.response.status_code", "int 404"),
        ("http.route", "/user/{id}"),
        ("network.protocol.version", "1.1"),
        ("url.path", "/user/42"),
        ("url.scheme", "https"),
        ("user_agent.original", "curl/8.1.2"),
    ]);
    assert_eq!(summary(trace.root()), ("GET /user/{id}".to_owned(), SERVER, false, expected));
    let request = &trace.root_document()["http"]["request"];
    assert_eq!(request, &serde_json::json!({ "method": "GET", "user_agent": "curl/8.1.2" }));
}
