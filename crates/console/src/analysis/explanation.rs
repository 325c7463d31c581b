//! In which fields selected events differ from the rest.
//!
//! A value scores by how much its share of the selection exceeds its share of the rest, at least, at 95 % confidence.
//! So a value of one slow event says little, and one of all five slow users much. Numbers with many values are compared
//! as distributions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::population::{Event, Term, number_text};
use super::statistics::{descending, effective_size, excess, split};
use crate::clock::Nanos;
use crate::model::ids::{SpanId, TraceId};
use crate::model::summary::Decimal;

/// Numbers with more values are compared as distributions.
const MAX_VALUES: usize = 20;
/// The maximum number of fields of the answer.
const MAX_FIELDS: usize = 40;
/// The maximum number of values of a field of the answer.
const MAX_SHOWN: usize = 6;
/// The maximum number of examples.
const MAX_EXAMPLES: usize = 10;
/// Ends of keys, in lower case without separators, of the selected axis and of ids, which explain nothing.
const EXCLUDED: [&str; 6] = ["duration", "durationms", "samplerate", "spanid", "traceid", "parentid"];

/// A region of the heat map. Each upper edge is outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Region {
    /// The first start.
    pub(crate) from: Option<Nanos>,
    /// The end of the starts.
    pub(crate) to: Option<Nanos>,
    /// The shortest duration.
    pub(crate) low: Option<Nanos>,
    /// The end of the durations.
    pub(crate) high: Option<Nanos>,
}

impl Region {
    fn contains(&self, event: &Event<'_>) -> bool {
        self.from.is_none_or(|from| event.start >= from)
            && self.to.is_none_or(|to| event.start < to)
            && self.low.is_none_or(|low| event.duration >= low)
            && self.high.is_none_or(|high| event.duration < high)
    }
}

/// The fields in which the selection differs.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Explanation {
    /// The number of selected events.
    selected: usize,
    /// The number of other events.
    rest: usize,
    /// The fields, the most different first.
    fields: Vec<Ranked>,
    /// The longest of the selected events.
    examples: Vec<Example>,
    /// Of the other events with the name of the first example, that of median duration.
    typical: Option<Example>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Ranked {
    key: String,
    /// From 0 to 1.
    score: f64,
    /// The number of different values.
    distinct: usize,
    /// Its values, the most different first.
    values: Vec<RankedValue>,
    /// Other fields whose best value selects the same events.
    also: Vec<Also>,
    /// Identifies the events that the best value selects.
    #[serde(skip)]
    mark: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct RankedValue {
    operator: Operator,
    /// The value; `None` for "absent".
    value: Option<String>,
    /// The share of the selected events that have it.
    selected: f64,
    /// The share of the other events that have it.
    rest: f64,
    /// The number of selected events that have it.
    selected_events: usize,
    /// The number of other events that have it.
    rest_events: usize,
    score: f64,
    typical_of: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Operator {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "absent")]
    Absent,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = "<")]
    Less,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Selection,
    Rest,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Also {
    key: String,
    operator: Operator,
    value: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Example {
    trace: TraceId,
    span: SpanId,
    service: String,
    name: String,
    start: Decimal,
    duration: Decimal,
    failed: bool,
    user: Option<String>,
}

/// Weights and numbers of selected and of other events.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// The last event that was counted, from 1 on.
    last: usize,
    selected: f64,
    rest: f64,
    selected_events: usize,
    rest_events: usize,
    mark: u64,
}

/// The values of a field.
#[derive(Debug, Default)]
struct Field<'a> {
    key: &'a str,
    present: Tally,
    /// The last event that has it itself, from 1 on.
    own: usize,
    values: HashMap<Term<'a>, usize>,
    /// By the positions of the values.
    tallies: Vec<Tally>,
    /// The value that was counted last, and its position. Most fields have the same value often.
    recent: Option<(Term<'a>, usize)>,
    /// The greatest number of each event, and the event, from 1 on; `None` if a value is no number.
    numbers: Option<Vec<(usize, f64)>>,
}

/// An event as it is counted.
#[derive(Clone, Copy)]
struct Counted {
    number: usize,
    weight: f64,
    is_selected: bool,
    mark: u64,
}

/// The sizes of both parts.
struct Parts {
    selected: f64,
    rest: f64,
    /// The numbers of equal weights that are as certain.
    selected_size: f64,
    rest_size: f64,
    all: Tally,
}

