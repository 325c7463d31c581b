//! The sources of Cruddur's library, parsed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ImplItem, ImplItemFn, ItemImpl, LitStr, Type};

pub(crate) fn sources() -> Vec<syn::File> {
    let read = |file: &Path| syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))).iter().map(|file| read(file)).collect()
}

fn rust_files(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| rust_files(&entry.unwrap().path())).collect()
}

/// The methods that `impl` blocks of a type define.
pub(crate) fn methods_of<'a>(sources: &'a [syn::File], type_name: &str) -> Vec<&'a ImplItemFn> {
    let mut impls = Impls { type_name, methods: Vec::new() };
    sources.iter().for_each(|file| impls.visit_file(file));
    impls.methods
}

/// The text literals in the method of a type, such as the names of an enum's variants.
pub(crate) fn texts_in(type_name: &str, method: &str) -> BTreeSet<String> {
    let sources = sources();
    let methods = methods_of(&sources, type_name);
    let mut texts = Texts::default();
    methods.iter().filter(|function| function.sig.ident == method).for_each(|found| texts.visit_block(&found.block));
    assert!(!texts.0.is_empty(), "{type_name}::{method} contains no text");
    texts.0
}

struct Impls<'a, 'n> {
    type_name: &'n str,
    methods: Vec<&'a ImplItemFn>,
}

impl<'a> Visit<'a> for Impls<'a, '_> {
    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        if matches!(&*item.self_ty, Type::Path(of) if of.path.is_ident(self.type_name)) {
            for item in &item.items {
                if let ImplItem::Fn(method) = item {
                    self.methods.push(method);
                }
            }
        }
        visit::visit_item_impl(self, item);
    }
}

#[derive(Default)]
struct Texts(BTreeSet<String>);

impl<'a> Visit<'a> for Texts {
    fn visit_lit_str(&mut self, text: &'a LitStr) {
        self.0.insert(text.value());
    }
}
