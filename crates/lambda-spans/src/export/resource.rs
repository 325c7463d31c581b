//! The resource of the semantic conventions: the service and its function.

use std::collections::BTreeMap;

use opentelemetry::{Array, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;

use crate::attributes::{
    AWS_LOG_GROUP_NAMES, AWS_LOG_STREAM_NAMES, CLOUD_PLATFORM, CLOUD_PROVIDER, CLOUD_REGION,
    DEPLOYMENT_ENVIRONMENT_NAME, FAAS_INSTANCE, FAAS_MAX_MEMORY, FAAS_NAME, FAAS_VERSION, SERVICE_NAME,
    SERVICE_VERSION, TELEMETRY_SDK_LANGUAGE, TELEMETRY_SDK_NAME, TELEMETRY_SDK_VERSION,
};
use crate::otlp::reserved;
use crate::variables::Reader;

const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const MIB: i64 = 1024 * 1024;

#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceSettings {
    pub(crate) service_name: Option<String>,
    pub(crate) service_version: Option<String>,
    attributes: BTreeMap<String, Value>,
    function: Option<FunctionSettings>,
    region: Option<String>,
}

/// The variables by which Lambda describes a function.
#[derive(Clone, Debug)]
struct FunctionSettings {
    name: String,
    version: Option<String>,
    memory_mib: Option<i64>,
    log_group: Option<String>,
    log_stream: Option<String>,
}

impl ResourceSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut attributes = BTreeMap::new();
        for (position, key, value) in reader.pairs(RESOURCE_ATTRIBUTES) {
            let key = match reserved::replacement(&key) {
                Some(replacement) => {
                    let problem = format!("entry {position} is sent as `{replacement}`: Honeycomb reserves its key");
                    reader.warn(RESOURCE_ATTRIBUTES, problem);
                    replacement
                }
                None => key,
            };
            attributes.insert(key, value);
        }
        let (named, versioned) = (attributes.remove(SERVICE_NAME), attributes.remove(SERVICE_VERSION));
        let function = reader.text("AWS_LAMBDA_FUNCTION_NAME").map(|name| FunctionSettings {
            name,
            version: reader.text("AWS_LAMBDA_FUNCTION_VERSION"),
            memory_mib: reader.text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|size| size.parse().ok()),
            log_group: reader.text("AWS_LAMBDA_LOG_GROUP_NAME"),
            log_stream: reader.text("AWS_LAMBDA_LOG_STREAM_NAME"),
        });
        Self {
            service_name: reader
                .text("OTEL_SERVICE_NAME")
                .or(named)
                .or_else(|| function.as_ref().map(|function| function.name.clone())),
            service_version: versioned,
            attributes: attributes.into_iter().map(|(key, value)| (key, Value::from(value))).collect(),
            function,
            region: reader.text("AWS_REGION"),
        }
    }

    /// Sets an attribute, also if the environment has it.
    pub(crate) fn set(&mut self, key: &Key, value: Value) {
        match key.as_str() {
            SERVICE_NAME => self.service_name = Some(value.as_str().into_owned()),
            SERVICE_VERSION => self.service_version = Some(value.as_str().into_owned()),
            key => {
                let key = reserved::replacement(key).unwrap_or_else(|| key.to_owned());
                self.attributes.insert(key, value);
            }
        }
    }

    /// Returns the resource for OTLP.
    pub(crate) fn resource(&self) -> Resource {
        let mut attributes = self.service_attributes();
        if let Some(function) = &self.function {
            attributes.push(KeyValue::new(FAAS_NAME, function.name.clone()));
            let optional = [
                (FAAS_VERSION, function.version.clone().map(Value::from)),
                (FAAS_INSTANCE, function.log_stream.clone().map(Value::from)),
                (FAAS_MAX_MEMORY, function.memory_mib.map(|size| Value::from(size * MIB))),
                (AWS_LOG_GROUP_NAMES, function.log_group.clone().map(string_list)),
                (AWS_LOG_STREAM_NAMES, function.log_stream.clone().map(string_list)),
            ];
            attributes.extend(optional.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))));
        }
        attributes.extend(self.attributes.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
        Resource::builder_empty().with_attributes(attributes).build()
    }

    /// Returns the resource of another program in the same deployment.
    pub(crate) fn of_other_service(&self, name: &str) -> Resource {
        let environment = self.attributes.get(DEPLOYMENT_ENVIRONMENT_NAME).cloned();
        let environment = environment.map(|value| KeyValue::new(DEPLOYMENT_ENVIRONMENT_NAME, value));
        let attributes = std::iter::once(KeyValue::new(SERVICE_NAME, name.to_owned())).chain(environment);
        Resource::builder_empty().with_attributes(attributes).build()
    }

    /// Returns the attributes that an X-Ray document has fields for.
    pub(crate) fn xray_resource(&self) -> Resource {
        Resource::builder_empty().with_attributes(self.service_attributes()).build()
    }

    fn service_attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(SERVICE_NAME, self.service_name.clone().unwrap_or_else(|| "unknown_service".to_owned())),
            KeyValue::new(TELEMETRY_SDK_NAME, "opentelemetry"),
            KeyValue::new(TELEMETRY_SDK_LANGUAGE, "rust"),
            KeyValue::new(TELEMETRY_SDK_VERSION, "0.33.1"),
        ];
        attributes.extend(self.service_version.clone().map(|version| KeyValue::new(SERVICE_VERSION, version)));
        if self.function.is_some() {
            attributes.push(KeyValue::new(CLOUD_PROVIDER, "aws"));
            attributes.push(KeyValue::new(CLOUD_PLATFORM, "aws_lambda"));
            attributes.extend(self.region.clone().map(|region| KeyValue::new(CLOUD_REGION, region)));
        }
        attributes
    }
}

fn string_list(name: String) -> Value {
    Value::Array(Array::String(vec![StringValue::from(name)]))
}
