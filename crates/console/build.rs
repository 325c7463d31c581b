//! Lists the files of the page, so that a new file needs no entry in the code.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "Cargo's interface to build scripts")]
fn main() -> io::Result<()> {
    // Read at run time: a target folder shared by two checkouts keeps this program compiled in the other one.
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let folder = Path::new(&package).join("web");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| [".html", ".css", ".js", ".svg", ".ico"].iter().any(|ending| name.ends_with(ending)))
        .collect();
    names.sort_unstable();
    let mut list = String::from("&[\n");
    for name in names {
        let path = folder.join(&name);
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("page_files.rs"), list)
}
