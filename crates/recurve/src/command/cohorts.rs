//! `recurve cohorts`: what is left of the customers of each period.

use std::sync::Arc;

use revenue::{
    calendar::{Day, Grain},
    cohort::triangle_of,
    money::print_micros,
};
use warehouse::{
    engine::{
        cohorts::{Triangle, of_first_payments},
        decimal, fraction, journey,
        segment::OUTSIDE,
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
    /// What is counted
    #[arg(long, value_enum, default_value = "customers")]
    pub measure: Measure,
    /// What a cohort begins with: the first payment, or the sign-up (of all who signed up, how many pay)
    #[arg(long, value_enum, default_value = "first-payment")]
    pub start: Start,
    /// How long a period is: day, week, month, quarter or year
    #[arg(long, value_parser = session::grain, default_value = "month")]
    pub grain: Grain,
    /// The cohorts that began in this range; all up to now unless set
    #[command(flatten)]
    pub range: Range,
    /// Split by dimensions; of plans and the like the first one counts
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    pub by: Vec<String>,
    /// Look only at this
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// Customers left
    Customers,
    /// MRR left
    Revenue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Start {
    /// The first payment
    FirstPayment,
    /// The first sign-up
    Signup,
}

/// What is left of a cohort, or of a segment of it, at an age.
pub struct Left {
    /// The first day of the period in which its customers first paid, or signed up.
    pub cohort: Day,
    /// The value in each dimension asked for.
    pub segment: Vec<String>,
    /// How large it was: customers, or their MRR as a decimal.
    pub size: String,
    /// Whole periods later.
    pub age: u32,
    /// What is left then.
    pub value: String,
    /// The share that is left; nothing where the size is zero.
    pub ratio: Option<String>,
}

/// The triangle by cohort, segment and age.
pub fn answer(session: &Session, asked: &Arguments) -> Result<Vec<Left>, CommandError> {
    let books = session.books()?;
    let filters = session::filters(&asked.filters)?;
    let ledger = &books.ledger;
    let day = |text: &Option<String>, option| text.as_ref().map(|text| session::day(text, option)).transpose();
    let from = day(&asked.range.from, "from")?;
    let through = day(&asked.range.to, "to")?.unwrap_or(Day::LATEST).min(session.today());
    let assumptions = session.assumptions()?;
    let triangle: Arc<Triangle> = match asked.start {
        Start::FirstPayment => {
            let first_day = books.first_movement().unwrap_or(session.today());
            let range = (from.unwrap_or(first_day), through);
            of_first_payments(&books, &assumptions, &asked.by, &filters, asked.grain, range)?
        }
        Start::Signup => {
            let signed_up = journey::signed_up(&books, &assumptions, &asked.by, &filters)?;
            let journey::SignedUp { members, labels } = signed_up.ok_or_else(|| {
                CommandError::Usage(
                    "no sign-up is known, so there are no cohorts of them: `recurve import signups FILE` brings them in"
                        .to_owned(),
                )
            })?;
            let first_day = members.iter().map(|member| member.start).min().unwrap_or(session.today());
            let cells = triangle_of(ledger, asked.grain, from.unwrap_or(first_day), through, members.into_iter());
            Arc::new(Triangle { cells, labels })
        }
    };
    let Triangle { cells, labels } = &*triangle;
    let mut left = Vec::with_capacity(cells.len());
    for cell in cells.iter().filter(|cell| cell.segment != OUTSIDE) {
        let Some(label) = labels.get(cell.segment as usize) else { continue };
        let (size, value) = match asked.measure {
            Measure::Customers => (i128::from(cell.size_customers), i128::from(cell.customers)),
            Measure::Revenue => (cell.size_micros, cell.micros),
        };
        let print = |value: i128| match asked.measure {
            Measure::Customers => value.to_string(),
            Measure::Revenue => print_micros(value, books.reporting.decimals()),
        };
        left.push(Left {
            cohort: cell.cohort,
            segment: label.clone(),
            size: print(size),
            age: cell.age,
            value: print(value),
            ratio: (size != 0).then(|| decimal(&fraction(value, size), 12, 12)),
        });
    }
    Ok(left)
}

/// The triangle, a cell a row.
pub fn list(session: &Session, asked: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let cells = answer(session, asked)?;
    let header = std::iter::once("cohort".to_owned()).chain(asked.by.iter().cloned());
    let tail = ["size", "age", "value", "ratio"].into_iter().map(str::to_owned);
    sheet.begin(header.chain(tail))?;
    for left in cells {
        let mut row = vec![Cell::Day(left.cohort)];
        row.extend(left.segment.into_iter().map(Cell::text));
        row.extend([
            Cell::Number(left.size),
            Cell::Whole(i64::from(left.age)),
            Cell::Number(left.value),
            left.ratio.map_or(Cell::Empty, Cell::Number),
        ]);
        sheet.row(&row)?;
    }
    Ok(Outcome::Done)
}

/// Lists the triangle.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| list(&session, arguments, sheet))
}
