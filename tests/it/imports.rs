//! Imports follow the layers and form no circle, in every crate of the workspace.

mod graph;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use graph::Graph;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CRUDDUR: &str = "src/lib.rs";
const LAMBDA_SPANS: &str = "crates/lambda-spans/src/lib.rs";
const CONSOLE: &str = "crates/console/src/lib.rs";

/// The modules at the top of each crate. A module imports from the rows below its own only.
const LAYERS: [(&str, &[&[&str]]); 3] = [
    (
        CRUDDUR,
        &[
            &["api", "config", "signup", "stream"],
            &["clock", "dead_letters"],
            &["store"],
            &["aws_json", "domain", "error_chain"],
            &["json"],
        ],
    ),
    (
        LAMBDA_SPANS,
        &[
            &["testing"],
            &["run"],
            &["export"],
            &["otlp", "xray"],
            &["capture"],
            &["http", "triggers"],
            &["trace"],
            &["propagation"],
            &["attributes", "clock", "variables"],
        ],
    ),
    (
        CONSOLE,
        &[
            &["server"],
            &["api", "options", "page"],
            &["receive"],
            &["analysis", "host"],
            &["health", "store"],
            &["model"],
            &["clock", "json", "stop"],
        ],
    ),
];

/// Crates that a module of Cruddur does not name, by the beginning of their names.
const FOREIGN: [(&str, &[&str]); 7] = [
    ("api", &["aws_", "opentelemetry"]),
    ("error_chain", &["aws_", "axum", "http", "lambda_", "opentelemetry"]),
    ("config", &["axum", "opentelemetry"]),
    ("domain", &["aws_", "axum", "http", "lambda_", "opentelemetry", "tokio", "tracing"]),
    ("signup", &["aws_", "axum", "http", "lambda_http", "opentelemetry"]),
    ("store", &["axum", "lambda_http", "opentelemetry"]),
    ("stream", &["aws_", "axum", "http", "lambda_http", "opentelemetry"]),
];

/// The only module of each crate that reads environment variables.
const ENVIRONMENT: [(&str, &str); 2] = [(CRUDDUR, "config"), (LAMBDA_SPANS, "variables")];

const MAX_TOP_MODULES: usize = 16;
const MAX_BIN_LINES: usize = 30;
/// Names that say nothing about a module.
const VAGUE_NAMES: [&str; 6] = ["utils", "helpers", "common", "manager", "service", "controllers"];

fn load(root: &str) -> Graph {
    Graph::load(root, &|file| fs::read_to_string(Path::new(ROOT).join(file)).ok())
}

fn children(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    names.sort_unstable();
    names
}

fn binaries() -> Vec<String> {
    children("src/bin")
}

/// The root file of every crate: libraries and binaries.
fn crate_roots() -> Vec<String> {
    let folders = [children("crates"), children("benches"), vec!["adopter".to_owned()]].concat();
    let folders = folders.into_iter().map(|folder| folder + "/");
    let roots = folders.chain([String::new()]).flat_map(|folder| {
        ["src/lib.rs", "src/main.rs"]
            .map(|file| format!("{folder}{file}"))
            .into_iter()
            .chain(children(&format!("{folder}src/bin")))
    });
    roots.filter(|root| Path::new(ROOT).join(root).is_file()).collect()
}

fn top(graph: &Graph, file: &str) -> Option<String> {
    graph.files[file].first().cloned()
}

fn top_modules(graph: &Graph) -> BTreeSet<String> {
    graph.files.keys().filter_map(|file| top(graph, file)).collect()
}

/// The paths outside their crate that the files of a module name.
fn foreign(graph: &Graph) -> impl Iterator<Item = (&String, &String)> {
    graph.foreign.iter().flat_map(|(file, paths)| paths.iter().map(move |path| (file, path)))
}

#[test]
fn no_crate_has_an_import_circle() {
    let roots = crate_roots();
    assert!(roots.iter().any(|root| root == CRUDDUR) && roots.iter().any(|root| root == LAMBDA_SPANS), "{roots:?}");
    let circles: Vec<_> = roots.iter().flat_map(|root| load(root).circles()).collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n\n"));
}

