//! The `api` function: the HTTP API behind API Gateway.

use std::process::ExitCode;

use cruddur::api::{self, AppState, Identity, Keys, Pool};
use cruddur::clock::Clock;
use cruddur::config::{self, Config, Secret};
use cruddur::store::{self, Store};
use lambda_spans::Spans;

// One thread suffices: an instance serves one request at a time, and its parallel queries wait for the network.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.map_or_else(|error| config::cannot_start(&*error), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), lambda_http::Error> {
    let Config { table_name, schedule, secret_arn, cognito, origins, browser_traces, spans } = Config::from_env()?;
    let spans = Spans::install(spans)?;
    let (aws, clock) = (config::aws(&spans).await, Clock::system());
    let store = Store::new(store::client(&aws), table_name).with_schedule(schedule);
    let pool = Pool { issuer: cognito.issuer, client_id: cognito.client_id };
    let identity = Identity::tokens(pool, config::key_set(cognito.jwks_url, &spans));
    let (layout, warm_up) = (store.ensure_layout(clock.now()), identity.warm_up(clock.now()));
    let (secret, layout, ()) = tokio::join!(Secret::read(&aws, &secret_arn), layout, warm_up);
    let ((), keys) = (layout?, secret.map(|secret| Keys::new(&secret.current, secret.previous.as_deref()))?);
    spans.sample_by_key(&keys.sampling());
    let state = AppState::new(store, clock, keys, identity, origins);
    spans.run_concurrent(api::gateway(api::router(state.with_browser_spans(browser_traces.then_some(&spans))))).await
}
