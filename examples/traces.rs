//! Exports the spans of some invocations for the figures of `docs/cost.md`.
//!
//! Runs the functions in an emulated Lambda: the home feed with a cold start and warm, a new post, and the stream batch
//! with the post's side effects. Prints the documents of the X-Ray daemon and the spans of the OTLP receiver as JSON.
//!
//! usage: traces API STREAM (the paths of the two binaries), see `make spans`

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Author, Handle, Post, PostDraft, Profile};
use cruddur::store::{self, Store};
use cruddur::stream;
use cruddur_local::issuer::{self, Issuer};
use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use jiff::Timestamp;
use lambda_harness::{Event, Fault, FaultProxy, Lambda, OtlpReceiver, XrayDaemon};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

type Fallible<T> = Result<T, Box<dyn Error>>;

const TABLE: &str = "cruddur";
const SECRET: &str = "a secret of this example, at least 32 bytes long";
const HOME: &str = include_str!("../events/api/home.json");
const CREATE: &str = include_str!("../events/api/create.json");
/// The id of Lambda's segment for the function, the parent of the function's spans.
const LAMBDA_SEGMENT: &str = "53995c3f42cd8ad8";

#[tokio::main]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [api, stream] = &arguments[..] else { return Err("usage: traces API STREAM".into()) };
    let aws = FakeAws::start().await?;
    let token = aws.issuer.access_token("worf", Clock::system().now())?;
    let create = CREATE.replace("ACCESS_TOKEN", &token).replace("Hello from Lambda", "Hello @andrewbrown");

    let mut shown = Vec::new();
    let mut lambda = Lambda::start(api, &aws.environment("cruddur-api")).await;
    shown.push(aws.invoke(&mut lambda, "home, a cold start", HOME).await?);
    // Not shown: after this invocation, all one-time work is done.
    aws.invoke(&mut lambda, "", HOME).await?;
    // The environment keeps the page for this time. The next invocation reads the table again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    shown.push(aws.invoke(&mut lambda, "home", HOME).await?);
    let position = aws.stream_end()?;
    shown.push(aws.invoke(&mut lambda, "post", &create).await?);
    lambda.terminate().await;

    let mut lambda = Lambda::start(stream, &aws.environment("cruddur-stream")).await;
    shown.push(aws.invoke(&mut lambda, "no records, a cold start", r#"{"Records":[]}"#).await?);
    shown.push(aws.invoke(&mut lambda, "what follows from the post", &aws.batch(position)?).await?);
    lambda.terminate().await;

    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &json!({ "invocations": shown }))?;
    Ok(writeln!(out)?)
}

/// The emulated AWS, with two users and a page of posts.
struct FakeAws {
    database: Database,
    proxy: FaultProxy,
    issuer: Issuer,
    xray: XrayDaemon,
    otlp: OtlpReceiver,
}

impl FakeAws {
    async fn start() -> Fallible<Self> {
        let database = Database::memory()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        let client = store::client(&cruddur_local::aws::sdk_config(address));
        store::create_table(&client, TABLE).await?;
        fill(&Store::new(client, TABLE)).await?;
        let issuer = Issuer::ephemeral()?;
        let keys = issuer.key_set().to_string();
        let secret = json!({ "SecretString": SECRET }).to_string();
        let proxy = FaultProxy::start(address, move |request| match request.service.as_deref() {
            _ if request.line.starts_with("GET /keys") => Fault::Respond(200, keys.clone()),
            Some("secretsmanager") => Fault::Respond(200, secret.clone()),
            _ => Fault::None,
        })
        .await;
        Ok(Self { database, proxy, issuer, xray: XrayDaemon::start().await, otlp: OtlpReceiver::start().await })
    }

    /// Returns the variables of the deployed function.
    fn environment(&self, service: &'static str) -> Vec<(&'static str, String)> {
        let variables = [
            ("AWS_LAMBDA_FUNCTION_NAME", service.to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("TABLE_NAME", TABLE.to_owned()),
            ("SECRET_ARN", "example".to_owned()),
            ("COGNITO_USER_POOL_ID", issuer::USER_POOL_ID.to_owned()),
            ("COGNITO_CLIENT_ID", issuer::CLIENT_ID.to_owned()),
            ("JWKS_URL", format!("{}/keys", self.proxy.url())),
            ("AWS_ENDPOINT_URL", self.proxy.url()),
            ("AWS_XRAY_DAEMON_ADDRESS", self.xray.address()),
            ("OTEL_SERVICE_NAME", service.to_owned()),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.otlp.endpoint()),
        ];
        variables.into()
    }

