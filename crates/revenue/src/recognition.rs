//! Revenue recognition: what of the money that was billed has been earned, what is still owed as service, and what was
//! cancelled.
//!
//! A [`Schedule`] says which part of an invoice line is earned before a day. It is cumulative and rounded once, so what
//! is earned in two periods that meet adds up to what is earned in both, to the micro-unit. [`position`] books a line
//! and what became of it (payments, refunds, credit notes, voids, write-offs) into the accounts of a small double-entry
//! ledger, as they stand before a day. What happens in a period is one position less another.
//!
//! ```text
//! before it is issued   what is earned already is an unbilled receivable
//! when it is issued     receivable = amount + tax; the amount is deferred, less what was earned and unbilled
//! each day of service   deferred becomes revenue; tax never does
//! a payment             receivable becomes cash, at the rate of its day; the difference is an exchange gain or loss
//! a refund, credit      its share of what was earned lowers revenue in an account of its own (contra revenue);
//! note, void, ...       its share of what was not earned yet leaves deferred revenue, and is never earned
//! ```
//!
//! A change that takes back a part of a line takes it from each of its days alike: after a refund of a third, a third of
//! the revenue so far is contra revenue and the days to come earn two thirds.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Sub},
};

use crate::{
    calendar::{Day, Grain, days_in_month},
    money::{MoneyError, round_half_even, to_micros},
    policy::Recognition,
};

/// When an invoice line is earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    method: Method,
    start: Day,
    end: Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// All at once, on the first day: usage when it is used, sales without a period when they are billed.
    AtOnce,
    /// The same on each day of the service.
    ByDay,
    /// The same in each of so many calendar months, counted from the one in which the service begins.
    ByMonth { months: i32 },
}

impl Schedule {
    /// Earned whole on one day: a one-off sale on the day it is billed, usage on the day it is used.
    #[must_use]
    pub fn at_once(day: Day) -> Self {
        Self { method: Method::AtOnce, start: day, end: day.plus_days(1) }
    }

    /// Earned over the service of `[start, end)`. The first day counts whole. A service that ends on the day it begins,
    /// or before, is earned on that day.
    #[must_use]
    pub fn over(recognition: Recognition, start: Day, end: Day) -> Self {
        if end <= start.plus_days(1) {
            return Self::at_once(start);
        }
        let method = match recognition {
            Recognition::Day => Method::ByDay,
            Recognition::MonthEven => Method::ByMonth { months: months_of(start, end) },
        };
        Self { method, start, end }
    }

    /// The first day on which something is earned.
    #[must_use]
    pub fn start(&self) -> Day {
        self.start
    }

    /// The first day after which nothing is left to earn.
    #[must_use]
    pub fn end(&self) -> Day {
        match self.method {
            Method::AtOnce | Method::ByDay => self.end,
            Method::ByMonth { months } => self.slice(months - 1).1,
        }
    }

    /// What of an amount is earned before a day, in micro-units: rounded once, half to even.
    ///
    /// # Errors
    /// When the amount is far larger than the ledger holds.
    pub fn earned_before(&self, amount_micros: i128, day: Day) -> Result<i128, MoneyError> {
        let (numerator, denominator) = self.share_before(day);
        let scaled = amount_micros.checked_mul(i128::from(numerator)).ok_or(MoneyError::TooLarge)?;
        round_half_even(scaled, i128::from(denominator))
    }

    /// The share that is earned before a day, as a quotient from 0 to 1.
    fn share_before(&self, day: Day) -> (i64, i64) {
        if day <= self.start {
            return (0, 1);
        }
        if day >= self.end() {
            return (1, 1);
        }
        match self.method {
            Method::AtOnce => (1, 1),
            Method::ByDay => (days_between(self.start, day), days_between(self.start, self.end)),
            Method::ByMonth { months } => {
                let slice = months_between(self.start, day.plus_days(-1));
                let (from, to) = self.slice(slice);
                let length = days_between(from, to);
                (i64::from(slice) * length + days_between(from, day), i64::from(months) * length)
            }
        }
    }

