//! Chooses what is embedded: the built app in `web/dist`, or a page that says how to build it.

#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let here = env::var("CARGO_MANIFEST_DIR")?;
    let web = Path::new(&here).join("../../web");
    let dist = web.join("dist");
    // What is not there cannot be watched: then the folder is, in which it would be.
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(watched) = [dist.as_path(), web.as_path()].into_iter().find(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    println!("cargo:rerun-if-env-changed=REQUIRE_UI");
    let is_built = dist.join("index.html").is_file();
    if !is_built && env::var("REQUIRE_UI").is_ok_and(|value| !value.is_empty() && value != "0") {
        return Err("REQUIRE_UI is set and web/dist is missing: build the web app with `make web`".into());
    }
    let folder = if is_built { dist } else { Path::new(&here).join("placeholder") };
    let folder = fs::canonicalize(folder)?;
    let code = format!(
        "#[derive(rust_embed::RustEmbed)]\n#[folder = {folder:?}]\nstruct Files;\n\
         /// Whether the web app is inside, or only the page that says how to build it.\n\
         pub const IS_BUILT: bool = {is_built};\n"
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("files.rs"), code)?;
    Ok(())
}
