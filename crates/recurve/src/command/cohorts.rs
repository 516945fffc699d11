//! `recurve cohorts`: what is left of the customers of each period, and who they are.

use std::sync::Arc;

use revenue::{
    calendar::{Day, Grain},
    cohort::{Kept, Member, triangle_of},
    money::print_micros,
};
use warehouse::{
    engine::{
        cohorts::{Triangle, of_first_payments, parts_at, together, who_paid},
        decimal, fraction, journey,
        segment::{Filter, OUTSIDE},
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
    /// What each age is compared with
    #[arg(long, value_enum, default_value = "start")]
    pub against: Against,
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
    /// All cohorts in one: at each age those that have reached it
    #[arg(long)]
    pub together: bool,
    /// List instead the customers of this age, of all cohorts that have reached it
    #[arg(long, value_name = "N")]
    pub age: Option<u32>,
    /// Of this cohort alone, by a day of the period in which it began
    #[arg(long, value_name = "D", requires = "age")]
    pub cohort: Option<String>,
    /// Of this part of a split alone, such as plan=team
    #[arg(long, value_name = "DIM=VALUE", requires = "age")]
    pub part: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// Customers left
    Customers,
    /// MRR left
    Revenue,
    /// MRR left without what anybody pays beyond what it is compared with
    GrossRevenue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Against {
    /// The start of the cohort
    Start,
    /// The end of the period before: of those who paid then, what is left of them
    Before,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Start {
    /// The first payment
    FirstPayment,
    /// The first sign-up
    Signup,
}

impl Measure {
    /// What is compared, and with what, of the sums of some customers: since the start, or from one period to the next.
    fn of(self, against: Against, (size, left): (Sums, Sums), kept: Kept) -> (i128, i128) {
        let kept_gross = (kept.of_micros, kept.gross_micros);
        match (self, against) {
            (Measure::Customers, Against::Start) => (size.customers, left.customers),
            (Measure::Revenue, Against::Start) => (size.micros, left.micros),
            (Measure::GrossRevenue, Against::Start) => (size.micros, left.gross_micros),
            (Measure::Customers, Against::Before) => (kept.of_customers.into(), kept.customers.into()),
            (Measure::Revenue, Against::Before) => (kept.of_micros, kept.micros),
            (Measure::GrossRevenue, Against::Before) => kept_gross,
        }
    }

    fn print(self, value: i128, decimals: u32) -> String {
        match self {
            Measure::Customers => value.to_string(),
            Measure::Revenue | Measure::GrossRevenue => print_micros(value, decimals),
        }
    }
}

/// What some customers are, or pay.
#[derive(Clone, Copy)]
struct Sums {
    customers: i128,
    micros: i128,
    gross_micros: i128,
}

/// What is left of a cohort, or of a segment of it, at an age.
struct Left {
    /// The first day of the period in which its customers first paid, or signed up; nothing for all cohorts together.
    cohort: Option<Day>,
    /// The value in each dimension asked for.
    segment: Vec<String>,
    /// How large it was: customers, or their MRR as a decimal.
    size: String,
    /// Whole periods later.
    age: u32,
    /// What there was at the end of the period before, where that is compared with.
    before: Option<String>,
    /// What is left then.
    value: String,
    /// The share that is left; nothing where there was nothing.
    ratio: Option<String>,
}

/// Those who signed up, with the values of their segments.
fn signed_up(session: &Session, asked: &Arguments, filters: &[Filter]) -> Result<journey::SignedUp, CommandError> {
    let signed_up = journey::signed_up(&*session.books()?, &session.assumptions()?, &asked.by, filters)?;
    signed_up.ok_or_else(|| {
        CommandError::Usage(
            "no sign-up is known, so there are no cohorts of them: `recurve import signups FILE` brings them in"
                .to_owned(),
        )
    })
}

/// From which day on cohorts are asked for, if that is said, and the first day that counts no more.
fn range(session: &Session, asked: &Arguments) -> Result<(Option<Day>, Day), CommandError> {
    let day = |text: &Option<String>, option| text.as_ref().map(|text| session::day(text, option)).transpose();
    let through = day(&asked.range.to, "to")?.unwrap_or(Day::LATEST).min(session.today());
    Ok((day(&asked.range.from, "from")?, through))
}

/// The triangle by cohort, segment and age.
fn answer(session: &Session, asked: &Arguments) -> Result<Vec<Left>, CommandError> {
    let books = session.books()?;
    let filters = session::filters(&asked.filters)?;
    let (from, through) = range(session, asked)?;
    let triangle: Arc<Triangle> = match asked.start {
        Start::FirstPayment => {
            let first_day = books.first_movement().unwrap_or(session.today());
            let range = (from.unwrap_or(first_day), through);
            of_first_payments(&books, &session.assumptions()?, &asked.by, &filters, asked.grain, range)?
        }
        Start::Signup => {
            let journey::SignedUp { members, labels } = signed_up(session, asked, &filters)?;
            let first_day = members.iter().map(|member| member.start).min().unwrap_or(session.today());
            let members = members.into_iter();
            let cells = triangle_of(&books.ledger, asked.grain, from.unwrap_or(first_day), through, members);
            Arc::new(Triangle { cells, labels })
        }
    };
    let Triangle { cells, labels } = &*triangle;
    let summed = if asked.together { Some(together(cells)) } else { None };
    let cells = summed.as_deref().unwrap_or(cells);
    let mut left = Vec::with_capacity(cells.len());
    for cell in cells.iter().filter(|cell| cell.segment != OUTSIDE) {
        let Some(label) = labels.get(cell.segment as usize) else { continue };
        let begun =
            Sums { customers: cell.size_customers.into(), micros: cell.size_micros, gross_micros: cell.size_micros };
        let now = Sums { customers: cell.customers.into(), micros: cell.micros, gross_micros: cell.gross_micros };
        let (of, value) = asked.measure.of(asked.against, (begun, now), cell.kept);
        let (size, _) = asked.measure.of(Against::Start, (begun, now), cell.kept);
        let print = |value: i128| asked.measure.print(value, books.reporting.decimals());
        left.push(Left {
            cohort: (!asked.together).then_some(cell.cohort),
            segment: label.clone(),
            size: print(size),
            age: cell.age,
            before: (asked.against == Against::Before).then(|| print(of)),
            value: print(value),
            ratio: (of != 0).then(|| decimal(&fraction(value, of), 12, 12)),
        });
    }
    Ok(left)
}

/// The triangle, a cell a row; or the customers of a cell.
pub fn list(session: &Session, asked: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    if let Some(age) = asked.age {
        return customers(session, asked, age, sheet);
    }
    let cells = answer(session, asked)?;
    let header = std::iter::once("cohort").chain(asked.by.iter().map(String::as_str));
    let before = (asked.against == Against::Before).then_some("before");
    let tail = ["size", "age"].into_iter().chain(before).chain(["value", "ratio"]);
    sheet.begin(header.chain(tail))?;
    for left in cells {
        let mut row = vec![left.cohort.map_or(Cell::Empty, Cell::Day)];
        row.extend(left.segment.into_iter().map(Cell::text));
        row.extend([Cell::Number(left.size), Cell::Whole(i64::from(left.age))]);
        row.extend(left.before.map(Cell::Number));
        row.extend([Cell::Number(left.value), left.ratio.map_or(Cell::Empty, Cell::Number)]);
        sheet.row(&row)?;
    }
    Ok(Outcome::Done)
}

/// The customers of a cell, each with what it adds to it: their sums are the cell's. Who signed up and never paid adds
/// nothing but to the size, and is not listed.
pub fn customers(
    session: &Session,
    asked: &Arguments,
    age: u32,
    sheet: &mut dyn Sheet,
) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let filters = session::filters(&asked.filters)?;
    let (from, through) = range(session, asked)?;
    let (members, labels) = match asked.start {
        Start::FirstPayment => who_paid(&books, &session.assumptions()?, &asked.by, &filters)?,
        Start::Signup => {
            let journey::SignedUp { members, labels } = signed_up(session, asked, &filters)?;
            (members, labels)
        }
    };
    let cohort = asked.cohort.as_ref().map(|text| session::day(text, "cohort")).transpose()?;
    let cohort = cohort.map(|day| day.first_of(asked.grain));
    let from = from.map(|day| day.first_of(asked.grain));
    let parts = session::filters(&asked.part)?;
    if let Some(part) = parts.iter().find(|part| !asked.by.contains(&part.dimension)) {
        let name = &part.dimension;
        return Err(CommandError::Usage(format!("--part {name}=... is a part of a split: add --by {name}")));
    }
    let nothing: Vec<String> = Vec::new();
    let label_of = |member: &Member| labels.get(member.segment as usize).unwrap_or(&nothing);
    let is_asked = |member: &Member| {
        let start = member.start.first_of(asked.grain);
        let label = label_of(member);
        let is_part = |part: &Filter| {
            asked.by.iter().zip(label).any(|(name, value)| *name == part.dimension && *value == part.value)
        };
        cohort.is_none_or(|cohort| cohort == start)
            && from.is_none_or(|from| from <= start)
            && parts.iter().all(is_part)
    };
    let before = (asked.against == Against::Before).then_some("before");
    let header = ["customer", "start"].into_iter().chain(asked.by.iter().map(String::as_str));
    sheet.begin(header.chain(["size"]).chain(before).chain(["value", "currency"]))?;
    let wanted = members.iter().copied().filter(is_asked);
    for (member, part) in parts_at(&books, wanted, asked.grain, age, through) {
        let (Some(customer), kept) = (member.customer, part.kept()) else { continue };
        let begun = Sums { customers: 1, micros: part.first_micros, gross_micros: part.first_micros };
        let (customers, micros) = (i128::from(part.now.pays), part.now.micros);
        let now = Sums { customers, micros, gross_micros: part.gross_micros() };
        let (of, value) = asked.measure.of(asked.against, (begun, now), kept);
        let (size, _) = asked.measure.of(Against::Start, (begun, now), kept);
        let print = |value: i128| Cell::Number(asked.measure.print(value, books.reporting.decimals()));
        let mut row = vec![Cell::text(books.customer_id(customer)), Cell::Day(member.start)];
        row.extend(label_of(&member).iter().map(|value| Cell::text(value.as_str())));
        row.push(print(size));
        row.extend(before.map(|_| print(of)));
        let currency = if asked.measure == Measure::Customers { "" } else { books.reporting.code() };
        row.extend([print(value), Cell::text(currency)]);
        sheet.row(&row)?;
    }
    Ok(Outcome::Done)
}

/// Lists the triangle, or the customers of a cell.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| list(&session, arguments, sheet))
}
