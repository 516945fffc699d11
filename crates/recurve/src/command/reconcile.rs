//! `recurve reconcile`: MRR from subscriptions, beside what was invoiced and what was collected, with what fits nowhere; and
//! `recurve reconcile stripe`, the same beside what Stripe itself says now.

use std::collections::BTreeMap;

use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
};
use stripe::cash::Month;
use warehouse::{engine::reconciliation, lake::Access};

use super::{
    CommandError, Outcome,
    sync::{From, Reach, second, stop_flag},
};
use crate::{
    listing::{self, Cell, Sheet},
    session::{Options, Range, Session},
    stripe::{
        account::Account,
        client::Client,
        reconciliation::{self as of_stripe, CashLine, Line, WAYS},
        store::Store,
        sync::check_key,
    },
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Ask Stripe: MRR now by its subscriptions, by our facts, by invoices and by paid invoices, where they differ, and the
    /// cash that came in
    #[arg(value_enum)]
    with: Option<From>,
    #[command(flatten)]
    range: Range,
    /// With stripe: list how many objects Stripe lists beside how many are kept
    #[arg(long, requires = "with")]
    counts: bool,
    /// With stripe: list, by customer and month, what invoices asked for, what came in and what went back, beside MRR, and
    /// why these differ; of what is kept, without asking Stripe
    #[arg(long, requires = "with", conflicts_with = "counts")]
    cash: bool,
    /// With stripe: list all customers, not only those that differ
    #[arg(long, requires = "with")]
    all: bool,
    #[command(flatten)]
    reach: Reach,
    /// List what fits nowhere instead: bills without a subscription, subscriptions without a bill, payments without a bill
    #[arg(long)]
    orphans: bool,
}

/// Lists the months, or the orphans.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    if let Some(From::Stripe) = arguments.with {
        return with_stripe(&session, arguments);
    }
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Sets what is kept of Stripe beside what it says now.
fn with_stripe(session: &Session, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let options = &session.options;
    if !options.data.join(Store::FILE).is_file() {
        return Err(CommandError::Missing(
            "nothing was ever read from Stripe into this data folder; `recurve sync stripe` does it".to_owned(),
        ));
    }
    if arguments.cash {
        return cash(session, arguments);
    }
    let (key, manner) = arguments.reach.open(session)?;
    let stop = stop_flag();
    let client = Client::new(key.clone(), manner, &stop)?;
    let mut account = Account::open(&options.data)?;
    let now = second(session)();
    check_key(&client, &key, &mut account.objects, now)?;
    if arguments.counts {
        let counts = of_stripe::count(&account, &client)?;
        return listing::write(options, |sheet| {
            sheet.begin(["list", "kept", "listed_by_stripe", "missing_here", "gone_at_stripe", "first_missing"])?;
            let whole = |number: usize| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
            for list in &counts {
                sheet.row(&[
                    Cell::text(list.list),
                    whole(list.kept),
                    list.listed.map_or(Cell::Empty, whole),
                    whole(list.missing.len()),
                    whole(list.gone),
                    list.missing.first().map_or(Cell::Empty, Cell::text),
                ])?;
            }
            Ok(Outcome::Done)
        });
    }
    let lines = of_stripe::reconcile(&mut account, &client, &session.view(None)?.policy, &session.zone, now)?;
    listing::write(options, |sheet| {
        let columns = ["customer", "currency"].into_iter().chain(WAYS).chain(["collected_in_12_months", "why"]);
        sheet.begin(columns)?;
        for line in lines.iter().filter(|line| arguments.all || !line.agrees()) {
            sheet.row(&cells_of(line))?;
        }
        for line in totals(&lines) {
            sheet.row(&cells_of(&line))?;
        }
        Ok(Outcome::Done)
    })
}

fn cells_of(line: &Line) -> Vec<Cell> {
    let money = |micros: i64| Cell::Number(print_micros(i128::from(micros), line.currency.decimals()));
    let mut cells = vec![Cell::text(line.customer.as_str()), Cell::text(line.currency.code())];
    cells.extend(line.monthly_micros.map(money));
    cells.push(money(line.collected_micros));
    cells.push(Cell::text(line.why.iter().map(String::as_str).collect::<Vec<_>>().join(" ")));
    cells
}

