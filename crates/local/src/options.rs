//! The command line.

use std::net::{AddrParseError, Ipv4Addr};
use std::path::PathBuf;

use cruddur::config::is_origin;

/// Runs Cruddur locally: the API and an embedded DynamoDB with demo data.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "cruddur-local")]
pub struct Options {
    /// Port of the API on 127.0.0.1; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Port of DynamoDB and Secrets Manager on 127.0.0.1; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub dynamodb_port: u16,

    /// Directory of the database, the master secret and the signing key; created if missing
    #[arg(long, value_name = "DIR", default_value = ".data")]
    pub data_dir: PathBuf,

    /// Also serve DynamoDB and Secrets Manager on Docker's bridge, for the containers of `sam local`
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "172.17.0.1", value_parser = bridge)]
    pub bridge: Option<Ipv4Addr>,

    /// Port of the console, which shows the traces in a browser; if it is in use, a free one is selected
    #[arg(long, value_name = "PORT", default_value_t = lambda_console::HTTP_PORT)]
    pub console_port: u16,

    /// Start without the console
    #[arg(long)]
    pub no_console: bool,

    /// Link the page to this console instead of starting one
    #[arg(long, value_name = "URL", value_parser = origin, conflicts_with = "console_port")]
    pub console_url: Option<String>,

    /// API that the page calls instead of this server, such as http://127.0.0.1:3001 of `sam local start-api`
    #[arg(long, value_name = "URL", value_parser = origin)]
    pub page_api: Option<String>,

    /// Print each trace as a tree instead of one line per request
    #[arg(long)]
    pub trace_tree: bool,

    /// Serve a legacy web client: without sign-in, every request acts as the demo user andrewbrown
    #[arg(long, value_name = "CLIENT")]
    pub compat: Option<LegacyClient>,

    /// Origin whose web pages may call the API; repeatable
    #[arg(long, value_name = "ORIGIN", value_parser = origin, default_values = DEFAULT_ORIGINS)]
    pub allow_origin: Vec<String>,
}

impl Options {
    /// Returns the default options with free ports, this data directory and without a console.
    pub fn on_free_ports(data_dir: PathBuf) -> Self {
        let allow_origin = DEFAULT_ORIGINS.map(str::to_owned).into();
        Self {
            port: 0,
            dynamodb_port: 0,
            data_dir,
            bridge: None,
            console_port: 0,
            no_console: true,
            console_url: None,
            page_api: None,
            trace_tree: false,
            compat: None,
            allow_origin,
        }
    }
}

/// The default address of the original web client's development server.
const DEFAULT_ORIGINS: [&str; 2] = ["http://localhost:3000", "http://127.0.0.1:3000"];

/// A web client of the original that needs older response bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LegacyClient {
    /// The client of weeks 0 to 2
    Week2,
}

fn origin(text: &str) -> Result<String, String> {
    if is_origin(text) {
        Ok(text.to_owned())
    } else {
        Err("an origin is a scheme, a host and an optional port, such as http://localhost:3000".to_owned())
    }
}

/// Accepts private addresses only, because the database has no password.
fn bridge(text: &str) -> Result<Ipv4Addr, String> {
    let address: Ipv4Addr = text.parse().map_err(|error: AddrParseError| error.to_string())?;
    if address.is_private() {
        Ok(address)
    } else {
        Err("the bridge must have a private address; `ip -4 addr show docker0` prints it".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    #[test]
    fn default_ports_are_3000_and_8000_on_loopback_only() {
        let options = Options::try_parse_from(["cruddur-local"]).unwrap();
        assert_eq!(options.port, 3000);
        assert_eq!(options.dynamodb_port, 8000);
        assert_eq!(options.data_dir, PathBuf::from(".data"));
        assert_eq!(options.bridge, None);
    }

    #[test]
    fn bridge_defaults_to_dockers_address() {
        let default = Options::try_parse_from(["cruddur-local", "--bridge"]).unwrap();
        assert_eq!(default.bridge, Some(Ipv4Addr::new(172, 17, 0, 1)));
        let named = Options::try_parse_from(["cruddur-local", "--bridge", "10.1.2.3"]).unwrap();
        assert_eq!(named.bridge, Some(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn public_or_loopback_bridge_address_is_rejected() {
        for address in ["0.0.0.0", "8.8.8.8", "127.0.0.1"] {
            let error = Options::try_parse_from(["cruddur-local", "--bridge", address]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{address}: {error}");
        }
    }
}
