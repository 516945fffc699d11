//! Facts in, numbers out: every page under `tests/scenarios` is played against the real binary.
//!
//! How a page is written: `tests/scenarios/README.md`. Play some of them alone with
//! `RECURVE_SCENARIO=leap cargo nextest run -p recurve --test scenarios`: all whose path holds the word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]

mod scenario;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Mutex,
};

use scenario::{page::Page, play};

/// One test a folder of pages, so that they run side by side.
macro_rules! folders {
    ($($folder:ident)*) => {
        $(
            #[test]
            fn $folder() {
                play_folder(stringify!($folder));
            }
        )*
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];
    };
}

folders! {
    acquisition
    billing
    cash
    cohorts
    corrections
    currencies
    days
    experiments
    forecast
    judgement
    levers
    metrics
    movements
    policy
    presets
    prices
    product
    segments
    states
    vendors
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
}

fn pages_of(folder: &Path) -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    pages.sort();
    pages
}

/// Plays every page of a folder, on all cores, and tells all that differ at once.
fn play_folder(name: &str) {
    let wanted = std::env::var("RECURVE_SCENARIO").unwrap_or_default();
    let pages = pages_of(&root().join(name));
    assert!(!pages.is_empty(), "there is no page in tests/scenarios/{name}");
    let next = Mutex::new(pages.iter());
    let failures = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(pages.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(path) = next.lock().unwrap().next() else { break };
                    let title = format!("{name}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
                    if !title.contains(&wanted) {
                        continue;
                    }
                    let text = std::fs::read_to_string(path).unwrap();
                    let differences = match Page::parse(&text) {
                        Ok(page) => play(&page),
                        Err(fault) => vec![fault],
                    };
                    if !differences.is_empty() {
                        failures.lock().unwrap().push((title, differences));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    let told: Vec<String> = failures
        .iter()
        .map(|(title, differences)| format!("scenario {title}\n\n{}\n", differences.join("\n\n")))
        .collect();
    let rule = "-".repeat(100);
    assert!(
        told.is_empty(),
        "{} of {} scenarios differ:\n{rule}\n{}",
        told.len(),
        pages.len(),
        told.join(&format!("{rule}\n"))
    );
}

/// Every reason to refuse a row has a file that causes it, under its name in `tests/errors`. What no text file can
/// hold, or only a very large one, is in `cli/bad_input.rs`; no file says kinds or withdraws facts by their keys, so
/// what is wrong with those is in `serve/facts.rs`.
#[test]
fn every_issue_has_a_file_that_causes_it() {
    const ELSEWHERE: &[&str] = &[
        "field-too-long",
        "record-too-long",
        "too-many-columns",
        "not-text",
        "nul-byte",
        "kind-unknown",
        "statement-unclear",
        "fact-unknown",
    ];
    let folder = root().join("../errors");
    let there: BTreeSet<String> =
        pages_of(&folder).iter().map(|page| page.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let wanted: BTreeSet<String> = warehouse::source::issue::ISSUES
        .iter()
        .filter(|issue| !ELSEWHERE.contains(&issue.name))
        .map(|issue| issue.name.to_owned())
        .collect();
    assert_eq!(there, wanted);
    play_folder("../errors");
}

#[test]
fn every_folder_of_pages_is_played() {
    let there: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let played: BTreeSet<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
    assert_eq!(there, played, "a folder of tests/scenarios is played when `folders!` in scenarios.rs names it");
}

/// A runner that finds everything equal would find nothing: each of these pages is wrong, and it has to say so.
#[test]
fn a_wrong_page_is_told() {
    let facts = "Why.\n\n# facts subscriptions\nsubscription  customer  currency  amount  interval  start\n\
                 s1            ann       USD       10      year      2024-01-01\n\n";
    for (wrong, told) in [
        ("# movements\ncustomer  delta\nann  0.84\n", "0.833333 ≠ expected 0.84"),
        ("# movements\ncustomer  delta\nann  10/12\nben  1\n", "(no row) ≠ expected ben"),
        ("# movements\ncustomer  delta\n", "ann ≠ expected (no row)"),
        ("# metric mrr --from 2024-01 --to 2024-03\nmetric  2024-01\nmrr  10/12\n", "2024-02-01 was listed as well"),
        ("# metric mrr arr --from 2024-01 --to 2024-02\nperiod  mrr\n2024-01  10/12\n", "more was listed"),
        ("# metric mmr => 0\n", "ended with Some(2) instead of 0"),
        ("# movements\n\n# says\nbilly\n", "not said: billy"),
        ("# movements\n\n# never\nann\n", "said: ann"),
        ("# options --policy strict\n\n# movements\ncustomer  delta\nann  1\n", "ended with Some(2) instead of 0"),
    ] {
        let page = Page::parse(&format!("{facts}{wrong}")).unwrap();
        let differences = play(&page).join("\n");
        assert!(differences.contains(told), "{wrong}\n{differences}");
    }
    for text in ["", "# movements\n", "Why.\n", "Why.\n\n# facts\n", "Why.\n\n# movements\na  b\nc\n"] {
        assert!(Page::parse(text).is_err(), "{text}");
    }
}
