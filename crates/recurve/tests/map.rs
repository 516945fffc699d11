//! Holds what is written about the tree against the tree: the map in `ARCHITECTURE.md`, the paths that pages name,
//! the pages that are made from tables, which crate may know which, and what no file may hold.
//!
//! `make docs` writes the generated pages anew (it runs this with `RECURVE_BLESS=1`).

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "scenario/page.rs"]
#[allow(dead_code, reason = "pages are read here, and played in scenarios.rs")]
mod page;

#[path = "scenario/shown.rs"]
mod shown;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use outlook::playbook::Playbook;
use page::Page;
use revenue::policy::{Policy, SETTINGS};
use shown::{Stated, StatedByVariant, stated_by};
use warehouse::{
    catalogue::{Catalogue, ShownIn, Unit, markdown},
    kind::{Choice, KINDS, Kind, Need, Rule, ValueKind},
    playbook,
    source::{issue::ISSUES, limits, preset},
};

/// The pages for people; those in `docs/` come on top.
const PAGES: &[&str] = &["README.md", "ARCHITECTURE.md", "DECISIONS.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// Folders in which nothing is ours: built, fetched, generated, or somebody's data.
const NOT_OURS: &[&str] = &[".git", "target", "recurve-data", "node_modules", "dist", ".venv", "data"];

/// Which of our crates each one may know, and nothing else.
const KNOWS: &[(&str, &[&str])] = &[
    ("revenue", &[]),
    ("outlook", &["revenue"]),
    ("demo", &[]),
    ("warehouse", &["outlook", "revenue"]),
    ("ui", &[]),
    ("stripe", &["revenue"]),
    ("stripe-simulator", &["revenue", "stripe"]),
    ("recurve", &["demo", "outlook", "revenue", "stripe", "stripe-simulator", "ui", "warehouse"]),
];

/// What the method may link: a calendar and a macro for errors. No wire format, no float arithmetic, no input or output.
const METHOD_LINKS: &[&str] = &["jiff", "thiserror"];

/// What estimates may link: the method and a macro for errors. No chance, no clock, no wire format.
const OUTLOOK_LINKS: &[&str] = &["revenue", "thiserror"];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "types", "manager", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Every file of ours, as a path from the root with slashes, sorted.
fn files() -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else {
                found.push(entry.path().strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The module files of every crate: all `.rs` below `crates/*/src`.
fn modules() -> BTreeSet<String> {
    files()
        .into_iter()
        .filter(|path| path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs"))
        .collect()
}

/// The folders in `crates/`.
fn crates() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn pages() -> Vec<String> {
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.extend(files().into_iter().filter(|path| path.starts_with("docs/") && path.ends_with(".md")));
    pages
}

/// Fails with all that is wrong at once: nobody wants to run this once a line.
fn none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

// ---- the map ----

/// The rows of the code map: the path that a row names. A heading names the folder, a row the file in it.
fn mapped() -> Vec<String> {
    let page = read("ARCHITECTURE.md");
    let (_, map) = page.split_once("<!-- map -->").expect("ARCHITECTURE.md has no <!-- map -->");
    let (map, _) = map.split_once("<!-- /map -->").expect("ARCHITECTURE.md has no <!-- /map -->");
    let mut folder = String::new();
    let mut named = Vec::new();
    for line in map.lines() {
        let code = line.split('`').nth(1);
        if let (true, Some(code)) = (line.starts_with('#'), code) {
            folder = code.to_owned();
            named.push(folder.trim_end_matches('/').to_owned());
        } else if let (true, Some(code)) = (line.starts_with("| `"), code) {
            named.push(format!("{folder}{code}").trim_end_matches('/').to_owned());
        }
    }
    named
}

#[test]
fn the_map_names_every_crate_and_module_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for path in mapped() {
        if !root().join(&path).exists() {
            wrong.push(format!("{path} is on the map and not in the tree: take its row out"));
        }
        if !named.insert(path.clone()) {
            wrong.push(format!("{path} is on the map twice"));
        }
    }
    for name in crates() {
        let path = format!("crates/{name}");
        if !named.contains(&path) {
            wrong.push(format!("{path} is not on the map: give it a heading `crates/{name}/`"));
        }
    }
    for path in modules() {
        if !named.contains(&path) {
            wrong.push(format!("{path} is not on the map: give it a row with one sentence, under its crate"));
        }
    }
    none(&wrong, "the code map of ARCHITECTURE.md and the tree differ");
}

#[test]
fn every_module_begins_by_saying_what_it_is() {
    let silent: Vec<String> = modules()
        .into_iter()
        .filter(|path| !path.ends_with("/tests.rs") && !read(path).starts_with("//!"))
        .map(|path| format!("{path} does not begin with `//! What it is.`"))
        .collect();
    none(&silent, "modules without a word at their head");
}

// ---- what pages name ----

/// The texts between single backticks, outside of blocks.
fn code_spans(page: &str) -> Vec<&str> {
    let mut spans = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            spans.extend(line.split('`').skip(1).step_by(2));
        }
    }
    spans
}

/// The targets of links, without anchors; addresses elsewhere are let alone.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets
        .map(|target| target.split_once('#').map_or(target, |(file, _)| file))
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
        .collect()
}

