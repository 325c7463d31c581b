//! The `sql` block, of queries to databases that speak SQL and of nothing else.

use opentelemetry::KeyValue;

use super::MAX_TEXT;
use crate::xray::attributes::Attributes;

/// Bytes of a query.
const MAX_QUERY: usize = 2000;
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

pub(super) fn is_query(attributes: &Attributes<'_>) -> bool {
    attributes.first_text(&SYSTEM).is_some_and(|(_, system)| SQL.contains(&system))
}

pub(super) fn say(attributes: &mut Attributes<'_>, said: &mut Vec<KeyValue>) {
    let texts: [(&[&'static str], &'static str, usize); 4] = [
        (&SYSTEM, "db.system.name", MAX_TEXT),
        (&["db.query.text", "db.statement"], "db.query.text", MAX_QUERY),
        (&["db.user"], "db.user", MAX_TEXT),
        (&["server.address"], "server.address", MAX_TEXT),
    ];
    for (keys, place, limit) in texts {
        if let Some((key, text)) = attributes.first_text(keys) {
            said.push(KeyValue::new(place, attributes.cut(key, text, limit)));
        }
    }
    // The rest of the URL, which is none without a host.
    if attributes.text("server.address").is_none() {
        return;
    }
    if let Some(port @ 1..=65535) = attributes.integer("server.port") {
        said.push(KeyValue::new("server.port", port));
        attributes.say("server.port");
    }
    if let Some((key, database)) = attributes.first_text(&["db.namespace", "db.name"]) {
        said.push(KeyValue::new("db.namespace", attributes.cut(key, database, MAX_TEXT)));
    }
}
