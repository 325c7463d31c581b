use std::cell::RefCell;
use std::collections::BTreeSet;

use cruddur::api::{Access, ROUTES};
use cruddur::config::{Config, TableConfig};

use crate::support::{TABLE, TestApp};

const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"));

/// The lines of the resource, or of what holds for all of a kind.
pub(crate) fn lines_of(name: &str) -> Vec<&'static str> {
    let lines = TEMPLATE.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    lines.take_while(|line| line.starts_with("   ") || line.is_empty()).collect()
}

/// Without their indentation.
pub(crate) fn resource(name: &str) -> Vec<&'static str> {
    lines_of(name).into_iter().map(str::trim).collect()
}

fn assert_has(lines: &[&str], expected: &[&str]) {
    let found = lines.windows(expected.len()).any(|window| window == expected);
    assert!(found, "{expected:?} is not in the template's {lines:?}");
}

#[tokio::test]
async fn the_template_makes_the_table_that_we_make() {
    let app = TestApp::new().await;
    let ours = app.client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    let template = resource("Table");
    for key in ours.key_schema() {
        let name = format!("- AttributeName: {}", key.attribute_name());
        assert_has(&template, &[&name, &format!("KeyType: {}", key.key_type())]);
    }
    for attribute in ours.attribute_definitions() {
        let name = format!("- AttributeName: {}", attribute.attribute_name());
        assert_has(&template, &[&name, &format!("AttributeType: {}", attribute.attribute_type())]);
    }
    for index in ours.global_secondary_indexes() {
        assert_has(&template, &[&format!("- IndexName: {}", index.index_name().unwrap())]);
        for key in index.key_schema() {
            let name = format!("- AttributeName: {}", key.attribute_name());
            assert_has(&template, &[&name, &format!("KeyType: {}", key.key_type().as_str())]);
        }
        let projection = index.projection().unwrap();
        let mut attributes: Vec<_> = projection.non_key_attributes().iter().map(|name| format!("- {name}")).collect();
        attributes.insert(0, "NonKeyAttributes:".to_owned());
        attributes.insert(0, format!("ProjectionType: {}", projection.projection_type().unwrap()));
        assert_has(&template, &attributes.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(template.iter().filter(|line| line.starts_with("- AttributeName")).count(), 8);
    assert_eq!(template.iter().filter(|line| line.starts_with("- IndexName")).count(), 1);
    let stream = ours.stream_specification().unwrap().stream_view_type().unwrap();
    assert_has(&template, &[&format!("StreamViewType: {stream}")]);
    assert_has(&template, &["BillingMode: PAY_PER_REQUEST"]);
    assert_eq!(ours.billing_mode_summary().unwrap().billing_mode().unwrap().as_str(), "PAY_PER_REQUEST");
    let ttl = app.client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap().attribute_name.unwrap();
    assert_has(&template, &["TimeToLiveSpecification:", &format!("AttributeName: {ttl}"), "Enabled: true"]);
}

/// What Lambda or the SAM CLI tells a function, or a laptop a process.
const NOT_THE_TEMPLATES: [&str; 17] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SAM_LOCAL",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_DAEMON_ADDRESS",
    "HONEYCOMB_API_KEY",
];
/// What is right where nothing is said.
const LEFT_AS_THEY_ARE: [&str; 21] = [
    "HONEYCOMB_API_ENDPOINT",
    "LAMBDA_SPANS_BUDGET_MS",
    "LAMBDA_SPANS_CONTEXT",
    "LAMBDA_SPANS_FLUSH",
    "LAMBDA_SPANS_KEEP_SLOWER_THAN_MS",
    "LAMBDA_SPANS_LOG_BUFFER",
    "LAMBDA_SPANS_SAMPLE_KEY",
    "LAMBDA_SPANS_XRAY_ANNOTATIONS",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_PROPAGATORS",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
];

/// The variables that the code asks for; where a value leads to further questions, it is given one.
fn asked_for(read: impl FnOnce(&dyn Fn(&str) -> Option<String>)) -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    read(&|name| {
        asked.borrow_mut().insert(name.to_owned());
        let value = match name {
            "COGNITO_USER_POOL_ID" => "us-east-1_A1b2C3d4E",
            "AWS_ACCESS_KEY_ID"
            | "AWS_SECRET_ACCESS_KEY"
            | "AWS_REGION"
            | "AWS_LAMBDA_FUNCTION_NAME"
            | "COGNITO_CLIENT_ID"
            | "HONEYCOMB_API_KEY_PARAMETER"
            | "SECRET_ARN"
            | "TABLE_NAME" => "x",
            _ => return None,
        };
        Some(value.to_owned())
    });
    asked.into_inner()
}

