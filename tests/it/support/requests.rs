//! A valid request to each route, from `tests/requests.json`, and a system in which it succeeds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use cruddur::domain::{DirectMessage, Id, Message};
use serde::Deserialize;
use serde_json::Value;

use super::{TestApp, andrew, hours, numbered, request, signed_in, user};

#[derive(Deserialize)]
pub(crate) struct Samples {
    /// The default values of the parameters in paths.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) routes: Vec<Sample>,
}

/// A request with its statuses: for Andrew, who owns everything in the path; for Worf; and without a valid token.
#[derive(Deserialize)]
pub(crate) struct Sample {
    /// The name of its event in `events/api`.
    pub(crate) event: String,
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    body: Option<Value>,
    pub(crate) owner: u16,
    pub(crate) other: u16,
    pub(crate) anonymous: u16,
}

pub(crate) static SAMPLES: LazyLock<Samples> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../requests.json")).unwrap());

impl Sample {
    /// The method and path of the route.
    pub(crate) fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with these values of its parameters, or with the default ones.
    pub(crate) fn path_with(&self, values: &[(&str, &str)]) -> String {
        let path = filled(&self.path, values);
        assert!(!path.contains('{'), "{path} has an unknown parameter");
        path
    }

    /// The body with these values of its parameters, or with the default ones.
    pub(crate) fn body_with(&self, values: &[(&str, &str)]) -> Option<String> {
        Some(filled(&self.body.as_ref()?.to_string(), values))
    }

    pub(crate) fn uri(&self) -> String {
        let query: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "%20"))).collect();
        format!("{}?{}", self.path_with(&[]), query.join("&")).trim_end_matches('?').to_owned()
    }

    /// The request without a token.
    pub(crate) fn anonymous(&self) -> Request<Body> {
        let request = request(&self.method, &self.uri()).header("content-type", "application/json");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(Body::from(self.body_with(&[]).unwrap_or_default())).unwrap()
    }

    pub(crate) fn signed_in(&self, sub: &str) -> Request<Body> {
        signed_in(self.anonymous(), sub)
    }
}

fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let defaults = SAMPLES.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = values.iter().copied().chain(defaults);
    all.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

impl TestApp {
    /// Andrew owns everything in the paths of the samples: his post, and his conversation with a third user.
    pub(crate) async fn with_samples() -> Self {
        let app = Self::new().await;
        app.posted(hours(1), 9, "Andrew's", "1-day").await;
        let bayko = user(3, "demo-bayko", "bayko", "Andrew Bayko");
        app.state.store.create_profile(&bayko).await.unwrap();
        let first = DirectMessage {
            id: numbered(app.now() - hours(1), 8),
            conversation: Id::parse(&SAMPLES.parameters["message_group_uuid"]).unwrap(),
            sender: andrew().author.user_uuid,
            message: Message::direct("Andrew's").unwrap(),
        };
        app.state.store.open_conversation(&andrew(), &bayko, &first, None).await.unwrap();
        app
    }
}
