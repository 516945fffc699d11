//! Every kind of fact, by the same road: in from each format, out unchanged, corrected, withdrawn.

use std::fmt::Write;

use warehouse::kind::{Column, KINDS, Kind, Need, ValueKind};

use crate::folder::Folder;

/// A value that the column takes. Moments rise along the columns of a row, so that ends come after starts.
fn value(column: &Column, position: usize, row: usize) -> String {
    match column.value {
        ValueKind::Text => format!("a \"{}\", {row}", column.name),
        ValueKind::Id => format!("{}-{row}", column.name),
        // A rate is between two of them.
        ValueKind::Currency => if column.name == "quote" { "EUR" } else { "USD" }.to_owned(),
        ValueKind::Decimal => format!("{}.0625", row + 7),
        ValueKind::Integer => (row + 1).to_string(),
        ValueKind::Percent => format!("{row}.5"),
        ValueKind::Moment if row.is_multiple_of(2) => {
            format!("2024-{:02}-{:02}T10:00:00.000001Z", row + 1, position + 1)
        }
        ValueKind::Moment | ValueKind::Day => format!("2024-{:02}-{:02}", row + 1, position + 1),
        ValueKind::Boolean => (row.is_multiple_of(2)).to_string(),
        ValueKind::Choice(choices) | ValueKind::ChoiceOrMonths(choices) => {
            choices[row % choices.len()].canonical.into()
        }
        ValueKind::Tiers => format!("{}:5.00:0; inf:4.00:1", row + 1),
    }
}

/// A row with everything, or with what it needs.
fn row(kind: &Kind, row: usize, whole: bool) -> Vec<String> {
    let columns = kind.columns.iter().enumerate();
    columns
        .map(|(at, column)| if whole || column.need == Need::Required { value(column, at, row) } else { String::new() })
        .collect()
}

fn csv(kind: &Kind, rows: &[Vec<String>]) -> String {
    let mut text = kind.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in rows {
        let quoted = |cell: &String| {
            if cell.contains(['"', ',']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
        };
        let _ = writeln!(text, "{}", row.iter().map(quoted).collect::<Vec<_>>().join(","));
    }
    text
}

fn json_lines(kind: &Kind, rows: &[Vec<String>]) -> String {
    let text = |text: &str| format!("\"{}\"", text.replace('"', "\\\""));
    let mut lines = String::new();
    for row in rows {
        let given = kind.columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        let members: Vec<String> =
            given.map(|(column, cell)| format!("{}: {}", text(column.name), text(cell))).collect();
        let _ = writeln!(lines, "{{{}}}", members.join(", "));
    }
    lines
}

/// The rows of an export, which come in the order of their keys.
fn exported(folder: &Folder, kind: &Kind) -> Vec<String> {
    let said = folder.run(&["export", kind.name, "--format", "csv"]).ends_with(0).out;
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn lines(csv: &str) -> Vec<String> {
    let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn every_kind_comes_in_from_each_format_and_goes_out_unchanged() {
    for kind in KINDS {
        let rows = [row(kind, 1, true), row(kind, 2, false), row(kind, 4, true)];
        let as_csv = csv(kind, &rows);
        let first = Folder::empty();
        first.file("facts.csv", &as_csv);
        first.run(&["import", kind.name, "facts.csv"]).ends_with(0).says(&["3 accepted, 0 refused"]);
        assert_eq!(exported(&first, kind), lines(&as_csv), "{}: from CSV", kind.name);

        let parquet = first.path().join("facts.parquet").display().to_string();
        first.run(&["export", kind.name, "--format", "parquet", "--output", &parquet]).ends_with(0);
        let second = Folder::empty();
        second.run(&["import", kind.name, &parquet]).ends_with(0).says(&["3 accepted, 0 refused"]);
        assert_eq!(exported(&second, kind), lines(&as_csv), "{}: from Parquet", kind.name);

        let third = Folder::empty();
        third.file("facts.jsonl", json_lines(kind, &rows));
        third.run(&["import", kind.name, "facts.jsonl"]).ends_with(0).says(&["3 accepted, 0 refused"]);
        assert_eq!(exported(&third, kind), lines(&as_csv), "{}: from JSON lines", kind.name);

        // What it gave out says nothing new.
        third.run(&["import", kind.name, &parquet]).ends_with(0);
        assert_eq!(exported(&third, kind), lines(&as_csv), "{}: its own export", kind.name);
    }
}

#[test]
fn a_fact_of_every_kind_is_corrected_and_withdrawn() {
    for kind in KINDS {
        let folder = Folder::empty();
        let kept = row(kind, 1, true);
        folder.file("first.csv", csv(kind, &[kept.clone(), row(kind, 2, true)]));
        folder.run(&["import", kind.name, "first.csv"]).ends_with(0);

        // Another value in the last column that does not say which fact it is.
        let at = kind.columns.iter().rposition(|column| !kind.key.contains(&column.name)).unwrap();
        let mut corrected = kept.clone();
        corrected[at] = value(&kind.columns[at], at + 1, 5);
        assert_ne!(corrected, kept, "{}", kind.name);
        folder.file("second.csv", csv(kind, std::slice::from_ref(&corrected)));
        folder.run(&["import", kind.name, "second.csv"]).ends_with(0);
        let both = csv(kind, &[corrected.clone(), row(kind, 2, true)]);
        assert_eq!(exported(&folder, kind), lines(&both), "{}: corrected", kind.name);

        folder.file("whole.csv", csv(kind, std::slice::from_ref(&kept)));
        folder.run(&["import", kind.name, "--replace", "whole.csv"]).ends_with(0).says(&["1 facts withdrawn"]);
        let alone = csv(kind, std::slice::from_ref(&kept));
        assert_eq!(exported(&folder, kind), lines(&alone), "{}: withdrawn", kind.name);
    }
}
