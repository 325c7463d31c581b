//! The role of a span in X-Ray, and the form of its document.

use crate::trace::sampling::Reason;

/// The role of a span in X-Ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A root without a segment above it: a node of the trace map.
    Segment,
    /// The root below Lambda's own segment. The map draws Lambda's segment as the node.
    Invocation,
    /// A call of an AWS service: draws the service as a node.
    Aws,
    /// A query of an SQL database: draws the database as a node.
    Sql,
    /// Another call: draws a remote node.
    Remote,
    /// Work within the process.
    Local,
}

impl Role {
    /// Returns whether a failure happened at the other end of a call.
    pub(super) fn is_call(self) -> bool {
        matches!(self, Self::Aws | Self::Sql | Self::Remote)
    }

    pub(super) fn namespace(self) -> Option<&'static str> {
        match self {
            Self::Aws => Some("aws"),
            Self::Sql | Self::Remote => Some("remote"),
            Self::Segment | Self::Invocation | Self::Local => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Finished,
    /// Without an end. A later document of the same span replaces it.
    Open,
    /// Finished, and nested in the document of its parent.
    Inside,
}

/// Which part of a span a document contains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) form: Form,
    /// The maximum number of annotations.
    pub(super) annotations: usize,
    /// The number of spans of the invocation that are omitted.
    pub(super) omitted: usize,
    /// Why OTLP does not get the trace, in the root's document.
    pub(super) left_out: Option<Reason>,
}
