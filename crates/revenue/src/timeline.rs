//! From the rows of one subscription item to what it was worth, and when.

use crate::{
    calendar::Grain,
    fact::{NEVER, Reason, Row, Status, Terms, Tick, Ticks},
    money::{MoneyError, round_half_even},
    policy::{Cancellation, Metered, Policy},
};

/// How sure a figure is of its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A source stated it.
    Exact,
    /// It follows from what a source stated about something else, such as usage from bills.
    Derived,
    /// It had to be assumed, such as where two rows claim the same days.
    Assumed,
}

impl Confidence {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Exact => "exact",
            Confidence::Derived => "derived",
            Confidence::Assumed => "assumed",
        }
    }
}

/// A time during which a subscription item is worth the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the subscription item.
    pub subscription: u32,
    /// Index of the offer.
    pub offer: u32,
    /// Index of the terms.
    pub terms: u32,
    /// The fact that states it.
    pub fact: u32,
    /// The first tick.
    pub from: Tick,
    /// The first tick no more; [`NEVER`] when it still holds.
    pub to: Tick,
    /// Worth a month, in micro-units of the offer's currency.
    pub monthly_micros: i64,
    /// When an announced cancellation takes effect; [`NEVER`] for none.
    pub announced_end: Tick,
    /// Why it ended, if that is known.
    pub end_reason: Reason,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether it is a trial: worth nothing yet, this much if it is kept.
    pub trial: bool,
    /// Whether the discount has run out within the row.
    pub discount_ended: bool,
}

/// What terms are worth under a policy, computed once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Worth a month while the discount lasts, in micro-units.
    pub monthly_micros: i64,
    /// Worth a month once the discount has run out.
    pub undiscounted_micros: i64,
}

impl Worth {
    /// What these terms are worth a month.
    ///
    /// # Errors
    /// When the value does not fit the ledger; the reader refuses such rows, so this is met only under a policy that
    /// counts more than the reader assumed.
    pub fn of(terms: &Terms, policy: &Policy) -> Result<Self, MoneyError> {
        let monthly_micros = terms.price.monthly_micros(policy, true)?;
        let undiscounted_micros = match terms.price.discount {
            Some(_) => terms.price.monthly_micros(policy, false)?,
            None => monthly_micros,
        };
        Ok(Self { monthly_micros, undiscounted_micros })
    }
}

/// Two rows of one subscription item that claim the same time. The one that starts later is used from its start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overlap {
    /// The row that starts earlier and is cut.
    pub cut: u32,
    /// The row that starts later.
    pub by: u32,
}

