//! Metrics of the application's own, by `metrique`: one log line for each invocation, from which CloudWatch takes them.
//! It is written at once, since whatever waits in a queue waits until Lambda thaws the process.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use metrique::ServiceMetrics;
use metrique::emf::Emf;
use metrique::unit_of_work::metrics;
use metrique::writer::{AttachGlobalEntrySinkExt as _, FormatExt as _, GlobalEntrySink as _};
use serde_json::{Value, json};

#[metrics(rename_all = "PascalCase")]
#[derive(Default)]
struct Ordered {
    items: usize,
    /// Not a metric: it finds the trace from the line.
    trace_id: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let format = Emf::all_validations("Shop".to_owned(), vec![vec![]]);
    let _attached = ServiceMetrics::write_directly_to(format.output_to_makewriter(std::io::stdout));
    lambda_spans::run_event(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let mut ordered =
        Ordered { trace_id: lambda_spans::trace_id(), ..Ordered::default() }.append_on_drop(ServiceMetrics::sink());
    ordered.items = event.payload.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(json!({ "items": ordered.items }))
}
