//! The map: nodes for clients, services, functions and resources, and the requests between them.

use std::collections::HashMap;

use serde::Serialize;

use crate::clock::Nanos;
use crate::model::status::Outcome;
use crate::model::summary::Decimal;

/// The map in the API.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Map {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    #[serde(skip)]
    by_name: HashMap<(String, String), usize>,
    #[serde(skip)]
    by_ends: HashMap<(usize, usize), usize>,
}

#[derive(Debug, Serialize)]
struct Node {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    requests: usize,
    average: Decimal,
    ok: usize,
    errors: usize,
    faults: usize,
    throttles: usize,
    only_aws: bool,
    #[serde(skip)]
    total: Nanos,
}

#[derive(Debug, Serialize)]
struct Edge {
    from: String,
    to: String,
    requests: usize,
    average: Decimal,
    only_aws: bool,
    #[serde(skip)]
    total: Nanos,
}

/// The position of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

impl NodeId {
    /// Returns the id in the API.
    pub(crate) fn text(self) -> String {
        format!("n{}", self.0)
    }
}

impl Map {
    /// Returns the node with this name and type.
    pub(crate) fn node(&mut self, name: &str, kind: &str, only_aws: bool) -> NodeId {
        let position = *self.by_name.entry((name.to_owned(), kind.to_owned())).or_insert_with(|| {
            self.nodes.push(Node {
                id: NodeId(self.nodes.len()).text(),
                name: name.to_owned(),
                kind: kind.to_owned(),
                requests: 0,
                average: Decimal(0),
                ok: 0,
                errors: 0,
                faults: 0,
                throttles: 0,
                only_aws,
                total: 0,
            });
            self.nodes.len() - 1
        });
        NodeId(position)
    }

    /// Counts a request that a node handled.
    pub(crate) fn handled(&mut self, node: NodeId, duration: Nanos, outcome: Outcome) {
        let Some(node) = self.nodes.get_mut(node.0) else { return };
        node.requests += 1;
        node.total = node.total.saturating_add(duration);
        match outcome {
            Outcome::Ok | Outcome::Unset => node.ok += 1,
            Outcome::Error => node.errors += 1,
            Outcome::Fault => node.faults += 1,
            Outcome::Throttle => node.throttles += 1,
        }
    }

    /// Counts a request from one node to another. Calls within a node are not drawn.
    pub(crate) fn called(&mut self, from: NodeId, to: NodeId, duration: Nanos) {
        if from == to {
            return;
        }
        let only_aws = |node: NodeId| self.nodes.get(node.0).is_some_and(|node| node.only_aws);
        let only_aws = only_aws(from) || only_aws(to);
        let position = *self.by_ends.entry((from.0, to.0)).or_insert_with(|| {
            let (from, to) = (from.text(), to.text());
            self.edges.push(Edge { from, to, requests: 0, average: Decimal(0), only_aws, total: 0 });
            self.edges.len() - 1
        });
        if let Some(edge) = self.edges.get_mut(position) {
            edge.requests += 1;
            edge.total = edge.total.saturating_add(duration);
        }
    }

    /// Computes the averages.
    pub(crate) fn finish(mut self) -> Self {
        let average = |total: Nanos, requests: usize| Decimal(total.checked_div(requests as u64).unwrap_or_default());
        for node in &mut self.nodes {
            node.average = average(node.total, node.requests);
        }
        for edge in &mut self.edges {
            edge.average = average(edge.total, edge.requests);
        }
        self
    }
}
