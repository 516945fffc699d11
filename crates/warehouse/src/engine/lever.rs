//! What levers are played through on: the contracts of now, with what is agreed of them, and what the past says of how they go
//! on.

use std::collections::BTreeMap;

use outlook::lever::{
    Beliefs, Range,
    simulation::{AGES, Business, Contract},
    words::Source,
};
use revenue::{
    calendar::Day,
    money::MICROS,
    movement::{Cause, Kind},
    price::Interval,
};

use super::{
    EngineError, experiment::is_yearly, journey, lead_score::first_paid_day, people::Attribution, people::People,
};
use crate::{
    books::Books,
    observed::{NO_DAY, NO_ID, Wanted},
};

/// Months of which the mean is taken for what new customers bring.
const NEW_MONTHS: i32 = 6;
/// Months of which the mean is taken for growth, and the share that is paid by the year.
const GROWTH_MONTHS: i32 = 12;
/// With fewer renewals than this nothing is learnt from them.
const LEAST_RENEWALS: u64 = 20;
/// With fewer customers whose price rose than this nothing is learnt from it.
const LEAST_RAISED: u64 = 30;
/// A month counts as one of a price rise when it touched this share of the customers.
const RAISED_SHARE: f64 = 0.1;
/// Where ages within which churn is taken to be alike begin.
const AGES_ALIKE: [u32; 7] = [0, 1, 2, 3, 6, 12, 24];
/// How many months of customers the churn of all ages weighs within each of them, so that few cases do not make a wild one.
const WEIGHT_OF_ALL: f64 = 20.0;
/// Days of trials that tell how many of them turn into paying.
const TRIAL_DAYS: i32 = 180;

/// What levers are played through on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The contracts, and the trials that run.
    pub business: Business,
    /// What the past says.
    pub beliefs: Beliefs,
    /// Where each of [`outlook::lever::BELIEFS`] comes from.
    pub sources: [Source; 4],
    /// Customers who leave over a price rise, for each per cent of it, where the past tells.
    pub leaving: Option<(Range, Source)>,
}

/// A life as seen: how long, whether it ended, and whether it was paid by the year.
struct Seen {
    months: u32,
    has_ended: bool,
    is_yearly: bool,
}

/// What happened in one month before the day that is looked at.
#[derive(Default, Clone)]
struct Past {
    opening: i128,
    customers: u64,
    new: i128,
    new_yearly: i128,
    new_customers: u64,
    growth: i128,
    left: u64,
    raised: u64,
    rise: f64,
}

/// Gathers what is known before a day.
///
/// # Errors
/// When facts cannot be read.
pub fn ground(books: &Books, end: Day) -> Result<Ground, EngineError> {
    let mut contracts = Vec::new();
    let mut lives = Vec::new();
    let mut past: BTreeMap<i32, Past> = BTreeMap::new();
    for customer in 0..books.ledger.customers() {
        of_customer(books, customer, end, &mut contracts, &mut lives, &mut past);
    }
    // Months in which nobody had anything yet, or nothing happened, are there as well.
    let earliest = past.keys().next_back().copied().unwrap_or_default();
    let months: Vec<Past> = (1..=earliest).map(|month| past.get(&month).cloned().unwrap_or_default()).collect();
    let recent = |count: i32| &months[..months.len().min(count as usize)];
    let (monthly_churn, churn_level, of_churn) = monthly_churn(&lives);
    let (yearly_churn, of_renewals) = yearly_churn(&lives, &monthly_churn);
    let news: Vec<f64> = recent(NEW_MONTHS).iter().map(|month| units(month.new)).collect();
    let grown: Vec<f64> = recent(GROWTH_MONTHS)
        .iter()
        .filter(|month| month.opening > 0)
        .map(|month| month.growth as f64 / month.opening as f64)
        .collect();
    let of_new = |of: fn(&Past) -> i128| units(recent(GROWTH_MONTHS).iter().map(of).sum());
    let (new, new_yearly) = (of_new(|month| month.new), of_new(|month| month.new_yearly));
    let new_customers: u64 = recent(GROWTH_MONTHS).iter().map(|month| month.new_customers).sum();
    let worth_of_new = if new_customers > 0 { new / new_customers as f64 } else { 0.0 };
    let trials_mrr = trials_that_will_pay(books, end)? * worth_of_new;
    let sources = [
        of_churn,
        of_renewals,
        Source::Months { months: grown.len() as u64 },
        Source::Months { months: news.len() as u64 },
    ];
    let beliefs = Beliefs {
        monthly_churn,
        churn_level,
        yearly_churn,
        growth: Range::of_mean(&grown),
        new_mrr: Range::of_mean(&news),
        new_yearly: if new > 0.0 { (new_yearly / new).clamp(0.0, 1.0) } else { 0.0 },
    };
    Ok(Ground { business: Business::new(contracts, trials_mrr), beliefs, sources, leaving: leaving(&months) })
}