/// Whether a text looks like a path of this repository: it begins with one of its folders, or is a page's name.
fn looks_like_a_path(text: &str, folders: &BTreeSet<String>) -> bool {
    let plain = text.chars().all(|character| character.is_ascii_alphanumeric() || "._-/*".contains(character));
    let begins = text.split_once('/').is_some_and(|(first, _)| folders.contains(first));
    plain && !text.contains("...") && (begins || (text.ends_with(".md") && !text.contains('/')))
}

/// Whether the tree has the path, or anything that fits its `*`.
fn exists(path: &str, all: &[String]) -> bool {
    if root().join(path).exists() {
        return true;
    }
    let parts: Vec<&str> = path.trim_end_matches('/').split('*').collect();
    parts.len() > 1
        && all.iter().any(|file| {
            let mut rest = file.as_str();
            for (index, part) in parts.iter().enumerate() {
                match rest.find(part) {
                    Some(at) if index > 0 || at == 0 => rest = &rest[at + part.len()..],
                    _ => return false,
                }
            }
            true
        })
}

#[test]
fn every_path_that_a_page_names_exists() {
    let all = files();
    let folders: BTreeSet<String> =
        all.iter().filter_map(|path| path.split_once('/')).map(|(first, _)| first.to_owned()).collect();
    let mut wrong = Vec::new();
    for page in pages() {
        let text = read(&page);
        for span in code_spans(&text) {
            if looks_like_a_path(span, &folders) && !exists(span, &all) {
                wrong.push(format!("{page} names `{span}`, which is not there"));
            }
        }
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&text) {
            if !root().join(folder).join(link).exists() {
                wrong.push(format!("{page} links to {link}, which is not there"));
            }
        }
    }
    none(&wrong, "pages name what does not exist");
}

// ---- which crate may know which ----

/// The names in the tables of dependencies of a crate whose headings `wanted` takes.
fn dependencies(name: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let manifest: toml::Table = read(&format!("crates/{name}/Cargo.toml")).parse().unwrap();
    let tables = manifest.iter().filter(|(heading, _)| wanted(heading));
    tables.filter_map(|(_, value)| value.as_table()).flat_map(|table| table.keys().cloned()).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let ours = crates();
    let mut wrong = Vec::new();
    for name in &ours {
        let Some((_, may)) = KNOWS.iter().find(|(listed, _)| listed == name) else {
            wrong.push(format!("crates/{name} is new: say in KNOWS which of our crates it may know"));
            continue;
        };
        for known in dependencies(name, |heading| heading.contains("dependencies")).intersection(&ours) {
            if !may.contains(&known.as_str()) {
                wrong.push(format!("crates/{name} depends on {known}; it may know {may:?}"));
            }
        }
    }
    for (name, may) in [("revenue", METHOD_LINKS), ("outlook", OUTLOOK_LINKS)] {
        for link in dependencies(name, |heading| heading == "dependencies" || heading == "target") {
            if !may.contains(&link.as_str()) {
                wrong.push(format!("crates/{name} links {link}; it is pure, and links {may:?} and nothing else"));
            }
        }
    }
    none(&wrong, "dependencies that may not be");
}

