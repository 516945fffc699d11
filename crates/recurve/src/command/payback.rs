//! `recurve payback`: when the customers of each month have earned back what winning them cost.

use std::collections::BTreeMap;

use revenue::calendar::{Day, Grain};
use warehouse::{
    catalogue::Value,
    engine::{self, Question, decimal, payback::cohorts},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The months of first payments; the last twelve full ones unless set
    #[command(flatten)]
    range: Range,
    /// Look only at this, such as channel=ads
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
}

/// Lists what the customers of each month have earned back, a month a row.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The months of each cohort. Without a cost of winning its customers a cohort has no share and no month of payback, and a
/// note that says why.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let (from, to) = session.range(&arguments.range, Grain::Month)?;
    let filters = session::filters(&arguments.filters)?;
    let assumptions = session.assumptions()?;
    let from = from.first_of(Grain::Month);
    let cohorts = cohorts(&books, &assumptions, &filters, (from, session.today()))?;
    let question = Question {
        metrics: vec![session.catalogue()?.resolve("cac", Some("total"))?],
        grain: Grain::Month,
        from,
        to,
        by: Vec::new(),
        filters,
        assumptions,
    };
    let language = session.language()?;
    let costs: BTreeMap<Day, (Value, String)> = engine::answer(&books, &question)?
        .into_iter()
        .map(|figure| {
            let note = figure.note.as_ref().map_or(String::new(), |note| note.say(language).to_string());
            (figure.period.label, (figure.value, note))
        })
        .collect();
    let decimals = books.reporting.decimals();
    let money = |amount: &_| Cell::Number(decimal(amount, decimals, decimals));
    sheet.begin([
        "cohort",
        "customers",
        "month",
        "earned",
        "cac",
        "currency",
        "share",
        "payback",
        "margin_assumed",
        "note",
    ])?;
    for cohort in cohorts.iter().filter(|cohort| cohort.month < to) {
        let (cost, note) = match costs.get(&cohort.month) {
            Some((Value::Number(cost), note)) => (Some(cost), note.as_str()),
            Some((_, note)) => (None, note.as_str()),
            None => (None, ""),
        };
        let payback = cost.and_then(|cost| cohort.paid_back(cost));
        for (age, earned) in cohort.earned.iter().enumerate() {
            let share = cost.and_then(|cost| cohort.share(age, cost)).map(|share| decimal(&share, 12, 12));
            sheet.row(&[
                Cell::Day(cohort.month),
                Cell::Whole(i64::try_from(cohort.customers).unwrap_or(i64::MAX)),
                Cell::Whole(age as i64 + 1),
                money(earned),
                cost.map_or(Cell::Empty, money),
                Cell::text(books.reporting.code()),
                share.map_or(Cell::Empty, Cell::Number),
                payback.map_or(Cell::Empty, |months| Cell::Whole(months as i64)),
                Cell::text(if cohort.margin_is_assumed { "yes" } else { "no" }),
                Cell::text(note),
            ])?;
        }
    }
    Ok(Outcome::Done)
}
