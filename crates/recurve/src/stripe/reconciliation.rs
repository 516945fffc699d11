//! MRR by what Stripe's subscriptions are now, by our facts, by invoices, and by invoices that were paid, customer by
//! customer, beside the cash that came in; that cash month by month, beside what was asked for; and how many objects
//! Stripe lists beside how many are kept.
//!
//! MRR is worked out by the same method each time, from less and less: the difference is what the rest says. Cash is
//! counted as it came in and went back, whatever it was for.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use revenue::{
    calendar::{Day, Grain, Zone},
    fact::{NEVER, Reason, Status, Terms},
    money::Currency,
    policy::Policy,
    price::{Interval, Price},
    timeline::Worth,
};
use serde_json::Value;
use stripe::{
    cash::{self, Month},
    gist::Gist,
    history::Row,
};

use super::{
    account::{Account, gists},
    client::{CallError, Client},
    objects::{Shelf, id_of},
    sync::{LISTS, List, page_of},
};
use crate::command::CommandError;

/// The columns in which MRR is worked out, in their order.
pub const WAYS: [&str; 4] = ["by_subscriptions", "by_facts", "by_invoices", "by_paid_invoices"];

/// The MRR of a customer in a currency, each way, and why they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The customer.
    pub customer: String,
    /// The currency of the subscriptions.
    pub currency: Currency,
    /// Micro-units a month, in the order of [`WAYS`].
    pub monthly_micros: [i64; 4],
    /// What came in in the last twelve months less what went back, in micro-units: after so many every rhythm has come
    /// round, so it is twelve times the MRR of who paid the same all the time.
    pub collected_micros: i64,
    /// Why they differ, in words of a code each.
    pub why: BTreeSet<String>,
}

impl Line {
    /// Whether all ways give the same.
    pub fn agrees(&self) -> bool {
        self.monthly_micros.iter().all(|micros| *micros == self.monthly_micros[0])
    }
}

/// A list here and at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The list.
    pub list: &'static str,
    /// Objects that are kept.
    pub kept: usize,
    /// Objects that Stripe lists now; none where the key may not read it.
    pub listed: Option<usize>,
    /// Those that Stripe lists and that are not kept.
    pub missing: Vec<String>,
    /// Those that are kept and that Stripe no longer lists, such as deleted ones.
    pub gone: usize,
}

/// Reads a whole list, page by page.
fn read_list(client: &Client<'_>, list: &List, mut each: impl FnMut(Value)) -> Result<bool, CommandError> {
    let mut after: Option<String> = None;
    loop {
        let page = match page_of(client, list, None, None, after.as_deref()) {
            Ok(page) => page,
            Err(CallError::Forbidden { .. }) if !list.is_needed => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let data = match page.get("data") {
            Some(Value::Array(data)) => data.clone(),
            _ => Vec::new(),
        };
        after = data.last().map(|object| id_of(object).to_owned());
        data.into_iter().for_each(&mut each);
        if after.is_none() || page.get("has_more").and_then(Value::as_bool) != Some(true) {
            return Ok(true);
        }
    }
}

/// How many objects Stripe lists now, beside those that are kept.
pub fn count(account: &Account, client: &Client<'_>) -> Result<Vec<Counts>, CommandError> {
    let mut counts = Vec::with_capacity(LISTS.len());
    for list in LISTS {
        let kept = account.objects.ids(list.kind)?;
        let mut listed = BTreeSet::new();
        let is_read = read_list(client, list, |object| {
            listed.insert(id_of(&object).to_owned());
        })?;
        counts.push(Counts {
            list: list.name,
            kept: kept.len(),
            listed: is_read.then_some(listed.len()),
            missing: listed.difference(&kept).cloned().collect(),
            gone: if is_read { kept.difference(&listed).count() } else { 0 },
        });
    }
    Ok(counts)
}

/// The MRR of every customer, each way, at a second; the subscriptions as Stripe shows them now.
pub fn reconcile(
    account: &mut Account,
    client: &Client<'_>,
    policy: &Policy,
    zone: &Zone,
    now: i64,
) -> Result<Vec<Line>, CommandError> {
    let year_ago = zone.day_of_instant(now * 1_000_000).plus_months(-12);
    let since = zone.start_of_day(year_ago) / 1_000_000;
    let mut shown: BTreeMap<String, Vec<Gist>> = BTreeMap::new();
    for list in LISTS.iter().filter(|list| list.kind == "subscription") {
        read_list(client, list, |object| {
            let customer = object.get("customer").and_then(|of| of.as_str().or_else(|| of.get("id")?.as_str()));
            if let Some(customer) = customer {
                shown.entry(customer.to_owned()).or_default().push(Gist::of(&object));
            }
        })?;
    }
    let mut owners: BTreeSet<String> = account.objects.customers()?.into_iter().collect();
    owners.extend(shown.keys().cloned());
    let mut shelves = Vec::with_capacity(owners.len());
    for owner in owners {
        let shelf = account.objects.shelf(&owner)?;
        let codes = account.objects.issue_codes(&owner)?;
        let subscriptions = shown.remove(&owner).unwrap_or_default();
        shelves.push((owner, shelf, codes, subscriptions));
    }
    let histories = account.histories()?;
    let lines: Vec<Vec<Line>> = shelves
        .into_par_iter()
        .map(|(customer, shelf, codes, subscriptions)| {
            let is_paid = |object: &Gist| {
                object.kind() == "invoice" && object.get("status").and_then(Gist::as_str) == Some("paid")
            };
            let ways = [
                histories.of_objects(&subscriptions, now),
                histories.of_shelf(&shelf, true, |_| true, now),
                histories.of_shelf(&shelf, false, is_invoice, now),
                histories.of_shelf(&shelf, false, is_paid, now),
            ];
            let monthly = ways.map(|rows| monthly_at(&rows, policy, now));
            let collected = cash::collected(&objects_of(&shelf), since, now + 1);
            let mut currencies: BTreeSet<Currency> = monthly.iter().flat_map(|way| way.keys().copied()).collect();
            currencies.extend(collected.keys());
            let of = |currency: Currency| {
                let monthly_micros =
                    std::array::from_fn(|way: usize| monthly[way].get(&currency).copied().unwrap_or(0));
                let collected_micros = collected.get(&currency).copied().unwrap_or(0);
                let customer = customer.clone();
                let mut line = Line { customer, currency, monthly_micros, collected_micros, why: BTreeSet::new() };
                line.why = why(&line, &codes);
                line
            };
            currencies.into_iter().map(of).collect()
        })
        .collect();
    Ok(lines.into_iter().flatten().collect())
}

fn is_invoice(object: &Gist) -> bool {
    matches!(object.kind(), "invoice" | "invoiceitem")
}

/// The newest versions of what is kept of a customer.
fn objects_of(shelf: &Shelf) -> Vec<Gist> {
    gists(&shelf.objects).into_iter().map(|(_, object)| object).collect()
}

/// A customer's money in one month and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashLine {
    /// The customer.
    pub customer: String,
    /// The first day of the month.
    pub month: Day,
    /// The currency.
    pub currency: Currency,
    /// MRR at the end of the month by our facts and by invoices, in micro-units a month.
    pub monthly_micros: [i64; 2],
    /// What was asked for, came in and went back, and why these differ.
    pub cash: Month,
}