// ---- what no file may hold ----

/// A line without its comment. A string that holds `//` loses its end, which hides nothing that is looked for here.
fn code_of(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// Whether a line of code has a word, and not as a part of another one.
fn has_word(code: &str, word: &str) -> bool {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(joins) && !code[at + word.len()..].chars().next().is_some_and(joins)
    })
}

#[test]
fn nothing_is_left_to_do_and_no_float_is_in_the_method() {
    let mut wrong = Vec::new();
    for path in modules() {
        let method = path.starts_with("crates/revenue/");
        for (number, line) in read(&path).lines().enumerate() {
            let code = code_of(line);
            let place = format!("{path}:{}", number + 1);
            for name in ["todo", "unimplemented", "dbg"] {
                if code.contains(&format!("{name}!(")) {
                    wrong.push(format!("{place} holds {name}!"));
                }
            }
            for float in ["f64", "f32"] {
                if method && has_word(code, float) {
                    wrong.push(format!(
                        "{place} holds {float}: the method is exact, estimates belong in crates/outlook"
                    ));
                }
            }
        }
    }
    none(&wrong, "what no source file may hold");
}

#[test]
fn every_file_is_named_for_what_is_inside() {
    let wrong: Vec<String> = files()
        .into_iter()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            name.strip_suffix(".rs").is_some_and(|stem| EMPTY_NAMES.contains(&stem))
        })
        .map(|path| format!("{path} could hold anything: name it for the one idea in it"))
        .collect();
    none(&wrong, "names that say nothing");
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    // Put together here, so that this file does not name them either.
    let places = ["home", "root", "Users", "tmp"].map(|folder| format!("/{folder}/"));
    let text = ["rs", "toml", "md", "sql", "py", "txt", "csv", "snap", "yml", "yaml", "json", "sh"];
    let mut wrong = Vec::new();
    for path in files() {
        let named = path.rsplit('/').next().unwrap_or(&path);
        let extension = named.rsplit_once('.').map_or("", |(_, extension)| extension);
        if !text.contains(&extension) && !["Makefile", "run"].contains(&named) {
            continue;
        }
        let Ok(content) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in content.lines().enumerate() {
            for place in &places {
                // `recurve-data/tmp/` and addresses are no places of a machine.
                let begins = |at: usize| {
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~}".contains(before))
                };
                if line.match_indices(place.as_str()).any(|(at, _)| begins(at)) {
                    wrong.push(format!("{path}:{} names a place in {place}", number + 1));
                }
            }
        }
    }
    none(&wrong, "absolute paths");
}

// ---- pages that are made from tables ----

#[test]
fn generated_pages_are_what_the_tables_say() {
    let made = [
        ("docs/metrics.md", metrics_page()),
        ("docs/policy.md", policy_page()),
        ("docs/import.md", import_page()),
        ("docs/playbook.md", playbook::document::markdown(&playbook())),
    ];
    let bless = std::env::var_os("RECURVE_BLESS").is_some();
    let mut wrong = Vec::new();
    for (path, page) in made {
        if bless {
            fs::create_dir_all(root().join("docs")).unwrap();
            fs::write(root().join(path), page).unwrap();
            continue;
        }
        let written = fs::read_to_string(root().join(path)).unwrap_or_default();
        if written != page {
            let line = written.lines().zip(page.lines()).position(|(old, new)| old != new);
            let line = line.unwrap_or_else(|| written.lines().count().min(page.lines().count()));
            wrong.push(format!("{path}, from line {}", line + 1));
        }
    }
    none(&wrong, "generated pages are out of date; `make docs` writes them anew");
}

