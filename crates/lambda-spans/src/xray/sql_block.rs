//! The `sql` block, of queries to databases that speak SQL and of nothing else.

use super::attributes::{MAX_TEXT, SpanAttributes};
use super::json::Members;

/// Bytes of a query.
const MAX_QUERY: usize = 2000;
const HOST: &str = "server.address";
const PORT: &str = "server.port";
const SYSTEM: [&str; 2] = ["db.system.name", "db.system"];

/// The databases of the semantic conventions that speak SQL, under their present and their former names.
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
        attributes.write_first(sql, "sanitized_query", &["db.query.text", "db.statement"], MAX_QUERY);
        attributes.write_first(sql, "user", &["db.user"], MAX_TEXT);
        write_url(attributes, sql);
    });
}

fn write_url(attributes: &mut SpanAttributes<'_>, sql: &mut Members<'_>) {
    let Some(host) = attributes.text(HOST) else { return };
    let mut url = host.to_owned();
    if let Some(port @ 1..=65535) = attributes.integer(PORT) {
        url = format!("{url}:{port}");
    }
    let database = attributes.first_text(&["db.namespace", "db.name"]);
    if let Some((_, database)) = database {
        url = format!("{url}/{database}");
    }
    if sql.text("url", &url, MAX_QUERY) {
        attributes.mark_written(HOST);
        attributes.mark_written(PORT);
        database.into_iter().for_each(|(key, _)| attributes.mark_written(key));
    }
}
