//! `recurve restatements`: what was said at one time, what is said at a later one, and which import made the difference.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
};
use warehouse::{
    books::{Books, Origins, View},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The two times: dates (their beginnings) or instants
    #[arg(long, num_args = 2, value_names = ["T1", "T2"], required = true)]
    between: Vec<String>,
    /// How long a period is
    #[arg(long, value_parser = session::grain, default_value = "month")]
    grain: Grain,
    #[command(flatten)]
    range: Range,
}

/// Lists each customer's MRR at the end of each period where it was restated.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// What was restated.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let [first, second] = arguments.between.as_slice() else {
        return Err(CommandError::Usage("--between takes two times".to_owned()));
    };
    let first = session::instant(first, "between", &session.zone)?;
    let second = session::instant(second, "between", &session.zone)?;
    if first >= second {
        return Err(CommandError::Usage("--between T1 T2: T1 must be before T2".to_owned()));
    }
    let at = |known: i64| -> Result<Books, CommandError> {
        Ok(Books::open(&session.lake, View { as_known_at: Some(known), ..session.view(None)? })?)
    };
    let (old, new) = (at(first)?, at(second)?);
    let origins = Origins::load(&new)?;
    // Which imports touched a customer after the first time.
    let mut touched: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    // A fact may have been corrected to belong to somebody else: whoever had it is touched by the same import.
    let mut of_subscription: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (customer, item, fact) in new.facts.each() {
        if let Some(origin) = origins.of(fact).filter(|origin| origin.import.recorded_at_micros > first) {
            touched.entry(new.customer_id(customer)).or_default().insert(origin.import.id);
            of_subscription.entry(new.item_id(item)).or_default().insert(origin.import.id);
        }
    }
    for (customer, item, _) in old.facts.each() {
        if let Some(imports) = of_subscription.get(&old.item_id(item)) {
            touched.entry(old.customer_id(customer)).or_default().extend(imports);
        }
    }
    let imports = session.lake.imports(Some(second))?;
    let mut customers: BTreeSet<String> = touched.keys().cloned().collect();
    // A customer may also be gone: taken over by another in a correction, or withdrawn.
    customers.extend(
        (0..old.customers.len()).map(|c| old.customer_id(c as u32)).filter(|id| new.customer_of_id(id).is_none()),
    );
    let (from, to) = match (&arguments.range.from, &arguments.range.to) {
        (None, None) => {
            let first_day = new.ledger.day.iter().chain(&old.ledger.day).min().map_or(session.today(), |day| Day(*day));
            (first_day, session.today().plus_days(1))
        }
        _ => session.range(&arguments.range, arguments.grain)?,
    };
    let columns =
        ["period", "customer", "mrr_before", "mrr_after", "difference", "currency", "imports", "files", "recorded_at"];
    sheet.begin(columns)?;
    let mut whole: BTreeMap<Day, i128> = BTreeMap::new();
    for period in revenue::calendar::periods(from, to, arguments.grain) {
        for id in &customers {
            let mrr =
                |books: &Books| books.customer_of_id(id).map_or(0, |customer| books.mrr_before(customer, period.end));
            let (before, after) = (mrr(&old), mrr(&new));
            if before == after {
                continue;
            }
            *whole.entry(period.label).or_default() += after - before;
            let made_by: Vec<_> = imports
                .iter()
                .filter(|import| touched.get(id).is_some_and(|touched| touched.contains(&import.id)))
                .collect();
            let money = |micros| Cell::Number(print_micros(micros, new.reporting.decimals()));
            let join = |texts: Vec<String>| Cell::text(texts.join(" "));
            sheet.row(&[
                Cell::Day(period.label),
                Cell::text(id.as_str()),
                money(before),
                money(after),
                money(after - before),
                Cell::text(new.reporting.code()),
                join(made_by.iter().map(|import| import.id.to_string()).collect()),
                join(made_by.iter().map(|import| import.file_name.clone()).collect()),
                join(
                    made_by
                        .iter()
                        .map(|import| revenue::calendar::Moment::Instant(import.recorded_at_micros).to_string())
                        .collect(),
                ),
            ])?;
        }
    }
    Ok(Outcome::Done)
}
