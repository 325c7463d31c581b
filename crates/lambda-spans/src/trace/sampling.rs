//! Decides after an invocation which OTLP destination receives its trace: failed or slow ones always, one in N of the
//! others.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::{Status, TraceId};
use opentelemetry_sdk::trace::SpanData;
use siphasher::sip::SipHasher13;

/// The sampling settings of the OTLP destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SamplingSettings {
    /// One in this many traces is kept; 0 and 1 keep all.
    pub(crate) one_in: u64,
    /// The same for the second OTLP destination.
    pub(crate) second_one_in: u64,
    pub(crate) keep_slower_than: Option<Duration>,
    /// Without a key, callers who choose trace ids could choose kept ones.
    pub(crate) key: Option<String>,
}

/// The decision for one trace and one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Sent, and represents `rate` similar traces.
    Keep {
        rate: u64,
    },
    SampleOut(Reason),
}

/// Why a destination does not get a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It keeps one in this many traces.
    Rate(u64),
    /// The program excludes the trace.
    Program,
    /// Another decision applies: Lambda's for X-Ray, or that of a snapshot.
    Elsewhere,
}

impl Reason {
    /// The word in X-Ray's metadata.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate(_) => "sampled_out",
            Self::Program => "excluded",
            Self::Elsewhere => "not_recorded",
        }
    }

    pub(crate) fn rate(self) -> Option<i64> {
        match self {
            Self::Rate(rate) => Some(i64::try_from(rate).unwrap_or(i64::MAX)),
            Self::Program | Self::Elsewhere => None,
        }
    }
}

/// The decisions for one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decisions {
    pub(crate) otlp: Decision,
    pub(crate) second_otlp: Decision,
}

impl Decisions {
    pub(crate) const KEEP: Self = Self { otlp: Decision::Keep { rate: 1 }, second_otlp: Decision::Keep { rate: 1 } };
    pub(crate) const SAMPLE_OUT: Self = Self::sample_out(Reason::Elsewhere);
    pub(crate) const EXCLUDE: Self = Self::sample_out(Reason::Program);

    const fn sample_out(reason: Reason) -> Self {
        Self { otlp: Decision::SampleOut(reason), second_otlp: Decision::SampleOut(reason) }
    }

    /// Keeps the trace in each destination that would leave it out.
    pub(crate) fn or_keep(self) -> Self {
        let or_keep = |decision| match decision {
            Decision::SampleOut(_) => Decision::Keep { rate: 1 },
            Decision::Keep { .. } => decision,
        };
        Self { otlp: or_keep(self.otlp), second_otlp: or_keep(self.second_otlp) }
    }
}

#[derive(Debug)]
pub(crate) struct Sampler {
    one_in: u64,
    second_one_in: u64,
    keep_slower_than: Option<Duration>,
    /// Empty until a key is set.
    hasher: OnceLock<SipHasher13>,
}

/// The sampling-relevant properties of an invocation's root span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

impl Sampler {
    pub(crate) fn new(settings: &SamplingSettings) -> Self {
        let hasher = settings.key.as_deref().map(|key| keyed(key.as_bytes()));
        Self {
            one_in: settings.one_in.max(1),
            second_one_in: settings.second_one_in.max(1),
            keep_slower_than: settings.keep_slower_than,
            hasher: hasher.map(OnceLock::from).unwrap_or_default(),
        }
    }

    /// Keeps a key from the settings.
    pub(crate) fn set_key(&self, key: &[u8]) {
        self.hasher.get_or_init(|| keyed(key));
    }

    pub(crate) fn verdict(&self, root: &SpanData) -> Verdict {
        let length = root.end_time.duration_since(root.start_time).unwrap_or_default();
        Verdict {
            failed: matches!(root.status, Status::Error { .. }),
            slow: self.keep_slower_than.is_some_and(|limit| length > limit),
        }
    }