    /// Invokes the function once, and returns the exports to both destinations.
    async fn invoke(&self, lambda: &mut Lambda, what: &str, payload: &str) -> Fallible<Value> {
        let before = self.otlp.collected().spans.len();
        let clock = Clock::system();
        let id = clock.new_id().to_string().replace('-', "");
        let root = format!("1-{:08x}-{}", clock.now().as_second(), id.get(8..).unwrap_or_default());
        let event = Event {
            payload: payload.to_owned(),
            trace_header: format!("Root={root};Parent={LAMBDA_SEGMENT};Sampled=1"),
            timeout: Duration::from_secs(30),
        };
        let result = lambda.invoke(event).await;
        if !result.success {
            return Err(result.body.into());
        }
        lambda.wait_until_frozen().await;
        let spans: Vec<Value> = self.otlp.collected().spans.iter().skip(before).map(otlp).collect();
        Ok(json!({ "what": what, "xray": self.xray.take().await, "otlp": spans }))
    }

    fn stream_end(&self) -> Fallible<String> {
        let mut position = self.beginning()?;
        loop {
            let (records, next) = self.read(position)?;
            position = next;
            if records.is_empty() {
                return Ok(position);
            }
        }
    }

    /// Returns Lambda's event with the records after `position`.
    fn batch(&self, position: String) -> Fallible<String> {
        let (mut records, _) = self.read(position)?;
        records.retain(stream::has_side_effects);
        let source = format!("arn:aws:dynamodb:us-east-1:123456789012:table/{TABLE}/stream/2026-11-22T00:00:00.000");
        for record in &mut records {
            let record = record.as_object_mut().ok_or("a record is an object")?;
            record.insert("eventSourceARN".to_owned(), json!(source));
        }
        Ok(json!({ "Records": records }).to_string())
    }

    fn beginning(&self) -> Fallible<String> {
        let streams = self.database.list_streams(ListStreamsRequest::default())?.streams;
        let stream_arn = streams.into_iter().next().ok_or("a stream")?.stream_arn;
        let request = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..DescribeStreamRequest::default() };
        let shards = self.database.describe_stream(request)?.stream_description.shards;
        let shard_id = shards.into_iter().next().ok_or("a shard")?.shard_id;
        let shard_iterator_type = "TRIM_HORIZON".to_owned();
        let request = GetShardIteratorRequest { stream_arn, shard_id, shard_iterator_type, sequence_number: None };
        Ok(self.database.get_shard_iterator(request)?.shard_iterator.ok_or("an iterator")?)
    }

    fn read(&self, shard_iterator: String) -> Fallible<(Vec<Value>, String)> {
        let page = self.database.get_records(GetRecordsRequest { shard_iterator, limit: Some(1000) })?;
        let records = page.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok((records, page.next_shard_iterator.ok_or("an iterator")?))
    }
}

async fn fill(store: &Store) -> Fallible<()> {
    let clock = Clock::system();
    for (number, handle, name) in [(1, "andrewbrown", "Andrew Brown"), (2, "worf", "Worf")] {
        let author = Author {
            user_uuid: Uuid::from_u128(number),
            handle: Handle::parse(handle).ok().ok_or("a handle")?,
            display_name: name.to_owned(),
        };
        let profile = Profile { sub: handle.to_owned(), author, bio: String::new(), named_at: Timestamp::UNIX_EPOCH };
        store.create_profile(&profile).await?;
        for _ in 0..12 {
            let draft = PostDraft::parse("Who likes pineapple on their pizza?", "7-days").ok().ok_or("a draft")?;
            let post = Post::new(clock.new_id(), profile.author.clone(), draft);
            store.create_post(&profile, &post, None).await?;
        }
    }
    Ok(())
}

fn otlp((resource, span): &(Vec<(String, String)>, Span)) -> Value {
    let links: Vec<_> = span
        .links
        .iter()
        .map(|link| json!({ "trace_id": hex(&link.trace_id), "span_id": hex(&link.span_id) }))
        .collect();
    json!({
        "name": span.name,
        "trace_id": hex(&span.trace_id),
        "span_id": hex(&span.span_id),
        "parent_span_id": hex(&span.parent_span_id),
        "kind": format!("{:?}", span.kind()).to_lowercase(),
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "error": span.status.as_ref().is_some_and(|status| status.code == 2),
        "attributes": attributes(&span.attributes),
        "service": resource.iter().find(|(key, _)| key == "service.name").map(|(_, name)| name),
        "links": links,
    })
}

fn attributes(attributes: &[KeyValue]) -> Value {
    let plain = |value: &AnyValue| match &value.value {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(truth)) => json!(truth),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        other => json!(format!("{other:?}")),
    };
    let values = attributes.iter().map(|attribute| {
        let value = match attribute.value.as_ref() {
            Some(AnyValue { value: Some(Any::ArrayValue(list)) }) => list.values.iter().map(plain).collect(),
            Some(value) => plain(value),
            None => Value::Null,
        };
        (attribute.key.clone(), value)
    });
    Value::Object(values.collect::<Map<_, _>>())
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