impl Tally {
    fn count(&mut self, event: Counted) {
        if self.last == event.number {
            return;
        }
        self.last = event.number;
        self.mark ^= event.mark;
        if event.is_selected {
            self.selected += event.weight;
            self.selected_events += 1;
        } else {
            self.rest += event.weight;
            self.rest_events += 1;
        }
    }
}

/// Compares the events in the region with the others.
pub(crate) fn explain(events: &[Event<'_>], region: &Region) -> Explanation {
    let counted: Vec<Counted> = events
        .iter()
        .zip(1..)
        .map(|(event, number)| Counted {
            number,
            weight: event.weight,
            is_selected: region.contains(event),
            mark: mark(number),
        })
        .collect();
    let parts = Parts::of(&counted);
    let mut longest: Vec<&Event<'_>> =
        events.iter().zip(&counted).filter(|(_, counted)| counted.is_selected).map(|(event, _)| event).collect();
    longest.sort_by_key(|event| (Reverse(event.duration), event.start, event.sides.main().id));
    let typical = longest.first().and_then(|first| {
        let name = &first.sides.main().name;
        let others = events.iter().zip(&counted).filter(|(_, counted)| !counted.is_selected);
        let mut others: Vec<&Event<'_>> =
            others.map(|(event, _)| event).filter(|event| event.sides.main().name == *name).collect();
        others.sort_by_key(|event| (event.duration, event.start, event.sides.main().id));
        others.get(others.len().saturating_sub(1) / 2).map(|event| Example::of(event))
    });
    Explanation {
        selected: parts.all.selected_events,
        rest: parts.all.rest_events,
        fields: if parts.all.selected_events > 0 && parts.all.rest_events > 0 {
            merged(fields(events, &counted).iter().filter_map(|field| field.ranked(&counted, &parts)).collect())
        } else {
            Vec::new()
        },
        examples: longest.into_iter().take(MAX_EXAMPLES).map(Example::of).collect(),
        typical,
    }
}

/// Returns random bits of an event. Sets of events are compared by the exclusive or of their bits.
fn mark(number: usize) -> u64 {
    let mut bits = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Parts {
    fn of(events: &[Counted]) -> Self {
        let mut all = Tally::default();
        let (mut selected_squares, mut rest_squares) = (0.0, 0.0);
        for event in events {
            all.count(*event);
            *(if event.is_selected { &mut selected_squares } else { &mut rest_squares }) += event.weight * event.weight;
        }
        Self {
            selected: all.selected,
            rest: all.rest,
            selected_size: effective_size(all.selected, selected_squares),
            rest_size: effective_size(all.rest, rest_squares),
            all,
        }
    }

    /// Returns the value with its score in the direction in which it differs.
    fn rank(&self, operator: Operator, value: Option<String>, tally: &Tally) -> RankedValue {
        let (selected, rest) = (tally.selected / self.selected, tally.rest / self.rest);
        let (score, typical_of) = if selected >= rest {
            (excess(selected, self.selected_size, rest, self.rest_size), Part::Selection)
        } else {
            (excess(rest, self.rest_size, selected, self.selected_size), Part::Rest)
        };
        RankedValue {
            operator,
            value,
            selected,
            rest,
            selected_events: tally.selected_events,
            rest_events: tally.rest_events,
            // Without the rounding errors, mirror images have the same score.
            score: (score * 1e9).round() / 1e9,
            typical_of,
        }
    }
}

/// Counts the values of all fields.
fn fields<'a>(events: &[Event<'a>], counted: &[Counted]) -> Vec<Field<'a>> {
    let mut fields: Vec<Field<'a>> = Vec::new();
    let mut by_key: HashMap<&'a str, Option<usize>> = HashMap::new();
    // Spans share the texts of their keys.
    let mut by_address: Vec<(usize, usize, Option<usize>)> = vec![(0, 0, None); 512];
    for (event, counted) in events.iter().zip(counted) {
        event.fields(&mut |key, term, is_own| {
            let address = key.as_ptr().addr();
            let slot = by_address.get_mut((address / 8) % 512);
            let position = match slot {
                Some((known, length, position)) if *known == address && *length == key.len() => *position,
                slot => {
                    let position = *by_key.entry(key).or_insert_with(|| {
                        (!is_excluded(key)).then(|| {
                            fields.push(Field { key, numbers: Some(Vec::new()), ..Field::default() });
                            fields.len() - 1
                        })
                    });
                    if let Some(slot) = slot {
                        *slot = (address, key.len(), position);
                    }
                    position
                }
            };
            if let Some(field) = position.and_then(|position| fields.get_mut(position)) {
                field.count(*counted, term, is_own);
            }
        });
    }
    fields
}