    /// The days `[from, to)` over which the slice of a month is earned: the whole calendar month, but the first month
    /// only from the first day of service, and the last one only to its end where that falls within it.
    fn slice(&self, slice: i32) -> (Day, Day) {
        let first = self.start.first_of(Grain::Month).plus_months(slice);
        let (from, next) = (first.max(self.start), first.next_of(Grain::Month));
        (from, if self.end > from { next.min(self.end) } else { next })
    }
}

fn days_between(from: Day, to: Day) -> i64 {
    i64::from(to.0) - i64::from(from.0)
}

/// Calendar months from the month of one day to the month of another.
fn months_between(from: Day, to: Day) -> i32 {
    let ((from_year, from_month, _), (to_year, to_month, _)) = (from.civil(), to.civil());
    (to_year - from_year) * 12 + to_month as i32 - from_month as i32
}

/// How many months a service lasts: whole months, and one more where half of another one or more is left. At least one.
fn months_of(start: Day, end: Day) -> i32 {
    let between = months_between(start, end);
    let whole = if start.plus_months(between) <= end { between } else { between - 1 };
    let (year, month, _) = start.plus_months(whole).civil();
    let rest = days_between(start.plus_months(whole), end);
    (whole + i32::from(2 * rest >= i64::from(days_in_month(year, month)))).max(1)
}

/// A line of an invoice. Amounts are in its own currency and become amounts of the ledger at `rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The day it was issued: from then on it is billed.
    pub issued: Day,
    /// What it bills before tax, in micro-units; negative for a credit.
    pub amount_micros: i64,
    /// Tax on top of it, in micro-units, with the sign of the amount. It is owed to the state and never revenue.
    pub tax_micros: i64,
    /// What one unit of its currency was worth in the ledger's on the day of issue, as a quotient above zero.
    pub rate: (i128, i128),
    /// When it is earned.
    pub schedule: Schedule,
}

/// What happened to a line after it was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The day it happened. On or before the day of issue counts as the day of issue.
    pub day: Day,
    /// What happened.
    pub kind: ChangeKind,
    /// How much of amount and tax together, in micro-units of the line's currency, with the line's sign.
    /// [`share_out`] splits what concerns a whole invoice.
    pub amount_micros: i64,
    /// What one unit of the line's currency was worth in the ledger's on that day, as a quotient above zero.
    pub rate: (i128, i128),
}

/// The kinds of [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Money came in.
    Payment,
    /// Money was given back.
    Refund,
    /// Money was taken back by the customer's bank.
    Dispute,
    /// The claim was lowered.
    CreditNote,
    /// The claim was declared never to have been.
    Void,
    /// The claim was given up: bad debt.
    WriteOff,
}

/// The accounts of a line as they stand before a day, in micro-units of the ledger's currency; also sums of them, and
/// differences between two days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Billed before tax.
    pub billed_micros: i128,
    /// Earned, before what was taken back of it.
    pub revenue_micros: i128,
    /// Of what was earned, given back in refunds. Contra revenue, as are the next three.
    pub refunds_micros: i128,
    /// Of what was earned, taken back in disputes.
    pub disputes_micros: i128,
    /// Of what was earned, credited.
    pub credit_notes_micros: i128,
    /// Of what was earned, voided.
    pub voids_micros: i128,
    /// Of what was earned, written off: an expense, and no contra revenue.
    pub bad_debt_micros: i128,
    /// Paid after it had been written off.
    pub recovered_micros: i128,
    /// Billed and not earned yet: service that is owed.
    pub deferred_micros: i128,
    /// Taken back before it was earned. It was billed and will never be revenue.
    pub cancelled_micros: i128,
    /// Earned and not billed yet.
    pub unbilled_micros: i128,
    /// Billed with tax and not paid yet; below zero where the customer has money to their credit.
    pub receivable_micros: i128,
    /// Money that came in less money that went out, each at the rate of its day: the cash basis.
    pub cash_micros: i128,
    /// Tax that is owed to the state.
    pub tax_payable_micros: i128,
    /// What a change of rates between billing and paying brought; a loss is below zero.
    pub exchange_gain_micros: i128,
}

impl Position {
    /// Revenue less contra revenue: what the income statement shows.
    #[must_use]
    pub fn net_revenue_micros(&self) -> i128 {
        self.revenue_micros - self.refunds_micros - self.disputes_micros - self.credit_notes_micros - self.voids_micros
    }