/// What each page of `tests/scenarios` states of each metric and variant, by the path of the page.
fn stated_of_metrics(catalogue: &Catalogue) -> Vec<(String, StatedByVariant)> {
    let pages = files().into_iter().filter(|path| path.starts_with("tests/scenarios/") && path.ends_with(".txt"));
    pages
        .map(|path| {
            let page = Page::parse(&read(&path)).unwrap_or_else(|fault| panic!("{path}: {fault}"));
            let stated = stated_by(catalogue, &page);
            (path, stated)
        })
        .collect()
}

fn metrics_page() -> String {
    let catalogue = Catalogue::built_in().unwrap();
    let mut shown = ShownIn::default();
    for (path, stated) in stated_of_metrics(&catalogue) {
        let breadth = stated.len();
        for ((metric, variant), stated) in stated {
            if stated.contains(&Stated::Figure) {
                shown.add(&metric, &variant, &path, breadth);
            }
        }
    }
    markdown(&catalogue, &shown)
}

/// Each metric in each variant has a page with a figure that a person can check by hand, a page on which its facts are
/// missing, and where it may have no answer one on which it says so.
#[test]
fn every_metric_is_shown_with_a_figure_and_without_one() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut found: BTreeSet<((String, String), Stated)> = BTreeSet::new();
    for (_, stated) in stated_of_metrics(&catalogue) {
        for (metric, stated) in stated {
            found.extend(stated.into_iter().map(|stated| (metric.clone(), stated)));
        }
    }
    let mut wrong = Vec::new();
    for resolved in catalogue.metrics().flat_map(|metric| catalogue.resolve_variants(&metric.id).unwrap()) {
        let name = (resolved.metric.id.clone(), resolved.variant.name.clone());
        let words = if name.1.is_empty() { name.0.clone() } else { format!("{}.{}", name.0, name.1) };
        let mut want = |stated: Stated, what: &str| {
            if !found.contains(&(name.clone(), stated)) {
                wrong.push(format!("no page of tests/scenarios shows `{words}` {what}"));
            }
        };
        want(Stated::Figure, "with a figure");
        want(Stated::NoData, "without its facts (\"no data\")");
        // A count may be zero and is never undefined.
        if resolved.variant.undefined.is_some() && resolved.variant.unit != Unit::Count {
            want(Stated::Undefined, "where it is undefined");
        }
    }
    none(&wrong, "metrics that nobody can check by hand");
}

fn playbook() -> Playbook {
    playbook::built_in(&Catalogue::built_in().unwrap()).unwrap()
}

/// Each rule has a page on which it fires and one on which it just does not; advice has one for its stage.
#[test]
fn every_rule_and_piece_of_advice_has_its_scenarios() {
    let playbook = playbook();
    let mut wrong = Vec::new();
    for rule in &playbook.rules {
        let path = playbook::document::scenario_of_rule(&rule.id);
        let page = fs::read_to_string(root().join(&path)).unwrap_or_default();
        let says = |state: &str| page.lines().any(|line| line.split_whitespace().eq([rule.id.as_str(), state]));
        if !says("fired") || !says("quiet") {
            wrong.push(format!("{path} does not show where `{}` fires and where it is quiet", rule.id));
        }
    }
    for advice in &playbook.advice {
        let path = playbook::document::scenario_of_advice(advice.stage);
        let page = fs::read_to_string(root().join(&path)).unwrap_or_default();
        // A page has several lists: the advice stands in one of them, and not in another.
        let lists: Vec<&str> = page.split("\n# ").filter(|step| step.starts_with("advice")).collect();
        let given = |list: &&&str| list.lines().any(|line| line.split_whitespace().nth(1) == Some(&advice.id));
        let shown = lists.iter().filter(given).count();
        if shown == 0 || shown == lists.len() {
            wrong.push(format!("{path} does not show where `{}` is given and where it is not", advice.id));
        }
    }
    none(&wrong, "scenarios of the playbook");
}