    pub(crate) fn decide(&self, trace: TraceId, verdict: Verdict) -> Decisions {
        if verdict.failed || verdict.slow || (self.one_in == 1 && self.second_one_in == 1) {
            return Decisions::KEEP;
        }
        let hash = self.hasher.get_or_init(|| SipHasher13::new_with_keys(0, 0)).hash(&trace.to_bytes());
        // Of two rates, the destination with the higher one gets a part of what the other gets, if one divides the other.
        let decide = |rate| match hash.is_multiple_of(rate) {
            true => Decision::Keep { rate },
            false => Decision::SampleOut(Reason::Rate(rate)),
        };
        Decisions { otlp: decide(self.one_in), second_otlp: decide(self.second_one_in) }
    }
}

fn keyed(key: &[u8]) -> SipHasher13 {
    let hash = |seed| SipHasher13::new_with_keys(seed, 0).hash(key);
    SipHasher13::new_with_keys(hash(1), hash(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(one_in: u64, key: Option<&str>) -> Sampler {
        let key = key.map(str::to_owned);
        Sampler::new(&SamplingSettings { one_in, key, ..SamplingSettings::default() })
    }

    fn kept(sampler: &Sampler) -> Vec<u128> {
        let keeps = |id: &u128| rate(sampler.decide(TraceId::from(*id), Verdict::default()).otlp) > 0;
        (1..=10_000).filter(keeps).collect()
    }

    #[test]
    fn all_traces_are_kept_without_a_rate() {
        for one_in in [0, 1] {
            let decision = sampler(one_in, None).decide(TraceId::from(1), Verdict::default());
            assert_eq!(decision, Decisions::KEEP);
        }
    }

    #[test]
    fn one_in_n_is_kept_with_sample_rate_n() {
        let sampler = sampler(10, None);
        let kept = kept(&sampler);
        assert!((900..1100).contains(&kept.len()), "{}", kept.len());
        let decision = sampler.decide(TraceId::from(kept[0]), Verdict::default());
        assert_eq!(decision, Decisions { otlp: Decision::Keep { rate: 10 }, ..Decisions::KEEP });
    }

    #[test]
    fn each_destination_has_its_own_rate() {
        let settings = SamplingSettings { one_in: 2, second_one_in: 6, ..SamplingSettings::default() };
        let sampler = Sampler::new(&settings);
        let decided = |id| sampler.decide(TraceId::from(id), Verdict::default());
        let both: Vec<_> = (1..=1_000_u128).map(decided).collect();
        let rates: std::collections::BTreeSet<_> =
            both.iter().map(|one| (rate(one.otlp), rate(one.second_otlp))).collect();
        assert_eq!(rates, [(0, 0), (2, 0), (2, 6)].into());
        let failed = sampler.decide(TraceId::from(1), Verdict { failed: true, slow: false });
        assert_eq!(failed, Decisions::KEEP);
        assert_eq!(Decisions::SAMPLE_OUT.or_keep(), Decisions::KEEP);
    }

    fn rate(decision: Decision) -> u64 {
        match decision {
            Decision::Keep { rate } => rate,
            Decision::SampleOut(_) => 0,
        }
    }

    #[test]
    fn failed_and_slow_traces_are_kept_with_rate_1() {
        let sampler = sampler(u64::MAX, None);
        for verdict in [Verdict { failed: true, slow: false }, Verdict { failed: false, slow: true }] {
            assert_eq!(sampler.decide(TraceId::from(7), verdict), Decisions::KEEP);
        }
        let sampled_out = Decision::SampleOut(Reason::Rate(u64::MAX));
        assert_eq!(sampler.decide(TraceId::from(7), Verdict::default()).otlp, sampled_out);
    }

    #[test]
    fn late_key_works_but_never_replaces_a_setting() {
        let late = sampler(10, None);
        late.set_key(b"k");
        assert_eq!(kept(&late), kept(&sampler(10, Some("k"))));
        let set = sampler(10, Some("k"));
        set.set_key(b"another");
        assert_eq!(kept(&set), kept(&sampler(10, Some("k"))));
    }

    #[test]
    fn key_changes_the_sample_deterministically() {
        let keyed = kept(&sampler(10, Some("k")));
        assert_eq!(keyed, kept(&sampler(10, Some("k"))));
        assert_ne!(keyed, kept(&sampler(10, None)));
    }
}
