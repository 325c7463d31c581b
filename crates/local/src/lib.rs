//! Cruddur on one's own machine.
//!
//! [`running::Running::start`] puts together what AWS is in the cloud: an [`endpoint`] that answers for DynamoDB
//! ([`dynamodb`], a database in a [`data`] folder, whose changes [`stream`] follows) and for Secrets Manager
//! ([`secret`]), a user pool that signs in ([`sign_in`], [`issuer`]) the demo users that [`seed`] makes, and the API
//! itself.

pub mod aws;
pub mod banner;
pub mod data;
pub mod dynamodb;
pub mod endpoint;
pub mod issuer;
pub mod listen;
pub mod options;
pub mod running;
pub mod secret;
pub mod secrets_manager;
pub mod seed;
pub mod server;
pub mod sign_in;
pub mod stream;