/// What was asked for, came in and went back in the months from `from` to before `to`, beside MRR at their ends: by customer,
/// month and currency.
pub fn cash(
    account: &mut Account,
    policy: &Policy,
    zone: &Zone,
    (from, to): (Day, Day),
    now: i64,
) -> Result<Vec<CashLine>, CommandError> {
    let mut shelves = Vec::new();
    for owner in account.objects.customers()? {
        let shelf = account.objects.shelf(&owner)?;
        shelves.push((owner, shelf));
    }
    let histories = account.histories()?;
    let today = zone.day_of_instant(now * 1_000_000);
    let months: Vec<Day> =
        std::iter::successors(Some(from.first_of(Grain::Month)), |month| Some(month.next_of(Grain::Month)))
            .take_while(|month| *month < to && *month <= today)
            .collect();
    let lines: Vec<Vec<CashLine>> = shelves
        .into_par_iter()
        .map(|(customer, shelf)| {
            let of_months = cash::months(&objects_of(&shelf), zone);
            let ways =
                [histories.of_shelf(&shelf, true, |_| true, now), histories.of_shelf(&shelf, false, is_invoice, now)];
            let mut lines = Vec::new();
            for month in &months {
                let last_second = zone.start_of_day(month.next_of(Grain::Month)) / 1_000_000 - 1;
                let monthly = ways.each_ref().map(|rows| monthly_at(rows, policy, last_second.min(now)));
                let mut currencies: BTreeSet<Currency> = monthly.iter().flat_map(|way| way.keys().copied()).collect();
                currencies.extend(of_months.keys().filter(|(of, _)| of == month).map(|(_, currency)| *currency));
                lines.extend(currencies.into_iter().map(|currency| CashLine {
                    customer: customer.clone(),
                    month: *month,
                    currency,
                    monthly_micros: monthly.each_ref().map(|way| way.get(&currency).copied().unwrap_or(0)),
                    cash: of_months.get(&(*month, currency)).cloned().unwrap_or_default(),
                }));
            }
            lines
        })
        .collect();
    Ok(lines.into_iter().flatten().collect())
}

/// Why the ways differ: the codes of what cannot be known of the customer, and what follows from the amounts.
fn why(line: &Line, codes: &BTreeSet<String>) -> BTreeSet<String> {
    let [subscriptions, facts, invoices, paid] = line.monthly_micros;
    let mut why = BTreeSet::new();
    if subscriptions != facts {
        why.insert("not_synced_yet".to_owned());
    }
    if invoices != facts {
        why.insert("changed_since_last_invoice".to_owned());
        why.extend(codes.iter().cloned());
    }
    if paid != invoices {
        why.insert("invoice_not_paid".to_owned());
    }
    why
}

/// What rows are worth a month at a second, by currency. Trials, pauses and usage are worth nothing here.
fn monthly_at(rows: &[Row], policy: &Policy, now: i64) -> BTreeMap<Currency, i64> {
    let mut monthly = BTreeMap::new();
    for row in rows {
        let standing = &row.standing;
        let holds = row.start <= now && row.end.is_none_or(|end| end > now);
        let pays = matches!(standing.status, Status::Active | Status::PastDue)
            && standing.cancel_at.is_none_or(|at| at > now)
            && !standing.price.metered
            && standing.price.interval != Interval::OneOff;
        if !holds || !pays {
            continue;
        }
        let discount = standing.discount.filter(|_| standing.discount_end.is_none_or(|end| end > now));
        let terms = Terms {
            offer: 0,
            status: standing.status,
            price: Price { discount, ..standing.price.of(standing.quantity) },
            metered: false,
            discount_end: NEVER,
            cancel_reason: Reason::Unknown,
            confidence: row.confidence,
        };
        if let Ok(worth) = Worth::of(&terms, policy) {
            *monthly.entry(standing.price.currency).or_insert(0) += worth.monthly_micros;
        }
    }
    monthly.retain(|_, micros| *micros != 0);
    monthly
}
