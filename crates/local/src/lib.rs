//! Cruddur on one's own machine.
//!
//! [`running::Running::start`] puts together what AWS is in the cloud: an [`endpoint`] that answers for DynamoDB
//! ([`dynamodb`], a database in a [`data`] folder, whose changes [`stream`] follows) and for Secrets Manager ([`secret`]), and the API itself, which acts
//! as one of the demo users that [`seed`] makes.

pub mod aws;
pub mod banner;
pub mod data;
pub mod dynamodb;
pub mod endpoint;
pub mod listen;
pub mod options;
pub mod running;
pub mod secret;
pub mod secrets_manager;
pub mod seed;
pub mod server;
pub mod stream;
