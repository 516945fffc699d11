//! The server is a contract: the web app and scripts depend on it. Tests play the real program on a free port.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]

#[path = "cli/folder.rs"]
mod folder;

#[path = "serve/server.rs"]
mod server;

#[path = "serve/answers.rs"]
mod answers;

#[path = "serve/doors.rs"]
mod doors;

#[path = "serve/facts.rs"]
mod facts;

#[path = "serve/imports.rs"]
mod imports;

#[path = "cli/sink.rs"]
mod sink;

#[path = "serve/live.rs"]
mod live;
#[path = "serve/telemetry.rs"]
mod telemetry;

#[path = "serve/web.rs"]
mod web;

#[path = "serve/webhooks.rs"]
mod webhooks;

use std::{fs, path::Path, process::Command};

/// `docs/openapi.json` says what the server answers; `make docs` writes it anew.
#[test]
fn generated_description_of_the_api_is_what_the_routes_say() {
    let said = Command::new(env!("CARGO_BIN_EXE_recurve")).args(["serve", "--openapi"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("RECURVE_BLESS").is_some() {
        fs::write(&path, &said).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(said.contains("\"openapi\": \"3.1.0\""), "it is OpenAPI 3.1");
    assert_eq!(written, said, "docs/openapi.json is out of date; `make docs` writes it anew");
}
