//! What the terminal says at the start.

use crate::running::{Running, TABLE};
use crate::seed::ANDREW;

/// What listens where, as whom one acts, and what to try next.
pub fn text(running: &Running) -> String {
    let api = running.api();
    let endpoint = running.endpoint();
    let bridge = running.bridge().map(|address| format!(" and http://{address}")).unwrap_or_default();
    let folder = running.folder().display();
    let post = running.post();
    let (name, handle) = (ANDREW.display_name, ANDREW.handle);
    format!(
        r#"Cruddur runs on this machine. Every request acts as the demo user {handle} ({name}).

  API        http://{api}
  DynamoDB   http://{endpoint}{bridge}, table {TABLE}; Secrets Manager's GetSecretValue too
  Data       {folder}; remove the folder to begin anew

Try, in another terminal:
  curl http://{api}/api/activities/home
  curl http://{api}/api/activities/{post}
  curl http://{api}/api/activities -H 'Content-Type: application/json' -d '{{"message":"Hello","ttl":"1-day"}}'
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 \
    aws dynamodb scan --table-name {TABLE} --endpoint-url http://{endpoint}

Ctrl-C ends it.
"#
    )
}