/// The variables that the template sets for a function: those of all, and its own.
fn variables(function: &str) -> BTreeSet<String> {
    let names = [lines_of("Function"), lines_of(function)].into_iter().flat_map(|lines| {
        let mut lines = lines.into_iter().skip_while(|line| line.trim() != "Variables:");
        let outside = indentation(lines.next().unwrap());
        lines.take_while(move |line| indentation(line) > outside).collect::<Vec<_>>()
    });
    let names = names.filter_map(|line| line.trim().split_once(':')).map(|(name, _)| name.to_owned());
    names.filter(|name| !name.starts_with('#')).collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[test]
fn the_template_sets_exactly_the_variables_that_the_code_reads() {
    let mut api = asked_for(|get| drop(Config::from_lookup(get).unwrap()));
    let table = asked_for(|get| drop(TableConfig::from_lookup(get).unwrap()));
    for elsewhere in NOT_THE_TEMPLATES.into_iter().chain(LEFT_AS_THEY_ARE) {
        assert!(api.remove(elsewhere), "{elsewhere} is read by nobody");
    }
    let ours = |name: &String| !NOT_THE_TEMPLATES.iter().chain(&LEFT_AS_THEY_ARE).any(|other| name == other);
    let table: BTreeSet<_> = table.into_iter().filter(ours).collect();
    // Of the two functions with these settings, one has letters to send.
    let letters = BTreeSet::from(["DEAD_LETTERS_URL".to_owned()]);
    assert_eq!(variables("ApiFunction"), api);
    assert_eq!(variables("SignupFunction"), &table - &letters);
    assert_eq!(variables("StreamFunction"), table);
}

#[test]
fn nothing_that_the_code_needs_is_left_to_a_condition() {
    let optional = |name: &str| {
        let set = [lines_of("Function"), lines_of("ApiFunction")].concat();
        set.into_iter().map(str::trim).any(|line| {
            line.starts_with(&format!("{name}: !If")) || line.contains(&format!("{name}: !Ref AWS::NoValue"))
        })
    };
    for fault in Config::from_lookup(|_| None).unwrap_err().faults() {
        assert!(!optional(fault.name), "{} may be missing", fault.name);
    }
    assert!(optional("JWKS_URL") && optional("OTEL_EXPORTER_OTLP_ENDPOINT"));
}

/// A path as API Gateway sees it, which knows no `@` before a variable and for which one name is like another: a post
/// and the page of a user are one resource there.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.ends_with('}') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_template_asks_for_a_user_exactly_where_the_router_does() {
    let mut events: Vec<(&str, String, bool)> = Vec::new();
    let mut method = "";
    for line in resource("ApiFunction") {
        if let Some(value) = line.strip_prefix("Method: ") {
            method = value;
        } else if let Some(path) = line.strip_prefix("Path: ") {
            events.push((method, shape(path), false));
        } else if line == "Authorizer: UserPool" {
            events.last_mut().unwrap().2 = true;
        }
    }
    events.sort();
    // A preflight is a method of its own, which the router answers; so is a method that a route does not take, and HEAD.
    let any = ROUTES.iter().map(|route| ("ANY", shape(route.path), false));
    let users = ROUTES.iter().filter(|route| route.access == Access::SignedIn);
    let users = users.map(|route| (route.method, shape(route.path), true));
    assert_eq!(events, any.chain(users).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    let others = ROUTES.iter().filter(|route| route.access != Access::SignedIn);
    for route in others {
        let together = (route.method, shape(route.path), true);
        assert!(
            !events.contains(&together),
            "{} {} shares its resource with a route for users",
            route.method,
            route.path
        );
    }
}
