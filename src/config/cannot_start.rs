use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::variable;
use crate::clock::Clock;
use crate::error_chain::error_chain;

/// Lambda's runtime API is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);
const ERROR_TYPE: &str = "Function.CannotStart";

/// Logs why this process cannot start as one JSON line on standard error, and reports the failure to Lambda.
///
/// Only the log contains the cause, because Cognito shows Lambda's error message to users.
pub fn cannot_start(error: &(dyn Error + 'static)) -> ExitCode {
    // Tracing may not be installed yet. Lambda reads the level of a JSON line only if it has a timestamp too.
    let line = json!({
        "timestamp": format!("{:.3}", Clock::system().now()),
        "level": "ERROR",
        "message": format!("cannot start: {}", error_chain(Some(error))),
    });
    // If standard error is closed, no other output is left.
    let _ignored = writeln!(io::stderr(), "{line}");
    if let Some(runtime) = variable("AWS_LAMBDA_RUNTIME_API") {
        // Lambda also notices the end of the process.
        let _ignored = report_init_error(&runtime);
    }
    ExitCode::FAILURE
}

/// Reports an init error. Without the report, Lambda treats the end of the process as a crash.
fn report_init_error(runtime: &str) -> io::Result<()> {
    let body =
        json!({ "errorType": ERROR_TYPE, "errorMessage": "The function cannot start. See its log." }).to_string();
    let mut connection = TcpStream::connect(runtime)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    write!(
        connection,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {runtime}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {ERROR_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )?;
    // Wait for the response: the process may exit only after Lambda has read the request.
    io::copy(&mut connection, &mut io::sink()).map(drop)
}
