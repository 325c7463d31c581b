//! Which file of a crate uses items that another file defines.
//!
//! Paths are resolved by name, through re-exports and globs, without types: a method call is no dependency.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

type Path = Vec<String>;

/// How many re-exports may follow one another; ends the search in globs that include each other.
const MAX_HOPS: usize = 16;

pub(crate) struct Graph {
    /// Each file with the path of its module.
    pub(crate) files: BTreeMap<String, Path>,
    /// (user, definer) with the names that are used.
    pub(crate) edges: BTreeMap<(String, String), BTreeSet<String>>,
    /// The paths that each file names in other crates, such as `axum::Router`.
    pub(crate) foreign: BTreeMap<String, BTreeSet<String>>,
    /// The text literals of each file.
    pub(crate) texts: BTreeMap<String, BTreeSet<String>>,
}

struct Module {
    file: String,
    items: Vec<Item>,
    names: BTreeMap<String, Vec<Name>>,
    globs: Vec<Path>,
}

#[derive(Clone)]
enum Name {
    Module,
    Defined,
    Alias(Path),
}

#[derive(Clone)]
enum Target {
    Module(Path),
    Item { file: String, name: String },
    Foreign(Path),
}

type Modules = BTreeMap<Path, Module>;

impl Graph {
    /// Reads the crate whose root file is `root`, such as `src/lib.rs`.
    pub(crate) fn load(root: &str, read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut modules = Modules::new();
        let mut files = BTreeMap::new();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        load_file(root, &folder, Vec::new(), read, &mut modules, &mut files);
        let mut graph = Self { files, edges: BTreeMap::new(), foreign: BTreeMap::new(), texts: BTreeMap::new() };
        for (path, module) in &modules {
            let texts = graph.texts.entry(module.file.clone()).or_default();
            let mut uses = Uses { modules: &modules, path, locals: Vec::new(), found: Vec::new(), texts };
            module.items.iter().for_each(|item| uses.visit_item(item));
            for target in uses.found {
                match target {
                    Target::Item { file, name } if file != module.file => {
                        graph.edges.entry((module.file.clone(), file)).or_default().insert(name);
                    }
                    Target::Foreign(path) => {
                        graph.foreign.entry(module.file.clone()).or_default().insert(path.join("::"));
                    }
                    Target::Item { .. } | Target::Module(_) => {}
                }
            }
        }
        graph
    }

