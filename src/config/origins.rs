use super::lookup::Lookup;

const NAME: &str = "ALLOWED_ORIGINS";

/// Reads `ALLOWED_ORIGINS`, a comma-separated list. If it is unset, no web page may call the API.
pub(super) fn from_lookup<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> Vec<String> {
    let list = settings.optional(NAME).unwrap_or_default();
    let origins: Vec<_> = list.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
    for origin in origins.iter().filter(|origin| !is_origin(origin)) {
        settings.fault(
            NAME,
            format!("must be a comma-separated list of origins such as `https://cruddur.com`, found `{origin}`"),
        );
    }
    origins.into_iter().map(str::to_owned).collect()
}

/// Returns whether `text` is an origin as browsers send it: scheme, lower-case host and port. `*` is invalid.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let port_is_right = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    !host.is_empty() && host.bytes().all(allowed) && port_is_right
}
