//! The command line.

use std::net::{AddrParseError, Ipv4Addr};
use std::path::PathBuf;

use cruddur::config::is_origin;

/// Runs Cruddur on this machine: the API and an embedded DynamoDB, with demo data.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "cruddur-local")]
pub struct Options {
    /// The API's port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// The port of DynamoDB and Secrets Manager on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub dynamodb_port: u16,

    /// The folder of the database and its secret; made when missing
    #[arg(long, value_name = "FOLDER", default_value = ".data")]
    pub data_dir: PathBuf,

    /// Answer for DynamoDB and Secrets Manager on Docker's bridge too, so that containers (`sam local`) reach them
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "172.17.0.1", value_parser = bridge)]
    pub bridge: Option<Ipv4Addr>,

    /// Serve an old client of the original: nobody signs in, everybody is the demo user andrewbrown
    #[arg(long, value_name = "CLIENT")]
    pub compat: Option<Client>,

    /// An origin whose web pages may call the API; may be given several times
    #[arg(long, value_name = "ORIGIN", value_parser = origin, default_values = PAGES)]
    pub allow_origin: Vec<String>,
}

impl Options {
    /// Two free ports and a data folder, as without other flags.
    pub fn on_free_ports(data_dir: PathBuf) -> Self {
        let allow_origin = PAGES.map(str::to_owned).into();
        Self { port: 0, dynamodb_port: 0, data_dir, bridge: None, compat: None, allow_origin }
    }
}

/// Where the original's web client is served by default.
const PAGES: [&str; 2] = ["http://localhost:3000", "http://127.0.0.1:3000"];

/// A client of the original that is older than what the API speaks by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// That of the weeks 0 to 2
    Week2,
}

fn origin(text: &str) -> Result<String, String> {
    if is_origin(text) {
        Ok(text.to_owned())
    } else {
        Err("it is not an origin such as http://localhost:3000: scheme, host and port, nothing after them".to_owned())
    }
}

/// Only addresses that no router passes on: the database has no password.
fn bridge(text: &str) -> Result<Ipv4Addr, String> {
    let address: Ipv4Addr = text.parse().map_err(|error: AddrParseError| error.to_string())?;
    if address.is_private() {
        Ok(address)
    } else {
        Err("it is not an address of a private network; `ip -4 addr show docker0` shows the bridge's".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn without_flags_the_ports_are_3000_and_8000_and_nothing_but_loopback_is_listened_on() {
        let options = Options::try_parse_from(["cruddur-local"]).unwrap();
        assert_eq!(options.port, 3000);
        assert_eq!(options.dynamodb_port, 8000);
        assert_eq!(options.data_dir, PathBuf::from(".data"));
        assert_eq!(options.bridge, None);
    }

    #[test]
    fn the_bridge_is_dockers_own_address_unless_one_is_named() {
        let default = Options::try_parse_from(["cruddur-local", "--bridge"]).unwrap();
        assert_eq!(default.bridge, Some(Ipv4Addr::new(172, 17, 0, 1)));
        let named = Options::try_parse_from(["cruddur-local", "--bridge", "10.1.2.3"]).unwrap();
        assert_eq!(named.bridge, Some(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_as_a_bridge() {
        for address in ["0.0.0.0", "8.8.8.8", "127.0.0.1"] {
            let error = Options::try_parse_from(["cruddur-local", "--bridge", address]).unwrap_err();
            assert!(error.to_string().contains("it is not an address of a private network"), "{error}");
        }
    }
}
