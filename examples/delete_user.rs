//! Deletes a user with everything that belongs to them from the table. See `docs/runbook.md`.
//!
//! usage: `TABLE_NAME=… delete_user SUB`. `SUB` is the id in the user pool. `HOME_SCHEDULE` must be that of the stack,
//! because it determines the keys of posts. The region and the credentials are those of the environment.
#![expect(clippy::print_stdout, reason = "the output of a command")]

use std::error::Error;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::config::{self, TableConfig};
use cruddur::store::{self, Store};
use lambda_spans::Spans;

/// The index shows a deletion within a second.
const PAUSE: Duration = Duration::from_secs(2);
const MAX_CALLS: usize = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [sub] = &arguments[..] else { return Err("usage: TABLE_NAME=… delete_user SUB".into()) };
    let TableConfig { table_name, schedule, spans, .. } = TableConfig::from_env()?;
    let aws = config::aws(&Spans::new(&spans)).await;
    let store = Store::new(store::client(&aws), table_name).with_schedule(schedule).checked().await?;
    for _ in 0..MAX_CALLS {
        let deleted = store.delete_user(sub, Clock::system().now()).await?;
        println!("{deleted} items deleted");
        if deleted == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err("the user still writes. Delete the user from the user pool, and run this command again".into())
}