#[test]
fn imports_point_to_lower_layers() {
    let mut wrong = Vec::new();
    for (root, rows) in LAYERS {
        let graph = load(root);
        let row = |module: &str| rows.iter().position(|row| row.contains(&module));
        wrong.extend(
            top_modules(&graph)
                .iter()
                .filter(|module| row(module).is_none())
                .map(|module| format!("{root}: {module} is in no layer")),
        );
        for ((user, definer), names) in &graph.edges {
            let (Some(from), Some(to)) = (top(&graph, user), top(&graph, definer)) else { continue };
            if from != to && row(&from).zip(row(&to)).is_some_and(|(from, to)| from >= to) {
                wrong.push(format!("{user} imports {names:?} from {definer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_name_only_the_crates_of_their_layer() {
    let graph = load(CRUDDUR);
    for (file, path) in foreign(&graph) {
        for (_, crates) in FOREIGN.iter().filter(|(module, _)| top(&graph, file).as_deref() == Some(module)) {
            let is_forbidden = path.contains("::") && crates.iter().any(|name| path.starts_with(name));
            assert!(!is_forbidden, "{file} names {path}");
        }
    }
}

#[test]
fn only_cruddur_and_its_local_server_name_cruddur() {
    for root in crate_roots().iter().filter(|root| !root.starts_with("src/") && !root.starts_with("crates/local/")) {
        let graph = load(root);
        let named: Vec<_> = foreign(&graph).filter(|(_, path)| path.starts_with("cruddur")).collect();
        assert!(named.is_empty(), "{named:?}");
    }
}

#[test]
fn one_module_of_a_crate_reads_the_environment() {
    for (root, reader) in ENVIRONMENT {
        let graph = load(root);
        for (file, path) in foreign(&graph).filter(|(_, path)| path.starts_with("std::env::")) {
            assert_eq!(top(&graph, file).as_deref(), Some(reader), "{file} names {path}");
        }
    }
}

#[test]
fn lambda_spans_has_few_modules_at_the_top() {
    let modules = top_modules(&load(LAMBDA_SPANS));
    assert!(modules.len() <= MAX_TOP_MODULES, "{} modules: {modules:?}", modules.len());
}

#[test]
fn only_keys_rs_writes_keys() {
    let graph = load(CRUDDUR);
    for (file, texts) in graph.texts.iter().filter(|(file, _)| *file != "src/store/keys.rs") {
        for text in texts {
            let is_key = text.split_once('#').is_some_and(|(prefix, _)| {
                !prefix.is_empty() && prefix.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
            });
            assert!(!is_key, "{file} writes the key {text}");
        }
    }
}

#[test]
fn only_attributes_rs_writes_attribute_keys() {
    const KEYS: &str = "crates/lambda-spans/src/attributes.rs";
    let graph = load(LAMBDA_SPANS);
    let keys: Vec<_> = graph.texts[KEYS].iter().filter(|text| text.contains('.') && !text.contains(' ')).collect();
    assert!(keys.len() > 80, "{keys:?}");
    for (file, texts) in graph.texts.iter().filter(|(file, _)| *file != KEYS) {
        let written = keys.iter().find(|key| texts.contains(**key));
        assert_eq!(written, None, "{file} writes a key");
    }
}

#[test]
fn binaries_only_wire() {
    let binaries = binaries();
    assert!(!binaries.is_empty());
    for file in binaries {
        let lines = fs::read_to_string(Path::new(ROOT).join(&file)).unwrap().lines().count();
        assert!(lines <= MAX_BIN_LINES, "{file} has {lines} lines");
    }
}

#[test]
fn modules_have_specific_names() {
    for root in crate_roots() {
        for (file, path) in &load(&root).files {
            assert!(!path.last().is_some_and(|name| VAGUE_NAMES.contains(&name.as_str())), "{file}");
        }
    }
}

/// The graph of a crate whose files are given; `lib.rs` is the first.
fn graph_of(files: &[(&str, &str)]) -> Graph {
    Graph::load("src/lib.rs", &|path| {
        files.iter().find(|(file, _)| path == format!("src/{file}")).map(|(_, source)| (*source).to_owned())
    })
}

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    graph_of(files).circles()
}

#[test]
fn mutual_imports_are_a_circle() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use crate::a::A; pub struct B(Option<Box<A>>);"),
    ]);
    assert_eq!(
        found,
        [concat!(
            "2 files in a circle; the shortest ring is src/a.rs -> src/b.rs -> src/a.rs",
            "\n    src/a.rs -> src/b.rs: B",
            "\n    src/b.rs -> src/a.rs: A",
        )]
    );
}

#[test]
fn ring_of_three_files_is_a_circle() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::b; pub fn a() { b() }"),
        ("b.rs", "use super::c; pub fn b() { c::c() }"),
        ("c.rs", "pub fn c() { crate::a::a() }"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("src/a.rs -> src/b.rs -> src/c.rs -> src/a.rs"), "{found:?}");
}

