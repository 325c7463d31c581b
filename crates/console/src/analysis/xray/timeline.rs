//! The timeline: segments and subsegments in order, with the segments that only AWS adds.

use serde::Serialize;
use serde_json::value::RawValue;

use super::documents::ParsedDocuments;
use super::map::{Map, NodeId};
use crate::analysis::tree::{Node, Tree};
use crate::json::Value;
use crate::model::ids::SpanId;
use crate::model::keys;
use crate::model::span::{Kind, Span};
use crate::model::status::{Outcome, outcome, status_code};
use crate::model::summary::Decimal;
use crate::model::trace::{Side, Sides, Trace};

/// The types of AWS resources on X-Ray's map, by the names of their services.
const RESOURCES: [(&str, &str); 8] = [
    ("DynamoDB", "AWS::DynamoDB::Table"),
    ("S3", "AWS::S3::Bucket"),
    ("SQS", "AWS::SQS::Queue"),
    ("SNS", "AWS::SNS"),
    ("Lambda", "AWS::Lambda"),
    ("Kinesis", "AWS::Kinesis"),
    ("EventBridge", "AWS::Events"),
    ("StepFunctions", "AWS::StepFunctions::StateMachine"),
];

/// A row of the timeline in the API.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    depth: usize,
    node: String,
    id: Option<SpanId>,
    parent_id: Option<SpanId>,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    origin: Option<String>,
    namespace: String,
    start: Decimal,
    duration: Decimal,
    in_progress: bool,
    status: Outcome,
    http_status: Option<i64>,
    only_aws: bool,
    annotations: Option<Box<RawValue>>,
    metadata: Option<Box<RawValue>>,
    aws: Option<Box<RawValue>>,
    http: Option<Box<RawValue>>,
    sql: Option<Box<RawValue>>,
    cause: Option<Box<RawValue>>,
    links: Option<Box<RawValue>>,
}

/// The rows of the timeline.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) rows: Vec<Row>,
}

/// Where a span is drawn.
#[derive(Clone, Copy)]
struct Drawn {
    node: NodeId,
    depth: usize,
}

impl Timeline {
    /// Returns the timeline and adds its nodes to `map`.
    pub(crate) fn new(trace: &Trace, parsed: &ParsedDocuments<'_>, map: &mut Map) -> Self {
        // The tree of what X-Ray got.
        let mut only = Trace::new(trace.id, trace.received_at, trace.sequence);
        trace.spans.iter().filter_map(Sides::xray).for_each(|span| only.add(span.clone(), Side::Xray));
        let tree = Tree::of(&only);
        let mut timeline = Self::default();
        let mut drawn: Vec<Option<Drawn>> = vec![None; tree.nodes.len()];
        for (position, node) in tree.nodes.iter().enumerate() {
            let above = node.parent.and_then(|parent| drawn.get(parent).copied().flatten());
            let Some(sides) = node.span.and_then(|span| only.spans.get(span)) else { continue };
            let part = sides.main().segment.as_ref().and_then(|segment| parsed.part(segment));
            let is_called = node.children.iter().any(|child| {
                let below = tree.nodes.get(*child).and_then(|child| only.spans.get(child.span?));
                below.is_some_and(|below| is_segment(below.main()))
            });
            let place = timeline.add(node, sides, part, above, is_called, map);
            if let Some(slot) = drawn.get_mut(position) {
                *slot = Some(place);
            }
        }
        timeline
    }

    /// Adds the row of a span, and those that AWS adds around it. `is_called`: the called service sent a segment.
    fn add(
        &mut self,
        node: &Node,
        sides: &Sides,
        part: Option<Value<'_, '_>>,
        above: Option<Drawn>,
        is_called: bool,
        map: &mut Map,
    ) -> Drawn {
        let span = sides.main();
        let is_invocation = span.segment.as_ref().is_some_and(|segment| segment.is_invocation);
        let service = &*span.resource.service;
        let row = Row::new(node, sides, part);
        let place = match above {
            // A subsegment is within the segment of its parent.
            Some(above) if !is_segment(span) => Drawn { node: above.node, depth: above.depth + 1 },
            None if is_invocation => self.add_function(service, node, &row, map),
            _ => {
                let kind = row.origin.clone().unwrap_or_else(|| "service".to_owned());
                let caller = above.map_or_else(|| client(map, node, row.status), |above| above.node);
                let own = map.node(if service.is_empty() { &row.name } else { service }, &kind, false);
                map.handled(own, node.duration(), row.status);
                let depth = above.map_or(0, |above| above.depth + 1);
                map.called(caller, own, node.duration());
                Drawn { node: own, depth }
            }
        };
        let inferred = (!row.namespace.is_empty() && !is_called).then(|| row.inferred(span));
        self.rows.push(Row { depth: place.depth, node: place.node.text(), ..row });
        if let Some(inferred) = inferred {
            let resource = map.node(&inferred.name, inferred.origin.as_deref().unwrap_or_default(), true);
            map.handled(resource, node.duration(), inferred.status);
            map.called(place.node, resource, node.duration());
            self.rows.push(Row { depth: place.depth + 1, node: resource.text(), ..inferred });
        }
        place
    }

