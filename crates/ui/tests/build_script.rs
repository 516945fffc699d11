//! What the build of the app's crate does with and without a built app: the build script itself, in folders of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A checkout in which there is nothing but what the build script looks at.
struct Checkout {
    folder: PathBuf,
    script: PathBuf,
}

impl Checkout {
    fn new(name: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("build-script-{name}"));
        let _ = fs::remove_dir_all(&folder);
        for part in ["crates/ui/placeholder", "web", "out"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        fs::copy(here.join("placeholder/index.html"), folder.join("crates/ui/placeholder/index.html")).unwrap();
        let script = folder.join(format!("script{}", env::consts::EXE_SUFFIX));
        let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let compiled =
            Command::new(compiler).args(["--edition", "2024", "-o"]).arg(&script).arg(here.join("build.rs")).output();
        let compiled = compiled.unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { folder, script }
    }

    fn with_app(self) -> Self {
        fs::create_dir_all(self.folder.join("web/dist")).unwrap();
        fs::write(self.folder.join("web/dist/index.html"), "<title>the app</title>").unwrap();
        self
    }

    /// Runs the script as cargo does.
    fn build(&self, require_ui: Option<&str>) -> Output {
        let mut command = Command::new(&self.script);
        command.env("CARGO_MANIFEST_DIR", self.folder.join("crates/ui")).env("OUT_DIR", self.folder.join("out"));
        match require_ui {
            Some(value) => command.env("REQUIRE_UI", value),
            None => command.env_remove("REQUIRE_UI"),
        };
        command.output().unwrap()
    }

    /// What it chose to embed.
    fn chosen(&self) -> String {
        fs::read_to_string(self.folder.join("out/files.rs")).unwrap_or_default()
    }
}

#[test]
fn a_build_that_needs_the_app_fails_without_it_and_says_how_to_go_on() {
    let checkout = Checkout::new("required");
    let built = checkout.build(Some("1"));
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(!built.status.success(), "it must not build");
    for words in ["REQUIRE_UI", "web/dist", "make web"] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
    assert_eq!(checkout.chosen(), "", "nothing is embedded");
}

#[test]
fn a_build_that_does_not_need_the_app_has_the_page_that_says_how_to_build_it() {
    let checkout = Checkout::new("without");
    for require_ui in [None, Some(""), Some("0")] {
        let built = checkout.build(require_ui);
        assert!(built.status.success(), "{require_ui:?}: {}", String::from_utf8_lossy(&built.stderr));
        let chosen = checkout.chosen();
        assert!(chosen.contains("IS_BUILT: bool = false"), "{chosen}");
        assert!(chosen.contains("placeholder"), "{chosen}");
        // Once the app is built, the next build has to look again.
        assert!(String::from_utf8_lossy(&built.stdout).contains("cargo:rerun-if-changed="));
    }
    let page = fs::read_to_string(checkout.folder.join("crates/ui/placeholder/index.html")).unwrap();
    assert!(page.contains("make web"), "the page says how to build the app: {page}");
}

#[test]
fn a_built_app_is_what_is_embedded() {
    let checkout = Checkout::new("built").with_app();
    for require_ui in [None, Some("1")] {
        assert!(checkout.build(require_ui).status.success());
        let chosen = checkout.chosen();
        assert!(chosen.contains("IS_BUILT: bool = true") && chosen.contains("dist"), "{chosen}");
    }
}
