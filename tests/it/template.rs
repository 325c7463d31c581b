//! `template.yaml` describes the table, the variables, and the routes of the code.

use std::cell::RefCell;
use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::KeySchemaElement;
use cruddur::api::{Access, ROUTES};
use cruddur::config::{Config, TableConfig};
use serde_json::{Value, json};

use crate::support::{TABLE, TestApp, properties, template};

fn key_schema(keys: &[KeySchemaElement]) -> Vec<Value> {
    let keys = keys.iter();
    keys.map(|key| json!({ "AttributeName": key.attribute_name(), "KeyType": key.key_type().as_str() })).collect()
}

/// The list in a fixed order: that of DynamoDB's answer differs from the template's.
fn sorted(list: &Value, name: &str) -> Vec<Value> {
    let mut list = list.as_array().unwrap().clone();
    list.sort_by_key(|item| item[name].as_str().unwrap().to_owned());
    list
}

#[tokio::test]
async fn template_and_code_create_the_same_table() {
    let app = TestApp::new().await;
    let ours = app.client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    let table = properties("Table");
    assert_eq!(table["KeySchema"], json!(key_schema(ours.key_schema())));
    let attributes = ours.attribute_definitions().iter();
    let attributes = attributes.map(|attribute| {
        json!({ "AttributeName": attribute.attribute_name(), "AttributeType": attribute.attribute_type().as_str() })
    });
    let attributes = sorted(&attributes.collect(), "AttributeName");
    assert_eq!(sorted(&table["AttributeDefinitions"], "AttributeName"), attributes);
    let indexes: Vec<Value> = ours
        .global_secondary_indexes()
        .iter()
        .map(|index| {
            let projection = index.projection().unwrap();
            json!({
                "IndexName": index.index_name(),
                "KeySchema": key_schema(index.key_schema()),
                "Projection": {
                    "ProjectionType": projection.projection_type().unwrap().as_str(),
                    "NonKeyAttributes": projection.non_key_attributes(),
                },
            })
        })
        .collect();
    let mut documented = table["GlobalSecondaryIndexes"].clone();
    for index in documented.as_array_mut().unwrap() {
        index.as_object_mut().unwrap().remove("OnDemandThroughput");
    }
    assert_eq!(documented, json!(indexes));
    let stream = ours.stream_specification().unwrap().stream_view_type().unwrap();
    assert_eq!(table["StreamSpecification"], json!({ "StreamViewType": stream.as_str() }));
    let billing = ours.billing_mode_summary().unwrap().billing_mode().unwrap();
    assert_eq!(table["BillingMode"], billing.as_str());
    let ttl = app.client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap().attribute_name.unwrap();
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": ttl, "Enabled": true }));
}