    /// Adds the segments of Lambda's service and of the function, which Lambda itself sends.
    fn add_function(&mut self, function: &str, node: &Node, row: &Row, map: &mut Map) -> Drawn {
        let mut last = (client(map, node, row.status), 0);
        for (depth, kind) in [(0, "AWS::Lambda"), (1, "AWS::Lambda::Function")] {
            let own = map.node(function, kind, true);
            map.handled(own, node.duration(), row.status);
            map.called(last.0, own, node.duration());
            last = (own, depth);
            self.rows.push(Row {
                depth,
                node: own.text(),
                id: if depth == 1 { row.parent_id } else { None },
                name: function.to_owned(),
                origin: Some(kind.to_owned()),
                ..row.added("segment")
            });
        }
        Drawn { node: last.0, depth: last.1 + 1 }
    }
}

fn client(map: &mut Map, node: &Node, outcome: Outcome) -> NodeId {
    let client = map.node("client", "client", true);
    map.handled(client, node.duration(), outcome);
    client
}

fn is_segment(span: &Span) -> bool {
    match &span.segment {
        Some(segment) => segment.is_segment,
        // A span in OTLP becomes a segment if it handles a request.
        None => matches!(span.kind, Kind::Server | Kind::Consumer) || span.parent.is_none(),
    }
}

impl Row {
    fn new(node: &Node, sides: &Sides, part: Option<Value<'_, '_>>) -> Self {
        let span = sides.main();
        let text = |key: &str| part.and_then(|part| part.get(&[key])?.str()).map(str::to_owned);
        let raw = |key: &str| {
            let value = part.and_then(|part| part.get(&[key]))?;
            RawValue::from_string(value.raw().to_owned()).ok()
        };
        let namespace = match &span.segment {
            Some(_) => text("namespace").unwrap_or_default(),
            None if span.kind != Kind::Client && span.kind != Kind::Producer => String::new(),
            None if span
                .attribute(&["rpc.system.name", "rpc.system"])
                .is_some_and(|it| it.str() == Some("aws-api")) =>
            {
                "aws".to_owned()
            }
            None => "remote".to_owned(),
        };
        Self {
            depth: 0,
            node: String::new(),
            id: Some(node.id),
            parent_id: span.parent,
            name: text("name").unwrap_or_else(|| span.name.to_string()),
            kind: if is_segment(span) { "segment" } else { "subsegment" },
            origin: text("origin"),
            namespace,
            start: Decimal(span.start),
            duration: Decimal(node.duration()),
            in_progress: sides.end().is_none(),
            status: outcome(sides).or(Outcome::Ok),
            http_status: status_code(span),
            only_aws: false,
            annotations: raw("annotations"),
            metadata: raw("metadata"),
            aws: raw("aws"),
            http: raw("http"),
            sql: raw("sql"),
            cause: raw("cause"),
            links: raw("links"),
        }
    }

    /// Returns a row that AWS adds, with the times and the outcome of this one.
    fn added(&self, kind: &'static str) -> Self {
        Self {
            depth: 0,
            node: String::new(),
            id: None,
            parent_id: None,
            name: String::new(),
            kind,
            origin: None,
            namespace: String::new(),
            start: self.start,
            duration: self.duration,
            in_progress: self.in_progress,
            status: self.status,
            http_status: self.http_status,
            only_aws: true,
            annotations: None,
            metadata: None,
            aws: None,
            http: None,
            sql: None,
            cause: None,
            links: None,
        }
    }

    /// Returns the segment that X-Ray infers from a call. Its node is the resource, such as a table.
    fn inferred(&self, span: &Span) -> Self {
        let text = |keys: &[&str]| span.attribute(keys).map(|value| value.text().into_owned());
        let is_aws = self.namespace == "aws";
        let service = if span.segment.is_some() { self.name.as_str() } else { service_of(span, &self.name) };
        let resource = match service {
            "DynamoDB" => text(&[keys::TABLES, &["db.collection.name"]].concat()),
            "SQS" => text(&["aws.sqs.queue.url"]).and_then(|url| url.rsplit('/').next().map(str::to_owned)),
            _ => None,
        };
        let origin = match (is_aws, RESOURCES.iter().find(|(name, _)| *name == service)) {
            (true, Some((_, kind))) => (*kind).to_owned(),
            (true, None) => format!("AWS::{service}"),
            (false, _) if self.sql.is_some() => "Database::SQL".to_owned(),
            (false, _) => "remote".to_owned(),
        };
        Self {
            name: if is_aws { resource.unwrap_or_else(|| service.to_owned()) } else { self.name.clone() },
            parent_id: self.id,
            origin: Some(origin),
            ..self.added("inferred")
        }
    }
}

