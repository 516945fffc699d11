//! `recurve export`: facts as they came.

use warehouse::{import, kind::Kind, lake::Access};

use super::{CommandError, Outcome, import::kind_of};
use crate::{
    listing::{Cell, Listing},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The kind of facts, such as subscriptions
    #[arg(value_parser = kind_of)]
    kind: &'static Kind,
    /// Only those of one source
    #[arg(long)]
    source: Option<String>,
}

/// Writes the newest version of each fact, by its key.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let as_known_at =
        options.as_known_at.as_ref().map(|text| session::instant(text, "as-known-at", &session.zone)).transpose()?;
    let facts = import::export(&session.lake, arguments.kind, arguments.source.as_deref(), as_known_at)?;
    let mut listing = Listing::begin(options, facts.columns().iter().map(|column| column.name.clone()))?;
    for row in facts {
        let cells: Vec<Cell> = row.into_iter().map(|value| value.map_or(Cell::Empty, Cell::Text)).collect();
        listing.row(&cells)?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
