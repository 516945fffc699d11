//! Which metrics the pages of `tests/scenarios` show. A page shows a metric when its table states what the program has to
//! print for it: a figure, or why there is none.

use std::collections::BTreeMap;

use warehouse::catalogue::Catalogue;

use super::page::{Page, Step, Table, What};

/// What a table states of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stated {
    /// A number or a date.
    Figure,
    /// That there is nothing to divide by, or nothing that could limit it.
    Undefined,
    /// That facts are missing.
    NoData,
}

impl Stated {
    fn of(cell: &str) -> Option<Stated> {
        let digits = cell.strip_prefix('-').unwrap_or(cell).trim_start_matches(['(', ' ']);
        match cell {
            _ if digits.starts_with(|first: char| first.is_ascii_digit()) => Some(Stated::Figure),
            _ if cell.starts_with("undefined") => Some(Stated::Undefined),
            _ if cell.starts_with("no data") => Some(Stated::NoData),
            _ => None,
        }
    }
}

/// By metric and variant (empty where there are none) what is stated of it.
pub type StatedByVariant = BTreeMap<(String, String), Vec<Stated>>;

/// What the steps of a page state of metrics.
pub fn stated_by(catalogue: &Catalogue, page: &Page) -> StatedByVariant {
    let mut all = StatedByVariant::new();
    for step in &page.steps {
        for (metric, stated) in stated_by_step(catalogue, step) {
            all.entry(metric).or_default().push(stated);
        }
    }
    all
}

fn stated_by_step(catalogue: &Catalogue, step: &Step) -> Vec<((String, String), Stated)> {
    let What::Command { words, table } = &step.what else { return Vec::new() };
    let (Some("metric"), Some(header)) = (words.first().map(String::as_str), table.first()) else { return Vec::new() };
    let asked_variant = words.iter().skip_while(|word| *word != "--variant").nth(1).map(String::as_str);
    let resolve = |name: &str| {
        let (id, variant) = name.split_once('.').map_or((name, asked_variant), |(id, variant)| (id, Some(variant)));
        let resolved = catalogue.resolve(id, variant).ok()?;
        Some((resolved.metric.id.clone(), resolved.variant.name.clone()))
    };
    let asked: Vec<(String, String)> = words[1..].iter().filter_map(|word| resolve(word)).collect();
    // A table that names no variant speaks of the only one that was asked for.
    let resolve = |name: &str| {
        let of_it: Vec<_> = asked.iter().filter(|(id, _)| id == name).collect();
        if let ([one], false) = (of_it.as_slice(), name.contains('.')) { Some((*one).clone()) } else { resolve(name) }
    };
    let mut found = Vec::new();
    let place = |name: &str| header.iter().position(|column| column == name);
    if let Some(metric) = place("metric") {
        for row in &table[1..] {
            let named = match place("variant").map(|variant| row[variant].as_str()) {
                Some("-") | None => row[metric].clone(),
                Some(variant) => format!("{}.{variant}", row[metric]),
            };
            let Some(named) = resolve(&named) else { continue };
            found.extend(values(header, row).filter_map(Stated::of).map(|stated| (named.clone(), stated)));
        }
        return found;
    }
    for (column, name) in header.iter().enumerate() {
        // Without a column for the metric, `value` is that of the only one that was asked for.
        let named = if name == "value" { asked.first().cloned() } else { resolve(name) };
        let Some(named) = named else { continue };
        found.extend(cells(table, column).filter_map(Stated::of).map(|stated| (named.clone(), stated)));
    }
    found
}

/// The cells of a row that are values: those under `value`, `note` and the periods.
fn values<'t>(header: &'t [String], row: &'t [String]) -> impl Iterator<Item = &'t str> {
    let holds =
        |column: &str| ["value", "note"].contains(&column) || column.starts_with(|first: char| first.is_ascii_digit());
    header.iter().zip(row).filter(move |(column, _)| holds(column)).map(|(_, cell)| cell.as_str())
}

fn cells(table: &Table, column: usize) -> impl Iterator<Item = &str> {
    table[1..].iter().map(move |row| row[column].as_str())
}
