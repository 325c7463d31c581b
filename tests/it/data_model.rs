//! The tables of `docs/data-model.md` match the code.

use std::collections::BTreeSet;

use cruddur::store::keys::{ENTITIES, Entity};

use crate::support::{methods_of, sources};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/data-model.md"));

/// The rows of the table under that heading, without its header and code marks.
pub(crate) fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = DOCUMENT.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    let table = section.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    table.map(cells).collect()
}

#[test]
fn documented_items_match_the_code() {
    let documented: Vec<_> = rows("Items").iter().map(|row| row[..3].join(" | ")).collect();
    let code = ENTITIES.map(|Entity { name, pk, sk }| format!("{name} | {pk} | {sk}"));
    assert_eq!(documented, code);
}

#[test]
fn documented_access_patterns_match_the_store() {
    let sources = sources();
    let methods = methods_of(&sources, "Store")
        .into_iter()
        .filter(|method| matches!(method.vis, syn::Visibility::Public(_)) && method.sig.asyncness.is_some());
    let methods: BTreeSet<_> = methods.map(|method| method.sig.ident.to_string()).collect();
    let tables =
        ["Access patterns", "Access patterns of the stream's consumer", "Access patterns of the operator"].map(rows);
    let documented: BTreeSet<_> = tables.iter().flatten().map(|row| row[0].clone()).collect();
    assert_eq!(documented, methods);
}
