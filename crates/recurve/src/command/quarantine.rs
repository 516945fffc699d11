//! `recurve quarantine`: refused rows, and reading them again.

use std::io::Write;

use warehouse::{
    import::{quarantined, replay},
    lake::{Access, RefusedFilter},
    source::mapping::Instructions,
};

use super::{CommandError, Outcome, import::pairs};
use crate::{
    listing::{self, Cell, Sheet},
    session::{Options, Session, clock},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Read the rows again, with what is said below
    #[arg(long)]
    replay: bool,
    /// Only those of one import
    #[arg(long)]
    import: Option<i64>,
    /// Only those of one code, such as currency-unknown
    #[arg(long)]
    code: Option<String>,
    /// Those that were settled since as well
    #[arg(long)]
    settled: bool,
    /// Take a column from this header of the file
    #[arg(long, value_name = "COLUMN=HEADER")]
    map: Vec<String>,
    /// Give a column one value in all rows
    #[arg(long, value_name = "COLUMN=VALUE")]
    set: Vec<String>,
    /// How numbers are written: point or comma
    #[arg(long, value_name = "SIGN")]
    decimal: Option<String>,
    /// How dates are written: iso, dmy, mdy, epoch or epoch_millis
    #[arg(long, value_name = "ORDER")]
    dates: Option<String>,
}

/// Lists the rows, or replays them.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let filter = filter(arguments);
    if !arguments.replay {
        let session = Session::open(options, Access::Read)?;
        return listing::write(options, |sheet| answer(&session, arguments, sheet));
    }
    let session = Session::open(options, Access::Write)?;
    let instructions = Instructions {
        map: pairs(&arguments.map, "map")?,
        set: pairs(&arguments.set, "set")?,
        decimal: arguments.decimal.clone(),
        dates: arguments.dates.clone(),
        ..Instructions::default()
    };
    let report = replay(&session.lake, &filter, &instructions, clock())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} rows read again: {} are facts now, {} still wait", report.read, report.settled, report.waiting)?;
    for issue in &report.issues {
        writeln!(out, "  {issue}")?;
    }
    Ok(if report.waiting > 0 { Outcome::Refused } else { Outcome::Done })
}

/// Which rows are meant.
fn filter(arguments: &Arguments) -> RefusedFilter {
    RefusedFilter {
        import: arguments.import,
        code: arguments.code.clone(),
        settled: (!arguments.settled).then_some(false),
        limit: None,
    }
}

/// The refused rows.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let columns = ["import", "file", "row", "column", "code", "message", "help", "raw", "settled_by"];
    sheet.begin(columns)?;
    for row in quarantined(&session.lake, &filter(arguments))? {
        sheet.row(&[
            Cell::Whole(row.import),
            Cell::text(row.file),
            Cell::Whole(i64::try_from(row.row).unwrap_or(i64::MAX)),
            row.column.map_or(Cell::Empty, Cell::text),
            Cell::text(row.code),
            Cell::text(row.message),
            Cell::text(row.help),
            Cell::text(row.raw),
            row.settled_by.map_or(Cell::Empty, Cell::Whole),
        ])?;
    }
    Ok(Outcome::Done)
}