/// A text that stays within its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn codes<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(" ")
}

/// A policy that comes with the product.
struct Preset {
    name: String,
    words: String,
    settings: Vec<(&'static str, String)>,
}

/// The presets, the default first, the others by name.
fn presets() -> Vec<Preset> {
    let mut presets = Vec::new();
    for path in files().into_iter().filter(|path| path.starts_with("policies/") && path.ends_with(".toml")) {
        let name = path.trim_start_matches("policies/").trim_end_matches(".toml").to_owned();
        let file: toml::Table = read(&path).parse().unwrap();
        let words = file["words"]["en"].as_str().unwrap().to_owned();
        let mut policy = Policy::default();
        for (setting, value) in file["settings"].as_table().unwrap() {
            policy.set(setting, value.as_str().unwrap()).unwrap();
        }
        presets.push(Preset { name, words, settings: policy.settings() });
    }
    presets.sort_by_key(|preset| (preset.name != "default", preset.name.clone()));
    presets
}

/// `docs/policy.md`: the settings, and what each policy of the product says.
fn policy_page() -> String {
    let presets = presets();
    let mut page = String::from(
        "# Policies\n\n\
         Vendors of MRR disagree on nearly everything below, so each choice is a named setting, and every figure names the\n\
         policy that made it. This page is made from the table `SETTINGS` in `crates/revenue/src/policy.rs` and from\n\
         `policies/*.toml`: change it there.\n\n\
         ```\n\
         recurve policy                                     the settings, with their values under each policy\n\
         recurve metric mrr --policy chartmogul             a figure under another policy\n\
         recurve compare-policies default stripe            the customers that make the difference, and the setting behind it\n\
         recurve init --policy mine                         the policy of a data folder\n\
         ```\n\n\
         A policy of your own is a file `DATA/policies/NAME.toml` in the data folder, or any file given by its path. It says\n\
         only what differs from the default:\n\n\
         ```toml\n\
         [settings]\n\
         discounts = \"all\"\n\
         past_due = \"drop_after_days:30\"\n\
         ```\n\n\
         ## The settings\n\n\
         | setting | what it decides | takes (the default first) |\n|---|---|---|\n",
    );
    for setting in SETTINGS {
        writeln!(page, "| `{}` | {} | {} |", setting.name, cell(setting.words), codes(setting.choices.iter().copied()))
            .unwrap();
    }
    page.push_str("\n`N` is a whole number from 1, `YYYY-MM-DD` a day. A factor is a number or a quotient, such as `4.33` or `52/12`.\n");
    page.push_str("\n## The policies that come with the product\n\n");
    for preset in &presets {
        writeln!(page, "- **{}**: {}", preset.name, preset.words).unwrap();
    }
    page.push_str("\nWhat differs from the default is in bold.\n\n| setting |");
    for preset in &presets {
        write!(page, " {} |", preset.name).unwrap();
    }
    writeln!(page, "\n|---{}|", "|---".repeat(presets.len())).unwrap();
    let usual = Policy::default().settings();
    for (index, (name, value)) in usual.iter().enumerate() {
        write!(page, "| `{name}` |").unwrap();
        for preset in &presets {
            let said = &preset.settings[index].1;
            let printed = code(said);
            if said == value { write!(page, " {printed} |") } else { write!(page, " **{printed}** |") }.unwrap();
        }
        page.push('\n');
    }
    page
}

/// The presets, from their files.
fn presets_section(page: &mut String) {
    page.push_str(
        "\n## Presets\n\nHow the exports of well-known systems become facts. Each is a file in `presets/`, and an export with the \
         headers that it was made for stands in `tests/exports/`.\n\n\
         | preset | what it reads | facts | made for |\n|---|---|---|---|\n",
    );
    for preset in preset::presets() {
        let (title, made_for) = (cell(&preset.title), cell(&preset.made_for));
        writeln!(page, "| [`{0}`](#{0}) | {title} | `{1}` | {made_for} |", preset.name, preset.kind).unwrap();
    }
    for preset in preset::presets() {
        preset_section(page, preset);
    }
}

fn preset_section(page: &mut String, preset: &preset::Preset) {
    writeln!(page, "\n### {}\n\n{}: `{}`. Made for {}.\n", preset.name, preset.title, preset.kind, preset.made_for)
        .unwrap();
    writeln!(page, "How to get it: {}.", preset.export).unwrap();
    writeln!(page, "Recognised by {}.", preset.asks_for()).unwrap();
    if !preset.remark.is_empty() {
        writeln!(page, "{}", preset.remark).unwrap();
    }
    page.push_str("\n| column | from |\n|---|---|\n");
    for (column, from) in preset.columns_in_words() {
        writeln!(page, "| `{column}` | {} |", cell(&from)).unwrap();
    }
    let passed = preset.passed_over();
    if !passed.is_empty() {
        writeln!(page, "\nNo facts: {}.", passed.join("; ")).unwrap();
    }
}

/// What must hold between the values of a row, in words.
fn rule_words(rule: &Rule) -> String {
    match *rule {
        Rule::After(first, second) => format!("`{second}` comes after `{first}`"),
        Rule::NotBefore(first, second) => format!("`{second}` does not come before `{first}`"),
        Rule::NotNegative(column) => format!("`{column}` is not negative"),
        Rule::AtLeastOne(column) => format!("`{column}` is at least 1"),
        Rule::AboveZero(column) => format!("`{column}` is above zero"),
        Rule::FitsLedger(amount, Some(quantity)) => {
            format!("`{amount}` × `{quantity}` is below 9.2 × 10¹² major units, which the ledger holds")
        }
        Rule::FitsLedger(amount, None) => format!("`{amount}` is below 9.2 × 10¹² major units, which the ledger holds"),
        Rule::Multiplies(word, count) => format!("a word such as *biannual* in `{word}` goes into `{count}`"),
        Rule::Differs(first, second) => format!("`{first}` and `{second}` differ"),
    }
}

/// The words that a column takes, where it takes only some.
fn choices(value: &ValueKind) -> Option<&'static [Choice]> {
    match value {
        ValueKind::Choice(choices) | ValueKind::ChoiceOrMonths(choices) => Some(choices),
        _ => None,
    }
}