/// Returns the service of a call in OTLP: `DynamoDB` of `DynamoDB/Query` or `DynamoDB.Query`.
fn service_of<'a>(span: &'a Span, name: &'a str) -> &'a str {
    let method = span.attribute(&["rpc.method"]).and_then(|value| value.str());
    method.unwrap_or(name).split(['/', '.']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use crate::analysis::xray::XrayView;
    use crate::health::Health;
    use crate::model::ids::TraceId;
    use crate::receive::limits::Limits;
    use crate::receive::receiver::Receiver;
    use crate::store::Store;
    use std::sync::Arc;

    const TRACE: &str = "1-60000000-bd862e3fe1be46a994272793";

    fn view(documents: &[&str]) -> serde_json::Value {
        let clock = crate::clock::Clock::new(|| 0x6000_0000 * 1_000_000_000);
        let store = Arc::new(Store::new(1 << 20, clock.clone()));
        let receiver = Receiver::new(store.clone(), Arc::new(Health::default()), Limits::default(), clock);
        for document in documents {
            let document = document.replace("TRACE", &format!("\"trace_id\":\"{TRACE}\",\"start_time\":1610612736"));
            receiver.datagram(format!("{{\"format\":\"json\",\"version\":1}}\n{document}").as_bytes());
        }
        let trace = store.get(TraceId::parse(TRACE).unwrap()).unwrap();
        serde_json::to_value(XrayView::new(&trace)).unwrap()
    }

    fn column<'v>(view: &'v serde_json::Value, list: &str, keys: &[&str]) -> Vec<Vec<&'v serde_json::Value>> {
        let of = |value: &'v serde_json::Value, pointer: &str| value.pointer(pointer).unwrap();
        let rows = of(view, list).as_array().unwrap();
        rows.iter().map(|row| keys.iter().map(|key| &row[*key]).collect()).collect()
    }

    #[test]
    fn invocation_has_lambdas_segments_and_the_table() {
        let view = view(&[
            r#"{"name":"GET /home","id":"0000000000000002",TRACE,"end_time":1610612736.5,"type":"subsegment","parent_id":"0000000000000001","aws":{"function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:api:live"},"subsegments":[{"id":"0000000000000003","name":"DynamoDB","namespace":"aws","start_time":1610612736.1,"end_time":1610612736.2,"aws":{"operation":"Query","table_name":"posts"},"throttle":true}]}"#,
        ]);
        let rows = column(&view, "/timeline", &["depth", "name", "type", "only_aws", "status"]);
        let expected = serde_json::json!([
            [0, "api", "segment", true, "ok"],
            [1, "api", "segment", true, "ok"],
            [2, "GET /home", "subsegment", false, "ok"],
            [3, "DynamoDB", "subsegment", false, "throttle"],
            [4, "posts", "inferred", true, "throttle"],
        ]);
        assert_eq!(serde_json::json!(rows), expected);
        let nodes = column(&view, "/map/nodes", &["name", "type", "requests", "throttles", "average"]);
        let expected = serde_json::json!([
            ["client", "client", 1, 0, "500000000"],
            ["api", "AWS::Lambda", 1, 0, "500000000"],
            ["api", "AWS::Lambda::Function", 1, 0, "500000000"],
            ["posts", "AWS::DynamoDB::Table", 1, 1, "100000000"],
        ]);
        assert_eq!(serde_json::json!(nodes), expected);
        let edges = column(&view, "/map/edges", &["from", "to"]);
        assert_eq!(serde_json::json!(edges), serde_json::json!([["n0", "n1"], ["n1", "n2"], ["n2", "n3"]]));
        assert_eq!(view["documents"][0]["refused"], serde_json::json!([]));
    }

    #[test]
    fn called_service_replaces_the_inferred_segment() {
        let view = view(&[
            r#"{"name":"front","id":"0000000000000001",TRACE,"end_time":1610612737,"subsegments":[{"id":"0000000000000002","name":"back.example","namespace":"remote","start_time":1610612736.1,"end_time":1610612736.9}]}"#,
            r#"{"name":"back","id":"0000000000000003",TRACE,"end_time":1610612736.8,"parent_id":"0000000000000002","fault":true}"#,
        ]);
        let rows = column(&view, "/timeline", &["depth", "name", "type", "only_aws", "status"]);
        let expected = serde_json::json!([
            [0, "front", "segment", false, "ok"],
            [1, "back.example", "subsegment", false, "ok"],
            [2, "back", "segment", false, "fault"],
        ]);
        assert_eq!(serde_json::json!(rows), expected);
        let nodes = column(&view, "/map/nodes", &["name", "requests", "faults", "only_aws"]);
        let expected = serde_json::json!([["client", 1, 0, true], ["front", 1, 0, false], ["back", 1, 1, false]]);
        assert_eq!(serde_json::json!(nodes), expected);
    }
}
