use aws_credential_types::Credentials;

/// Returns the credentials that Lambda has put into the environment, or `None` outside of Lambda and with SnapStart,
/// where they come from an endpoint.
///
/// They are valid as long as the process: Lambda replaces both together. The SDK's default chain finds the same ones, but
/// it also prepares profiles, web identities, containers and instance metadata at each cold start.
#[must_use]
pub fn lambda_credentials(get: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
    let set = |name| get(name).filter(|value| !value.trim().is_empty());
    set("AWS_LAMBDA_RUNTIME_API")?;
    let (id, secret) = (set("AWS_ACCESS_KEY_ID")?, set("AWS_SECRET_ACCESS_KEY")?);
    Some(Credentials::new(id, secret, set("AWS_SESSION_TOKEN"), None, "Lambda"))
}
