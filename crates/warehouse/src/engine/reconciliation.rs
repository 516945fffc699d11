//! MRR from subscriptions, beside what was invoiced, earned and collected, month by month.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use revenue::{
    calendar::{Day, Grain, periods},
    money::MICROS,
    recognition::Schedule,
};

use super::{
    EngineError,
    billing::{INVOICE_LINES, PAYMENTS, cash_sign, in_reporting_of, line_columns, payment_columns},
    rounded,
    tally::Currencies,
};
use crate::{
    books::Books,
    observed::{NO_DAY, Observed, Wanted},
};

/// What fits nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrphanKind {
    /// A recurring invoice line whose subscription no fact knows, or that names none.
    BillWithoutSubscription,
    /// A subscription that pays at the end of a month in whose service no invoice line lies.
    SubscriptionWithoutBill,
    /// A payment for an invoice that no fact knows, or for none.
    PaymentWithoutBill,
}

impl OrphanKind {
    /// The words for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            OrphanKind::BillWithoutSubscription => "bill without subscription",
            OrphanKind::SubscriptionWithoutBill => "subscription without bill",
            OrphanKind::PaymentWithoutBill => "payment without bill",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            OrphanKind::BillWithoutSubscription => {
                "import the subscription, or correct the line's subscription or kind (one_off, usage, ...)"
            }
            OrphanKind::SubscriptionWithoutBill => {
                "import its invoices, or end the subscription where it is no longer billed"
            }
            OrphanKind::PaymentWithoutBill => "import the invoice, or name it in the payment",
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// What it is.
    pub what: OrphanKind,
    /// Whose.
    pub customer: String,
    /// The id of the line (invoice and line), subscription or payment.
    pub id: String,
    /// When.
    pub day: Option<Day>,
    /// How much, in micro-units of the reporting currency.
    pub micros: i128,
}

/// One month.
#[derive(Debug, Clone)]
pub struct Month {
    /// Its first day.
    pub month: Day,
    /// MRR at its end.
    pub mrr: i128,
    /// Recurring lines, spread over the days of their service: the days in the month.
    pub earned: i128,
    /// Recurring lines issued in it.
    pub invoiced_recurring: i128,
    /// Other lines issued in it.
    pub invoiced_other: i128,
    /// Payments less refunds and disputes.
    pub collected: i128,
    /// The orphans of it.
    pub orphans: Vec<OrphanKind>,
}

/// The months and the orphans of a range.
#[derive(Debug, Clone, Default)]
pub struct Reconciliation {
    /// The months, in order.
    pub months: Vec<Month>,
    /// What fits nowhere, by kind, customer, id and day.
    pub orphans: Vec<Orphan>,
}

/// The facts of a kind; none where there are none.
fn facts(books: &Books, table: &str, wanted: Wanted) -> Result<Arc<Observed>, EngineError> {
    if !books.has_facts(table)? {
        return Ok(Arc::default());
    }
    Ok(books.shelf.get(books, table, wanted)?)
}