fn is_excluded(key: &str) -> bool {
    let plain: String =
        key.chars().filter(|letter| letter.is_ascii_alphanumeric()).map(|letter| letter.to_ascii_lowercase()).collect();
    EXCLUDED.iter().any(|end| plain.ends_with(end))
}

impl<'a> Field<'a> {
    fn count(&mut self, event: Counted, term: Term<'a>, is_own: bool) {
        if is_own {
            self.own = event.number;
        } else if self.own == event.number {
            return;
        }
        self.present.count(event);
        match (term.number(), &mut self.numbers) {
            (Some(number), Some(numbers)) => match numbers.last_mut() {
                Some((last, greatest)) if *last == event.number => *greatest = greatest.max(number),
                _ => numbers.push((event.number, number)),
            },
            _ => self.numbers = None,
        }
        let position = match &self.recent {
            Some((recent, position)) if *recent == term => *position,
            _ => {
                let next = self.tallies.len();
                let position = *self.values.entry(term.clone()).or_insert(next);
                if position == next {
                    self.tallies.push(Tally::default());
                }
                self.recent = Some((term, position));
                position
            }
        };
        if let Some(tally) = self.tallies.get_mut(position) {
            tally.count(event);
        }
    }

    fn ranked(&self, events: &[Counted], parts: &Parts) -> Option<Ranked> {
        let absent = Tally {
            last: 0,
            // Sums of rates are exact, but not those of fractions.
            selected: (parts.selected - self.present.selected).max(0.0),
            rest: (parts.rest - self.present.rest).max(0.0),
            selected_events: parts.all.selected_events - self.present.selected_events,
            rest_events: parts.all.rest_events - self.present.rest_events,
            mark: parts.all.mark ^ self.present.mark,
        };
        let mut values = Vec::new();
        if absent.selected_events + absent.rest_events > 0 {
            values.push((parts.rank(Operator::Absent, None, &absent), absent.mark));
        }
        let numbers = self.numbers.as_ref().filter(|_| self.values.len() > MAX_VALUES);
        if let Some(numbers) = numbers {
            values.extend(split_of(numbers, events, parts));
        } else {
            values.extend(self.values.iter().filter_map(|(term, position)| {
                let tally = self.tallies.get(*position)?;
                Some((parts.rank(Operator::Equal, Some(term.text().into_owned()), tally), tally.mark))
            }));
        }
        values.retain(|(value, _)| value.score > 0.0);
        values.sort_by(|(one, _), (other, _)| {
            let difference = |value: &RankedValue| (value.selected - value.rest).abs();
            descending(one.score, other.score)
                .then_with(|| descending(difference(one), difference(other)))
                // Values of the selection come before values of the rest.
                .then_with(|| (one.typical_of == Part::Rest).cmp(&(other.typical_of == Part::Rest)))
                .then_with(|| one.value.cmp(&other.value))
        });
        let (best, mark) = values.first()?;
        Some(Ranked {
            key: self.key.to_owned(),
            score: best.score,
            distinct: self.values.len(),
            // A field of two values selects the same events by each of them.
            mark: (*mark).min(parts.all.mark ^ mark),
            values: values.into_iter().take(MAX_SHOWN).map(|(value, _)| value).collect(),
            also: Vec::new(),
        })
    }
}