fn units(micros: i128) -> f64 {
    micros as f64 / MICROS as f64
}

/// Months that one bill of an interval is for.
fn interval_months(interval: Interval, count: i32) -> u32 {
    let count = u32::try_from(count).unwrap_or(1).max(1);
    match interval {
        Interval::Year => 12 * count,
        Interval::Quarter => 3 * count,
        Interval::Month => count,
        Interval::Week => count * 7 / 30,
        Interval::Day => count / 30,
        Interval::OneOff => 1,
    }
    .max(1)
}

/// In which month after `end` a later day lies: 1 is the first.
fn month_of(end: Day, day: Day) -> u32 {
    let mut month = ((day.0 - end.0) / 31).max(0);
    while end.plus_months(month + 1) <= day {
        month += 1;
    }
    u32::try_from(month + 1).unwrap_or(1)
}

/// In which month before `end` a day lies: 1 is the last.
fn month_before(end: Day, day: Day) -> i32 {
    let mut month = ((end.0 - 1 - day.0) / 31).max(0);
    while end.plus_months(-(month + 1)) > day {
        month += 1;
    }
    month + 1
}

/// The days of a month of a life: as [`super::survival::lives`] counts them.
fn whole_months(days: i32) -> u32 {
    u32::try_from(i64::from(days.max(0)) * 12 / 365).unwrap_or_default()
}

/// A contract on its way: what it is worth, since when, and what is agreed.
#[derive(Default)]
struct OnItsWay {
    micros: i128,
    since: i32,
    later: Vec<(i32, i128)>,
}

fn of_customer(
    books: &Books,
    customer: usize,
    end: Day,
    contracts: &mut Vec<Contract>,
    lives: &mut Vec<Seen>,
    past: &mut BTreeMap<i32, Past>,
) {
    let ledger = &books.ledger;
    let rows = ledger.of_customer(customer);
    let offer_of = |offer: u32| books.facts.offers.get(offer as usize);
    let yearly = |offer: u32| offer_of(offer).is_some_and(|offer| is_yearly(offer.interval, offer.interval_count));
    let mut parts: BTreeMap<(u32, u32), OnItsWay> = BTreeMap::new();
    let (mut mrr, mut by_year, mut first, mut left, mut was_yearly) = (0i128, 0i128, None, None, false);
    // What was paid from one day until another is the opening MRR of the months that begin in between.
    let open = |from: Option<i32>, to: i32, mrr: i128, past: &mut BTreeMap<i32, Past>| {
        let Some(from) = from.filter(|_| mrr > 0) else { return };
        let mut month = month_before(end, Day(to));
        while end.plus_months(-month).0 > from {
            let place = past.entry(month).or_default();
            place.opening += mrr;
            place.customers += 1;
            month += 1;
        }
    };
    let mut paid_from = None;
    for row in rows.clone().filter(|row| ledger.day[*row] < end.0) {
        let day = ledger.day[row];
        let delta = i128::from(ledger.delta_micros[row]);
        let place = past.entry(month_before(end, Day(day))).or_default();
        match ledger.kind[row] {
            Kind::New | Kind::Reactivation => {
                place.new += delta;
                if ledger.kind[row] == Kind::New {
                    place.new_customers += u64::from(first.is_none());
                    first = first.or(Some(day));
                }
                if yearly(ledger.offer[row]) {
                    place.new_yearly += delta;
                }
                left = None;
            }
            Kind::Expansion | Kind::Contraction => {
                if ledger.cause[row] == Cause::PriceRise && delta > 0 {
                    place.raised += 1;
                    place.rise += if mrr > 0 { delta as f64 / mrr as f64 } else { 0.0 };
                } else {
                    place.growth += delta;
                }
            }
            Kind::Churn => {
                if left != Some(day) {
                    place.left += 1;
                    was_yearly = by_year * 2 > mrr;
                }
                left = Some(day);
            }
            Kind::Transfer | Kind::Fx => {}
        }
        let part = parts.entry((ledger.subscription[row], ledger.offer[row])).or_default();
        if part.micros == 0 {
            part.since = day;
        }
        part.micros += delta;
        open(paid_from, day, mrr, past);
        paid_from = Some(day);
        mrr += delta;
        if yearly(ledger.offer[row]) {
            by_year += delta;
        }
    }
    let Some(first) = first else { return };
    open(paid_from, end.0, mrr, past);
    let until = left.unwrap_or(end.0);
    let is_yearly = if left.is_some() { was_yearly } else { by_year * 2 > mrr };
    lives.push(Seen { months: whole_months(until - first), has_ended: left.is_some(), is_yearly });
    if mrr <= 0 {
        return;
    }
    // What is agreed for later. Of who does not pay yet nothing is: a trial may end either way.
    for row in rows.filter(|row| ledger.day[*row] >= end.0) {
        let part = parts.entry((ledger.subscription[row], ledger.offer[row])).or_default();
        part.later.push((ledger.day[row], i128::from(ledger.delta_micros[row])));
    }
    for ((_, offer), part) in parts.into_iter().filter(|(_, part)| part.micros > 0 || !part.later.is_empty()) {
        let interval_months = offer_of(offer).map_or(1, |offer| interval_months(offer.interval, offer.interval_count));
        let mut worth = part.micros;
        let mut known: Vec<(u32, f64)> = Vec::new();
        for (day, delta) in &part.later {
            worth += delta;
            let month = month_of(end, Day(*day));
            known.retain(|(known, _)| *known != month);
            known.push((month, units(worth.max(0))));
        }
        let next_bill = match part.micros {
            0 => known.first().map_or(1, |(month, _)| *month),
            _ => next_bill(end, Day(part.since), interval_months),
        };
        let age_months = whole_months(end.0 - first);
        contracts.push(Contract { mrr: units(part.micros), interval_months, next_bill, age_months, known });
    }
}

