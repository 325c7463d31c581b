//! The destinations of spans, and sets of them.

/// Where spans are exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Xray,
    Otlp,
}

impl Destination {
    const ALL: [Self; 2] = [Self::Xray, Self::Otlp];

    const fn bit(self) -> u8 {
        match self {
            Self::Xray => 1,
            Self::Otlp => 1 << 1,
        }
    }
}

/// A set of destinations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations(u8);

impl Destinations {
    pub(crate) const ALL: Self = Self(Destination::Xray.bit() | Destination::Otlp.bit());
    pub(crate) const XRAY: Self = Self(Destination::Xray.bit());
    pub(crate) const OTLP: Self = Self(Destination::Otlp.bit());

    pub(crate) fn contains(self, destination: Destination) -> bool {
        self.0 & destination.bit() != 0
    }

    /// Adds `destination` if `enabled`.
    pub(crate) fn with(self, destination: Destination, enabled: bool) -> Self {
        Self(self.0 | if enabled { destination.bit() } else { 0 })
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Destination> {
        Destination::ALL.into_iter().filter(move |destination| self.contains(*destination))
    }
}