/// The spans of one subscription item, appended to `spans` in order of time, those of trials included.
///
/// `rows` are its resolved rows in order of start ([`crate::fact::resolve`]).
pub fn timeline(
    rows: &[Row],
    terms: &[Terms],
    worth: &[Worth],
    policy: &Policy,
    ticks: &Ticks,
    spans: &mut Vec<Span>,
    overlaps: &mut Vec<Overlap>,
) {
    let mut past_due_since = NEVER;
    for (index, row) in rows.iter().enumerate() {
        let (Some(stated), Some(value)) = (terms.get(row.terms as usize), worth.get(row.terms as usize)) else {
            continue;
        };
        let previous = index.checked_sub(1).and_then(|before| rows.get(before));
        let next = rows.get(index + 1);
        let mut end = row.end;
        let mut confidence = Confidence::Exact;
        if let Some(next) = next
            && next.start < end
        {
            // An open row that is followed by another is cut as well: it claimed the days after it.
            overlaps.push(Overlap { cut: row.fact, by: next.fact });
            end = next.start;
            confidence = Confidence::Assumed;
        }
        let mut end_reason = stated.cancel_reason;
        if end_reason == Reason::Unknown
            && let Some(following) =
                next.filter(|next| next.start == end).and_then(|next| terms.get(next.terms as usize))
        {
            end_reason = match following.status {
                Status::Unpaid => Reason::FailedPayment,
                _ => following.cancel_reason,
            };
        }

        let began_past_due = match stated.status {
            Status::PastDue => {
                let goes_on = previous.is_some_and(|before| before.end >= row.start) && past_due_since != NEVER;
                if !goes_on {
                    past_due_since = row.start;
                }
                past_due_since
            }
            _ => {
                past_due_since = NEVER;
                NEVER
            }
        };

        let pays = match stated.status {
            Status::Active | Status::Trialing => true,
            Status::PastDue => {
                if let Some(days) = policy.past_due_drop_days {
                    let dropped = ticks.plus_days(began_past_due, days);
                    if dropped < end {
                        end = dropped;
                        end_reason = Reason::FailedPayment;
                    }
                }
                true
            }
            Status::Unpaid => policy.unpaid_keeps,
            Status::Paused => policy.paused_keeps,
            Status::Canceled | Status::Incomplete | Status::IncompleteExpired | Status::Withdrawn => false,
        };
        if !pays {
            continue;
        }

        if row.cancel_at < end {
            end = row.cancel_at;
        }
        if policy.cancellation == Cancellation::WhenAsked && row.cancel_at != NEVER {
            // A row that follows another begins when its state does, so a cancellation first stated by it was asked
            // for at its start. Of a first row nothing is known but the announced day.
            let asked = match row.cancel_requested_at {
                NEVER if previous.is_some() => row.start,
                NEVER => row.cancel_at,
                known => known,
            };
            if asked < end {
                end = asked.max(row.start);
                if row.cancel_requested_at == NEVER {
                    confidence = confidence.max(Confidence::Derived);
                }
            }
        }
        if end <= row.start {
            continue;
        }

        let span = Span {
            subscription: row.subscription,
            offer: stated.offer,
            terms: row.terms,
            fact: row.fact,
            from: row.start,
            to: end,
            monthly_micros: value.monthly_micros,
            announced_end: row.cancel_at,
            end_reason,
            confidence,
            trial: false,
            discount_ended: false,
        };
        if stated.metered {
            metered(span, rows, index, terms, worth, policy, spans);
            continue;
        }
        if stated.price.interval == crate::price::Interval::OneOff {
            continue;
        }

        let mut paid_from = row.start;
        if !policy.trial_counts {
            let trial_end = match (stated.status, row.trial_end) {
                (Status::Trialing, Tick::MIN) => end,
                (Status::Trialing | Status::Active, known) => known.min(end),
                _ => row.start,
            };
            if trial_end > row.start {
                spans.push(Span { to: trial_end, trial: true, ..span });
                paid_from = trial_end;
            }
        }
        let discount_end = discount_end(row, stated, ticks).clamp(paid_from, end);
        for (from, to, monthly_micros, discount_ended) in [
            (paid_from, discount_end, value.monthly_micros, false),
            (discount_end, end, value.undiscounted_micros, true),
        ] {
            if from < to && (monthly_micros > 0 || policy.free_is_customer) {
                spans.push(Span { from, to, monthly_micros, discount_ended, ..span });
            }
        }
    }
}

/// The tick from which the discount of a row no longer holds.
fn discount_end(row: &Row, terms: &Terms, ticks: &Ticks) -> Tick {
    match terms.price.discount.map(|discount| discount.duration) {
        Some(crate::price::DiscountDuration::Months(months)) => {
            let first = ticks.day(row.start);
            let last = first.plus_months(months);
            terms.discount_end.min(ticks.plus_days(row.start, (last.0 - first.0).max(0).unsigned_abs()))
        }
        Some(_) => terms.discount_end,
        None => NEVER,
    }
}

/// Usage: each row is one billed period. From its end on, the item is worth the mean of the last so many periods,
/// until the next period ends, or for one more period of the same length.
fn metered(
    billed: Span,
    rows: &[Row],
    index: usize,
    terms: &[Terms],
    worth: &[Worth],
    policy: &Policy,
    spans: &mut Vec<Span>,
) {
    let Metered::MeanOfPeriods(periods) = policy.metered else { return };
    if billed.to == NEVER {
        return;
    }
    let first = (index + 1).saturating_sub(periods as usize);
    let last_periods = rows[first..=index]
        .iter()
        .filter(|row| terms.get(row.terms as usize).is_some_and(|stated| stated.metered))
        .filter_map(|row| worth.get(row.terms as usize));
    let (mut sum, mut count) = (0i128, 0i128);
    for value in last_periods {
        sum += i128::from(value.monthly_micros);
        count += 1;
    }
    let mean = round_half_even(sum, count.max(1)).ok().and_then(|micros| i64::try_from(micros).ok());
    let Some(monthly_micros) = mean.filter(|micros| *micros > 0) else { return };
    let (to, confidence) = match rows.get(index + 1) {
        Some(next) if next.end != NEVER => (next.end, Confidence::Derived),
        _ => (billed.to.saturating_add(billed.to - billed.from), Confidence::Assumed),
    };
    spans.push(Span { from: billed.to, to, monthly_micros, confidence, announced_end: NEVER, ..billed });
}

/// The last days of the months that lie strictly between two ticks, at which `fx = revalue` values again.
pub(crate) fn month_ends(from: Tick, to: Tick, ticks: &Ticks) -> impl Iterator<Item = Tick> + '_ {
    let first = ticks.day(from).first_of(Grain::Month);
    (1..)
        .map(move |months| ticks.of_day(first.plus_months(months).plus_days(-1)))
        .skip_while(move |tick| *tick <= from)
        .take_while(move |tick| *tick < to)
}