/// The month of the next bill of a contract that has been billed every so many months since a day.
fn next_bill(end: Day, since: Day, interval_months: u32) -> u32 {
    let interval = i32::try_from(interval_months).unwrap_or(1).max(1);
    let mut bills = ((end.0 - since.0) / 31 / interval).max(0);
    while since.plus_months(bills * interval) < end {
        bills += 1;
    }
    month_of(end, since.plus_months(bills * interval))
}

/// The churn of those billed by less than a year, by age, with the error of its level.
fn monthly_churn(lives: &[Seen]) -> (Vec<f64>, Range, Source) {
    let (mut ended, mut seen) = (vec![0.0; AGES as usize + 1], vec![0.0; AGES as usize + 1]);
    for life in lives.iter().filter(|life| !life.is_yearly) {
        let last = life.months.min(AGES) as usize;
        // Older than that is one age.
        let beyond = f64::from(life.months.saturating_sub(AGES));
        seen[..last].iter_mut().for_each(|months| *months += 1.0);
        seen[last] += beyond + if life.has_ended { 1.0 } else { 0.5 };
        ended[last] += f64::from(u8::from(life.has_ended));
    }
    let (all_ended, all_seen): (f64, f64) = (ended.iter().sum(), seen.iter().sum());
    let source = Source::Left { left: all_ended as u64, months: all_seen as u64 };
    if all_ended <= 0.0 {
        return (vec![0.0], Range::exactly(1.0), source);
    }
    let mean = all_ended / all_seen;
    let of_age = |age: u32| {
        let place = AGES_ALIKE.partition_point(|from| *from <= age);
        let from = AGES_ALIKE.get(place - 1).copied().unwrap_or_default() as usize;
        let to = AGES_ALIKE.get(place).map_or(AGES as usize + 1, |to| *to as usize);
        let (ended, seen): (f64, f64) = (ended[from..to].iter().sum(), seen[from..to].iter().sum());
        (ended + WEIGHT_OF_ALL * mean) / (seen + WEIGHT_OF_ALL)
    };
    // The error of the logarithm of a rate of so many cases.
    let reach = (outlook::normal::quantile(0.95) / all_ended.sqrt()).exp();
    ((0..=AGES).map(of_age).collect(), Range { lower: 1.0 / reach, likely: 1.0, upper: reach }, source)
}

