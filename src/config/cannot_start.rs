use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::variable;
use crate::causes::causes;

/// Lambda is on the same machine.
const LIMIT: Duration = Duration::from_secs(1);
const KIND: &str = "Function.CannotStart";

/// Says in one JSON line on the standard error why this process cannot start, and tells Lambda that it does not.
///
/// The log has the cause. Lambda's answer has not: Cognito shows it to whoever signs in.
pub fn cannot_start(error: &(dyn Error + 'static)) -> ExitCode {
    // Tracing may not be there yet.
    let line = json!({ "level": "ERROR", "message": format!("cannot start: {}", causes(Some(error))) });
    // Without a standard error there is nobody left to tell.
    let _unheard = writeln!(io::stderr(), "{line}");
    if let Some(runtime) = variable("AWS_LAMBDA_RUNTIME_API") {
        // Lambda sees the end of the process anyway.
        let _untold = tell(&runtime);
    }
    ExitCode::FAILURE
}

/// Without it Lambda takes the end of the process for a crash.
fn tell(runtime: &str) -> io::Result<()> {
    let body = json!({ "errorType": KIND, "errorMessage": "The function cannot start. Its log says why." }).to_string();
    let mut connection = TcpStream::connect(runtime)?;
    connection.set_read_timeout(Some(LIMIT))?;
    write!(
        connection,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {runtime}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {KIND}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )?;
    // Until it is answered it may not have been read.
    io::copy(&mut connection, &mut io::sink()).map(drop)
}