/// Returns the value that splits the numbers where the distributions differ most.
fn split_of(numbers: &[(usize, f64)], events: &[Counted], parts: &Parts) -> Option<(RankedValue, u64)> {
    let of = |number: usize| events.get(number.checked_sub(1)?);
    let mut rows: Vec<(f64, f64, f64)> = numbers
        .iter()
        .filter_map(|(number, value)| {
            let event = of(*number)?;
            Some(if event.is_selected { (*value, event.weight, 0.0) } else { (*value, 0.0, event.weight) })
        })
        .collect();
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    rows.dedup_by(|next, kept| {
        let is_equal = next.0.total_cmp(&kept.0).is_eq();
        if is_equal {
            kept.1 += next.1;
            kept.2 += next.2;
        }
        is_equal
    });
    let (mut selected, mut rest) = ((0.0, 0.0), (0.0, 0.0));
    for event in numbers.iter().filter_map(|(number, _)| of(*number)) {
        let sums = if event.is_selected { &mut selected } else { &mut rest };
        *sums = (sums.0 + event.weight, sums.1 + event.weight * event.weight);
    }
    let found = split(&rows, effective_size(selected.0, selected.1), effective_size(rest.0, rest.1))?;
    let mut tally = Tally::default();
    for (number, value) in numbers {
        if let Some(event) = of(*number)
            && (if found.is_greater { *value > found.below } else { *value < found.above })
        {
            tally.count(*event);
        }
    }
    let (operator, edge) =
        if found.is_greater { (Operator::Greater, found.below) } else { (Operator::Less, found.above) };
    let ranked = parts.rank(operator, Some(number_text(edge)), &tally);
    Some((RankedValue { score: found.score, typical_of: Part::Selection, ..ranked }, tally.mark))
}

/// Orders the fields. Fields whose best values select the same events become one.
fn merged(mut fields: Vec<Ranked>) -> Vec<Ranked> {
    fields.sort_by(|one, other| descending(one.score, other.score).then_with(|| one.key.cmp(&other.key)));
    let mut kept: Vec<Ranked> = Vec::new();
    let mut by_mark: BTreeMap<u64, usize> = BTreeMap::new();
    for field in fields {
        let same = by_mark.get(&field.mark).and_then(|position| kept.get_mut(*position));
        if let Some(same) = same {
            same.also.extend(field.values.into_iter().next().map(|best| Also {
                key: field.key,
                operator: best.operator,
                value: best.value,
            }));
        } else {
            by_mark.insert(field.mark, kept.len());
            kept.push(field);
        }
    }
    kept.truncate(MAX_FIELDS);
    kept
}