    /// Describes each group of files that depend on each other: the shortest ring, then all its dependencies.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut left: BTreeSet<&str> = self.files.keys().map(String::as_str).collect();
        let mut circles = Vec::new();
        while let Some(file) = left.pop_first() {
            let reached = self.reached_from(file);
            let group: BTreeSet<&str> =
                reached.into_iter().filter(|other| self.reached_from(other).contains(file)).collect();
            left.retain(|file| !group.contains(file));
            if group.len() > 1 {
                circles.push(self.describe(&group));
            }
        }
        circles
    }

    fn describe(&self, group: &BTreeSet<&str>) -> String {
        let ring = group.iter().filter_map(|file| self.ring(file)).min_by_key(Vec::len).unwrap_or_default();
        let mut text = format!("{} files in a circle; the shortest ring is {}", group.len(), ring.join(" -> "));
        for ((user, definer), names) in &self.edges {
            if group.contains(user.as_str()) && group.contains(definer.as_str()) {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                text.push_str(&format!("\n    {user} -> {definer}: {}", names.join(", ")));
            }
        }
        text
    }

    fn used_by<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a str> {
        let edges = self.edges.range((file.to_owned(), String::new())..);
        edges.take_while(move |((user, _), _)| user == file).map(|((_, definer), _)| definer.as_str())
    }

    /// The files that `file` depends on, directly or through others.
    fn reached_from<'a>(&'a self, file: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            open.extend(self.used_by(file).filter(|definer| reached.insert(*definer)));
        }
        reached
    }

    /// The shortest way from `file` back to itself.
    fn ring<'a>(&'a self, file: &'a str) -> Option<Vec<&'a str>> {
        let mut open = VecDeque::from([vec![file]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = open.pop_front() {
            for next in self.used_by(way[way.len() - 1]) {
                let longer = [way.as_slice(), &[next]].concat();
                if next == file {
                    return Some(longer);
                }
                if seen.insert(next) {
                    open.push_back(longer);
                }
            }
        }
        None
    }
}

/// `folder` is where the module's child modules are.
fn load_file(
    file: &str,
    folder: &str,
    path: Path,
    read: &dyn Fn(&str) -> Option<String>,
    modules: &mut Modules,
    files: &mut BTreeMap<String, Path>,
) {
    let source = read(file).unwrap_or_else(|| unreachable!("{file} does not exist"));
    let parsed = syn::parse_file(&source).unwrap_or_else(|error| unreachable!("{file}: {error}"));
    files.insert(file.to_owned(), path.clone());
    load_items(file, folder, path, parsed.items, read, modules, files);
}

fn load_items(
    file: &str,
    folder: &str,
    path: Path,
    items: Vec<Item>,
    read: &dyn Fn(&str) -> Option<String>,
    modules: &mut Modules,
    files: &mut BTreeMap<String, Path>,
) {
    let mut module = Module { file: file.to_owned(), items: Vec::new(), names: BTreeMap::new(), globs: Vec::new() };
    for item in items {
        if is_test(attributes(&item)) {
            continue;
        }
        if let Item::Mod(child) = item {
            let name = child.ident.to_string();
            let path = [path.as_slice(), std::slice::from_ref(&name)].concat();
            let folder = format!("{folder}/{name}");
            module.names.entry(name).or_default().push(Name::Module);
            if let Some((_, items)) = child.content {
                load_items(file, &folder, path, items, read, modules, files);
            } else {
                load_file(&format!("{folder}.rs"), &folder, path, read, modules, files);
            }
            continue;
        }
        Definitions(&mut module).visit_item(&item);
        module.items.push(item);
    }
    modules.insert(path, module);
}

/// Collects what a module defines and imports. An import inside a function counts for the whole module.
struct Definitions<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Definitions<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "other items define no name")]
    fn visit_item(&mut self, item: &'ast Item) {
        let name = match item {
            Item::Use(import) => {
                for (path, name) in imports(import) {
                    match name {
                        Some(name) => self.0.names.entry(name).or_default().push(Name::Alias(path)),
                        None => self.0.globs.push(path),
                    }
                }
                None
            }
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.0.names.entry(name.to_string()).or_default().push(Name::Defined);
        }
        visit::visit_item(self, item);
    }
}

/// Each imported path with the name that it gets; a glob has none.
fn imports(import: &syn::ItemUse) -> Vec<(Path, Option<String>)> {
    let mut found = Vec::new();
    let prefix = if import.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
    flatten(&import.tree, prefix, &mut found);
    found
}

fn flatten(tree: &UseTree, mut prefix: Path, found: &mut Vec<(Path, Option<String>)>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, found);
        }
        UseTree::Name(name) if name.ident == "self" => {
            let last = prefix.last().cloned();
            found.push((prefix, last));
        }
        UseTree::Name(name) => {
            prefix.push(name.ident.to_string());
            found.push((prefix, Some(name.ident.to_string())));
        }
        UseTree::Rename(renamed) => {
            if renamed.ident != "self" {
                prefix.push(renamed.ident.to_string());
            }
            found.push((prefix, Some(renamed.rename.to_string())));
        }
        UseTree::Glob(_) => found.push((prefix, None)),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix.clone(), found)),
    }
}

fn resolve(modules: &Modules, at: &[String], path: &[String], hops: usize) -> Option<Target> {
    let mut here = at.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "" => return Some(Target::Foreign(path[1..].to_vec())),
        "Self" => return None,
        "crate" => {
            here.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        _ => {}
    }
    while rest.first().is_some_and(|segment| segment == "super") {
        here.pop()?;
        rest = &rest[1..];
    }
    if rest.len() < path.len() {
        return walk(modules, here, rest, hops);
    }
    walk(modules, here, rest, hops).or_else(|| Some(Target::Foreign(path.to_vec())))
}