    /// Every account.
    fn accounts(&mut self) -> [&mut i128; 15] {
        [
            &mut self.billed_micros,
            &mut self.revenue_micros,
            &mut self.refunds_micros,
            &mut self.disputes_micros,
            &mut self.credit_notes_micros,
            &mut self.voids_micros,
            &mut self.bad_debt_micros,
            &mut self.recovered_micros,
            &mut self.deferred_micros,
            &mut self.cancelled_micros,
            &mut self.unbilled_micros,
            &mut self.receivable_micros,
            &mut self.cash_micros,
            &mut self.tax_payable_micros,
            &mut self.exchange_gain_micros,
        ]
    }

    /// The account that holds what a kind of change takes back of what was earned; none for payments.
    pub(crate) fn taken_back(&mut self, kind: ChangeKind) -> Option<&mut i128> {
        match kind {
            ChangeKind::Payment => None,
            ChangeKind::Refund => Some(&mut self.refunds_micros),
            ChangeKind::Dispute => Some(&mut self.disputes_micros),
            ChangeKind::CreditNote => Some(&mut self.credit_notes_micros),
            ChangeKind::Void => Some(&mut self.voids_micros),
            ChangeKind::WriteOff => Some(&mut self.bad_debt_micros),
        }
    }
}

impl AddAssign for Position {
    fn add_assign(&mut self, mut other: Self) {
        for (account, added) in self.accounts().into_iter().zip(other.accounts()) {
            *account += *added;
        }
    }
}

impl Sub for Position {
    type Output = Self;

    fn sub(mut self, mut other: Self) -> Self {
        for (account, taken) in self.accounts().into_iter().zip(other.accounts()) {
            *account -= *taken;
        }
        self
    }
}

/// Amount and tax of what is left of a line, in the ledger's currency.
struct Claim {
    net: i128,
    tax: i128,
}

impl Line {
    /// The claim that is left when so much of amount and tax together is.
    fn claim(&self, gross_left: i128) -> Result<Claim, MoneyError> {
        let gross = i128::from(self.amount_micros) + i128::from(self.tax_micros);
        let net = if self.tax_micros == 0 {
            gross_left
        } else if gross == 0 || gross_left == gross {
            i128::from(self.amount_micros)
        } else {
            let scaled = gross_left.checked_mul(i128::from(self.amount_micros)).ok_or(MoneyError::TooLarge)?;
            round_half_even(scaled, gross)?
        };
        Ok(Claim { net: booked(net, self.rate)?, tax: booked(gross_left - net, self.rate)? })
    }
}

/// An amount of a line in the ledger's currency.
fn booked(micros: i128, (numerator, denominator): (i128, i128)) -> Result<i128, MoneyError> {
    let rounded = round_half_even(micros.checked_mul(numerator).ok_or(MoneyError::TooLarge)?, denominator)?;
    Ok(i128::from(to_micros(rounded)?))
}