/// What the customers of each currency add up to.
fn totals(lines: &[Line]) -> Vec<Line> {
    let mut totals: Vec<Line> = Vec::new();
    for line in lines {
        let total = totals.iter().position(|total| total.currency == line.currency).unwrap_or_else(|| {
            totals.push(Line {
                customer: "total".to_owned(),
                monthly_micros: [0; 4],
                collected_micros: 0,
                why: std::collections::BTreeSet::new(),
                ..line.clone()
            });
            totals.len() - 1
        });
        if let Some(total) = totals.get_mut(total) {
            for (sum, micros) in total.monthly_micros.iter_mut().zip(line.monthly_micros) {
                *sum += micros;
            }
            total.collected_micros += line.collected_micros;
        }
    }
    totals.sort_by(|a, b| a.currency.code().cmp(b.currency.code()));
    totals
}

/// What was asked for, came in and went back, by customer and month, and for all of them together.
fn cash(session: &Session, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let mut account = Account::open(&session.options.data)?;
    let range = session.range(&arguments.range, Grain::Month)?;
    let policy = session.view(None)?.policy;
    let mut lines = of_stripe::cash(&mut account, &policy, &session.zone, range, second(session)())?;
    let mut totals: BTreeMap<(Day, &str), CashLine> = BTreeMap::new();
    for line in &lines {
        let nothing = || CashLine { monthly_micros: [0; 2], cash: Month::default(), ..line.clone() };
        let total = totals.entry((line.month, line.currency.code())).or_insert_with(nothing);
        "total".clone_into(&mut total.customer);
        total.cash.add(&line.cash);
        total.monthly_micros.iter_mut().zip(line.monthly_micros).for_each(|(sum, micros)| *sum += micros);
    }
    let totals: Vec<CashLine> = totals.into_values().collect();
    lines.retain(|line| arguments.all || line.cash.difference_micros() != 0);
    listing::write(&session.options, |sheet| {
        sheet.begin([
            "customer",
            "month",
            "currency",
            "mrr_by_facts",
            "mrr_by_invoices",
            "invoiced",
            "collected",
            "given_back",
            "cash",
            "invoiced_less_cash",
            "why",
        ])?;
        for line in lines.iter().chain(&totals) {
            let print = |micros: i64| print_micros(i128::from(micros), line.currency.decimals());
            let why = line.cash.why.iter().map(|(why, micros)| format!("{} {}", why.name(), print(*micros)));
            let [by_facts, by_invoices] = line.monthly_micros;
            let amounts = [
                by_facts,
                by_invoices,
                line.cash.asked_micros,
                line.cash.collected_micros,
                line.cash.given_back_micros,
                line.cash.cash_micros(),
                line.cash.difference_micros(),
            ];
            let mut cells =
                vec![Cell::text(line.customer.as_str()), Cell::Day(line.month), Cell::text(line.currency.code())];
            cells.extend(amounts.map(|micros| Cell::Number(print(micros))));
            cells.push(Cell::text(why.collect::<Vec<_>>().join("; ")));
            sheet.row(&cells)?;
        }
        Ok(Outcome::Done)
    })
}

/// The rows.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    let (from, to) = session.range(&arguments.range, Grain::Month)?;
    let found = reconciliation::reconcile(&books, from, to)?;
    let money = |micros: i128| Cell::Number(print_micros(micros, books.reporting.decimals()));
    if arguments.orphans {
        sheet.begin(["what", "customer", "id", "day", "amount", "currency", "mend"])?;
        for orphan in &found.orphans {
            sheet.row(&[
                Cell::text(orphan.what.words()),
                Cell::text(orphan.customer.as_str()),
                Cell::text(orphan.id.as_str()),
                orphan.day.map_or(Cell::Empty, Cell::Day),
                money(orphan.micros),
                Cell::text(books.reporting.code()),
                Cell::text(orphan.what.mend()),
            ])?;
        }
        return Ok(Outcome::Done);
    }
    let columns = [
        "month",
        "mrr",
        "earned",
        "mrr_less_earned",
        "invoiced_recurring",
        "invoiced_other",
        "collected",
        "currency",
        "bills_without_subscription",
        "subscriptions_without_bill",
        "payments_without_bill",
    ];
    sheet.begin(columns)?;
    for month in &found.months {
        let count = |what| Cell::Whole(month.orphans.iter().filter(|orphan| **orphan == what).count() as i64);
        sheet.row(&[
            Cell::Day(month.month),
            money(month.mrr),
            money(month.earned),
            money(month.mrr - month.earned),
            money(month.invoiced_recurring),
            money(month.invoiced_other),
            money(month.collected),
            Cell::text(books.reporting.code()),
            count(reconciliation::OrphanKind::BillWithoutSubscription),
            count(reconciliation::OrphanKind::SubscriptionWithoutBill),
            count(reconciliation::OrphanKind::PaymentWithoutBill),
        ])?;
    }
    Ok(Outcome::Done)
}
