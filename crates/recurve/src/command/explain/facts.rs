//! The facts under a figure, each with what it adds to which measure.

use std::io::Write;

use warehouse::{
    books::{Books, Origins},
    catalogue::{Language, Unit},
    engine::{
        self,
        contribution::{Opened, Role, value_text},
    },
};

use super::{super::movements::Listed, words};
use crate::{
    command::CommandError,
    listing::{Cell, Listing},
    session::Options,
};

/// What a list says of the measure that movements add to.
const MRR: &str = "mrr";

/// Lists every fact, movements of the ledger included, one a row.
pub fn list(
    options: &Options,
    books: &Books,
    by: &[String],
    found: &[Opened],
    movements: &[Listed],
) -> Result<(), CommandError> {
    let origins = Origins::load(books)?;
    let head = ["measure", "kind", "fact", "day", "who"].into_iter().map(str::to_owned);
    let tail = ["value", "unit", "file", "row", "import", "role"].into_iter().map(str::to_owned);
    let decimals = books.reporting.decimals();
    let mut listing = Listing::begin(options, head.chain(by.iter().cloned()).chain(tail))?;
    for (opened, fact) in found.iter().flat_map(|opened| opened.facts.iter().map(move |fact| (opened, fact))) {
        let mut row = vec![
            Cell::text(opened.measure.id),
            Cell::text(fact.kind),
            Cell::text(fact.fact.as_str()),
            Cell::Day(fact.day),
            Cell::text(fact.who.as_str()),
        ];
        row.extend(by.iter().enumerate().map(|(place, _)| fact.segment.get(place).map_or(Cell::Empty, Cell::text)));
        row.extend([
            Cell::Number(value_text(&fact.value, opened.unit, decimals)),
            Cell::text(unit_text(opened.unit, books)),
            origins.file(fact.import).map_or(Cell::Empty, Cell::text),
            Cell::Number(fact.row.to_string()),
            Cell::Number(fact.import.to_string()),
            Cell::text(opened.role.name()),
        ]);
        listing.row(&row)?;
    }
    for movement in movements {
        let origin = origins.of(movement.movement.fact);
        let delta = engine::fraction(movement.delta_micros, 1_000_000);
        let mut row = vec![
            Cell::text(MRR),
            Cell::text(format!("subscriptions ({})", movement.movement.kind.name())),
            Cell::text(movement.subscription.as_str()),
            Cell::Day(movement.day),
            Cell::text(books.customer_id(movement.customer)),
        ];
        row.extend(by.iter().map(|_| Cell::Empty));
        row.extend([
            Cell::Number(value_text(&delta, Unit::Money, decimals)),
            Cell::text(books.reporting.code()),
            origin.map_or(Cell::Empty, |origin| Cell::text(origin.import.origin(origin.row.into()).into_owned())),
            origin.map_or(Cell::Empty, |origin| Cell::Number(origin.row.to_string())),
            origin.map_or(Cell::Empty, |origin| Cell::Number(origin.import.id.to_string())),
            Cell::text(Role::Parts.name()),
        ]);
        listing.row(&row)?;
    }
    listing.end()
}

/// Writes the facts under each measure for people, those that add most first.
pub fn write(
    out: &mut impl Write,
    books: &Books,
    found: &[Opened],
    limit: usize,
    language: Language,
) -> Result<(), CommandError> {
    let origins = Origins::load(books)?;
    let decimals = books.reporting.decimals();
    for opened in found {
        let measure = opened.measure;
        let named = measure.words.say(language);
        let count = match opened.facts.len() {
            1 => words::ONE_FACT,
            _ => words::FACTS,
        };
        let count = count.with("{count}", || opened.facts.len().to_string());
        let made_of = match opened.role {
            Role::Parts => words::TOGETHER.with("{sum}", || {
                format!("{} {}", value_text(&opened.sum(), opened.unit, decimals), unit_text(opened.unit, books))
            }),
            Role::Basis => words::WORKED_OUT,
        };
        let made_of = made_of.with("{facts}", || count.say(language).to_owned());
        let days = words::days(opened.from, opened.to);
        writeln!(out)?;
        writeln!(out, "{}: {named}, {}: {}", measure.id, days.say(language), made_of.say(language))?;
        if let Some(value) = opened.value.as_ref().filter(|_| !opened.adds_up()) {
            let value = value_text(value, opened.unit, decimals);
            writeln!(out, "  {}", words::ARE_NOT_THE_MEASURE.with("{value}", || value).say(language))?;
        }
        for fact in opened.largest().into_iter().take(limit) {
            let who = if fact.who.is_empty() { String::new() } else { format!(" {}", fact.who) };
            let segment =
                if fact.segment.is_empty() { String::new() } else { format!("  [{}]", fact.segment.join(", ")) };
            writeln!(
                out,
                "  {}  {:>16}  {} {}{who}{segment}  {}:{} (import {})",
                fact.day,
                value_text(&fact.value, opened.unit, decimals),
                fact.kind,
                fact.fact,
                origins.file(fact.import).unwrap_or_default(),
                fact.row,
                fact.import,
            )?;
        }
        if opened.facts.len() > limit {
            let more = words::MORE_FACTS.with("{count}", || (opened.facts.len() - limit).to_string());
            writeln!(out, "  ... {}", more.say(language))?;
        }
    }
    Ok(())
}

fn unit_text(unit: Unit, books: &Books) -> &str {
    match unit {
        Unit::Money => books.reporting.code(),
        other => other.name(),
    }
}