/// The accounts of a line as they stand before a day. `changes` are in order of their days.
///
/// What is taken back is bounded by what is left of the claim. A refund beyond that pays out what the customer has to
/// their credit; a credit note, void or write-off beyond that changes nothing. A payment of what was written off is a
/// recovery.
///
/// # Errors
/// When an amount does not fit the ledger.
pub fn position(line: &Line, changes: &[Change], day: Day) -> Result<Position, MoneyError> {
    let mut gross_left = i128::from(line.amount_micros) + i128::from(line.tax_micros);
    let mut claim = line.claim(gross_left)?;
    let mut position = Position::default();
    if day <= line.issued {
        position.revenue_micros = line.schedule.earned_before(claim.net, day)?;
        position.unbilled_micros = position.revenue_micros;
        return Ok(position);
    }
    position.billed_micros = claim.net;
    position.tax_payable_micros = claim.tax;
    position.receivable_micros = claim.net + claim.tax;
    let (mut taken_back, mut written_off) = (0i128, 0i128);
    for change in changes.iter().take_while(|change| change.day.max(line.issued) < day) {
        let amount = i128::from(change.amount_micros);
        let stated = booked(amount, line.rate)?;
        let Some(account) = position.taken_back(change.kind) else {
            let received = booked(amount, change.rate)?;
            position.cash_micros += received;
            position.receivable_micros -= stated;
            position.exchange_gain_micros += received - stated;
            let recovered = (-position.receivable_micros).min(written_off - position.recovered_micros).max(0);
            position.recovered_micros += recovered;
            position.receivable_micros += recovered;
            continue;
        };
        let applied = if gross_left < 0 { amount.clamp(gross_left, 0) } else { amount.clamp(0, gross_left) };
        gross_left -= applied;
        let left = line.claim(gross_left)?;
        let at = change.day.max(line.issued);
        let earned = line.schedule.earned_before(claim.net, at)? - line.schedule.earned_before(left.net, at)?;
        let (net, tax) = (claim.net - left.net, claim.tax - left.tax);
        *account += earned;
        taken_back += earned;
        position.cancelled_micros += net - earned;
        position.tax_payable_micros -= tax;
        match change.kind {
            ChangeKind::Refund | ChangeKind::Dispute => {
                let paid_out = booked(amount, change.rate)?;
                position.cash_micros -= paid_out;
                position.exchange_gain_micros += stated - paid_out;
                position.receivable_micros += stated - net - tax;
            }
            _ => position.receivable_micros -= net + tax,
        }
        if change.kind == ChangeKind::WriteOff {
            written_off += net + tax;
        }
        claim = left;
    }
    let earned = line.schedule.earned_before(claim.net, day)?;
    position.revenue_micros = earned + taken_back;
    position.deferred_micros = claim.net - earned;
    Ok(position)
}

/// Splits an amount over parts by their weights, so that the shares add up to it exactly: each running sum is rounded
/// once. With weights that add up to nothing the whole goes to the first part.
///
/// # Errors
/// When the numbers are far larger than the ledger holds.
pub fn share_out(amount_micros: i64, weights: &[i64]) -> Result<Vec<i64>, MoneyError> {
    let total: i128 = weights.iter().copied().map(i128::from).sum();
    let (mut weight, mut before) = (0i128, 0i128);
    let mut shares = Vec::with_capacity(weights.len());
    for part in weights {
        weight += i128::from(*part);
        let through = if total == 0 {
            i128::from(amount_micros)
        } else {
            round_half_even(i128::from(amount_micros).checked_mul(weight).ok_or(MoneyError::TooLarge)?, total)?
        };
        shares.push(to_micros(through - before)?);
        before = through;
    }
    Ok(shares)
}

/// One cell of the waterfall: what was billed in one month and is earned in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaterfallCell {
    /// The first day of the month in which it was billed.
    pub billed: Day,
    /// The first day of the month in which it is earned.
    pub earned: Day,
    /// How much, in micro-units of the ledger, less what was taken back.
    pub micros: i128,
}

/// The waterfall of deferred revenue: for the lines of each month, how much each month earns of them, as far as is known
/// before `known_before`. Cells of nothing are left out. A row adds up to what was billed in its month, less what was
/// taken back.
///
/// # Errors
/// When an amount does not fit the ledger.
pub fn waterfall<'a>(
    lines: impl IntoIterator<Item = (&'a Line, &'a [Change])>,
    known_before: Day,
) -> Result<Vec<WaterfallCell>, MoneyError> {
    let mut cells: BTreeMap<(Day, Day), i128> = BTreeMap::new();
    for (line, changes) in lines.into_iter().filter(|(line, _)| line.issued < known_before) {
        let known = changes.partition_point(|change| change.day < known_before);
        let changes = changes.get(..known).unwrap_or_default();
        let last = changes.iter().map(|change| change.day.plus_days(1)).max();
        let end = line.schedule.end().max(line.issued.plus_days(1)).max(last.unwrap_or(line.issued));
        let row = line.issued.first_of(Grain::Month);
        let mut month = line.schedule.start().min(line.issued).first_of(Grain::Month);
        let mut before = 0;
        while month < end {
            let next = month.next_of(Grain::Month);
            let through = position(line, changes, next)?;
            let through = through.net_revenue_micros() - through.bad_debt_micros;
            if through != before {
                *cells.entry((row, month)).or_default() += through - before;
            }
            (month, before) = (next, through);
        }
    }
    let cells = cells.into_iter().filter(|(_, micros)| *micros != 0);
    Ok(cells.map(|((billed, earned), micros)| WaterfallCell { billed, earned, micros }).collect())
}
