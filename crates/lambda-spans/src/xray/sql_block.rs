//! The `sql` block, for queries of databases that speak SQL.

use super::json::Members;
use super::span_attributes::{MAX_TEXT, SpanAttributes};
use crate::attributes::{DB_NAMESPACE, DB_QUERY_TEXT, DB_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT, former};

/// The maximum length of a query in bytes.
const MAX_QUERY: usize = 2000;
const SYSTEM: [&str; 2] = [DB_SYSTEM_NAME, former::DB_SYSTEM];

/// The databases of the semantic conventions that speak SQL, under their current and former names.
const SQL: [&str; 38] = [
    "actian.ingres",
    "aws.redshift",
    "clickhouse",
    "cockroachdb",
    "db2",
    "derby",
    "edb",
    "firebird",
    "firebirdsql",
    "gcp.spanner",
    "h2",
    "h2database",
    "hanadb",
    "hive",
    "hsqldb",
    "ibm.db2",
    "ibm.informix",
    "ibm.netezza",
    "informix",
    "ingres",
    "instantdb",
    "interbase",
    "mariadb",
    "microsoft.sql_server",
    "mssql",
    "mysql",
    "netezza",
    "oracle",
    "oracle.db",
    "other_sql",
    "postgresql",
    "redshift",
    "sap.hana",
    "sap.maxdb",
    "spanner",
    "sqlite",
    "teradata",
    "trino",
];

pub(super) fn is_query(attributes: &SpanAttributes<'_>) -> bool {
    attributes.first_text(&SYSTEM).is_some_and(|(_, system)| SQL.contains(&system))
}

pub(super) fn write(attributes: &mut SpanAttributes<'_>, document: &mut Members<'_>) {
    document.object("sql", |sql| {
        attributes.write_first(sql, "database_type", &SYSTEM, MAX_TEXT);
        attributes.write_first(sql, "sanitized_query", &[DB_QUERY_TEXT, former::DB_STATEMENT], MAX_QUERY);
        attributes.write_first(sql, "user", &[former::DB_USER], MAX_TEXT);
        write_url(attributes, sql);
    });
}

fn write_url(attributes: &mut SpanAttributes<'_>, sql: &mut Members<'_>) {
    let Some(host) = attributes.text(SERVER_ADDRESS) else { return };
    let mut url = host.to_owned();
    if let Some(port @ 1..=65535) = attributes.integer(SERVER_PORT) {
        url = format!("{url}:{port}");
    }
    let database = attributes.first_text(&[DB_NAMESPACE, former::DB_NAME]);
    if let Some((_, database)) = database {
        url = format!("{url}/{database}");
    }
    if sql.text("url", &url, MAX_QUERY) {
        attributes.mark_written(SERVER_ADDRESS);
        attributes.mark_written(SERVER_PORT);
        database.into_iter().for_each(|(key, _)| attributes.mark_written(key));
    }
}
