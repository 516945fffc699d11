//! MRR by what Stripe's subscriptions are now, by our facts, by invoices, and by invoices that were paid, customer by
//! customer; and how many objects Stripe lists beside how many are kept.
//!
//! All four are worked out by the same method, from less and less: the difference is what the rest says.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use revenue::{
    fact::{NEVER, Reason, Status, Terms},
    money::Currency,
    policy::Policy,
    price::{Interval, Price},
    timeline::Worth,
};
use serde_json::Value;
use stripe::history::Row;

use super::{
    account::Account,
    client::{CallError, Client},
    objects::{id_of, kind_of},
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
    now: i64,
) -> Result<Vec<Line>, CommandError> {
    let mut shown: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for list in LISTS.iter().filter(|list| list.kind == "subscription") {
        read_list(client, list, |object| {
            let customer = object.get("customer").and_then(|of| of.as_str().or_else(|| of.get("id")?.as_str()));
            if let Some(customer) = customer {
                shown.entry(customer.to_owned()).or_default().push(object.clone());
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
            let is_invoice = |object: &Value| matches!(kind_of(object), "invoice" | "invoiceitem");
            let is_paid = |object: &Value| {
                kind_of(object) == "invoice" && object.get("status").and_then(Value::as_str) == Some("paid")
            };
            let ways = [
                histories.of_objects(&subscriptions, now),
                histories.of_shelf(&shelf, true, |_| true, now),
                histories.of_shelf(&shelf, false, is_invoice, now),
                histories.of_shelf(&shelf, false, is_paid, now),
            ];
            let monthly = ways.map(|rows| monthly_at(&rows, policy, now));
            let currencies: BTreeSet<Currency> = monthly.iter().flat_map(|way| way.keys().copied()).collect();
            let of = |currency: Currency| {
                let monthly_micros =
                    std::array::from_fn(|way: usize| monthly[way].get(&currency).copied().unwrap_or(0));
                let mut line = Line { customer: customer.clone(), currency, monthly_micros, why: BTreeSet::new() };
                line.why = why(&line, &codes);
                line
            };
            currencies.into_iter().map(of).collect()
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
