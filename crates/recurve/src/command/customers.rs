//! `recurve customers`: who pays what.

use std::collections::HashMap;

use revenue::{calendar::Day, money::print_micros, movement::Kind};
use warehouse::{
    engine::{
        segment::OUTSIDE,
        standing::{Place, Standings},
        survival::customers_by,
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
    /// The end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
    /// Only customers who pay then
    #[arg(long)]
    paying: bool,
    /// Look only at this, such as country=FR
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
}

/// Lists them, by id.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Their rows, by id.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let segmentation = customers_by(&books, &session.assumptions()?, &[], &session::filters(&arguments.filters)?)?;
    let end = match &arguments.at {
        Some(text) => session::day(text, "at")?.plus_days(1),
        None => books.first_day_to_come(),
    };
    let columns =
        ["customer", "mrr", "currency", "first_paid", "last_change", "last_kind", "left", "segment", "health"];
    let places: HashMap<u32, Place> =
        Standings::new(&books)?.before(end).into_iter().map(|place| (place.customer, place)).collect();
    sheet.begin(columns)?;
    let ledger = &books.ledger;
    for customer in 0..books.customers.len() {
        if !segmentation.has_customer(customer) {
            continue;
        }
        let rows = ledger.of_customer(customer);
        let (mut mrr, mut first, mut last, mut left) = (0i128, None, None, None);
        let mut seen = false;
        for row in rows.filter(|row| ledger.day[*row] < end.0) {
            let (day, kind) = (Day(ledger.day[row]), ledger.kind[row]);
            first = first.or(Some(day));
            last = Some((day, kind));
            match kind {
                Kind::Churn => left = Some(day),
                Kind::New | Kind::Reactivation => left = None,
                _ => {}
            }
            if segmentation.segment(customer, ledger.offer[row]) != OUTSIDE {
                seen = true;
                mrr += i128::from(ledger.delta_micros[row]);
            }
        }
        if !seen || (arguments.paying && left.is_some()) {
            continue;
        }
        let place = places.get(&(customer as u32));
        sheet.row(&[
            Cell::text(books.customer_id(customer as u32)),
            Cell::Number(print_micros(mrr, books.reporting.decimals())),
            Cell::text(books.reporting.code()),
            first.map_or(Cell::Empty, Cell::Day),
            last.map_or(Cell::Empty, |(day, _)| Cell::Day(day)),
            last.map_or(Cell::Empty, |(_, kind)| Cell::text(kind.name())),
            left.map_or(Cell::Empty, Cell::Day),
            place.map_or(Cell::Empty, |place| Cell::text(place.standing.segment.name())),
            place
                .and_then(|place| place.known.health)
                .map_or(Cell::Empty, |points| Cell::Number(format!("{points:.1}"))),
        ])?;
    }
    Ok(Outcome::Done)
}
