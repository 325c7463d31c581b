//! The function's AWS credentials: from the environment, or from the container endpoint, which Lambda provides with
//! SnapStart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_types::body::SdkBody;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::http_stack::HttpStack;
use crate::clock::Moment;
use crate::variables::Reader;
use crate::variables::url::Url;

const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// Credentials are requested again when they expire within this time.
const EARLY: Duration = Duration::from_secs(5 * 60);
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ANSWER: usize = 64 * 1024;
/// The container endpoints of Amazon ECS and EKS. As in the AWS SDKs, plain HTTP is allowed only there and on this
/// machine.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// Credentials that signed requests use. Clones share them.
#[derive(Clone)]
pub(crate) struct CredentialsProvider(Arc<Source>);

enum Source {
    Environment(Credentials),
    Container(Box<Container>),
}

struct Container {
    endpoint: Url,
    token: Option<Token>,
    current: Mutex<Option<Received>>,
}

enum Token {
    Value(String),
    /// Read for each request, because its content changes.
    File(String),
}

struct Received {
    credentials: Credentials,
    expires: Option<Timestamp>,
}

impl fmt::Debug for CredentialsProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CredentialsProvider").finish_non_exhaustive()
    }
}

/// The response of the container endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

impl CredentialsProvider {
    /// Returns the source of credentials that the environment names, if any.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (id, secret) = (reader.text("AWS_ACCESS_KEY_ID"), reader.text("AWS_SECRET_ACCESS_KEY"));
        let source = if let (Some(id), Some(secret)) = (id, secret) {
            let session = reader.text("AWS_SESSION_TOKEN");
            Source::Environment(Credentials::new(id, secret, session, None, "environment"))
        } else {
            let endpoint = reader.url(&[URI])?;
            if !endpoint.is_https() && !endpoint.is_loopback() && !CONTAINER_HOSTS.contains(&endpoint.host()) {
                let problem = "plain http:// is allowed only for this machine and the endpoints of Amazon ECS and EKS";
                reader.warn(URI, problem);
                return None;
            }
            let file = reader.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(Token::File);
            let token = file.or_else(|| reader.text("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Token::Value));
            Source::Container(Box::new(Container { endpoint, token, current: Mutex::default() }))
        };
        Some(Self(Arc::new(source)))
    }

    /// Returns credentials that are valid at `now`.
    ///
    /// # Errors
    /// The reason why there are none, without a secret.
    pub(super) async fn credentials(&self, stack: &HttpStack, now: Moment) -> Result<Credentials, String> {
        let container = match &*self.0 {
            Source::Environment(credentials) => return Ok(credentials.clone()),
            Source::Container(container) => container,
        };
        let mut current = container.current.lock().await;
        if let Some(received) = current.as_ref().filter(|received| received.is_valid(now, EARLY)) {
            return Ok(received.credentials.clone());
        }
        let received = tokio::time::timeout(TIMEOUT, container.receive(stack)).await;
        match received.unwrap_or_else(|_| Err("no response in time".to_owned())) {
            Ok(received) => Ok(current.insert(received).credentials.clone()),
            // They are requested early, so that the endpoint may fail for a while.
            Err(problem) => match current.as_ref().filter(|received| received.is_valid(now, Duration::ZERO)) {
                Some(received) => Ok(received.credentials.clone()),
                None => Err(format!("the container endpoint returned no credentials: {problem}")),
            },
        }
    }

    /// Forgets credentials that a receiver has rejected. Returns whether the next request may get others: the container
    /// endpoint renews them, and the environment of a process never changes.
    pub(super) async fn forget(&self) -> bool {
        match &*self.0 {
            Source::Environment(_) => false,
            Source::Container(container) => {
                *container.current.lock().await = None;
                true
            }
        }
    }
}

impl Received {
    /// Returns whether the credentials are valid at `now` and for `rest` longer.
    fn is_valid(&self, now: Moment, rest: Duration) -> bool {
        let until = Timestamp::try_from(now.wall() + rest);
        self.expires.is_none_or(|expires| until.is_ok_and(|until| until < expires))
    }
}

impl Container {
    async fn receive(&self, stack: &HttpStack) -> Result<Received, String> {
        let mut request = Request::get(self.endpoint.uri()).header("accept", "application/json");
        let token = match &self.token {
            None => None,
            Some(Token::Value(token)) => Some(token.clone()),
            Some(Token::File(path)) => {
                let token = std::fs::read_to_string(path);
                Some(token.map_err(|error| format!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {error}"))?)
            }
        };
        if let Some(token) = token {
            let mut token = HeaderValue::from_str(token.trim())
                .ok()
                .ok_or("the authorization token contains characters that a header cannot contain")?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(SdkBody::empty()).map_err(|error| error.to_string())?;
        let request = request.try_into().map_err(|error| format!("{error}"))?;
        let response = stack.connector().call(request).await.map_err(|error| error.to_string())?;
        let response = response.try_into_http1x().map_err(|error| error.to_string())?;
        let status = response.status();
        if !status.is_success() {
            return Err(status.to_string());
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
        // The error of the parser may quote the secret.
        let answer: Answer =
            serde_json::from_slice(&body.to_bytes()).ok().ok_or("the response has an unknown format")?;
        let Answer { access_key_id, secret_access_key, token, expiration } = answer;
        let credentials = Credentials::new(access_key_id, secret_access_key, token, None, "container");
        // Credentials with an unreadable expiry are used for one request.
        let expires = expiration.map(|time| time.parse().unwrap_or(Timestamp::UNIX_EPOCH));
        Ok(Received { credentials, expires })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::{Value, json};

    use super::*;

    const FIRST: &str = "2026-11-28T12:00:00Z";

    fn read(variables: &[(&str, &str)]) -> (Option<CredentialsProvider>, usize) {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&get);
        let provider = CredentialsProvider::read(&mut reader);
        (provider, reader.finish().0.len())
    }

    /// Returns a moment this many seconds before the first credentials expire.
    fn before_expiry(seconds: u64) -> Moment {
        let expiry = u64::try_from(FIRST.parse::<Timestamp>().unwrap().as_second()).unwrap();
        Moment::at(std::time::UNIX_EPOCH + Duration::from_secs(expiry - seconds))
    }

    /// Answers the first request with credentials, and later ones with others or a failure.
    async fn endpoint(second: Option<Value>) -> (String, Arc<AtomicUsize>) {
        let requests = Arc::<AtomicUsize>::default();
        let first = json!({ "AccessKeyId": "first", "SecretAccessKey": "s", "Token": "t", "Expiration": FIRST });
        let answer = async move |State(requests): State<Arc<AtomicUsize>>, headers: HeaderMap| {
            if headers.get("authorization").is_none_or(|token| token != "a token") {
                return Err(StatusCode::FORBIDDEN);
            }
            let is_first = requests.fetch_add(1, Ordering::Relaxed) == 0;
            if is_first { Ok(Json(first)) } else { second.map(Json).ok_or(StatusCode::INTERNAL_SERVER_ERROR) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/credentials", get(answer)).with_state(requests.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (format!("http://{address}/credentials"), requests)
    }

    async fn id(provider: &CredentialsProvider, now: Moment) -> Result<String, String> {
        let credentials = provider.credentials(&HttpStack::default(), now).await?;
        Ok(credentials.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn container_credentials_are_kept_until_shortly_before_expiry() {
        let second = json!({ "AccessKeyId": "second", "SecretAccessKey": "s", "Expiration": "2026-11-28T18:00:00Z" });
        let (uri, requests) = endpoint(Some(second)).await;
        let (provider, _) = read(&[(URI, &uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a token")]);
        let provider = provider.unwrap();
        for (seconds, expected, asked) in [(3600, "first", 1), (301, "first", 1), (300, "second", 2), (0, "second", 2)]
        {
            assert_eq!(id(&provider, before_expiry(seconds)).await.unwrap(), expected, "{seconds}");
            assert_eq!(requests.load(Ordering::Relaxed), asked, "{seconds}");
        }
    }

    #[tokio::test]
    async fn failed_renewal_uses_valid_credentials_only() {
        let (uri, _) = endpoint(None).await;
        let (provider, _) = read(&[(URI, &uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a token")]);
        let provider = provider.unwrap();
        assert_eq!(id(&provider, before_expiry(3600)).await.unwrap(), "first");
        assert_eq!(id(&provider, before_expiry(1)).await.unwrap(), "first");
        assert!(id(&provider, before_expiry(0)).await.is_err());
        provider.forget().await;
        assert!(id(&provider, before_expiry(3600)).await.is_err());
    }

    #[tokio::test]
    async fn token_file_takes_precedence() {
        let (uri, _) = endpoint(None).await;
        let path = std::env::temp_dir().join(format!("lambda-spans-token-{}", std::process::id()));
        std::fs::write(&path, "a token\n").unwrap();
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path.to_str().unwrap());
        let (provider, _) = read(&[(URI, &uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another"), file]);
        let found = id(&provider.unwrap(), before_expiry(3600)).await;
        std::fs::remove_file(path).unwrap();
        assert_eq!(found.unwrap(), "first");
    }

    #[tokio::test]
    async fn variables_take_precedence_over_the_container() {
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), (URI, "http://127.0.0.1:9/")];
        assert_eq!(id(&read(&keys).0.unwrap(), Moment::now()).await.unwrap(), "id");
    }

    #[test]
    fn token_is_not_sent_in_plain_text_to_other_hosts() {
        for (uri, accepted) in [
            ("http://169.254.170.2/v2", true),
            ("http://[fd00:ec2::23]/v1", true),
            ("http://127.0.0.1:9001/", true),
            ("https://example.com/", true),
            ("http://example.com/", false),
        ] {
            let (provider, warnings) = read(&[(URI, uri)]);
            assert_eq!((provider.is_some(), warnings == 0), (accepted, accepted), "{uri}");
        }
        assert!(read(&[]).0.is_none());
    }
}
