//! `recurve recognition`: the waterfall of deferred revenue: of what each month billed, how much each month earns.

use revenue::{calendar::Day, money::print_micros, recognition::waterfall};
use warehouse::{
    engine::{EngineError, billing::billed_lines},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The first day of the months in which something was billed; all of them unless set
    #[arg(long, value_name = "D")]
    from: Option<String>,
    /// The first day of the months no more; everything known by now unless set
    #[arg(long, value_name = "D")]
    to: Option<String>,
}

/// Lists the cells of the waterfall.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let bound = |text: &Option<String>, name: &str| text.as_ref().map(|text| session::day(text, name)).transpose();
    let (from, to) = (bound(&arguments.from, "from")?, bound(&arguments.to, "to")?);
    let books = session.books()?;
    let lines = billed_lines(&books)?;
    let lines = lines.iter().map(|billed| (&billed.line, billed.changes.as_slice()));
    let cells = waterfall(lines, books.first_day_to_come()).map_err(EngineError::from)?;
    let asked = |billed: Day| from.is_none_or(|from| billed >= from) && to.is_none_or(|to| billed < to);
    let mut listing = Listing::begin(options, ["billed", "earned", "amount", "currency"])?;
    for cell in cells.iter().filter(|cell| asked(cell.billed)) {
        listing.row(&[
            Cell::Day(cell.billed),
            Cell::Day(cell.earned),
            Cell::Number(print_micros(cell.micros, books.reporting.decimals())),
            Cell::text(books.reporting.code()),
        ])?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
