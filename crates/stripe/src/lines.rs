//! What invoice lines say of subscription items: full periods, the two sides of a proration, and usage.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use revenue::{
    calendar::{Day, days_in_month},
    price::{Interval, Pricing},
};

use crate::{
    amount::{picos, picos_of_decimal},
    invoice::{Invoice, Line},
    price::{PriceTerms, Prices},
};

const DAY_SECONDS: i64 = 86_400;

/// What a group of lines says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Billed {
    pub(crate) item: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) side: Side,
    pub(crate) price: PriceTerms,
    pub(crate) quantity: i64,
    /// Whether price and quantity give the amount that was billed. Else they are the best that can be said.
    pub(crate) fits: bool,
    /// A full period that cost nothing although its price is not nought: a trial.
    pub(crate) free: bool,
    /// Of a credit: whether something takes the place of what is given back.
    pub(crate) replaced: bool,
    /// The discounts that were taken off.
    pub(crate) discounts: Vec<String>,
    pub(crate) source: String,
}

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// What was paid for and is given back: the state before a change.
    Credit,
    /// What is paid for the rest of the period: the state after a change.
    Debit,
    /// A whole period.
    Full,
    /// What was used in a whole period.
    Usage,
}

/// Prices by which lines are understood.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Those that were shown, and those that follow from whole lines.
    pub(crate) prices: Arc<Prices>,
    /// The ids of those that follow: at another quantity they may be in another tier.
    pub(crate) inferred: BTreeSet<String>,
    /// What a quantity of a price of unknown shape costs, where a whole line says so.
    pub(crate) amounts: BTreeMap<(String, i64), PriceTerms>,
}

/// Puts the lines of an invoice (or waiting invoice items) together that are parts of one statement: tiers are billed
/// line by line.
///
/// What an invoice of the second `at` bills of a time that was over by then was used in it, where no price says otherwise.
pub(crate) fn billed(lines: &[Line], known: &Known, at: Option<i64>) -> Vec<Billed> {
    let mut groups: BTreeMap<(String, i64, i64, Side, String), Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let Some(item) = line.item.clone() else { continue };
        let price_id = line.price_id.clone().unwrap_or_default();
        let metered = is_metered(line, known, at);
        let side = match (line.proration, metered) {
            (true, _) if line.amount < 0 => Side::Credit,
            // Of two sides that cost nothing neither can be told from the other.
            (true, _) if line.amount == 0 => continue,
            (true, _) => Side::Debit,
            (false, true) => Side::Usage,
            (false, false) => Side::Full,
        };
        groups.entry((item, line.start, line.end, side, price_id)).or_default().push(line);
    }
    let mut said: Vec<Billed> = groups.into_values().filter_map(|lines| statement(&lines, known, at)).collect();
    for credit in said.iter_mut().filter(|said| said.side == Side::Credit) {
        // Also by what nothing is known of but that it costs something.
        credit.replaced = lines
            .iter()
            .any(|line| line.item.as_ref() == Some(&credit.item) && line.start == credit.start && line.amount > 0);
    }
    said
}

fn price_of<'a>(line: &'a Line, prices: &'a Prices) -> Option<&'a PriceTerms> {
    let known =
        line.price_id.as_ref().and_then(|price| prices.get(price)).filter(|price| price.currency == line.currency);
    known.or(line.price.as_ref())
}

/// Whether a line bills what was used: by its price, and where that is not known by its time.
fn is_metered(line: &Line, known: &Known, at: Option<i64>) -> bool {
    match price_of(line, &known.prices) {
        Some(price) => price.metered,
        None => !line.proration && at.is_some_and(|at| line.end <= at),
    }
}

