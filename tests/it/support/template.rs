//! `template.yaml` as JSON, with CloudFormation's short forms written out: `!Ref X` is `{"Ref": "X"}`.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"));
    to_json(yaml_serde::from_str(text).unwrap())
});

pub(crate) fn template() -> &'static Value {
    &TEMPLATE
}

/// The properties of a resource.
pub(crate) fn properties(resource: &str) -> &'static Value {
    let properties = &TEMPLATE["Resources"][resource]["Properties"];
    assert!(properties.is_object(), "{resource} is not in the template");
    properties
}

fn to_json(yaml: yaml_serde::Value) -> Value {
    match yaml {
        yaml_serde::Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let function = match tag.trim_start_matches('!') {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ function: to_json(tagged.value) })
        }
        yaml_serde::Value::Sequence(items) => items.into_iter().map(to_json).collect(),
        yaml_serde::Value::Mapping(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), to_json(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        yaml_serde::Value::Null => Value::Null,
        yaml_serde::Value::Bool(truth) => json!(truth),
        yaml_serde::Value::Number(number) => json!(number),
        yaml_serde::Value::String(text) => json!(text),
    }
}
