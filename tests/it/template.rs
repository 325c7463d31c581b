use std::collections::BTreeSet;

use crate::support::{TABLE, TestApp};

const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"));

/// The lines of the resource, without their indentation.
fn resource(name: &str) -> Vec<&'static str> {
    let lines = TEMPLATE.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    lines.take_while(|line| line.starts_with("   ") || line.is_empty()).map(str::trim).collect()
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

#[test]
fn the_template_sets_what_the_configuration_asks_for() {
    let function = resource("ApiFunction");
    let error = cruddur::config::Config::from_lookup(|_| None).unwrap_err();
    for fault in error.faults() {
        let set = function.iter().any(|line| line.starts_with(&format!("{}:", fault.name)));
        assert!(set, "{} is not set for ApiFunction", fault.name);
    }
}

/// A path as API Gateway sees it, which knows no `@` before a variable and for which one name is like another.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.ends_with('}') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_template_has_the_routes_of_the_router() {
    let router = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/router.rs"));
    let mut routes = BTreeSet::new();
    for line in router.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        for method in ["get", "put", "post", "delete"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                routes.insert(format!("{} {}", method.to_uppercase(), shape(path)));
            }
        }
    }
    let function = resource("ApiFunction");
    let values = |key: &str| -> Vec<&str> { function.iter().filter_map(|line| line.strip_prefix(key)).collect() };
    let template: Vec<_> = values("Method: ")
        .iter()
        .zip(values("Path: "))
        .map(|(method, path)| format!("{method} {}", shape(path)))
        .collect();
    assert_eq!(template.iter().cloned().collect::<BTreeSet<_>>(), routes);
    assert_eq!(template.len(), routes.len(), "no route is there twice");
}
