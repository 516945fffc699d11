//! MRR from subscriptions, beside what was invoiced, earned and collected, month by month.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    calendar::{Day, Grain, periods},
    money::MICROS,
    recognition::Schedule,
};

use super::{
    EngineError,
    billing::{cash_sign, in_reporting, newest},
    rounded,
};
use crate::books::Books;

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

/// Sets them side by side.
///
/// # Errors
/// When facts cannot be read or brought to one currency.
pub fn reconcile(books: &Books, from: Day, to: Day) -> Result<Reconciliation, EngineError> {
    let lines = newest(
        books,
        "invoice_line",
        &["invoice", "line"],
        &["customer", "subscription", "currency", "kind", "invoice", "line"],
        &["amount"],
        &["service_start", "service_end", "issued"],
    )?;
    let payments = newest(
        books,
        "payment",
        &["payment"],
        &["customer", "invoice", "currency", "status", "payment"],
        &["amount"],
        &["paid_at"],
    )?;
    let subscriptions: BTreeSet<String> =
        (0..books.subscriptions.len() as u32).map(|subscription| books.subscription_id(subscription)).collect();
    let invoices: BTreeSet<&str> = lines.iter().filter_map(|line| line.texts[4].as_deref()).collect();
    let mut found = Reconciliation::default();
    let zone = books.ticks.zone();

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
    for line in &lines {
        let (Some(customer), Some(currency), Some(picos)) = (&line.texts[0], &line.texts[2], line.picos[0]) else {
            continue;
        };
        let day = |index: usize| line.moments[index].map(|moment| zone.day_of(moment));
        let Some(issued) = day(2) else { continue };
        let kind = line.texts[3].as_deref().unwrap_or("subscription");
        if kind == "tax" {
            continue;
        }
        let recurring = matches!(kind, "subscription" | "proration" | "discount");
        let micros = in_reporting(books, rounded(picos, MICROS), currency, issued)?;
        let start = day(0).unwrap_or(issued);
        let end = day(1).unwrap_or(start.plus_days(1)).max(start.plus_days(1));
        let schedule = Schedule::over(books.view.policy.recognition, start, end);
        billed.push(Line { recurring, issued, schedule, micros });
        match line.texts[1].as_deref() {
            Some(subscription) if subscriptions.contains(subscription) => {
                served.entry(subscription).or_default().push((start, end));
            }
            _ if (kind == "subscription" || kind == "proration") && issued >= from && issued < to => {
                orphans_on.push((issued, OrphanKind::BillWithoutSubscription));
                found.orphans.push(Orphan {
                    what: OrphanKind::BillWithoutSubscription,
                    customer: customer.clone(),
                    id: [line.texts[4].as_deref(), line.texts[5].as_deref()]
                        .into_iter()
                        .flatten()
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
    for payment in &payments {
        let (Some(customer), Some(currency), Some(picos)) = (&payment.texts[0], &payment.texts[2], payment.picos[0])
        else {
            continue;
        };
        let Some(day) = payment.moments[0].map(|moment| zone.day_of(moment)) else { continue };
        let Some(sign) = cash_sign(payment.texts[3].as_deref()) else { continue };
        let micros = sign * in_reporting(books, rounded(picos.abs(), MICROS), currency, day)?;
        collected.push((day, micros));
        let known = payment.texts[1].as_deref().is_some_and(|invoice| invoices.contains(invoice));
        if !known && day >= from && day < to {
            orphans_on.push((day, OrphanKind::PaymentWithoutBill));
            found.orphans.push(Orphan {
                what: OrphanKind::PaymentWithoutBill,
                customer: customer.clone(),
                id: payment.texts[4].clone().unwrap_or_default(),
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
