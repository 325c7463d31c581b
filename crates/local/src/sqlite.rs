//! The SQLite file below the embedded database: a check for damage, and an index and maintenance that dynoxide lacks.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dynoxide::actions::get_shard_iterator::decode_shard_iterator;
use jiff::{SignedDuration, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

/// As in DynamoDB. A consumer that is away for longer loses the older records there too.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// One statement deletes at most this many stream records, because other writers wait for it.
pub const TRIM_LIMIT: usize = 2_000;
/// The check waits this long for a lock of another program.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns whether the file is new, or has the tables that dynoxide creates first, in one transaction.
const IS_DATABASE: &str = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)
    OR ((SELECT count(*) FROM pragma_table_info('_config') WHERE name IN ('key', 'value')) = 2
        AND (SELECT count(*) FROM pragma_table_info('_tables')
            WHERE name IN ('table_name', 'key_schema', 'attribute_definitions')) = 3)";

/// dynoxide reads the highest sequence number before each write. Without this index it reads all records of the table.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS cruddur_stream_records_by_sequence_number
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
const TRIM: &str = "DELETE FROM _stream_records WHERE id IN (
    SELECT id FROM _stream_records
    WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2 AND created_at < ?3
    ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?4)";

/// Why a file cannot be the database.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It has other content, or is not a file.
    #[error("is not an SQLite database")]
    NotADatabase,
    /// It is an SQLite database without the tables of the embedded DynamoDB.
    #[error("belongs to another program")]
    OtherProgram,
    /// SQLite found damage: a part is missing or overwritten, or an index contradicts its table.
    #[error("is damaged")]
    Damaged,
    /// Another program holds a lock for longer than a second.
    #[error("is locked by another program")]
    Locked,
    /// The file, its folder, or the write-ahead log next to it cannot be written.
    #[error("cannot be written")]
    Unwritable,
    /// It cannot be opened or read.
    #[error("cannot be read ({0})")]
    Unreadable(#[source] io::Error),
    /// SQLite failed for another reason.
    #[error("cannot be checked ({0})")]
    Unchecked(#[source] rusqlite::Error),
}

impl FileError {
    /// Returns what to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotADatabase | Self::Damaged => {
                "move this file, and files with the same name and `-wal` or `-shm`, away to start with the demo data"
            }
            Self::OtherProgram => "move this file away, or set another directory with `--data-dir`",
            Self::Locked => "close that program, or set another directory with `--data-dir`",
            Self::Unwritable => {
                "allow your user to write this file, files with the same name and `-wal` or `-shm`, and their folder, or \
                 set another directory with `--data-dir`"
            }
            Self::Unreadable(_) => "allow your user to read it, or set another directory with `--data-dir`",
            Self::Unchecked(_) => "fix the cause, or set another directory with `--data-dir`",
        }
    }
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            // The check's statements are valid, so SQLite's general error is about the content, such as malformed JSON.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => Self::Damaged,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => Self::Unwritable,
            Some(_) | None => Self::Unchecked(error),
        }
    }
}

/// Reads the whole `file`, compares its tables with their indexes, and checks that it can be written. It does not change
/// the file. A missing file is valid.
///
/// # Errors
/// [`FileError`].
pub fn check(file: &Path) -> Result<(), FileError> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::Unreadable(error)),
    };
    if !metadata.is_file() {
        return Err(FileError::NotADatabase);
    }
    // A privileged user can write such a file, but it was made read-only on purpose.
    if metadata.permissions().readonly() {
        return Err(FileError::Unwritable);
    }
    File::open(file).map_err(FileError::Unreadable)?;
    if let Err(error) = OpenOptions::new().write(true).open(file) {
        let is_unwritable = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
        return Err(if is_unwritable { FileError::Unwritable } else { FileError::Unreadable(error) });
    }
    check_content(file)
}

fn check_content(file: &Path) -> Result<(), FileError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // By default, the last connection to close moves the content of the write-ahead log into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    let is_database: bool = connection.query_row(IS_DATABASE, [], |row| row.get(0))?;
    if !is_database {
        return Err(FileError::OtherProgram);
    }
    // `quick_check` does not compare tables with their indexes.
    let result: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if result != "ok" {
        return Err(FileError::Damaged);
    }
    // With a write-ahead log, locks and missing permissions prevent only writing.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(())
}