#[test]
fn re_export_by_the_parent_is_no_circle() {
    let child = ("a/child.rs", "use super::other::Other; pub struct Child(Other);");
    let other = ("a/other.rs", "pub struct Other;");
    assert!(
        circles(&[("lib.rs", "mod a;"), ("a.rs", "mod child; mod other; pub use child::Child;"), child, other])
            .is_empty()
    );
    let through_parent = ("a/child.rs", "use crate::a::*; pub struct Child(Other);");
    let parent = ("a.rs", "mod child; mod other; pub use {child::Child, other::*};");
    assert!(circles(&[("lib.rs", "mod a;"), parent, through_parent, other]).is_empty());
}

#[test]
fn parent_and_child_that_use_each_other_are_a_circle() {
    let child = ("a/child.rs", "pub struct Child; pub fn f() -> u8 { super::LIMIT }");
    for parent in [
        "mod child; use child::Child; pub const LIMIT: u8 = 1;",
        "mod child; pub use child::Child; pub const LIMIT: u8 = 1; pub struct A(Child);",
        "mod child; pub const LIMIT: u8 = 1; pub fn a() { let f = 1; child::f(f); }",
    ] {
        assert_eq!(circles(&[("lib.rs", "mod a;"), ("a.rs", parent), child]).len(), 1, "{parent}");
    }
}

#[test]
fn paths_in_code_and_in_macros_count() {
    let a = ("a.rs", "pub struct A; pub const ONE: u8 = 1; pub trait Of { fn of() {} }");
    for b in [
        "pub fn b() { let _ = crate::a::A; }",
        "pub fn b(_: &crate::a::A) {}",
        "impl crate::a::Of for u8 {}",
        "pub fn b() { <u8 as crate::a::Of>::of() }",
        "pub fn b() { println!(\"{}\", crate::a::ONE) }",
        "pub fn b(one: u8) -> bool { matches!(one, crate::a::ONE) }",
        "use crate::a as other; pub fn b() { let _ = vec![other::A]; }",
        "pub fn b() { use crate::a; a::A; }",
    ] {
        let edges = graph_of(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", b)]).edges;
        assert!(edges.contains_key(&("src/b.rs".to_owned(), "src/a.rs".to_owned())), "{b}");
    }
}

#[test]
fn modules_variables_and_tests_do_not_count() {
    let a = ("a.rs", "pub struct A; pub fn name() {}");
    for b in [
        "use crate::a;",
        "#[cfg(test)] mod tests { use crate::a::A; fn f(_: A) {} }",
        "#[cfg(test)] use crate::a::A;",
        "pub struct B; impl B { #[cfg(test)] fn a() -> crate::a::A { crate::a::A } }",
        "pub fn b(name: u8) -> u8 { name }",
        "pub struct A; pub fn b() -> A { A }",
    ] {
        let edges = graph_of(&[("lib.rs", "mod a; mod b; use a::name;"), a, ("b.rs", b)]).edges;
        assert!(!edges.keys().any(|(user, _)| user == "src/b.rs"), "{b}: {edges:?}");
    }
    let shadowed = "mod child; pub use child::name; pub fn f(name: u8) -> u8 { name + 1 }";
    assert!(graph_of(&[("lib.rs", "mod a;"), ("a.rs", shadowed), ("a/child.rs", "pub fn name() {}")]).edges.is_empty());
}

#[test]
fn paths_to_other_crates_are_foreign() {
    let source = "mod http; use axum::Router; use http::Own; use std::env; fn f(_: Router<Own>) { env::var(\"A\"); tokio::spawn(1); }";
    let graph = graph_of(&[("lib.rs", "mod a;"), ("a.rs", source), ("a/http.rs", "pub struct Own;")]);
    let found: Vec<&str> =
        graph.foreign["src/a.rs"].iter().map(String::as_str).filter(|path| path.contains("::")).collect();
    assert_eq!(found, ["axum::Router", "std::env", "std::env::var", "tokio::spawn"]);
}
