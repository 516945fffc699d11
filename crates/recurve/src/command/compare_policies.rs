//! `recurve compare-policies`: the customers that make the difference between two policies.

use std::collections::BTreeMap;

use revenue::{calendar::Day, money::print_micros, policy::Policy};
use warehouse::{
    books::{Books, View},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    policies,
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One policy
    #[arg(value_name = "A")]
    pub first: String,
    /// The other
    #[arg(value_name = "B")]
    pub second: String,
    /// At the end of this day; now unless set
    #[arg(long, value_name = "D")]
    pub at: Option<String>,
}

/// Lists each customer whose MRR differs.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Each customer whose MRR differs, the largest difference first, with the settings that make it.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let view = session.view(Some(&arguments.first))?;
    let first = view.policy.clone();
    let second = policies::find(&arguments.second, &session.options.data)?;
    let books = |policy: &Policy| -> Result<Books, CommandError> {
        Ok(Books::open(&session.lake, View { policy: policy.clone(), ..view.clone() })?)
    };
    let (one, other) = (books(&first)?, books(&second)?);
    let end = match &arguments.at {
        Some(text) => session::day(text, "at")?.plus_days(1),
        None => one.first_day_to_come(),
    };
    // Each setting on its own: what it alone changes is because of it.
    let mut alone: Vec<(&'static str, BTreeMap<String, i128>)> = Vec::new();
    for ((name, value_first), (_, value_second)) in first.settings().into_iter().zip(second.settings()) {
        if value_first == value_second {
            continue;
        }
        let mut policy = first.clone();
        policy.set(name, &value_second).map_err(|error| CommandError::Usage(error.to_string()))?;
        alone.push((name, mrr_of_all(&books(&policy)?, end)));
    }
    let (before, after) = (mrr_of_all(&one, end), mrr_of_all(&other, end));
    let mut differences: Vec<(i128, String)> = before
        .keys()
        .chain(after.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(|id| (after.get(id).unwrap_or(&0) - before.get(id).unwrap_or(&0), id.clone()))
        .filter(|(difference, _)| *difference != 0)
        .collect();
    differences.sort_by(|a, b| (b.0.abs(), &a.1).cmp(&(a.0.abs(), &b.1)));
    let decimals = one.reporting.decimals();
    let money = |micros: i128| Cell::Number(print_micros(micros, decimals));
    let column = |name: &str| format!("mrr_{name}");
    sheet.begin([
        "customer".to_owned(),
        column(&arguments.first),
        column(&arguments.second),
        "difference".to_owned(),
        "currency".to_owned(),
        "because_of".to_owned(),
    ])?;
    for (difference, id) in &differences {
        let (a, b) = (before.get(id).copied().unwrap_or(0), after.get(id).copied().unwrap_or(0));
        let causes: Vec<&str> =
            alone.iter().filter(|(_, mrr)| mrr.get(id).copied().unwrap_or(0) != a).map(|(name, _)| *name).collect();
        let causes = if causes.is_empty() { "several settings together".to_owned() } else { causes.join(" ") };
        sheet.row(&[
            Cell::text(id.as_str()),
            money(a),
            money(b),
            money(*difference),
            Cell::text(one.reporting.code()),
            Cell::text(causes),
        ])?;
    }
    let sum = |mrr: &BTreeMap<String, i128>| mrr.values().sum::<i128>();
    sheet.row(&[
        Cell::text("(all customers)"),
        money(sum(&before)),
        money(sum(&after)),
        money(sum(&after) - sum(&before)),
        Cell::text(one.reporting.code()),
        Cell::text(alone.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")),
    ])?;
    Ok(Outcome::Done)
}

fn mrr_of_all(books: &Books, end: Day) -> BTreeMap<String, i128> {
    (0..books.customers.len() as u32)
        .map(|customer| (books.customer_id(customer), books.mrr_before(customer, end)))
        .filter(|(_, mrr)| *mrr != 0)
        .collect()
}
