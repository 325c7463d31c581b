//! Cruddur's backend: posts that expire, served by Lambda functions, kept in one DynamoDB table.
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`domain`] | activities, replies, profiles and their rules: values, no I/O | nothing of ours |
//! | [`store`] | every access to DynamoDB; all keys in `store/keys.rs` | `domain` |
//! | [`api`] | HTTP: routes, bodies, errors, cursors; all routes in `api/router.rs` | `domain`, `store` |
//! | [`signup`] | the user pool's trigger: new users get their profile | `domain`, `store` |
//! | [`stream`] | what follows from a change of the table: notifications, search index, names, removal | `domain`, `store`, `dead_letters` |
//! | [`dead_letters`] | the queue of stream records that can never be consumed | nothing of ours |
//! | [`config`] | the environment, read once; the master secret | nothing of ours |
//! | `causes` | why something failed, for the log | nothing of ours |
//! | [`clock`] | time and new ids, replaceable in tests | `domain` |
//!
//! `src/bin/` wires them: one binary for each Lambda function. A request takes this way: API Gateway, the Lambda
//! runtime, `lambda-spans` (one trace), [`api::gateway()`] (what the event says), [`api::router()`], a handler, the
//! [`store::Store`]. The local server of `crates/local` runs the same router and the same store.

pub mod api;
mod causes;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod domain;
pub mod signup;
pub mod store;
pub mod stream;
