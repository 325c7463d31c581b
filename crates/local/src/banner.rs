//! What the terminal says at the start.

use crate::dynamodb::TABLE;
use crate::options::Client;
use crate::running::Running;
use crate::seed::{ANDREW, USERS};
use crate::sign_in;

/// What listens where, as whom one acts, and what to try next.
pub fn text(running: &Running) -> String {
    let api = running.api();
    let endpoint = running.endpoint();
    let bridge = running.bridge().map(|address| format!(" and http://{address}")).unwrap_or_default();
    let folder = running.folder().display();
    let post = running.post();
    let handle = ANDREW.handle;
    let handles = USERS.map(|user| user.handle).join(", ");
    let (who, sign_in, token) = match running.compat() {
        Some(Client::Week2) => {
            (format!("Every request acts as the demo user {handle} ({}).", ANDREW.display_name), String::new(), "")
        }
        None => (
            format!("Sign in as one of {handles}."),
            format!(
                r#"
  TOKEN=$(curl -s http://{api}{path} -H 'Content-Type: application/json' \
    -d '{{"handle":"{handle}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"#,
                path = sign_in::PATH,
            ),
            r#" -H "Authorization: Bearer $TOKEN""#,
        ),
    };
    format!(
        r#"Cruddur runs on this machine. {who}

  API        http://{api}
  DynamoDB   http://{endpoint}{bridge}, table {TABLE}; Secrets Manager's GetSecretValue too
  Data       {folder}; remove the folder to begin anew

Try, in another terminal:
  curl http://{api}/api/activities/home
  curl http://{api}/api/activities/{post}{sign_in}
  curl http://{api}/api/activities{token} -H 'Content-Type: application/json' -d '{{"message":"Hello","ttl":"1-day"}}'
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 \
    aws dynamodb scan --table-name {TABLE} --endpoint-url http://{endpoint}

Ctrl-C ends it.
"#
    )
}