fn statement(lines: &[&Line], shown: &Known, at: Option<i64>) -> Option<Billed> {
    let first = lines.first()?;
    let proration = first.proration;
    let amount: i64 = lines.iter().map(|line| line.amount).sum();
    let quantities = || lines.iter().filter_map(|line| line.quantity);
    let whole: i64 = quantities().sum();
    let known = price_of(first, &shown.prices);
    let metered = is_metered(first, shown, at);
    let side = match (proration, amount < 0, metered) {
        (true, true, _) => Side::Credit,
        (true, false, _) => Side::Debit,
        (false, _, true) => Side::Usage,
        (false, _, false) => Side::Full,
    };
    let mut discounts: Vec<String> = lines.iter().flat_map(|line| &line.discounts).map(|(id, _)| id.clone()).collect();
    discounts.sort();
    discounts.dedup();
    let gives = |price: &PriceTerms, quantity: i64| {
        price.billed_picos(quantity).is_some_and(|billed| {
            let unit = picos(1, first.currency);
            // Each line is rounded to minor units by itself.
            (billed - picos(amount, first.currency)).abs() <= unit * lines.len() as i128 / 2 + unit / 2
        })
    };
    let (price, quantity, fits, free) = match known {
        // A line for a tier's flat amount counts no units, or one, or all: whatever gives the amount is right.
        Some(price) if !proration => {
            let flat = lines.iter().filter(|line| line.unit.is_none() || line.quantity == Some(0)).count();
            let most = quantities().max().unwrap_or(1);
            let flats = i64::try_from(flat).unwrap_or(0);
            let tried = [whole, whole - 1, whole - flats, most].into_iter().filter(|units| *units >= 0);
            let own = if first.quantity.is_none() { 1 } else { whole };
            let fitting = tried.into_iter().find(|units| gives(price, *units));
            let free = amount == 0 && fitting.is_none();
            (price.clone(), fitting.unwrap_or(own), fitting.is_some() || free && lines.len() == 1, free)
        }
        Some(price) => {
            let quantity = lines.iter().find_map(|line| line.quantity).unwrap_or(1);
            let fits = !shown.inferred.contains(&price.id) || is_share(price, quantity, amount, first.start, first.end);
            (price.clone(), quantity, fits, false)
        }
        None if proration => {
            // Of a price of which nothing is known, a part of a period says nothing.
            let quantity = lines.iter().find_map(|line| line.quantity)?;
            let found = shown.amounts.get(&(first.price_id.clone()?, quantity))?;
            (found.clone(), quantity, true, false)
        }
        None => {
            // Neither price nor rhythm are shown: both follow from the amount and the period of whole lines.
            let (interval, interval_count) = rhythm(first.start, first.end)?;
            let unit = first.unit.as_deref().and_then(|unit| picos_of_decimal(unit, first.currency));
            // A line for a tier's flat amount counts no units.
            let units: i64 = lines.iter().filter(|line| line.unit.is_some()).filter_map(|line| line.quantity).sum();
            let quantity = if lines.len() > 1 { units } else { first.quantity.unwrap_or(1) };
            let mut price = PriceTerms {
                id: first.price_id.clone().unwrap_or_default(),
                product: first.product.clone().unwrap_or_default(),
                currency: first.currency,
                amount_picos: unit.unwrap_or(0),
                pricing: Pricing::PerUnit,
                interval,
                interval_count,
                metered,
            };
            let per_unit = unit.is_some() && lines.len() == 1 && (amount == 0 || gives(&price, quantity));
            if !per_unit {
                price.pricing = Pricing::Flat;
                price.amount_picos = picos(amount, first.currency);
            }
            let free = amount == 0 && (unit.is_none() || !gives(&price, quantity));
            (price, quantity, true, free)
        }
    };
    Some(Billed {
        item: first.item.clone()?,
        start: first.start,
        end: first.end,
        side,
        price,
        quantity,
        fits,
        free,
        replaced: false,
        discounts,
        source: first.id.clone(),
    })
}

/// Whether an amount is what a quantity costs for the rest of a period, to about a hundredth.
fn is_share(price: &PriceTerms, quantity: i64, minor: i64, from: i64, end: i64) -> bool {
    let Ok(day) = i32::try_from(end.div_euclid(DAY_SECONDS)) else { return false };
    let count = price.interval_count;
    let begun = match price.interval {
        Interval::Day => Day(day).plus_days(-count),
        Interval::Week => Day(day).plus_days(-7 * count),
        Interval::Month | Interval::OneOff => Day(day).plus_months(-count),
        Interval::Quarter => Day(day).plus_months(-3 * count),
        Interval::Year => Day(day).plus_months(-12 * count),
    };
    let length = i128::from(day - begun.0) * i128::from(DAY_SECONDS);
    let Some(billed) = price.billed_picos(quantity).filter(|_| length > 0) else { return false };
    let Some(expected) = billed.checked_mul(i128::from(end - from)).map(|share| share / length) else { return false };
    (picos(minor, price.currency).abs() - expected).abs() <= expected / 100 + 2 * picos(1, price.currency)
}

/// The rhythm that a period is one beat of.
pub(crate) fn rhythm(start: i64, end: i64) -> Option<(Interval, i32)> {
    let (from, to) = (start.div_euclid(DAY_SECONDS), end.div_euclid(DAY_SECONDS));
    if end <= start || start.rem_euclid(DAY_SECONDS) != end.rem_euclid(DAY_SECONDS) {
        return None;
    }
    let (from, to) = (Day(i32::try_from(from).ok()?), Day(i32::try_from(to).ok()?));
    let ((year, month, day), (to_year, to_month, to_day)) = (from.civil(), to.civil());
    let months = (to_year - year) * 12 + i32::try_from(to_month).ok()? - i32::try_from(month).ok()?;
    let last = |year, month, day| day == days_in_month(year, month);
    // A period from the 31st ends on the last day of a shorter month, and the next one on the 31st again.
    let same =
        day == to_day || (last(to_year, to_month, to_day) && to_day < day) || (last(year, month, day) && day < to_day);
    if months > 0 && same {
        return Some(if months % 12 == 0 { (Interval::Year, months / 12) } else { (Interval::Month, months) });
    }
    let days = to.0 - from.0;
    Some(if days % 7 == 0 { (Interval::Week, days / 7) } else { (Interval::Day, days) })
}

