//! `recurve cohorts`: what is left of the customers of each period.

use revenue::{
    calendar::{Day, Grain},
    cohort::triangle,
    money::print_micros,
    movement::Kind,
};
use warehouse::{
    engine::{
        decimal, fraction,
        segment::{OUTSIDE, Segmentation},
    },
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is counted
    #[arg(long, value_enum, default_value = "customers")]
    measure: Measure,
    /// How long a period is: day, week, month, quarter or year
    #[arg(long, value_parser = session::grain, default_value = "month")]
    grain: Grain,
    /// The cohorts that began in this range; all up to now unless set
    #[command(flatten)]
    range: Range,
    /// Split by dimensions; of plans and the like the first one counts
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    by: Vec<String>,
    /// Look only at this
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// Customers left
    Customers,
    /// MRR left
    Revenue,
}

/// Lists the triangle by cohort, segment and age.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let books = session.books()?;
    let segmentation = Segmentation::new(&books, &arguments.by, &session::filters(&arguments.filters)?)?;
    let ledger = &books.ledger;
    // A customer is in the segment of the first part that was paid.
    let segment_of = |customer: u32| {
        let first = ledger.of_customer(customer as usize).find(|row| ledger.kind[*row] == Kind::New);
        first.map_or(OUTSIDE, |row| segmentation.segment(customer as usize, ledger.offer[row]))
    };
    let day = |text: &Option<String>, option| text.as_ref().map(|text| session::day(text, option)).transpose();
    let first_day = ledger.day.iter().min().map_or(session.today(), |day| Day(*day));
    let from = day(&arguments.range.from, "from")?.unwrap_or(first_day);
    let through = day(&arguments.range.to, "to")?.unwrap_or(Day::LATEST).min(session.today());
    let cells = triangle(ledger, arguments.grain, from, through, &segment_of);

    let header = std::iter::once("cohort".to_owned()).chain(arguments.by.iter().cloned());
    let tail = ["size", "age", "value", "ratio"].into_iter().map(str::to_owned);
    let mut listing = Listing::begin(options, header.chain(tail))?;
    for cell in cells.iter().filter(|cell| cell.segment != OUTSIDE) {
        let Some(label) = segmentation.labels.get(cell.segment as usize) else { continue };
        let (size, value) = match arguments.measure {
            Measure::Customers => (i128::from(cell.size_customers), i128::from(cell.customers)),
            Measure::Revenue => (cell.size_micros, cell.micros),
        };
        let print = |value: i128| match arguments.measure {
            Measure::Customers => Cell::Number(value.to_string()),
            Measure::Revenue => Cell::Number(print_micros(value, books.reporting.decimals())),
        };
        let mut row = vec![Cell::Day(cell.cohort)];
        row.extend(label.iter().map(|value| Cell::text(value.as_str())));
        row.extend([
            print(size),
            Cell::Whole(i64::from(cell.age)),
            print(value),
            if size == 0 { Cell::Empty } else { Cell::Number(decimal(&fraction(value, size), 12, 12)) },
        ]);
        listing.row(&row)?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