/// The churn of those who pay by the year, at a renewal.
fn yearly_churn(lives: &[Seen], monthly_churn: &[f64]) -> (Range, Source) {
    let (mut left, mut renewals) = (0u64, 0u64);
    for life in lives.iter().filter(|life| life.is_yearly) {
        let years = u64::from(life.months / 12);
        left += u64::from(life.has_ended);
        renewals += if life.has_ended { years.max(1) } else { years };
    }
    if renewals >= LEAST_RENEWALS {
        return (Range::of_share(left as f64, renewals as f64), Source::Renewals { left, renewals });
    }
    let at =
        |age: usize| monthly_churn.get(age.min(monthly_churn.len().saturating_sub(1))).copied().unwrap_or_default();
    let likely = 1.0 - (12..24).map(|age| 1.0 - at(age)).product::<f64>();
    let range = Range { lower: likely * 0.5, likely, upper: (likely * 1.5).min(1.0) };
    (range, Source::OtherChurn { renewals })
}

/// Customers who leave over a price rise for each per cent of it: how many more left in months in which prices rose for many
/// than in other months, of those who were asked for more.
fn leaving(months: &[Past]) -> Option<(Range, Source)> {
    let is_rise = |month: &&Past| month.raised as f64 >= RAISED_SHARE * month.customers as f64 && month.raised > 0;
    let sums = |of: &dyn Fn(&Past) -> f64, rises: bool| -> f64 {
        months.iter().filter(|month| month.customers > 0 && is_rise(month) == rises).map(of).sum()
    };
    let raised = sums(&|month| month.raised as f64, true);
    let (there, left) = (sums(&|month| month.customers as f64, true), sums(&|month| month.left as f64, true));
    let (others, others_left) = (sums(&|month| month.customers as f64, false), sums(&|month| month.left as f64, false));
    if raised < LEAST_RAISED as f64 || others <= 0.0 {
        return None;
    }
    let rise = sums(&|month| month.rise, true) / raised;
    if rise <= 0.0 {
        return None;
    }
    let usual = there * others_left / others;
    let reach = outlook::normal::quantile(0.95) * left.max(1.0).sqrt();
    let of = |more: f64| {
        let more = more.max(0.0);
        more / (raised + more) / rise
    };
    let range = Range { lower: of(left - usual - reach), likely: of(left - usual), upper: of(left - usual + reach) };
    Some((range, Source::PriceRises { raised: raised as u64, rise, left: left as u64, usual }))
}

/// How many of the trials that run before a day will turn into paying, as those of the last months did.
fn trials_that_will_pay(books: &Books, end: Day) -> Result<f64, EngineError> {
    let trials = trials(books)?;
    let pays_from =
        |customer: u32, day: i32| first_paid_day(books, customer).is_some_and(|paid| (day..end.0).contains(&paid));
    let (mut running, mut settled, mut paying) = (0.0, 0.0, 0.0);
    for (customer, start, over) in trials {
        let pays = customer != NO_ID && pays_from(customer, start);
        if start >= end.0 || start < end.0 - TRIAL_DAYS {
            continue;
        }
        if pays || (over != NO_DAY && over < end.0) {
            settled += 1.0;
            paying += f64::from(u8::from(pays));
        } else {
            running += 1.0;
        }
    }
    Ok(if settled > 0.0 { running * paying / settled } else { 0.0 })
}

/// The trials that facts state: customer, start and end, in days.
fn trials(books: &Books) -> Result<Vec<(u32, i32, i32)>, EngineError> {
    if books.has_facts("trial")? {
        let people = books.cubes.people.find_or_make((false, Vec::new(), Attribution::default()), || {
            Ok(People::load(books, false, &[], &|customer| journey::first_paid(books, customer))?)
        })?;
        let mut wanted =
            Wanted { days: ["start", "end"].map(str::to_owned).into_iter().collect(), ..Wanted::default() };
        People::want("trial", &mut wanted);
        let facts = books.shelf.get(books, "trial", wanted)?;
        let (customers, starts, ends) = (people.customers_of("trial", &facts), facts.days("start"), facts.days("end"));
        let known = (0..facts.len()).filter(|fact| starts[*fact] != NO_DAY);
        return Ok(known.map(|fact| (customers[fact], starts[fact], ends[fact])).collect());
    }
    let found = std::sync::Mutex::new(Vec::new());
    books.over_shares(|customer, spans| {
        for span in spans.iter().filter(|span| span.trial) {
            let days = (customer, books.ticks.day(span.from).0, books.ticks.day(span.to).0);
            found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(days);
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_unstable();
    Ok(found)
}
