//! Cruddur's backend: a micro-blog whose posts expire, as Lambda functions on one DynamoDB table.
//!
//! | module | purpose | may import |
//! |---|---|---|
//! | [`domain`] | posts, profiles, messages and their rules, without I/O | |
//! | [`store`] | all access to DynamoDB; `store/keys.rs` builds every key | `domain` |
//! | [`api`] | the HTTP API; `api/routes.rs` contains every route | `clock`, `domain`, `store` |
//! | [`signup`] | the user pool's trigger, which creates profiles | `clock`, `domain`, `store` |
//! | [`stream`] | the stream consumer: notifications, search index, display names, deletions | `domain`, `store`, `dead_letters` |
//! | [`dead_letters`] | the dead-letter queue of the stream consumer | `aws_json` |
//! | [`config`] | settings from the environment, and the master secret | `aws_json` |
//! | `aws_json` | calls to Secrets Manager and SQS without their SDK crates | |
//! | `error_chain` | formats the sources of an error for the log | |
//! | [`json`] | parses JSON objects from outside | |
//! | [`clock`] | the source of time and new ids, replaceable in tests | `domain` |
//!
//! `src/bin/` contains one binary per Lambda function and only wires these modules. A request passes through API Gateway,
//! the Lambda runtime, `lambda-spans`, [`api::gateway()`], [`api::router()`], a handler and the [`store::Store`]. The local
//! server of `crates/local` runs the same router and store.

pub mod api;
mod aws_json;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod domain;
mod error_chain;
pub mod json;
pub mod signup;
pub mod store;
pub mod stream;
