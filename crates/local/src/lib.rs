//! Runs Cruddur locally, without AWS.
//!
//! [`local_server::LocalServer::start`] wires the parts together:
//!
//! - the API, served over HTTP ([`http_server`], [`write_timeout`]) with limits under load ([`overload`]) and a check of
//!   host names ([`rebinding`]), which answer with a [`problem`]
//! - the SDK's client of the database, which calls it [`in_process`]
//! - an AWS [`endpoint`] for DynamoDB ([`dynamodb`], [`sqlite`], [`shard_ids`]), Secrets Manager ([`secrets_manager`]) and the user pool's key set
//! - a local user pool ([`issuer`], [`sign_in`])
//! - a stream pump ([`stream`]), which runs the stream consumer
//! - demo users and posts ([`seed`])
//! - Cruddur's [`page`], at `/`
//!
//! The database, the master secret and the signing key are files in a data directory ([`data_dir`]).

pub mod aws;
pub mod banner;
pub mod data_dir;
pub mod dynamodb;
pub mod endpoint;
pub mod http_server;
pub mod in_process;
pub mod issuer;
pub mod layout;
pub mod listen;
pub mod local_server;
pub mod options;
pub mod overload;
pub mod page;
pub mod problem;
pub mod rebinding;
pub mod secret;
pub mod secrets_manager;
pub mod seed;
pub mod shard_ids;
pub mod sign_in;
pub mod sqlite;
pub mod stream;
pub mod write_timeout;