/// Sets them side by side.
///
/// # Errors
/// When facts cannot be read or brought to one currency.
pub fn reconcile(books: &Books, from: Day, to: Day) -> Result<Reconciliation, EngineError> {
    let lines = facts(books, INVOICE_LINES, line_columns())?;
    let payments = facts(books, PAYMENTS, payment_columns())?;
    let of_line = |name: &str, fact: usize| lines.texts(name).and_then(|coded| coded.of(fact));
    let of_payment = |name: &str, fact: usize| payments.texts(name).and_then(|coded| coded.of(fact));
    let subscriptions: BTreeSet<String> =
        (0..books.subscriptions.len() as u32).map(|subscription| books.subscription_id(subscription)).collect();
    let invoices: BTreeSet<&str> = (0..lines.len()).filter_map(|fact| of_line("invoice", fact)).collect();
    let mut found = Reconciliation::default();

    struct Line {
        recurring: bool,
        issued: Day,
        schedule: Schedule,
        micros: i128,
    }
    let mut billed: Vec<Line> = Vec::new();
    // For each subscription the days that its bills pay for.
    let mut served: BTreeMap<&str, Vec<(Day, Day)>> = BTreeMap::new();
    let mut orphans_on: Vec<(Day, OrphanKind)> = Vec::new();
    let (amounts, currencies) = (lines.picos("amount"), Currencies::new(&lines));
    let day = |name: &str, fact: usize| lines.days(name).get(fact).copied().filter(|day| *day != NO_DAY).map(Day);
    for (fact, picos) in amounts.iter().enumerate() {
        let (Some(picos), Some(issued)) = (*picos, day("issued", fact)) else { continue };
        let kind = of_line("kind", fact).unwrap_or("subscription");
        if kind == "tax" {
            continue;
        }
        let recurring = matches!(kind, "subscription" | "proration" | "discount");
        let micros = in_reporting_of(books, rounded(picos, MICROS), currencies.of(fact)?, issued)?;
        let start = day("service_start", fact).unwrap_or(issued);
        let end = day("service_end", fact).unwrap_or(start.plus_days(1)).max(start.plus_days(1));
        let schedule = Schedule::over(books.view.policy.recognition, start, end);
        billed.push(Line { recurring, issued, schedule, micros });
        match of_line("subscription", fact) {
            Some(subscription) if subscriptions.contains(subscription) => {
                served.entry(subscription).or_default().push((start, end));
            }
            _ if (kind == "subscription" || kind == "proration") && issued >= from && issued < to => {
                orphans_on.push((issued, OrphanKind::BillWithoutSubscription));
                found.orphans.push(Orphan {
                    what: OrphanKind::BillWithoutSubscription,
                    customer: of_line("customer", fact).unwrap_or_default().to_owned(),
                    id: ["invoice", "line"]
                        .into_iter()
                        .filter_map(|name| of_line(name, fact))
                        .collect::<Vec<_>>()
                        .join("/"),
                    day: Some(issued),
                    micros,
                });
            }
            _ => {}
        }
    }
    let mut collected: Vec<(Day, i128)> = Vec::new();
    let (amounts, currencies) = (payments.picos("amount"), Currencies::new(&payments));
    for fact in (0..payments.len()).filter(|fact| payments.days("paid_at")[*fact] != NO_DAY) {
        let day = Day(payments.days("paid_at")[fact]);
        let (Some(picos), Some(sign)) = (amounts[fact], cash_sign(of_payment("status", fact))) else { continue };
        let micros = sign * in_reporting_of(books, rounded(picos.abs(), MICROS), currencies.of(fact)?, day)?;
        collected.push((day, micros));
        let known = of_payment("invoice", fact).is_some_and(|invoice| invoices.contains(invoice));
        if !known && day >= from && day < to {
            orphans_on.push((day, OrphanKind::PaymentWithoutBill));
            found.orphans.push(Orphan {
                what: OrphanKind::PaymentWithoutBill,
                customer: of_payment("customer", fact).unwrap_or_default().to_owned(),
                id: of_payment("payment", fact).unwrap_or_default().to_owned(),
                day: Some(day),
                micros,
            });
        }
    }

    let ledger = &books.ledger;
    for period in periods(from, to, Grain::Month) {
        let within = |day: Day| day >= period.start && day < period.end;
        let earned = |line: &Line| -> Result<i128, EngineError> {
            let before = |day: Day| line.schedule.earned_before(line.micros, day);
            Ok(before(period.end)? - before(period.start)?)
        };
        let sum = |recurring: bool| -> i128 {
            billed
                .iter()
                .filter(|line| line.recurring == recurring && within(line.issued))
                .map(|line| line.micros)
                .sum()
        };
        let mut month = Month {
            month: period.label,
            mrr: (0..ledger.rows())
                .filter(|row| ledger.day[*row] < period.end.0)
                .map(|row| i128::from(ledger.delta_micros[row]))
                .sum(),
            earned: billed.iter().filter(|line| line.recurring).map(earned).sum::<Result<_, _>>()?,
            invoiced_recurring: sum(true),
            invoiced_other: sum(false),
            collected: collected.iter().filter(|(day, _)| within(*day)).map(|(_, micros)| micros).sum(),
            orphans: orphans_on.iter().filter(|(day, _)| within(*day)).map(|(_, what)| *what).collect(),
        };
        // Where no invoices are known at all, nothing can be missed.
        if !lines.is_empty() {
            let last_day = period.end.plus_days(-1);
            for customer in 0..ledger.customers() {
                let mut mrr: BTreeMap<u32, i128> = BTreeMap::new();
                for row in ledger.of_customer(customer).take_while(|row| ledger.day[*row] < period.end.0) {
                    *mrr.entry(ledger.subscription[row]).or_default() += i128::from(ledger.delta_micros[row]);
                }
                for (subscription, micros) in mrr.into_iter().filter(|(_, micros)| *micros > 0) {
                    let id = books.subscription_id(subscription);
                    let billed = served
                        .get(id.as_str())
                        .is_some_and(|spans| spans.iter().any(|(start, end)| *start <= last_day && *end > last_day));
                    if !billed {
                        month.orphans.push(OrphanKind::SubscriptionWithoutBill);
                        found.orphans.push(Orphan {
                            what: OrphanKind::SubscriptionWithoutBill,
                            customer: books.customer_id(customer as u32),
                            id,
                            day: Some(last_day),
                            micros,
                        });
                    }
                }
            }
        }
        found.months.push(month);
    }
    found.orphans.sort_by(|a, b| (a.what, &a.customer, &a.id, a.day).cmp(&(b.what, &b.customer, &b.id, b.day)));
    Ok(found)
}
