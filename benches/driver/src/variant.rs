//! The compared configurations.

/// One subject with one configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// The package and its binary, which have the same name.
    pub(crate) package: &'static str,
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) xray: bool,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// No tracing.
    None,
    /// No tracing, with a wait after each response that is as long as the collector's response time.
    Idle,
    /// No tracing, with an idle second thread. SIGSTOP and SIGCONT wake each thread; Lambda freezes the whole machine
    /// instead.
    Parked,
    /// lambda-spans, complete.
    Ours,
    /// lambda-spans with a part switched off; the difference is the cost of that part.
    Part,
    /// Another library.
    Peer,
}

pub(crate) const NONE: Variant =
    Variant { name: "none", package: "none", environment: &[], xray: false, kind: Kind::None };
pub(crate) const IDLE: Variant =
    Variant { name: "none, idle 30 ms", environment: &[("IDLE_MS", "30")], kind: Kind::Idle, ..NONE };
pub(crate) const PARKED: Variant =
    Variant { name: "none, parked thread", environment: &[("PARKED_THREAD", "1")], kind: Kind::Parked, ..NONE };
pub(crate) const OURS_END: Variant = ours("ours-end", &[("LAMBDA_SPANS_FLUSH", "end")]);
pub(crate) const OURS_ADAPTIVE: Variant = ours("ours-adaptive", &[("LAMBDA_SPANS_FLUSH", "adaptive")]);
pub(crate) const DISABLED: Variant = part("ours, disabled", false, &[("OTEL_SDK_DISABLED", "true")]);
pub(crate) const RECORDED: Variant = part("ours, to nowhere", false, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]);
pub(crate) const TO_XRAY: Variant = part("ours, to X-Ray alone", true, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]);
pub(crate) const OFFICIAL: Variant =
    Variant { name: "official", package: "official", environment: &[], xray: true, kind: Kind::Peer };
pub(crate) const LITE_SYNC: Variant = lite("lite-sync", &[("LAMBDA_EXTENSION_SPAN_PROCESSOR_MODE", "sync")]);
pub(crate) const LITE_ASYNC: Variant = lite("lite-async", &[("LAMBDA_EXTENSION_SPAN_PROCESSOR_MODE", "async")]);
pub(crate) const LITE_FINALIZE: Variant =
    lite("lite-finalize", &[("LAMBDA_EXTENSION_SPAN_PROCESSOR_MODE", "finalize")]);

pub(crate) const ALL: [Variant; 12] = [
    NONE,
    IDLE,
    PARKED,
    DISABLED,
    RECORDED,
    TO_XRAY,
    OURS_END,
    OURS_ADAPTIVE,
    OFFICIAL,
    LITE_SYNC,
    LITE_ASYNC,
    LITE_FINALIZE,
];

const fn ours(name: &'static str, environment: &'static [(&'static str, &'static str)]) -> Variant {
    Variant { name, package: "ours", environment, xray: true, kind: Kind::Ours }
}

const fn part(name: &'static str, xray: bool, environment: &'static [(&'static str, &'static str)]) -> Variant {
    Variant { name, package: "ours", environment, xray, kind: Kind::Part }
}

const fn lite(name: &'static str, environment: &'static [(&'static str, &'static str)]) -> Variant {
    Variant { name, package: "lite", environment, xray: false, kind: Kind::Peer }
}
