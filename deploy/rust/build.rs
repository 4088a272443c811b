//! Link with liblinreg.so, which `deploy/c` builds; the program looks for it in the same folder at run time.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=LINREG_LIBRARY_DIR");
    let folder = env::var_os("LINREG_LIBRARY_DIR").map_or_else(|| PathBuf::from("../build/c"), PathBuf::from);
    let folder = match folder.canonicalize() {
        Ok(found) if found.join("liblinreg.so").is_file() => found,
        _ => panic!("{}: has no liblinreg.so; build deploy/c, and set LINREG_LIBRARY_DIR", folder.display()),
    };
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=dylib=linreg");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
}
