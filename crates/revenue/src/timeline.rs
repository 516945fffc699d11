//! From the rows of one subscription item to what it was worth, and when.

use crate::{
    calendar::Grain,
    fact::{NEVER, Reason, Row, Status, Terms, Tick, Ticks},
    money::{MoneyError, round_half_even},
    policy::{Cancellation, Metered, Policy},
    price::Rate,
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

    /// What a word says, of those of [`Confidence::name`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Confidence::Exact, Confidence::Derived, Confidence::Assumed].into_iter().find(|known| known.name() == word)
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
    let mut announced_since = None;
    let mut usage = Usage::default();
    for (index, row) in rows.iter().enumerate() {
        let (Some(stated), Some(value)) = (terms.get(row.terms as usize), worth.get(row.terms as usize)) else {
            continue;
        };
        let previous = index.checked_sub(1).and_then(|before| rows.get(before));
        let next = rows.get(index + 1);
        let mut end = row.end;
        let mut confidence = stated.confidence;
        if let Some(next) = next
            && next.start < end
        {
            // An open row that is followed by another is cut as well: it claimed the days after it.
            overlaps.push(Overlap { cut: row.fact, by: next.fact });
            end = next.start;
            confidence = Confidence::Assumed;
        }
        let mut end_reason = stated.cancel_reason;
        if end_reason == Reason::Unknown {
            end_reason = reason_at(end, rows.get(index + 1..).unwrap_or_default(), terms);
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

        let lasts = end > row.start;
        let mut given_up_at = row.cancel_at;
        let pays = match stated.status {
            Status::Active | Status::Trialing => true,
            Status::PastDue => {
                if let Some(days) = policy.past_due_drop_days {
                    let dropped = ticks.plus_days(began_past_due, days);
                    given_up_at = given_up_at.min(dropped);
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
        if row.cancel_at < end {
            end = row.cancel_at;
        }
        // A row that follows another begins when its state does, so a cancellation first stated by it was asked for
        // at its start. Of a first row nothing is known but the announced day.
        announced_since = match (row.cancel_at, announced_since) {
            (NEVER, _) => None,
            (_, Some(since)) => Some(since),
            (_, None) if row.cancel_requested_at == NEVER && previous.is_some() => Some(row.start),
            (_, None) => Some(row.cancel_requested_at),
        };
        if policy.cancellation == Cancellation::WhenAsked && row.cancel_at != NEVER {
            let asked = match (row.cancel_requested_at, announced_since) {
                (NEVER, None | Some(NEVER)) => row.cancel_at,
                (NEVER, Some(since)) => since,
                (known, _) => known,
            };
            given_up_at = given_up_at.min(asked);
            if asked < end {
                end = asked.max(row.start);
                if row.cancel_requested_at == NEVER {
                    confidence = confidence.max(Confidence::Derived);
                }
            }
        }
        let trial_end = match (stated.status, row.trial_end) {
            _ if policy.trial_counts => row.start,
            (Status::Trialing, Tick::MIN) => end,
            (Status::Trialing | Status::Active, known) => known.min(end),
            _ => row.start,
        };
        let pays = pays && end > row.start;
        let is_usage = pays && stated.metered && trial_end <= row.start;
        // A row of no time at all says nothing about what goes on.
        if lasts {
            usage.meets(row.start, is_usage.then_some(end), spans);
        }
        if !pays {
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
            if is_usage && end != NEVER {
                usage.bill(span, given_up_at <= end, policy);
            }
            continue;
        }
        if stated.price.interval == crate::price::Interval::OneOff {
            continue;
        }

        let mut paid_from = row.start;
        if trial_end > row.start {
            spans.push(Span { to: trial_end, trial: true, ..span });
            paid_from = trial_end;
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
    spans.extend(usage.running.filter(|span| span.from < span.to));
}

/// Why a row ended at a tick, as far as the rows behind it that begin there say. One of no time at all, such as a state that
/// lasted for some minutes of a day, is looked past unless it says why.
fn reason_at(end: Tick, following: &[Row], terms: &[Terms]) -> Reason {
    for (index, row) in following.iter().enumerate().take_while(|(_, row)| row.start == end) {
        let Some(stated) = terms.get(row.terms as usize) else { break };
        let reason = match stated.status {
            Status::Unpaid => Reason::FailedPayment,
            _ => stated.cancel_reason,
        };
        let until = following.get(index + 1).map_or(NEVER, |next| next.start).min(row.end);
        if reason != Reason::Unknown || until > row.start {
            return reason;
        }
    }
    Reason::Unknown
}

/// What facts of one kind state that are as plain as most: no trial within a row, no cancellation announced, no usage, no
/// discount that runs out, an ordinary price. Under the policy they hold as long as they say, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// Index of the offer.
    pub offer: u32,
    /// Whether they are worth what they say.
    pub pays: bool,
    is_unpaid: bool,
    cancel_reason: Reason,
    confidence: Confidence,
    /// What an amount and a quantity are worth a month.
    pub rate: Rate,
}

impl Plain {
    /// What terms state, if it is plain; their amount and their quantity do not matter.
    #[must_use]
    pub fn of(terms: &Terms, policy: &Policy) -> Option<Self> {
        let runs_out = terms.price.discount.is_some_and(|discount| {
            terms.discount_end != NEVER || matches!(discount.duration, crate::price::DiscountDuration::Months(_))
        });
        let is_rare = terms.metered || runs_out || terms.price.interval == crate::price::Interval::OneOff;
        if is_rare || policy.trial_counts || policy.free_is_customer {
            return None;
        }
        let pays = match terms.status {
            Status::Active => true,
            Status::PastDue if policy.past_due_drop_days.is_none() => true,
            Status::PastDue | Status::Withdrawn => return None,
            Status::Unpaid => policy.unpaid_keeps,
            Status::Paused => policy.paused_keeps,
            Status::Trialing | Status::Canceled | Status::Incomplete | Status::IncompleteExpired => false,
        };
        Some(Self {
            offer: terms.offer,
            pays,
            is_unpaid: terms.status == Status::Unpaid,
            cancel_reason: terms.cancel_reason,
            confidence: terms.confidence,
            rate: terms.price.rate(policy, true)?,
        })
    }
}

/// A fact that says no more than who, when and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRow {
    /// Index of the fact.
    pub fact: u32,
    /// Index of what it states besides.
    pub class: u32,
    /// The first tick at which the row holds.
    pub start: Tick,
    /// The first tick at which it no longer holds; [`NEVER`] when it still does.
    pub end: Tick,
    /// Worth a month, in micro-units of the offer's currency.
    pub monthly_micros: i64,
    /// A number for the amount, the same for the same amount.
    pub amount: i64,
    /// How many units.
    pub quantity: i64,
}

/// As [`timeline`] without the spans of trials, for the rows of one subscription item that are plain and follow each other
/// without claiming the same time. Of a span `terms` is the index of its row, counted from `first`. False where the rows
/// are not so: then what was appended does not hold.
pub(crate) fn plain_timeline(
    rows: &[PlainRow],
    classes: &[Option<Plain>],
    subscription: u32,
    first: u32,
    spans: &mut Vec<Span>,
) -> bool {
    let stated = |row: &PlainRow| classes.get(row.class as usize).and_then(Option::as_ref);
    let mut rest = rows;
    for index in first.. {
        let [row, after @ ..] = rest else { break };
        rest = after;
        let next = after.first();
        let Some(plain) = stated(row) else { return false };
        if row.end <= row.start || next.is_some_and(|next| next.start < row.end) {
            return false;
        }
        if !plain.pays || row.monthly_micros <= 0 {
            continue;
        }
        let mut end_reason = plain.cancel_reason;
        if end_reason == Reason::Unknown
            && let Some(next) = next.filter(|next| next.start == row.end)
        {
            let Some(following) = stated(next) else { return false };
            end_reason = if following.is_unpaid { Reason::FailedPayment } else { following.cancel_reason };
        }
        spans.push(Span {
            subscription,
            offer: plain.offer,
            terms: index,
            fact: row.fact,
            from: row.start,
            to: row.end,
            monthly_micros: row.monthly_micros,
            announced_end: NEVER,
            end_reason,
            confidence: plain.confidence,
            trial: false,
            discount_ended: false,
        });
    }
    true
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
/// until the next period ends, or for one more period of the same length where no next one is known.
#[derive(Default)]
struct Usage {
    /// What each period so far was worth a month. Only usage allocates.
    billed_micros: Vec<i64>,
    /// What follows the last period, as far as is known.
    running: Option<Span>,
}

impl Usage {
    /// A further row begins: with the end of its period if it is one of paid usage.
    fn meets(&mut self, start: Tick, usage_end: Option<Tick>, spans: &mut Vec<Span>) {
        let Some(mut span) = self.running.take() else { return };
        match usage_end {
            Some(end) if end != NEVER && start <= span.to => {
                span.to = end;
                span.confidence = Confidence::Derived;
            }
            // Usage goes on after a gap, or in a period that has no end yet.
            Some(_) => {}
            // Another state or another way of pricing has taken its place.
            None => span.to = span.to.min(start),
        }
        if span.from < span.to {
            spans.push(span);
        }
    }

    /// A period is over.
    fn bill(&mut self, billed: Span, given_up: bool, policy: &Policy) {
        let Metered::MeanOfPeriods(periods) = policy.metered else { return };
        self.billed_micros.push(billed.monthly_micros);
        let first = self.billed_micros.len().saturating_sub(periods as usize);
        let last_periods = &self.billed_micros[first..];
        let sum: i128 = last_periods.iter().map(|micros| i128::from(*micros)).sum();
        let mean =
            round_half_even(sum, last_periods.len().max(1) as i128).ok().and_then(|mean| i64::try_from(mean).ok());
        let length = if given_up { 0 } else { billed.to - billed.from };
        self.running = mean.filter(|micros| *micros > 0).map(|monthly_micros| Span {
            from: billed.to,
            to: billed.to.saturating_add(length),
            monthly_micros,
            confidence: Confidence::Assumed,
            announced_end: NEVER,
            ..billed
        });
    }
}

/// The last days of the months that lie strictly between two ticks, at which `fx = revalue` values again.
pub(crate) fn month_ends(from: Tick, to: Tick, ticks: &Ticks) -> impl Iterator<Item = Tick> + '_ {
    let first = ticks.day(from).first_of(Grain::Month);
    (1..)
        .map(move |months| ticks.of_day(first.plus_months(months).plus_days(-1)))
        .skip_while(move |tick| *tick <= from)
        .take_while(move |tick| *tick < to)
}
