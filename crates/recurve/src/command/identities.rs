//! `recurve identities`: who could be joined with whom, and what contradicts what.

use std::collections::HashMap;

use warehouse::{
    engine::identities,
    lake::{Access, ImportRecord},
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// List the statements that contradict earlier ones instead, each with its fact
    #[arg(long)]
    contradictions: bool,
}

/// Counts ids by sort, or lists contradictions.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The rows.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let report = identities::report(&books, arguments.contradictions)?;
    let count = |number: u64| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    if !arguments.contradictions {
        let columns = ["sort", "ids", "to_customer", "linked", "alone", "contradictions"];
        sheet.begin(columns)?;
        for joined in &report.sorts {
            let counts = [joined.ids, joined.to_customer, joined.linked, joined.alone, joined.contradictions];
            let row: Vec<Cell> = std::iter::once(Cell::text(joined.sort)).chain(counts.map(count)).collect();
            sheet.row(&row)?;
        }
        return Ok(Outcome::Done);
    }
    let imports: HashMap<i64, ImportRecord> =
        session.lake.imports(None)?.into_iter().map(|import| (import.id, import)).collect();
    sheet.begin(["day", "sort", "id", "other_sort", "other_id", "why", "fact"])?;
    for contradiction in &report.contradictions {
        let (kind, import, row) = contradiction.fact;
        let file = imports.get(&import).map_or("?".into(), |import| import.origin(row.unsigned_abs()));
        sheet.row(&[
            contradiction.at.map_or(Cell::Empty, |at| Cell::Day(session.zone.day_of_instant(at))),
            Cell::text(contradiction.one.0),
            Cell::text(contradiction.one.1.as_str()),
            Cell::text(contradiction.other.0),
            Cell::text(contradiction.other.1.as_str()),
            Cell::text(contradiction.words()),
            Cell::text(format!("{kind} {file}:{row}")),
        ])?;
    }
    Ok(Outcome::Done)
}
