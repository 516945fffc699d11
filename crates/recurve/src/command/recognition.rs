//! `recurve recognition`: the waterfall of deferred revenue: of what each month billed, how much each month earns; or the
//! accounts of a small double-entry ledger, month by month.

use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
    recognition::{Position, waterfall},
};
use warehouse::{
    books::Books,
    engine::{
        EngineError,
        billing::{BilledLine, billed_lines},
    },
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
    /// Show what each month changes in each account instead, and how it stands at the month's end
    #[arg(long)]
    accounts: bool,
}

/// An account by its name, and what it is of a position.
type Account = (&'static str, fn(&Position) -> i128);

/// The accounts, as they are listed.
const ACCOUNTS: &[Account] = &[
    ("billed", |position| position.billed_micros),
    ("revenue", |position| position.revenue_micros),
    ("refunds", |position| position.refunds_micros),
    ("disputes", |position| position.disputes_micros),
    ("credit_notes", |position| position.credit_notes_micros),
    ("voids", |position| position.voids_micros),
    ("bad_debt", |position| position.bad_debt_micros),
    ("recovered", |position| position.recovered_micros),
    ("deferred", |position| position.deferred_micros),
    ("cancelled", |position| position.cancelled_micros),
    ("unbilled", |position| position.unbilled_micros),
    ("receivable", |position| position.receivable_micros),
    ("cash", |position| position.cash_micros),
    ("tax_payable", |position| position.tax_payable_micros),
    ("exchange_gain", |position| position.exchange_gain_micros),
];

/// Lists the cells of the waterfall.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The cells of the waterfall, or the accounts.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let bound = |text: &Option<String>, name: &str| text.as_ref().map(|text| session::day(text, name)).transpose();
    let (from, to) = (bound(&arguments.from, "from")?, bound(&arguments.to, "to")?);
    let books = session.books()?;
    let lines = billed_lines(&books)?;
    if arguments.accounts {
        return accounts(&books, &lines, (from, to), sheet);
    }
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

/// What each month changes in each account.
fn accounts(
    books: &Books,
    lines: &[BilledLine],
    (from, to): (Option<Day>, Option<Day>),
    sheet: &mut dyn Sheet,
) -> Result<Outcome, CommandError> {
    sheet.begin(["month", "account", "change", "closing", "currency"])?;
    let firsts = lines.iter().map(|billed| billed.line.schedule.start().min(billed.line.issued));
    let Some(first) = firsts.min() else { return Ok(Outcome::Done) };
    let at = |day: Day| -> Result<Position, EngineError> {
        let mut total = Position::default();
        for billed in lines {
            total += billed.position(day)?;
        }
        Ok(total)
    };
    let mut month = from.map_or(first, |from| from.max(first)).first_of(Grain::Month);
    let end = to.map_or(books.first_day_to_come(), |to| to.min(books.first_day_to_come()));
    let mut opening = at(month)?;
    let decimals = books.reporting.decimals();
    while month < end {
        let next = month.next_of(Grain::Month);
        let closing = at(next.min(books.first_day_to_come()))?;
        for (name, of) in ACCOUNTS {
            let (change, stands) = (of(&closing) - of(&opening), of(&closing));
            if change != 0 || stands != 0 {
                sheet.row(&[
                    Cell::Day(month),
                    Cell::text(*name),
                    Cell::Number(print_micros(change, decimals)),
                    Cell::Number(print_micros(stands, decimals)),
                    Cell::text(books.reporting.code()),
                ])?;
            }
        }
        (month, opening) = (next, closing);
    }
    Ok(Outcome::Done)
}
