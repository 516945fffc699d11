//! Exports of well-known systems: each page of `tests/exports` is played against the real program.

use std::{collections::BTreeSet, fs, path::PathBuf};

use warehouse::source::preset::presets;

use crate::folder::Folder;

fn exports() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/exports")
}

/// A page: the words of its command, its exit code, and the lines of its parts.
struct Page {
    command: Vec<String>,
    code: i32,
    says: Vec<String>,
    facts: Vec<String>,
}

fn page(name: &str) -> Page {
    let text =
        fs::read_to_string(exports().join(format!("{name}.txt"))).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut page = Page { command: Vec::new(), code: 0, says: Vec::new(), facts: Vec::new() };
    let mut part = "";
    for line in text.lines() {
        match line {
            "" => part = "",
            "says" | "facts" => part = line,
            line if line.starts_with("import ") => {
                let (command, code) = line.split_once(" => ").unwrap_or((line, "0"));
                page.command = command.split(' ').map(str::to_owned).collect();
                page.code = code.parse().unwrap();
            }
            line => match part {
                "says" => page.says.push(line.to_owned()),
                "facts" => page.facts.push(line.to_owned()),
                _ => {}
            },
        }
    }
    assert!(page.command.len() > 2 && page.facts.len() > 1, "{name}: the page says nothing");
    page
}

/// The facts of a kind in the columns of a header, sorted.
fn facts(folder: &Folder, kind: &str, header: &str) -> Vec<String> {
    let exported = folder.run(&["export", kind, "--format", "csv"]).ends_with(0).out;
    let mut reader = csv::Reader::from_reader(exported.as_bytes());
    let names = reader.headers().unwrap().clone();
    let wanted: Vec<usize> = header
        .split(',')
        .map(|column| names.iter().position(|name| name == column).unwrap_or_else(|| panic!("no {column}: {exported}")))
        .collect();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        wanted.iter().map(|at| row.get(*at).unwrap()).collect::<Vec<_>>().join(",")
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

#[test]
fn every_preset_recognises_its_export_and_reads_it() {
    for preset in presets() {
        let page = page(preset.name);
        let folder = Folder::empty();
        let file = exports().join(&page.command[2]);
        let file = fs::canonicalize(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut words: Vec<&str> = page.command.iter().map(String::as_str).collect();
        let path = file.display().to_string();
        words[2] = &path;
        let says: Vec<&str> = page.says.iter().map(String::as_str).collect();
        folder.run(&words).ends_with(page.code).says(&says);
        assert!(
            page.says.contains(&format!("by the preset {}", preset.name)),
            "{}: the page names it not",
            preset.name
        );
        assert_eq!(facts(&folder, words[1], &page.facts[0]), page.facts[1..], "{}", preset.name);

        // Named, it reads the same; refused, it does not.
        let named = Folder::empty();
        named.run(&[&words[..], &["--preset", preset.name]].concat()).ends_with(page.code);
        assert_eq!(facts(&named, words[1], &page.facts[0]), page.facts[1..], "{}", preset.name);
        let refused = folder.run(&[&words[..], &["--preset", "none", "--dry-run"]].concat());
        assert!(!refused.out.contains("by the preset"), "{}", refused.out);
    }
}

#[test]
fn every_file_of_exports_belongs_to_a_preset() {
    let mut used: BTreeSet<String> = BTreeSet::from(["README.md".to_owned()]);
    for preset in presets() {
        used.insert(format!("{}.txt", preset.name));
        used.insert(page(preset.name).command[2].clone());
    }
    for entry in fs::read_dir(exports()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(used.contains(&name), "tests/exports/{name} is of no preset");
    }
}

#[test]
fn what_is_wrong_with_a_preset_is_said_with_the_way_on() {
    let folder = Folder::empty();
    folder.file("rates.csv", "Date,From,To,Rate\n2024-01-01,USD,EUR,0.9\n");
    folder.run(&["import", "spend", "rates.csv", "--preset", "meta"]).ends_with(4).says(&[
        "there is no preset `meta` for spend",
        "meta-ads",
        "`none`",
    ]);
    folder.run(&["import", "spend", "rates.csv", "--preset", "meta-ads"]).ends_with(4).says(&[
        "does not fit the file",
        "`Reporting starts`",
        "`Date`",
    ]);
    let zendesk = exports().join("zendesk-tickets.csv").display().to_string();
    folder.run(&["import", "subscriptions", &zendesk]).ends_with(4).says(&["Zendesk", "recurve import tickets"]);
}

#[test]
fn words_of_a_file_are_said_without_a_preset() {
    let folder = Folder::empty();
    folder.file("costs.csv", "date,type,currency,total\n2024-01-01,Cloud,USD,5\n2024-01-02,hosting,USD,6\n");
    folder.run(&["import", "costs", "costs.csv"]).ends_with(1).says(&["Cloud", "word-unknown"]);
    folder
        .run(&["import", "costs", "costs.csv", "--value", "category:cloud=cost_of_revenue"])
        .ends_with(0)
        .says(&["category is taken from type, in words of yours"]);
    let wanted = ["2024-01-01,cost_of_revenue,5", "2024-01-02,cost_of_revenue,6"];
    assert_eq!(facts(&folder, "costs", "day,category,amount"), wanted);
    folder.run(&["import", "costs", "costs.csv", "--value", "cloud"]).ends_with(2).says(&["COLUMN:TEXT=WORD"]);
    folder.run(&["import", "costs", "costs.csv", "--value", "vendor:a=b"]).ends_with(4).says(&["--map vendor="]);
}

#[test]
fn a_row_that_a_preset_refused_is_read_again_by_it() {
    let folder = Folder::empty();
    let header = "Reporting starts,Reporting ends,Campaign name,Amount spent (XQZ),Impressions\n";
    folder.file("meta.csv", format!("{header}2024-01-01,2024-01-01,Launch,5.50,100\n"));
    folder.run(&["import", "spend", "meta.csv"]).ends_with(1).says(&["currency-unknown"]);
    folder.run(&["quarantine", "--replay", "--set", "currency=EUR"]).ends_with(0).says(&["1 are facts now"]);
    let columns = "day,until,channel,campaign,currency,amount,impressions";
    assert_eq!(facts(&folder, "spend", columns), ["2024-01-01,2024-01-01,meta ads,Launch,EUR,5.5,100"]);
}

#[test]
fn a_statement_corrects_the_one_before_it() {
    let folder = Folder::empty();
    let statement = |hosting: &str, rent: &str| {
        format!(
            "Profit and Loss,\nExample,\n\"January, 2024\",\n\n,Total\nCost of Goods Sold,\n Hosting,{hosting}\n\
             Total Cost of Goods Sold,0\nExpenses,\n{rent}Total Expenses,0\n"
        )
    };
    folder.file("first.csv", statement("100.00", " Rent,70.00\n"));
    folder.file("second.csv", statement("120.00", ""));
    let words = |file| ["import", "costs", file, "--set", "currency=USD", "--source", "quickbooks", "--replace"];
    folder.run(&words("first.csv")).ends_with(0).says(&["2 accepted"]);
    folder.run(&words("second.csv")).ends_with(0).says(&["1 accepted", "1 facts withdrawn"]);
    assert_eq!(facts(&folder, "costs", "day,until,amount"), ["2024-01-01,2024-01-31,120"]);
}
