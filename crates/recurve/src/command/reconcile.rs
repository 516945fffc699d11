//! `recurve reconcile`: MRR from subscriptions, beside what was invoiced and what was collected, with what fits nowhere.

use revenue::{calendar::Grain, money::print_micros};
use warehouse::{engine::reconciliation, lake::Access};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    range: Range,
    /// List what fits nowhere instead: bills without a subscription, subscriptions without a bill, payments without a bill
    #[arg(long)]
    orphans: bool,
}

/// Lists the months, or the orphans.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
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
