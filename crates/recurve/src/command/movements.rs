//! `recurve movements`: the ledger, row by row.

use revenue::calendar::Day;
use revenue::money::print_micros;
use warehouse::{
    books::{Books, Origins},
    engine::{
        segment::{OUTSIDE, Segmentation},
        survival::customers_by,
    },
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The range; the whole history up to now unless set
    #[command(flatten)]
    range: Range,
    /// Look only at this, such as plan=team or customer=c1
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
}

/// The columns of the contract.
pub const COLUMNS: &[&str] = &[
    "customer",
    "day",
    "subscription",
    "plan",
    "kind",
    "delta",
    "currency",
    "mrr_before",
    "mrr_after",
    "source",
    "fact",
    "confidence",
];

/// One row of the list: movements of one part of a customer on one day, put together where they differ only in what
/// the list does not show.
pub struct Listed {
    /// The customer's number.
    pub customer: u32,
    /// The day.
    pub day: Day,
    /// The subscription.
    pub subscription: String,
    /// The plan.
    pub plan: String,
    /// The first of the movements.
    pub movement: revenue::movement::Movement,
    /// What they add up to.
    pub delta_micros: i128,
    /// The customer's MRR before the day.
    pub before_micros: i128,
    /// The customer's MRR after it.
    pub after_micros: i128,
}

/// The rows of one customer in `[from, to)`, sorted by day, subscription and plan.
pub fn of_customer(books: &Books, segmentation: &Segmentation, customer: u32, from: Day, to: Day) -> Vec<Listed> {
    let ledger = &books.ledger;
    let rows = ledger.of_customer(customer as usize);
    let mut listed = Vec::new();
    let mut mrr: i128 = 0;
    let mut first = rows.start;
    while first < rows.end {
        let day = ledger.day[first];
        let last = (first..rows.end).find(|row| ledger.day[*row] != day).unwrap_or(rows.end);
        let before = mrr;
        mrr += ledger.delta_micros[first..last].iter().map(|delta| i128::from(*delta)).sum::<i128>();
        if (from.0..to.0).contains(&day) {
            let begun = listed.len();
            for row in first..last {
                let Some(movement) = ledger.movement(row) else { continue };
                if segmentation.segment(customer as usize, movement.offer) == OUTSIDE {
                    continue;
                }
                let subscription = books.subscription_id(movement.subscription);
                let plan = books.facts.offers.get(movement.offer as usize).map_or("", |offer| offer.plan.as_str());
                let same = listed[begun..].iter_mut().find(|other: &&mut Listed| {
                    other.subscription == subscription && other.plan == plan && other.movement.kind == movement.kind
                });
                match same {
                    Some(other) => other.delta_micros += i128::from(movement.delta_micros),
                    None => listed.push(Listed {
                        customer,
                        day: Day(day),
                        subscription,
                        plan: plan.to_owned(),
                        movement,
                        delta_micros: movement.delta_micros.into(),
                        before_micros: before,
                        after_micros: mrr,
                    }),
                }
            }
            let moves_customer = |listed: &Listed| {
                use revenue::movement::Kind;
                // Who pays nothing may still come and go, where the policy counts them.
                matches!(listed.movement.kind, Kind::New | Kind::Reactivation | Kind::Churn)
            };
            let mut index = begun;
            while index < listed.len() {
                if listed[index].delta_micros == 0 && !moves_customer(&listed[index]) {
                    listed.remove(index);
                } else {
                    index += 1;
                }
            }
            listed[begun..].sort_by(|a, b| (&a.subscription, &a.plan).cmp(&(&b.subscription, &b.plan)));
        }
        first = last;
    }
    listed
}

/// The cells of a row.
pub fn cells(books: &Books, origins: &Origins, customer_id: &str, row: &Listed) -> Vec<Cell> {
    let decimals = books.reporting.decimals();
    let money = |micros| Cell::Number(print_micros(micros, decimals));
    let origin = origins.of(row.movement.fact);
    vec![
        Cell::text(customer_id),
        Cell::Day(row.day),
        Cell::text(row.subscription.as_str()),
        Cell::text(row.plan.as_str()),
        Cell::text(row.movement.kind.name()),
        money(row.delta_micros),
        Cell::text(books.reporting.code()),
        money(row.before_micros),
        money(row.after_micros),
        origin.map_or(Cell::Empty, |origin| Cell::text(origin.import.source.as_str())),
        origin.map_or(Cell::Empty, |origin| Cell::text(origin.place())),
        Cell::text(row.movement.confidence.name()),
    ]
}

/// Lists them.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Their rows, sorted by customer and day.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let segmentation = customers_by(&books, &session.assumptions()?, &[], &session::filters(&arguments.filters)?)?;
    let origins = Origins::kept(&books)?;
    let day = |text: &Option<String>, option| text.as_ref().map(|text| session::day(text, option)).transpose();
    let from = day(&arguments.range.from, "from")?.unwrap_or(Day::EARLIEST);
    let to = day(&arguments.range.to, "to")?.unwrap_or(Day::LATEST).min(books.first_day_to_come());
    sheet.begin(COLUMNS.iter().copied())?;
    for customer in 0..books.customers.len() as u32 {
        if !segmentation.has_customer(customer as usize) {
            continue;
        }
        let rows = of_customer(&books, &segmentation, customer, from, to);
        if rows.is_empty() {
            continue;
        }
        let id = books.customer_id(customer);
        for row in &rows {
            sheet.row(&cells(&books, &origins, &id, row))?;
        }
    }
    Ok(Outcome::Done)
}