fn walk(modules: &Modules, here: Path, rest: &[String], hops: usize) -> Option<Target> {
    let Some((first, after)) = rest.split_first() else { return Some(Target::Module(here)) };
    if hops == MAX_HOPS {
        return None;
    }
    let module = modules.get(&here)?;
    let mut names = module.names.get(first).cloned().unwrap_or_default();
    // A function may have the name of a module: only the module has names inside.
    names.sort_by_key(|name| matches!(name, Name::Module) == after.is_empty());
    let follow = |target: Target| match target {
        Target::Module(path) => walk(modules, path, after, hops + 1),
        Target::Item { .. } => Some(target),
        Target::Foreign(path) => Some(Target::Foreign([path.as_slice(), after].concat())),
    };
    if let Some(name) = names.into_iter().next() {
        return match name {
            Name::Module => walk(modules, [here.as_slice(), std::slice::from_ref(first)].concat(), after, hops),
            Name::Defined => Some(Target::Item { file: module.file.clone(), name: first.clone() }),
            // `use tracing;` names the crate, not itself.
            Name::Alias(path) if path.first() == Some(first) && !is_module(modules, &here, first) => {
                follow(Target::Foreign(path))
            }
            Name::Alias(path) => resolve(modules, &here, &path, hops + 1).and_then(follow),
        };
    }
    module.globs.iter().find_map(|glob| match resolve(modules, &here, glob, hops + 1)? {
        Target::Module(path) if path != here => walk(modules, path, rest, hops + 1),
        Target::Module(_) | Target::Item { .. } | Target::Foreign(_) => None,
    })
}

fn is_module(modules: &Modules, here: &[String], name: &str) -> bool {
    modules.contains_key(&[here, &[name.to_owned()]].concat())
}

/// Collects what a module uses.
struct Uses<'a> {
    modules: &'a Modules,
    path: &'a Path,
    /// The variables of each function that is being visited: they hide functions of the same name.
    locals: Vec<BTreeSet<String>>,
    found: Vec<Target>,
    texts: &'a mut BTreeSet<String>,
}

impl Uses<'_> {
    fn add(&mut self, path: &[String]) {
        if let [name] = path
            && self.locals.iter().any(|locals| locals.contains(name))
        {
            return;
        }
        self.found.extend(resolve(self.modules, self.path, path, 0));
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let punct =
            |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    self.texts.extend(syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|text| text.value()));
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
            let is_member = at > 0 && punct(at - 1, '.');
            let mut path = Path::new();
            while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
                path.push(ident.to_string());
                at += 1;
                if punct(at, ':') && punct(at + 1, ':') && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
                    at += 2;
                } else {
                    break;
                }
            }
            // A lone name in lower case may be a variable or the name of a field.
            let is_call = punct(at, '!') || matches!(tokens.get(at), Some(TokenTree::Group(_)));
            if let Some(first) = path.first() {
                if !is_member && (path.len() > 1 || is_call || first.starts_with(char::is_uppercase)) {
                    self.add(&path);
                }
            } else {
                at += 1;
            }
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block, visit: impl FnOnce(&mut Self)) {
        let mut locals = Locals(BTreeSet::new());
        locals.visit_signature(signature);
        locals.visit_block(block);
        self.locals.push(locals.0);
        visit(self);
        self.locals.pop();
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        let re_exports = !matches!(import.vis, syn::Visibility::Inherited);
        for (path, _) in imports(import) {
            let Some(target) = resolve(self.modules, self.path, &path, 0) else { continue };
            let is_child = match &target {
                Target::Item { file, .. } => {
                    self.modules.iter().any(|(path, module)| path.starts_with(self.path) && module.file == *file)
                }
                Target::Module(_) | Target::Foreign(_) => false,
            };
            if !(re_exports && is_child) {
                self.found.push(target);
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block, |uses| visit::visit_item_fn(uses, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block, |uses| visit::visit_impl_item_fn(uses, item));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let root = path.leading_colon.as_ref().map(|_| String::new());
        let segments: Path =
            root.into_iter().chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.insert(text.value());
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }
}

struct Locals(BTreeSet<String>);

impl<'ast> Visit<'ast> for Locals {
    fn visit_pat_ident(&mut self, variable: &'ast syn::PatIdent) {
        self.0.insert(variable.ident.to_string());
        visit::visit_pat_ident(self, variable);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        let mut words = condition.split(|character: char| !character.is_alphanumeric());
        !condition.starts_with("not") && words.any(|word| word == "test" || word == "doctest")
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "syn may add kinds of items")]
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
