//! What a span is to X-Ray, and the form of its document.

/// What a span is to X-Ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A root without a segment above it: a node of the trace map.
    Segment,
    /// The root under Lambda's own segment. It is no node: the map draws Lambda's.
    Invocation,
    /// A call of an AWS service: draws its node.
    Aws,
    /// A query of an SQL database: draws its node.
    Sql,
    /// Another call: draws a remote node.
    Remote,
    /// Work within the process.
    Local,
}

impl Role {
    /// Whether a failure happened at the other end of a call.
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
    /// Without an end; a later document of the same span replaces this one.
    Open,
    /// Finished, and within the document of the span above it.
    Inside,
}
