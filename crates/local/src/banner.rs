//! The text that the local server prints when it is ready.

use crate::dynamodb::TABLE;
use crate::local_server::LocalServer;
use crate::options::{LegacyClient, Options};
use crate::seed::{ANDREW, USERS};
use crate::sign_in;

/// Returns the line with the addresses of `console`, which was started with `options`.
pub fn traces(console: &lambda_console::Console, options: &Options) -> String {
    let addresses = console.addresses();
    let xray = addresses.xray.map(|xray| format!(", and X-Ray documents on UDP {xray}")).unwrap_or_default();
    let found = [(options.console_port, Some(addresses.http)), (lambda_console::XRAY_PORT, addresses.xray)];
    let replaced =
        found.into_iter().filter(|(port, found)| *port != 0 && found.is_some_and(|found| found.port() != *port));
    let replaced = replaced.map(|(port, _)| format!("\n             (port {port} is in use by another program)"));
    format!("\n  Traces     {}; also receives OTLP/HTTP{xray}{}", console.url(), replaced.collect::<String>())
}

/// Returns the addresses, the user or users, and commands to try. `traces` is the line of the console.
pub fn text(server: &LocalServer, traces: Option<&str>) -> String {
    let traces = traces.unwrap_or_default();
    let api = server.api();
    let endpoint = server.endpoint();
    let bridge = server.bridge().map(|address| format!(" and http://{address}")).unwrap_or_default();
    let data_dir = server.data_dir().display();
    let post = server.post();
    let handle = ANDREW.handle;
    let handles = USERS.map(|user| user.handle).join(", ");
    let (users, sign_in, token) = match server.compat() {
        Some(LegacyClient::Week2) => {
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
        r#"Cruddur is ready. {users}

  Page       http://{api}
  API        http://{api}{traces}
  DynamoDB   http://{endpoint}{bridge}, table {TABLE}; also serves Secrets Manager's GetSecretValue
  Data       {data_dir}; delete this folder to start again with the demo data

Try, in another terminal:
  curl http://{api}/api/activities/home
  curl http://{api}/api/activities/{post}{sign_in}
  curl http://{api}/api/activities{token} -H 'Content-Type: application/json' -d '{{"message":"Hello","ttl":"1-day"}}'
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 \
    aws dynamodb scan --table-name {TABLE} --endpoint-url http://{endpoint}

Press Ctrl-C to stop.
"#
    )
}
