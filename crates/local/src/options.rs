//! The command line.

use std::net::{AddrParseError, Ipv4Addr};
use std::path::PathBuf;

/// Runs Cruddur on this machine: the API and an embedded DynamoDB, with demo data.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "local")]
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
        let options = Options::try_parse_from(["local"]).unwrap();
        assert_eq!(options.port, 3000);
        assert_eq!(options.dynamodb_port, 8000);
        assert_eq!(options.data_dir, PathBuf::from(".data"));
        assert_eq!(options.bridge, None);
    }

    #[test]
    fn the_bridge_is_dockers_own_address_unless_one_is_named() {
        let default = Options::try_parse_from(["local", "--bridge"]).unwrap();
        assert_eq!(default.bridge, Some(Ipv4Addr::new(172, 17, 0, 1)));
        let named = Options::try_parse_from(["local", "--bridge", "10.1.2.3"]).unwrap();
        assert_eq!(named.bridge, Some(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_as_a_bridge() {
        for address in ["0.0.0.0", "8.8.8.8", "127.0.0.1"] {
            let error = Options::try_parse_from(["local", "--bridge", address]).unwrap_err();
            assert!(error.to_string().contains("it is not an address of a private network"), "{error}");
        }
    }
}
