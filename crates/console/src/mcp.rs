//! Tools for coding agents: the Model Context Protocol over standard input and output.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt as _};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};

use crate::client;

/// The traces of an answer if the agent sets no limit. Each takes about 1 KB.
const DEFAULT_LIMIT: u64 = 20;

const INSTRUCTIONS: &str = "\
Traces that a running lambda-console has received. Times and durations are decimal strings of nanoseconds. \
Begin with find_traces, then read one trace with get_trace. explain names the attributes in which slow or otherwise \
selected requests differ from the rest.";

/// The server ended with an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpError {
    #[error("the client did not start the Model Context Protocol")]
    Start(#[from] Box<rmcp::service::ServerInitializeError>),
    #[error("the server of the Model Context Protocol failed")]
    Run(#[from] tokio::task::JoinError),
}

/// Answers a client on standard input and output until it closes the input. `at` is the address of the console.
pub(crate) async fn serve(at: String) -> Result<(), McpError> {
    let transport = AsyncRwTransport::new_server(tokio::io::stdin(), tokio::io::stdout());
    let running = Tools { at }.serve(transport).await.map_err(Box::new)?;
    running.waiting().await?;
    Ok(())
}

struct Tools {
    at: String,
}

/// A tool: a route of the API with parameters.
struct Description {
    name: &'static str,
    text: &'static str,
    /// Without the parameters of the query.
    path: fn(&JsonObject) -> Option<String>,
    properties: fn() -> Value,
    required: &'static [&'static str],
}

static TOOLS: [Description; 3] = [
    Description {
        name: "find_traces",
        text: "Lists traces, the newest first: root, route, status, duration, errors, user, cost.",
        path: |_| Some("/api/traces".to_owned()),
        properties: || {
            let mut properties = filters();
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("limit".to_owned(), json!({
                    "type": "integer", "minimum": 1, "maximum": 1000, "description": "number of traces, 20 by default",
                }));
                properties.insert("sort".to_owned(), json!({
                    "enum": ["received", "start", "duration", "spans", "errors", "name", "status", "user", "cold_start", "cost"],
                }));
                properties.insert("order".to_owned(), json!({"enum": ["asc", "desc"]}));
                properties.insert(
                    "before".to_owned(),
                    json!({"type": "string", "description": "`next` of the previous page"}),
                );
            }
            properties
        },
        required: &[],
    },
    Description {
        name: "get_trace",
        text: "Returns one trace: all spans depth-first with attributes, events and log lines, and the critical path.",
        path: |arguments| {
            let id = arguments.get("id").and_then(Value::as_str)?;
            let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
            Some(format!("/api/traces/{id}"))
        },
        properties: || json!({"id": {"type": "string", "description": "trace id, in W3C's or X-Ray's form"}}),
        required: &["id"],
    },
    Description {
        name: "explain",
        text: "Ranks the attributes in which selected requests differ from the rest, with both shares and example \
               traces. Select at least one edge, such as `selected_low` for slow requests.",
        path: |_| Some("/api/explore/explanation".to_owned()),
        properties: || {
            let mut properties = filters();
            if let Some(properties) = properties.as_object_mut() {
                properties
                    .insert("of".to_owned(), json!({"enum": ["requests", "spans"], "description": "what is counted"}));
                for (name, text) in [
                    ("from", "the first start of all"),
                    ("to", "the end of the starts of all"),
                    ("selected_low", "the shortest selected duration"),
                    ("selected_high", "the end of the selected durations"),
                    ("selected_from", "the first selected start"),
                    ("selected_to", "the end of the selected starts"),
                ] {
                    let text = format!("{text}, in nanoseconds");
                    properties
                        .insert(name.to_owned(), json!({"type": "string", "pattern": "^[0-9]+$", "description": text}));
                }
            }
            properties
        },
        required: &[],
    },
];

/// The parameters that select traces.
fn filters() -> Value {
    json!({
        "q": {"type": "string", "description": "text in a name, id, attribute, resource, event or log line"},
        "filter": {
            "type": "array", "items": {"type": "string"},
            "description": "conditions such as http.route=/users, app.user!=x, http.response.status_code>499, key or !key",
        },
        "error": {"type": "boolean", "description": "whether a span failed"},
        "min_duration": {"type": "string", "pattern": "^[0-9]+$", "description": "nanoseconds"},
        "max_duration": {"type": "string", "pattern": "^[0-9]+$", "description": "nanoseconds"},
    })
}

impl Description {
    fn tool(&self) -> Tool {
        let schema = json!({
            "type": "object",
            "properties": (self.properties)(),
            "required": self.required,
            "additionalProperties": false,
        });
        let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
        let annotations = ToolAnnotations::new().read_only(true).open_world(false);
        Tool::new(self.name, self.text, Arc::new(schema)).with_annotations(annotations)
    }

    /// Returns the path with the query, or the name of a parameter that is unknown, missing or of another type.
    fn request(&self, arguments: &JsonObject) -> Result<String, String> {
        let properties = (self.properties)();
        let is_known = |name: &str| properties.get(name).is_some();
        if let Some(unknown) = arguments.keys().find(|name| !is_known(name)) {
            return Err(unknown.clone());
        }
        let path = (self.path)(arguments).ok_or_else(|| self.required.concat())?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.name == "find_traces" && !arguments.contains_key("limit") {
            query.append_pair("limit", &DEFAULT_LIMIT.to_string());
        }
        for (name, value) in arguments.iter().filter(|(name, _)| !self.required.contains(&name.as_str())) {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                match value {
                    Value::String(text) => query.append_pair(name, text),
                    Value::Bool(_) | Value::Number(_) => query.append_pair(name, &value.to_string()),
                    Value::Null => &mut query,
                    Value::Array(_) | Value::Object(_) => return Err(name.clone()),
                };
            }
        }
        let query = query.finish();
        Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("lambda-console", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|tool| tool.name == name).map(Description::tool)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(Description::tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = TOOLS.iter().find(|tool| tool.name == request.name);
        let tool = tool.ok_or_else(|| ErrorData::invalid_params("no such tool", None))?;
        let path = tool.request(&request.arguments.unwrap_or_default()).map_err(|name| {
            ErrorData::invalid_params(format!("`{name}` is missing, unknown or of another type"), None)
        })?;
        // An agent can act on the reason, such as an evicted trace or a console that does not run.
        Ok(match client::get(&self.at, &path).await {
            Ok(answer) => CallToolResult::success(vec![ContentBlock::text(answer.to_string())]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        }
        .into())
    }
}
