//! Sets a database aside if its table has the layout of another version of the program.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cruddur::store::{LAYOUT_VERSION, keys};
use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::scan::ScanRequest;
use serde_json::{Value, json};

use crate::data_dir::DataDir;
use crate::dynamodb::TABLE;

/// A database of another layout cannot be set aside.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database {} was written by another version of the program and cannot be renamed; move it away",
    file.display()
)]
pub struct LayoutError {
    /// The path of the database.
    file: PathBuf,
    /// The cause.
    source: io::Error,
}

/// Renames the database and the stream's checkpoint, and prints a message, if the table contains items and does not have
/// the layout of this version. The server then creates a new database.
///
/// # Errors
/// [`LayoutError`] if the files cannot be renamed.
pub fn set_aside(data_dir: &DataDir) -> Result<(), LayoutError> {
    let file = data_dir.database_file();
    if !file.exists() || !has_other_layout(&file) {
        return Ok(());
    }
    let renamed = rename(&file, &data_dir.checkpoint_file());
    let kept = renamed.map_err(|source| LayoutError { file: file.clone(), source })?;
    let message = format!(
        "The database was written by another version of this program. It is kept as {}, and a new one has the demo data.",
        kept.display()
    );
    // `cargo run | head` closes the pipe early.
    writeln!(io::stdout(), "{message}").ok();
    Ok(())
}

/// Returns whether the table contains items without the layout of this version. A file that is not a database is left to
/// the error of its opening.
fn has_other_layout(file: &Path) -> bool {
    let key = keys::layout();
    let request = json!({ "TableName": TABLE, "Key": { "pk": { "S": key.pk }, "sk": { "S": key.sk } } });
    let Ok(request) = serde_json::from_value::<GetItemRequest>(request) else { return false };
    let Ok(database) = Database::new(&file.to_string_lossy()) else { return false };
    let Ok(found) = database.get_item(request) else { return false };
    let found = serde_json::to_value(found).unwrap_or_default();
    match found.pointer("/Item/version/N").and_then(Value::as_str) {
        Some(version) => version != LAYOUT_VERSION.to_string(),
        // The first start may have been interrupted between the creation of the table and of its layout.
        None => has_items(&database),
    }
}

fn has_items(database: &Database) -> bool {
    let request = ScanRequest { table_name: TABLE.to_owned(), limit: Some(1), ..ScanRequest::default() };
    database.scan(request).is_ok_and(|found| found.count > 0)
}

/// Renames all files of the database and returns its new path, with the first number that is free.
fn rename(database: &Path, checkpoint: &Path) -> io::Result<PathBuf> {
    let numbered = |number: u32| database.with_extension(format!("{number}.sqlite"));
    let mut number = 1;
    while numbered(number).exists() {
        number += 1;
    }
    let kept = numbered(number);
    for suffix in ["-wal", "-shm"] {
        let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        rename_if_exists(&with_suffix(database), &with_suffix(&kept))?;
    }
    rename_if_exists(checkpoint, &checkpoint.with_extension(number.to_string()))?;
    fs::rename(database, &kept)?;
    Ok(kept)
}

fn rename_if_exists(from: &Path, to: &Path) -> io::Result<()> {
    if from.exists() { fs::rename(from, to) } else { Ok(()) }
}
