use cruddur::store::keys::{ENTITIES, Entity, LIST, LIST_SK, LISTED, LISTS, PK, SK, TTL};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/data-model.md"));

/// The rows of the table under that heading, without the header; code marks removed.
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
    assert!(DOCUMENT.contains(&format!("`{PK}`, sort key `{SK}`")) && DOCUMENT.contains(&format!("TTL on `{TTL}`")));
}

#[test]
fn documented_index_matches_the_code() {
    assert!(DOCUMENT.contains(&format!("One index, `{LISTS}`: partition key `{LIST}`, sort key `{LIST_SK}`")));
    let paragraph = DOCUMENT.lines().skip_while(|line| !line.starts_with("One index")).take_while(|l| !l.is_empty());
    let paragraph: String = paragraph.collect();
    assert!(LISTED.iter().all(|attribute| paragraph.contains(&format!("`{attribute}`"))), "{paragraph}");
}

#[test]
fn documented_access_patterns_match_the_store() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut methods = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = source.lines().filter_map(|line| line.strip_prefix("    pub async fn ")?.split('(').next());
        methods.extend(names.map(str::to_owned));
    }
    methods.sort_unstable();
    let tables = ["Access patterns", "Access patterns of the stream's consumer"].map(rows);
    let mut documented: Vec<_> = tables.iter().flatten().map(|row| row[0].clone()).collect();
    documented.sort_unstable();
    assert_eq!(documented, methods);
}
