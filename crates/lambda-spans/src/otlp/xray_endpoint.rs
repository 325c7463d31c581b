//! X-Ray's own OTLP endpoint, whose requests are signed.

use crate::variables::url::Url;

/// Returns the region of X-Ray's endpoint, such as `https://xray.eu-west-1.amazonaws.com/v1/traces`. `None` for other
/// receivers.
pub(super) fn region(endpoint: &Url) -> Option<String> {
    let host = endpoint.host().to_ascii_lowercase();
    let region = host.strip_prefix("xray.")?;
    let region = region.strip_suffix(".amazonaws.com").or_else(|| region.strip_suffix(".amazonaws.com.cn"))?;
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (endpoint.is_https() && is_region).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_of_xray_have_a_region() {
        let of = |url: &str| region(&Url::parse(url).unwrap());
        assert_eq!(of("https://xray.eu-west-1.amazonaws.com/v1/traces").as_deref(), Some("eu-west-1"));
        assert_eq!(of("https://XRAY.cn-north-1.amazonaws.com.cn/v1/traces").as_deref(), Some("cn-north-1"));
        for url in [
            "http://xray.eu-west-1.amazonaws.com/v1/traces",
            "https://xray.eu-west-1.amazonaws.com.example/v1/traces",
            "https://xray.a.b.amazonaws.com/v1/traces",
            "https://xray.amazonaws.com/v1/traces",
            "https://logs.eu-west-1.amazonaws.com/v1/logs",
            "https://api.honeycomb.io/v1/traces",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
