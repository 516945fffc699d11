//! `recurve recognition`: the waterfall of deferred revenue: of what each month billed, how much each month earns.

use revenue::{calendar::Day, money::print_micros, recognition::waterfall};
use warehouse::{
    engine::{EngineError, billing::billed_lines},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
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
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The cells of the waterfall.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let bound = |text: &Option<String>, name: &str| text.as_ref().map(|text| session::day(text, name)).transpose();
    let (from, to) = (bound(&arguments.from, "from")?, bound(&arguments.to, "to")?);
    let books = session.books()?;
    let lines = billed_lines(&books)?;
    let lines = lines.iter().map(|billed| (&billed.line, billed.changes.as_slice()));
    let cells = waterfall(lines, books.first_day_to_come()).map_err(EngineError::from)?;
    let asked = |billed: Day| from.is_none_or(|from| billed >= from) && to.is_none_or(|to| billed < to);
    sheet.begin(["billed", "earned", "amount", "currency"])?;
    for cell in cells.iter().filter(|cell| asked(cell.billed)) {
        sheet.row(&[
            Cell::Day(cell.billed),
            Cell::Day(cell.earned),
            Cell::Number(print_micros(cell.micros, books.reporting.decimals())),
            Cell::text(books.reporting.code()),
        ])?;
    }
    Ok(Outcome::Done)
}