/// `docs/import.md`: every kind of fact with its columns, and everything for which a row may be refused.
fn import_page() -> String {
    let mut page = String::from(
        "# Importing facts\n\n\
         ```\n\
         recurve import KIND FILE... [--map COLUMN=HEADER]... [--set COLUMN=VALUE]... [--dry-run]\n\
         ```\n\n\
         Files are CSV (any delimiter), JSON lines or Parquet, also gzipped. This page is made from the tables in\n\
         `crates/warehouse/src/kind/table.rs` and `crates/warehouse/src/source/issue.rs`: change it there.\n\n\
         ## How a file is read\n\n\
         - A column is found under its own name or under one of the headers listed below it; case, spaces and punctuation\n\
         \x20 do not count (`Customer ID` is `customer_id`). The report says what was taken from where.\n\
         - `--map COLUMN=HEADER` takes a column from another header, `--set COLUMN=VALUE` gives it one value in all rows.\n\
         \x20 `--save-mapping NAME` keeps both for the next time (`--mapping NAME`).\n\
         - What no column asks for is kept as an attribute; attributes of customers can be used as segments (`--by`).\n\
         - How a file writes numbers and dates is settled once for the whole file, from a sample. Where the sample leaves\n\
         \x20 it open, a value that can be read in two ways is refused: say `--decimal point|comma` and\n\
         \x20 `--dates iso|dmy|mdy|epoch|epoch_millis`. One column alone: `--map created=Created@epoch`.\n\
         - Dates are days of the business (`--tz`); instants without an offset are in UTC. Amounts are in major units\n\
         \x20 (9.99, not 999).\n\
         - `--dry-run` shows what would be read, and writes nothing.\n\
         - A file is visible as a whole or not at all. An import that was interrupted goes on where it was, with the same\n\
         \x20 command. The same file again changes nothing. Facts with the same key are versions of one fact: the one\n\
         \x20 recorded last holds. `--replace` says that the file is the whole truth: what it no longer has is withdrawn.\n\
         - `--value 'COLUMN:TEXT=WORD'` says what a word of the file means (`--value 'category:Cloud=cost_of_revenue'`).
         - The exports of well-known systems are recognised by their headers and read by a [preset](#presets): the report
         \x20 names it, and which lines were no facts. `--preset NAME` asks for one, `--preset none` refuses it.
         - A row that cannot be read is refused with the reason and kept (`recurve quarantine`); the others are imported, and\n\
         \x20 the exit code is 1. `recurve quarantine --replay` reads refused rows again, with what is said then.\n\n",
    );
    writeln!(
        page,
        "Limits: a field of {}, a record of {}, {} columns, JSON objects {} deep.\n\n## The kinds of facts\n",
        bytes(limits::FIELD_BYTES),
        bytes(limits::RECORD_BYTES),
        limits::COLUMNS,
        limits::JSON_DEPTH
    )
    .unwrap();
    page.push_str("| kind | also | what it is |\n|---|---|---|\n");
    for kind in KINDS {
        let also = codes(kind.aliases.iter().copied());
        writeln!(page, "| [`{0}`](#{0}) | {also} | {1} |", kind.name, cell(kind.words)).unwrap();
    }
    for kind in KINDS {
        kind_section(&mut page, kind);
    }
    presets_section(&mut page);
    page.push_str(
        "\n## Why a row is refused\n\nThe code stands in the report, in `recurve quarantine` and in its filter `--code`.\n\n\
         | code | what it means | how to mend it |\n|---|---|---|\n",
    );
    for issue in ISSUES {
        writeln!(page, "| `{}` | {} | {} |", issue.name, cell(&issue.means.en), cell(&issue.mend.en)).unwrap();
    }
    page
}

fn bytes(count: usize) -> String {
    format!("{} MiB", count >> 20)
}

fn kind_section(page: &mut String, kind: &Kind) {
    writeln!(page, "\n### {}\n\n{}\n", kind.name, kind.words).unwrap();
    let needed = kind.columns.iter().filter(|column| column.need == Need::Required).map(|column| column.name);
    writeln!(page, "Needed: {}. One fact for each {}.\n", codes(needed), codes(kind.key.iter().copied())).unwrap();
    page.push_str("| column | what it is | value | also found under |\n|---|---|---|---|\n");
    for column in kind.columns {
        let name = if column.need == Need::Required { format!("**`{}`**", column.name) } else { code(column.name) };
        writeln!(
            page,
            "| {name} | {} | {} | {} |",
            cell(column.words),
            cell(&column.value.words()),
            codes(column.synonyms.iter().copied())
        )
        .unwrap();
    }
    if !kind.rules.is_empty() {
        let rules: Vec<String> = kind.rules.iter().map(rule_words).collect();
        writeln!(page, "\nIn each row: {}.", rules.join("; ")).unwrap();
    }
    let mut words: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for column in kind.columns {
        for choice in choices(&column.value).unwrap_or_default() {
            let multiples = choice.multiples.iter().map(|(word, count)| format!("{} (× {count})", code(word)));
            let also: Vec<String> = choice.synonyms.iter().map(|word| code(word)).chain(multiples).collect();
            if !also.is_empty() {
                words.entry(column.name).or_default().push(format!("`{}`: {}", choice.canonical, also.join(" ")));
            }
        }
    }
    if !words.is_empty() {
        page.push_str("\nWords that are read as others:\n\n");
        for (column, choices) in words {
            writeln!(page, "- `{column}`: {}", choices.join("; ")).unwrap();
        }
    }
}