/// Variables that Lambda, the SAM CLI or a laptop sets.
const SET_ELSEWHERE: [&str; 17] = [
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
/// Variables whose defaults suit every function.
const LEFT_AT_DEFAULT: [&str; 67] = [
    "ALL_PROXY",
    "AWS_XRAY_COLLECTOR_ENDPOINT",
    "AWS_XRAY_SDK_ENABLED",
    "AWS_XRAY_TRACING_NAME",
    "HONEYCOMB_API_ENDPOINT",
    "HONEYCOMB_DATASET",
    "HONEYCOMB_SAMPLE_RATE",
    "HONEYCOMB_TRACES_APIKEY",
    "HONEYCOMB_TRACES_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LAMBDA_SPANS_BUDGET_MS",
    "LAMBDA_SPANS_CONTEXT",
    "LAMBDA_SPANS_FILTER",
    "LAMBDA_SPANS_FLUSH",
    "LAMBDA_SPANS_KEEP_SLOWER_THAN_MS",
    "LAMBDA_SPANS_LOG_BUFFER",
    "LAMBDA_SPANS_SAMPLE_KEY",
    "LAMBDA_SPANS_SECOND_OTLP_COMPRESSION",
    "LAMBDA_SPANS_SECOND_OTLP_HEADERS",
    "LAMBDA_SPANS_SECOND_OTLP_SAMPLE_RATE",
    "LAMBDA_SPANS_SECOND_OTLP_TIMEOUT",
    "LAMBDA_SPANS_XRAY_ANNOTATIONS",
    "LAMBDA_SPANS_XRAY_ARRAYS",
    "LAMBDA_SPANS_XRAY_FORMAT",
    "NO_PROXY",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_CONFIG_FILE",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOG_LEVEL",
    "OTEL_PROPAGATORS",
    "OTEL_SDK_DISABLED",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The variables that `read` looks up. Some need a value, because the code then reads others.
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

/// The variables that the template sets for a function: those of all functions, and its own.
fn variables(function: &str) -> impl Iterator<Item = (&'static String, &'static Value)> {
    let globals = &template()["Globals"]["Function"];
    [globals, properties(function)]
        .into_iter()
        .flat_map(|properties| properties["Environment"]["Variables"].as_object().unwrap())
}

#[test]
fn template_sets_every_variable_that_the_code_reads() {
    let mut api = asked_for(|get| drop(Config::from_lookup(get).unwrap()));
    let table = asked_for(|get| drop(TableConfig::from_lookup(get).unwrap()));
    for elsewhere in SET_ELSEWHERE.into_iter().chain(LEFT_AT_DEFAULT) {
        assert!(api.remove(elsewhere), "no code reads {elsewhere}");
    }
    let ours = |name: &String| !SET_ELSEWHERE.iter().chain(&LEFT_AT_DEFAULT).any(|other| name == other);
    let table: BTreeSet<_> = table.into_iter().filter(ours).collect();
    let names = |function| variables(function).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names("ApiFunction"), api);
    // Only the stream consumer has a dead-letter queue, and the trigger writes no posts.
    let of_stream = ["DEAD_LETTERS_URL", "HOME_SCHEDULE"].map(str::to_owned);
    assert_eq!(names("SignupFunction"), &table - &BTreeSet::from(of_stream));
    assert_eq!(names("StreamFunction"), table);
}

#[test]
fn required_variables_are_set_unconditionally() {
    let is_optional = |name: &str| {
        let (_, value) = variables("ApiFunction").find(|(variable, _)| *variable == name).unwrap();
        let branches = value["Fn::If"].as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        branches.iter().any(|branch| branch["Ref"] == "AWS::NoValue")
    };
    for fault in Config::from_lookup(|_| None).unwrap_err().faults() {
        assert!(!is_optional(fault.name), "{} may be unset", fault.name);
    }
    assert!(is_optional("JWKS_URL") && is_optional("OTEL_EXPORTER_OTLP_ENDPOINT"));
}

/// A path as API Gateway compares it: it ignores the names of parameters and an `@` before them, so a post and a
/// user's page are one resource.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.ends_with('}') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn template_requires_a_token_where_the_router_does() {
    let events = properties("ApiFunction")["Events"].as_object().unwrap().values().map(|event| {
        let event = &event["Properties"];
        let text = |name: &str| event[name].as_str().unwrap();
        let authorizer = event["Auth"]["Authorizer"].as_str();
        (text("Method"), shape(text("Path")), authorizer)
    });
    // `ANY` has no authorizer: the router answers preflights, HEAD and unsupported methods.
    let any = ROUTES.iter().map(|route| ("ANY", shape(route.path), None));
    // Its throttle needs a separate method.
    let any = any.chain([("POST", "/v1/traces".to_owned(), None)]);
    let users = ROUTES.iter().filter(|route| route.access == Access::SignedIn);
    let users: BTreeSet<_> = users.map(|route| (route.method, shape(route.path), Some("UserPool"))).collect();
    for route in ROUTES.iter().filter(|route| route.access != Access::SignedIn) {
        let shared = (route.method, shape(route.path), Some("UserPool"));
        assert!(!users.contains(&shared), "API Gateway would require a token for {} {}", route.method, route.path);
    }
    assert_eq!(events.collect::<BTreeSet<_>>(), any.chain(users).collect());
    let authorizer = &properties("Api")["Auth"]["Authorizers"]["UserPool"];
    assert_eq!(authorizer["AuthorizationScopes"], json!(["aws.cognito.signin.user.admin"]));
}

/// Every text in the template, without comments.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                found.push(name);
                texts(field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn template_contains_no_key_account_or_http_url() {
    let mut found = Vec::new();
    texts(template(), &mut found);
    for text in found {
        assert!(!text.contains("AKIA") && !text.contains("ACCESS_KEY"), "{text}");
        assert!(!text.contains("http://") || text.starts_with("http://localhost"), "{text}");
        assert!(!text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 12), "{text}");
    }
    // `sam local` passes on only variables that the template names.
    assert_eq!(
        template()["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"]["Ref"],
        "AWS::NoValue"
    );
}