/// Changes within periods of which lines tell that they were, but not between what: items with their seconds and the
/// ends of their periods.
pub(crate) fn hidden(lines: &[Line], billed: &[Billed]) -> Vec<(String, i64, i64)> {
    let mut found = Vec::new();
    for line in lines.iter().filter(|line| line.proration && line.amount != 0) {
        let side = if line.amount < 0 { Side::Credit } else { Side::Debit };
        let Some(item) = &line.item else { continue };
        if billed.iter().all(|said| (&said.item, said.start, said.side) != (item, line.start, side)) {
            found.push((item.clone(), line.start, line.end));
        }
    }
    found
}

/// Prices as they were shown, and as they follow from the whole lines of invoices where nothing else shows them.
pub(crate) fn known(invoices: &[Invoice], prices: &Arc<Prices>) -> Known {
    let mut known = Known { prices: Arc::clone(prices), ..Known::default() };
    let mut found: BTreeMap<String, Option<PriceTerms>> = BTreeMap::new();
    let mut amounts: BTreeMap<(String, i64), Option<PriceTerms>> = BTreeMap::new();
    let settle = |entry: &mut Option<PriceTerms>, price: &PriceTerms| {
        // What seems to be several prices is none.
        if entry.as_ref() != Some(price) {
            *entry = None;
        }
    };
    for said in invoices.iter().flat_map(|invoice| billed(&invoice.lines, &known, Some(invoice.created))) {
        let id = &said.price.id;
        if said.side != Side::Full || said.free || known.prices.contains_key(id) {
            continue;
        }
        let per_unit = (said.price.pricing == Pricing::PerUnit).then(|| said.price.clone());
        settle(found.entry(id.clone()).or_insert(per_unit.clone()), &said.price);
        if per_unit.is_none() {
            found.insert(id.clone(), None);
            settle(amounts.entry((id.clone(), said.quantity)).or_insert(Some(said.price.clone())), &said.price);
        }
    }
    let found: Prices = found.into_iter().filter_map(|(id, price)| Some((id, price?))).collect();
    known.inferred = found.keys().cloned().collect();
    if !found.is_empty() {
        Arc::make_mut(&mut known.prices).extend(found);
    }
    known.amounts = amounts.into_iter().filter_map(|(of, price)| Some((of, price?))).collect();
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gist::Gist;
    use crate::{invoice, subscription::Catalogue};
    use serde_json::json;

    #[test]
    fn what_is_billed_once_it_is_over_was_used() {
        // No price is shown: seats are billed on the 15th for the month that begins, calls for the month that is over.
        let line = |id: &str, item: &str, start: i64, end: i64| {
            json!({"id": id, "object": "line_item", "amount": 4000, "currency": "eur", "quantity": 4, "period":
                {"start": start, "end": end}, "subscription": "sub_1", "subscription_item": item})
        };
        let (before, now, next) = (1_705_276_800, 1_707_955_200, 1_710_460_800);
        let object = json!({"id": "in_1", "object": "invoice", "customer": "cus_1", "currency": "eur", "created": now,
            "status": "paid", "lines": {"data": [line("il_1", "si_seats", now, next), line("il_2", "si_calls", before, now)]}});
        let (catalogue, mut issues) = (Catalogue::default(), Vec::new());
        let read = invoice::read(&Gist::of(&object), &catalogue, &mut issues).unwrap();
        let said = billed(&read.lines, &Known::default(), Some(read.created));
        let of = |item: &str| said.iter().find(|said| said.item == item).map(|said| (said.side, said.price.metered));
        assert_eq!((of("si_seats"), of("si_calls")), (Some((Side::Full, false)), Some((Side::Usage, true))));
    }

    #[test]
    fn a_period_tells_its_rhythm() {
        let at = |day: &str| i64::from(Day::parse(day).unwrap().0) * DAY_SECONDS + 3_600;
        for (start, end, rhythm_of) in [
            ("2024-01-15", "2024-02-15", Some((Interval::Month, 1))),
            ("2024-01-31", "2024-02-29", Some((Interval::Month, 1))),
            ("2024-02-29", "2024-03-31", Some((Interval::Month, 1))),
            ("2024-01-10", "2024-04-10", Some((Interval::Month, 3))),
            ("2024-02-29", "2025-02-28", Some((Interval::Year, 1))),
            ("2024-01-10", "2024-01-24", Some((Interval::Week, 2))),
            ("2024-01-10", "2024-01-20", Some((Interval::Day, 10))),
            ("2024-01-10", "2024-01-10", None),
        ] {
            assert_eq!(rhythm(at(start), at(end)), rhythm_of, "{start} {end}");
        }
    }
}
