//! The prices of AWS, from `prices.json`: on-demand, in dollars, without free tiers.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

static PRICES: LazyLock<Prices> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).unwrap_or_default());

/// The prices of one region on one day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// The region.
    pub(crate) region: String,
    /// When the prices were looked up.
    pub(crate) date: String,
    /// The price of a million of each unit.
    pub(crate) dollars_per_million: UnitPrices,
}

/// The price of a million of each unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitPrices {
    /// Read request units of DynamoDB.
    pub(crate) read_units: f64,
    /// Write request units of DynamoDB.
    pub(crate) write_units: f64,
    /// Invocations of Lambda.
    pub(crate) invocations: f64,
    /// Gigabyte-seconds of Lambda on x86-64.
    pub(crate) gb_seconds: f64,
    /// Gigabyte-seconds of Lambda on arm64.
    pub(crate) gb_seconds_arm64: f64,
}

/// Returns the prices.
pub(crate) fn prices() -> &'static Prices {
    &PRICES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_a_price_for_each_unit() {
        let prices: Prices = serde_json::from_str(include_str!("prices.json")).unwrap();
        assert_eq!(prices, *super::prices());
        let units = prices.dollars_per_million;
        let all = [units.read_units, units.write_units, units.invocations, units.gb_seconds, units.gb_seconds_arm64];
        assert!(all.iter().all(|price| *price > 0.0), "{units:?}");
        assert!(prices.date.parse::<jiff::civil::Date>().is_ok() && !prices.region.is_empty());
    }
}