/// A second connection to the file that dynoxide has open.
///
/// The two connections may write at any time: SQLite lets one wait for the other.
pub struct SqliteFile {
    connection: Mutex<Connection>,
}

impl fmt::Debug for SqliteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteFile").finish_non_exhaustive()
    }
}

impl SqliteFile {
    /// Opens a file that dynoxide has created, and adds the index of the stream's records.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(STREAM_INDEX)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Deletes at most [`TRIM_LIMIT`] of the stream's records that are older than 24 hours at `now` and that a consumer at
    /// the position `checkpoint`, a shard iterator, has processed. Returns their number.
    ///
    /// An unreadable checkpoint deletes nothing.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn trim_stream(&self, now: Timestamp, checkpoint: &str) -> rusqlite::Result<usize> {
        let Some((table, _, processed)) = decode_shard_iterator(checkpoint) else { return Ok(0) };
        let oldest = now - RETENTION;
        // A sequence number is at least the time of its record in microseconds. This bounds the search in the index.
        let last = processed.min(oldest.as_microsecond());
        self.with(|connection| {
            let mut trim = connection.prepare_cached(TRIM)?;
            trim.execute(params![table, last, oldest.as_second(), i64::try_from(TRIM_LIMIT).unwrap_or(i64::MAX)])
        })
    }

    /// Returns whether a table with TTL contains an item that expired before `now`.
    ///
    /// It creates an index for each such table. Without it, the search would read and parse the whole table.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn has_expired_items(&self, now: Timestamp) -> rusqlite::Result<bool> {
        self.with(|connection| {
            for (table, attribute) in tables_with_ttl(connection)? {
                let (index, search) = expiry_statements(&table, &attribute);
                connection.prepare_cached(&index)?.execute([])?;
                let found = connection.prepare_cached(&search)?.query_row([now.as_second()], |_| Ok(())).optional()?;
                if found.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        // A panic leaves no statement half done: each one is a transaction.
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn tables_with_ttl(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT table_name, ttl_attribute FROM _tables WHERE ttl_enabled AND ttl_attribute NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns the statement that creates the index of a table's expiry times, and the one that searches it.
fn expiry_statements(table: &str, attribute: &str) -> (String, String) {
    let name = table.replace('"', "\"\"");
    let path = format!("$.\"{attribute}\".N").replace('\'', "''");
    let expiry = format!("CAST(json_extract(item_json, '{path}') AS INTEGER)");
    (
        format!("CREATE INDEX IF NOT EXISTS \"cruddur_{name}_by_expiry\" ON \"{name}\" ({expiry})"),
        format!("SELECT 1 FROM \"{name}\" WHERE {expiry} < ?1 LIMIT 1"),
    )
}

#[cfg(test)]
mod tests {
    use dynoxide::Database;
    use dynoxide::actions::get_shard_iterator::encode_shard_iterator;
    use serde_json::json;

    use super::*;

    /// 2026-01-01T00:00:00Z in seconds.
    const CREATED: i64 = 1_767_225_600;

    struct Fixture {
        folder: tempfile::TempDir,
        database: Database,
        file: SqliteFile,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dynamodb.sqlite");
        let database = Database::new(path.to_str().unwrap()).unwrap();
        let file = SqliteFile::open(&path).unwrap();
        Fixture { folder, database, file }
    }

    fn sequence_number(number: i64) -> i64 {
        CREATED * 1_000_000 + number
    }

    impl Fixture {
        /// Adds the records with the numbers 1 to `count`, all created at the same second.
        fn add_records(&self, count: i64) {
            self.file
                .with(|connection| {
                    for number in 1..=count {
                        connection.execute(
                            "INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
                             VALUES ('posts', 'INSERT', '{}', ?1, 'shard', ?2)",
                            params![sequence_number(number).to_string(), CREATED],
                        )?;
                    }
                    Ok(())
                })
                .unwrap();
        }

        fn trim(&self, age: i64, processed: i64) -> usize {
            let now = Timestamp::from_second(CREATED + age).unwrap();
            let checkpoint = encode_shard_iterator("posts", "shard", sequence_number(processed));
            self.file.trim_stream(now, &checkpoint).unwrap()
        }

        fn records(&self) -> Vec<i64> {
            let records = self.file.with(|connection| {
                let mut statement = connection.prepare("SELECT sequence_number FROM _stream_records ORDER BY id")?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            });
            records.unwrap().iter().map(|number| number.parse::<i64>().unwrap() - sequence_number(0)).collect()
        }

        fn close(self) -> (tempfile::TempDir, std::path::PathBuf) {
            let Self { folder, database, file: connection } = self;
            // The last connection to close writes everything to the file.
            drop((database, connection));
            let file = folder.path().join("dynamodb.sqlite");
            (folder, file)
        }

        fn plan(&self, sql: &str) -> Vec<String> {
            let plan = self.file.with(|connection| {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                // The parameters stay unbound.
                let (mut rows, mut plan) = (statement.raw_query(), Vec::new());
                while let Some(row) = rows.next()? {
                    plan.push(row.get(3)?);
                }
                Ok(plan)
            });
            plan.unwrap()
        }
    }

    /// A closed database with 1,000 records.
    fn closed_file() -> (tempfile::TempDir, std::path::PathBuf) {
        let fixture = fixture();
        fixture.add_records(1_000);
        fixture.close()
    }

    fn overwrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
    }

    #[test]
    fn intact_or_missing_database_is_valid() {
        let (folder, file) = closed_file();
        check(&file).unwrap();
        check(&folder.path().join("missing")).unwrap();
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn database_in_use_is_valid() {
        let fixture = fixture();
        fixture.add_records(10);
        check(&fixture.folder.path().join("dynamodb.sqlite")).unwrap();
    }

    #[test]
    fn truncated_or_overwritten_database_is_damaged() {
        let changes: [fn(&mut Vec<u8>); 3] =
            [|bytes| bytes.truncate(bytes.len() / 2), |bytes| bytes.truncate(5_000), |bytes| bytes[4_096..].fill(0xA5)];
        for change in changes {
            let (_folder, file) = closed_file();
            overwrite(&file, change);
            let damaged = fs::read(&file).unwrap();
            assert!(matches!(check(&file), Err(FileError::Damaged)));
            assert!(fs::read(&file).unwrap() == damaged, "the file is kept as it was");
        }
    }

    #[test]
    fn index_that_contradicts_its_table_is_damaged() {
        const PAGE: usize = 4_096;
        let fixture = fixture();
        create_table_with_ttl(&fixture.database);
        put(&fixture.database, json!({ "pk": { "S": "forever" } }));
        let root = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_posts_1'";
        let root = fixture.file.with(|connection| connection.query_row(root, [], |row| row.get::<_, i64>(0))).unwrap();
        let (_folder, file) = fixture.close();
        overwrite(&file, |bytes| {
            let start = (usize::try_from(root).unwrap() - 1) * PAGE;
            let index = &mut bytes[start..start + PAGE];
            let key = index.windows(7).position(|window| window == b"forever").unwrap();
            index[key] ^= 1;
        });
        let damaged = fs::read(&file).unwrap();
        assert!(matches!(check(&file), Err(FileError::Damaged)));
        assert!(fs::read(&file).unwrap() == damaged, "the file is kept as it was");
    }

    #[test]
    fn locked_database_is_reported() {
        let (_folder, file) = closed_file();
        let other = Connection::open(&file).unwrap();
        for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
            other.execute_batch(lock).unwrap();
            assert!(matches!(check(&file), Err(FileError::Locked)), "{lock}");
            other.execute_batch("ROLLBACK").unwrap();
            check(&file).unwrap();
        }
    }

    #[test]
    fn database_of_another_program_is_reported_and_kept() {
        for sql in ["CREATE TABLE mynotes (a)", "CREATE TABLE _tables (a)", "CREATE TABLE _config (key, value)"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("dynamodb.sqlite");
            Connection::open(&file).unwrap().execute_batch(sql).unwrap();
            let written = fs::read(&file).unwrap();
            assert!(matches!(check(&file), Err(FileError::OtherProgram)), "{sql}");
            assert!(fs::read(&file).unwrap() == written, "{sql}");
        }
    }

    #[test]
    fn empty_file_is_a_new_database() {
        let file = tempfile::NamedTempFile::new().unwrap();
        check(file.path()).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), b"");
    }

    #[test]
    fn other_file_is_not_a_database() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dynamodb.sqlite");
        for content in ["hello", &"<html>".repeat(2_000)] {
            fs::write(&file, content).unwrap();
            assert!(matches!(check(&file), Err(FileError::NotADatabase)), "{:?}", check(&file));
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert!(matches!(check(folder.path()), Err(FileError::NotADatabase)));
    }

    #[test]
    fn read_only_database_is_reported() {
        let (_folder, file) = closed_file();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        assert!(matches!(check(&file), Err(FileError::Unwritable)));
    }

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn processed_records_are_trimmed_after_24_hours() {
        let fixture = fixture();
        fixture.add_records(3);
        assert_eq!(fixture.trim(DAY, 3), 0);
        assert_eq!(fixture.records(), [1, 2, 3]);
        assert_eq!(fixture.trim(DAY + 1, 3), 3);
        assert_eq!(fixture.records(), [0_i64; 0]);
    }

    #[test]
    fn unprocessed_records_are_never_trimmed() {
        let fixture = fixture();
        fixture.add_records(3);
        assert_eq!(fixture.trim(30 * DAY, 2), 2);
        assert_eq!(fixture.records(), [3]);
        let now = Timestamp::from_second(CREATED + 30 * DAY).unwrap();
        for checkpoint in ["", "nonsense"] {
            assert_eq!(fixture.file.trim_stream(now, checkpoint).unwrap(), 0);
        }
        assert_eq!(fixture.records(), [3]);
    }

    #[test]
    fn records_of_other_tables_are_not_trimmed() {
        let fixture = fixture();
        fixture.add_records(1);
        let now = Timestamp::from_second(CREATED + 30 * DAY).unwrap();
        let checkpoint = encode_shard_iterator("other", "shard", sequence_number(9));
        assert_eq!(fixture.file.trim_stream(now, &checkpoint).unwrap(), 0);
    }

    /// The statements are dynoxide's (`storage.rs`).
    #[test]
    fn statements_on_stream_records_use_the_index() {
        let fixture = fixture();
        let next =
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = ?1";
        let records =
            "SELECT event_name, keys_json, new_image, old_image, sequence_number, created_at, user_identity, event_id
            FROM _stream_records
            WHERE table_name = ?1 AND shard_id = ?2 AND CAST(sequence_number AS INTEGER) > ?3
            ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT ?4";
        for (sql, range) in
            [(next, "table_name=?"), (records, "table_name=? AND <expr>>?"), (TRIM, "table_name=? AND <expr><?")]
        {
            let plan = fixture.plan(sql).join("\n");
            assert!(plan.contains(&format!("INDEX cruddur_stream_records_by_sequence_number ({range})")), "{plan}");
            assert!(!plan.contains("SCAN _stream_records") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    fn create_table_with_ttl(database: &Database) {
        let table = json!({
            "TableName": "posts",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        let ttl = json!({
            "TableName": "posts",
            "TimeToLiveSpecification": { "AttributeName": "expires_at", "Enabled": true },
        });
        database.update_time_to_live(serde_json::from_value(ttl).unwrap()).unwrap();
    }

    fn put(database: &Database, item: serde_json::Value) {
        database.put_item(serde_json::from_value(json!({ "TableName": "posts", "Item": item })).unwrap()).unwrap();
    }

    #[test]
    fn expired_item_is_found_in_the_index() {
        let fixture = fixture();
        let expired = |second| fixture.file.has_expired_items(Timestamp::from_second(second).unwrap()).unwrap();
        assert!(!expired(CREATED), "without tables");
        create_table_with_ttl(&fixture.database);
        put(&fixture.database, json!({ "pk": { "S": "forever" } }));
        put(&fixture.database, json!({ "pk": { "S": "text" }, "expires_at": { "S": "1" } }));
        put(&fixture.database, json!({ "pk": { "S": "post" }, "expires_at": { "N": CREATED.to_string() } }));
        assert!(!expired(CREATED));
        assert!(expired(CREATED + 1));
        let (_, search) = expiry_statements("posts", "expires_at");
        let plan = fixture.plan(&search).join("\n");
        assert!(plan.contains("INDEX cruddur_posts_by_expiry (<expr><?)"), "{plan}");
    }
}