impl Example {
    fn of(event: &Event<'_>) -> Self {
        let span = event.sides.main();
        Self {
            trace: event.trace.id,
            span: span.id,
            service: span.resource.service.to_string(),
            name: span.name.to_string(),
            start: Decimal(event.start),
            duration: Decimal(event.duration),
            failed: event.failed,
            user: event.summary.user.as_deref().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::population::Population;
    use crate::analysis::population::tests::{request, with_events};
    use crate::model::trace::Trace;
    use crate::model::value::{Attribute, Value};

    const SLOW: Region = Region { from: None, to: None, low: Some(1000), high: None };

    fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
        Attribute::new(key, value.into())
    }

    fn explained(traces: &[Trace]) -> Explanation {
        with_events(traces, &Population::default(), |events| explain(events, &SLOW))
    }

    fn field<'e>(explanation: &'e Explanation, key: &str) -> Option<&'e Ranked> {
        explanation.fields.iter().find(|field| field.key == key)
    }

    fn rounded(number: f64) -> f64 {
        (number * 1000.0).round() / 1000.0
    }

    /// 5,000 requests of 50 users. All 5 slow ones are of the user 7, which has 95 others.
    fn slow_user() -> Vec<Trace> {
        let of = |number: i64| {
            let is_slow = number < 5;
            let user = if number < 100 { 7 } else { 100 + number % 49 };
            let attributes = vec![
                attribute("app.user", &*format!("user-{user}")),
                attribute("enduser.id", &*format!("user-{user}")),
                attribute("request.id", &*format!("{number:x}")),
                attribute("trace.trace_id", number),
                attribute("region", "ca-central-1"),
            ];
            request(1 + number as u64, if is_slow { 5000 } else { 100 }, attributes)
        };
        (0..5000).map(of).collect()
    }

    #[test]
    fn slow_user_is_the_first_field() {
        let found = explained(&slow_user());
        assert_eq!((found.selected, found.rest), (5, 4995));
        let first = &found.fields[0];
        assert_eq!((&*first.key, rounded(first.score), first.distinct), ("app.user", 0.546, 50));
        let best = &first.values[0];
        assert_eq!(
            (best.operator, best.value.as_deref(), best.typical_of),
            (Operator::Equal, Some("user-7"), Part::Selection)
        );
        assert_eq!((best.selected, rounded(best.rest), best.selected_events, best.rest_events), (1.0, 0.019, 5, 95));
        let also = Also { key: "enduser.id".to_owned(), operator: Operator::Equal, value: Some("user-7".to_owned()) };
        assert_eq!(first.also, [also]);
        let unique = field(&found, "request.id").unwrap();
        assert_eq!(rounded(unique.score), 0.036);
        // Equal everywhere, the selected axis, or an id.
        for key in ["region", "trace.trace_id", "service.name"] {
            assert_eq!(field(&found, key), None, "{key}");
        }
        assert_eq!((found.examples.len(), found.typical.unwrap().duration), (5, Decimal(100)));
    }

    #[test]
    fn absent_value_and_its_mirror_are_one_value() {
        let of = |number: u64| {
            let is_slow = number < 20;
            let attributes = if is_slow { vec![] } else { vec![attribute("cache", "hit")] };
            request(1, if is_slow { 5000 } else { 100 }, attributes)
        };
        let found = explained(&(0..100).map(of).collect::<Vec<_>>());
        let cache = field(&found, "cache").unwrap();
        let shown: Vec<_> =
            cache.values.iter().map(|value| (value.operator, value.selected, value.rest, value.typical_of)).collect();
        assert_eq!(shown, [(Operator::Absent, 1.0, 0.0, Part::Selection), (Operator::Equal, 0.0, 1.0, Part::Rest)]);
        assert_eq!(rounded(cache.values[0].score), rounded(cache.values[1].score));
    }

    #[test]
    fn numbers_with_many_values_are_compared_as_distributions() {
        let of = |number: i64| {
            let is_slow = number >= 400;
            request(
                1,
                if is_slow { 5000 } else { 100 },
                vec![attribute("rows", number), attribute("noise", number * 37 % 500)],
            )
        };
        let found = explained(&(0..500).map(of).collect::<Vec<_>>());
        let rows = field(&found, "rows").unwrap();
        let [best] = &rows.values[..] else { panic!("{:?}", rows.values) };
        assert_eq!(
            (best.operator, best.value.as_deref(), best.selected, best.rest),
            (Operator::Greater, Some("399"), 1.0, 0.0)
        );
        assert_eq!(rounded(rows.score), rounded(1.0 - 1.36 * (500.0_f64 / 40_000.0).sqrt()));
        assert_eq!(field(&found, "noise"), None);
    }

    #[test]
    fn few_numbers_are_values() {
        let of = |number: i64| {
            let is_slow = number < 10;
            request(1, if is_slow { 5000 } else { 100 }, vec![attribute("status", if is_slow { 503_i64 } else { 200 })])
        };
        let found = explained(&(0..100).map(of).collect::<Vec<_>>());
        let status = field(&found, "status").unwrap();
        assert_eq!(status.values[0].value.as_deref(), Some("503"));
    }

    #[test]
    fn shares_are_weighted_by_the_sample_rate() {
        let of = |number: i64| {
            let (is_slow, is_a) = (number < 10, number < 5);
            let rate = if is_a { 9_i64 } else { 1 };
            let attributes = vec![attribute("sampleRate", rate), attribute("part", if is_a { "a" } else { "b" })];
            request(1, if is_slow { 5000 } else { 100 }, attributes)
        };
        let found = explained(&(0..100).map(of).collect::<Vec<_>>());
        let a = field(&found, "part").unwrap().values.iter().find(|value| value.value.as_deref() == Some("a")).unwrap();
        assert_eq!((rounded(a.selected), a.rest, a.selected_events), (0.9, 0.0, 5));
    }

    #[test]
    fn everything_or_nothing_selected_has_no_field() {
        let traces: Vec<_> = (0..9).map(|number| request(1, 5, vec![attribute("n", number)])).collect();
        let all = Region { low: Some(0), ..Region::default() };
        for (region, counts) in [(SLOW, (0, 9)), (all, (9, 0))] {
            let found = with_events(&traces, &Population::default(), |events| explain(events, &region));
            assert_eq!(((found.selected, found.rest), found.fields.len()), (counts, 0));
        }
    }

    #[test]
    fn region_has_exact_edges() {
        let traces: Vec<_> = [(10, 5), (11, 5), (10, 4), (10, 7), (12, 6)]
            .map(|(start, duration)| request(start, duration, vec![]))
            .into();
        let region = Region { from: Some(10), to: Some(12), low: Some(5), high: Some(7) };
        let found = with_events(&traces, &Population::default(), |events| explain(events, &region));
        assert_eq!((found.selected, found.rest), (2, 3));
    }
}
