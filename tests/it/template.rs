use std::collections::BTreeSet;

use cruddur::api::ROUTES;
use cruddur::config::{Config, TableConfig};

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
    let api = Config::from_lookup(|_| None).unwrap_err();
    let signup = TableConfig::from_lookup(|_| None).unwrap_err();
    for (name, error) in [("ApiFunction", api), ("SignupFunction", signup)] {
        let function = resource(name);
        for fault in error.faults() {
            let set = function.iter().any(|line| line.starts_with(&format!("{}:", fault.name)));
            assert!(set, "{} is not set for {name}", fault.name);
        }
    }
}

/// A path as API Gateway sees it, which knows no `@` before a variable and for which one name is like another.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.ends_with('}') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_template_has_every_path_of_the_router_with_all_methods() {
    let function = resource("ApiFunction");
    let values = |key: &str| -> Vec<&str> { function.iter().filter_map(|line| line.strip_prefix(key)).collect() };
    let paths: Vec<_> = values("Path: ").into_iter().map(shape).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| shape(route.path)).collect();
    assert_eq!(paths.iter().cloned().collect::<BTreeSet<_>>(), routes);
    assert_eq!(paths.len(), routes.len(), "no path is there twice");
    // A preflight is a method of its own, which the router answers; so is a method that a route does not take.
    assert_eq!(values("Method: "), vec!["ANY"; paths.len()]);
}

#[test]
fn a_function_has_no_permission_that_it_does_not_use() {
    let actions = |name| {
        let lines = resource(name).into_iter();
        lines.filter_map(|line| line.strip_prefix("- dynamodb:")).collect::<BTreeSet<_>>()
    };
    assert_eq!(actions("SignupFunction"), BTreeSet::from(["GetItem", "PutItem"]));
}
