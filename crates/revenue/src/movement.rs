//! The movement rule: one function turns the history of one customer into that customer's movements.
//!
//! Bulk is [`movements`] over every customer, a live update is the same over one, a cluster is the same over a
//! share of them: they cannot disagree. With b = MRR before a day and a = MRR after it:
//!
//! | b | a | history | kind |
//! |---|---|---|---|
//! | 0 | > 0 | never paid before | new |
//! | 0 | > 0 | paid before | reactivation |
//! | > 0 | > b | | expansion |
//! | > 0 | 0 < a < b | | contraction |
//! | > 0 | 0 | | churn |
//! | > 0 | = b | only the parts changed | transfer |
//!
//! "0" means "not a paying customer": where a policy counts free customers, one may pay 0 and still be there.

use std::ops::Range;

use crate::{
    fact::{NEVER, Offer, Reason, Terms, Tick, Ticks},
    fx::{ConversionError, MissingRate, Rates},
    money::{Currency, MoneyError, to_micros},
    policy::{Exchange, Policy},
    timeline::{Confidence, PlainRow, Span, month_ends},
};

/// What happened to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The first time that the customer pays.
    New,
    /// The customer pays more.
    Expansion,
    /// The customer pays again.
    Reactivation,
    /// The customer pays less.
    Contraction,
    /// The customer stops paying.
    Churn,
    /// The customer pays the same for other parts.
    Transfer,
    /// The same contract at another exchange rate (only where the policy values again).
    Fx,
}

impl Kind {
    /// Every kind with its name, in the order of their numbers.
    pub const ALL: &'static [(Kind, &'static str)] = &[
        (Kind::New, "new"),
        (Kind::Expansion, "expansion"),
        (Kind::Reactivation, "reactivation"),
        (Kind::Contraction, "contraction"),
        (Kind::Churn, "churn"),
        (Kind::Transfer, "transfer"),
        (Kind::Fx, "fx"),
    ];

    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("", |(_, name)| name)
    }

    /// Whether somebody becomes a customer, or is one no more.
    fn comes_or_goes(self) -> bool {
        matches!(self, Kind::New | Kind::Reactivation | Kind::Churn)
    }
}

/// What made a customer pay more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cause {
    /// A contract began or ended.
    Contract,
    /// Another plan or another rhythm of billing.
    Upgrade,
    /// More or fewer units, or one more contract for the same product.
    Quantity,
    /// A further product, or one product fewer.
    CrossSell,
    /// The same units at another price.
    PriceRise,
    /// A discount began or ran out.
    Discount,
}

impl Cause {
    /// Every cause with its name, in the order of their numbers.
    pub const ALL: &'static [(Cause, &'static str)] = &[
        (Cause::Contract, "contract"),
        (Cause::Upgrade, "upgrade"),
        (Cause::Quantity, "quantity"),
        (Cause::CrossSell, "cross_sell"),
        (Cause::PriceRise, "price_rise"),
        (Cause::Discount, "discount"),
    ];

    /// The cause's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("", |(_, name)| name)
    }
}

/// One row of the ledger: what one part of a customer's contracts did on one day.
///
/// The kind is the customer's; the deltas of one customer and day add up to what the customer's MRR did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The business day, as days since 1970-01-01.
    pub day: i32,
    /// Index of the subscription item.
    pub subscription: u32,
    /// Index of the offer.
    pub offer: u32,
    /// The fact that made it.
    pub fact: u32,
    /// What it adds to MRR, in micro-units of the reporting currency.
    pub delta_micros: i64,
    /// What happened to the customer.
    pub kind: Kind,
    /// What made it happen.
    pub cause: Cause,
    /// Why revenue was lost, where it was.
    pub reason: Reason,
    /// How sure the cause is.
    pub confidence: Confidence,
}

/// What the kernel needs to know besides the spans.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The choices.
    pub policy: &'a Policy,
    /// Ticks and days.
    pub ticks: &'a Ticks,
    /// What is sold.
    pub offers: &'a [Offer],
    /// What rows state.
    pub terms: &'a [Terms],
    /// Exchange rates.
    pub rates: &'a Rates,
    /// The currency of the ledger.
    pub reporting: Currency,
    /// The last tick at which `fx = revalue` values again; rates after it are not known.
    pub revalue_until: Tick,
}

/// Why the movements of a customer could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MovementError {
    /// An exchange rate is missing.
    MissingRate(MissingRate),
    /// An amount does not fit the ledger.
    TooLarge,
}

impl From<MoneyError> for MovementError {
    fn from(_: MoneyError) -> Self {
        MovementError::TooLarge
    }
}

impl From<ConversionError> for MovementError {
    fn from(error: ConversionError) -> Self {
        match error {
            ConversionError::Missing(rate) => MovementError::MissingRate(rate),
            ConversionError::Money(_) => MovementError::TooLarge,
        }
    }
}

/// One side of a span: it begins or ends at a tick, or is worth something else from it on (a revaluation).
#[derive(Debug, Clone, Copy)]
struct Change {
    tick: Tick,
    subscription: u32,
    offer: u32,
    side: Side,
    /// Index of the span.
    span: u32,
    delta_micros: i64,
}

impl Change {
    /// Sorts as (tick, subscription, offer, side, span) does, two of them in one number.
    #[inline]
    fn place(&self) -> (u64, u64, u32) {
        let tick = self.tick.cast_unsigned() ^ 1 << 31;
        let (when, what) = (u64::from(tick) << 32, u64::from(self.offer) << 2);
        (when | u64::from(self.subscription), what | self.side as u64, self.span)
    }
}

/// Ends come before beginnings, so that a part is never there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Revalued,
    Ends,
    Begins,
}

/// Room that is used again for each customer, so that none is allocated in the pass.
#[derive(Debug, Default)]
pub struct Scratch {
    changes: Vec<Change>,
    items: Vec<Item>,
    /// Whether `items` are all that there are, and can be gone through side by side.
    is_laid_out: bool,
}

/// The movements of one customer, appended to `movements` in order of day, subscription and offer. Where windows of
/// minutes put several groups of changes on one day, the groups stay in order of time.
///
/// `spans` are those of all the customer's subscription items: the items in ascending order, each item's spans in
/// order of time. Trials are passed over.
///
/// # Errors
/// When an exchange rate is missing or an amount does not fit; nothing is appended then.
pub fn movements(
    spans: &[Span],
    context: &Context<'_>,
    scratch: &mut Scratch,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    scratch.lay_out(spans, context);
    movements_by(spans, context, &|from, to| cause_of_change(from, to, context.terms), scratch, movements)
}

/// As [`movements`], of items that were laid out if they can be, where `cause` says what changed between two spans of one
/// subscription item that follow each other.
pub(crate) fn movements_by(
    spans: &[Span],
    context: &Context<'_>,
    cause: &impl Fn(&Span, &Span) -> Cause,
    scratch: &mut Scratch,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    let begun = movements.len();
    let made = if scratch.is_laid_out {
        in_turn(spans, context, cause, scratch, movements)
    } else {
        sorted(spans, context, cause, &mut scratch.changes, movements)
    };
    if made.is_err() {
        movements.truncate(begun);
    }
    made
}

/// The movements of any customer: all changes are listed and sorted, and those of one window are settled together.
fn sorted(
    spans: &[Span],
    context: &Context<'_>,
    cause: &impl Fn(&Span, &Span) -> Cause,
    changes: &mut Vec<Change>,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    changes.clear();
    list_changes(spans, context, changes)?;
    changes.sort_unstable_by_key(Change::place);
    let mut standing = Standing::default();
    let mut index = 0;
    while index < changes.len() {
        let last = changes[index].tick.saturating_add(context.ticks.settle());
        let mut end = index + 1;
        while end < changes.len() && changes[end].tick <= last {
            end += 1;
        }
        let window = &mut changes[index..end];
        if context.ticks.settle() > 0 {
            window.sort_unstable_by_key(|change| (change.subscription, change.offer, change.tick, change.side));
        }
        settle(window, spans, context, cause, &mut standing, movements)?;
        index = end;
    }
    Ok(())
}

/// A subscription item, while its spans are gone through.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// The tick of its next change; [`NEVER`] where there is none.
    tick: Tick,
    /// The span that holds, by its index; `next` where none does.
    held: usize,
    /// The next span, by its index; `end` where there is none.
    next: usize,
    /// After its last span.
    end: usize,
}

impl Item {
    /// The span that ends and the one that begins at the item's tick, and goes on past them.
    #[inline]
    fn turn<'s>(&mut self, spans: &'s [Span]) -> (Option<&'s Span>, Option<&'s Span>) {
        let own = spans.get(..self.end).unwrap_or_default();
        let ends = if self.held == self.next { None } else { own.get(self.held) };
        let next = own.get(self.next);
        let Some(begins) = next.filter(|next| next.from == self.tick) else {
            // Nothing holds until the next one begins.
            self.held = self.next;
            self.tick = next.map_or(NEVER, |next| next.from);
            return (ends, None);
        };
        let mut held = begins;
        loop {
            self.held = self.next;
            self.next += 1;
            while own.get(self.next).is_some_and(|next| next.trial) {
                self.next += 1;
            }
            // What only says the same again is no change.
            match own.get(self.next) {
                Some(next) if goes_on(held, next) => held = next,
                _ => break,
            }
        }
        self.tick = held.to;
        (ends, Some(begins))
    }
}

/// With more items than this it is faster to sort their changes than to look through them for each.
const FEW_ITEMS: usize = 16;

impl Scratch {
    /// Lays a customer's items side by side, if all that happens is that spans begin and end, in the reporting currency and in
    /// each item one after the other, which is so of most.
    fn lay_out(&mut self, spans: &[Span], context: &Context<'_>) {
        self.lay_out_none(context);
        let mut before: Option<&Span> = None;
        for (index, span) in spans.iter().enumerate().filter(|(_, span)| !span.trial) {
            self.is_laid_out &= span.from < span.to && is_reported(span, context);
            match (self.items.last_mut(), before) {
                (Some(item), Some(before)) if before.subscription == span.subscription => {
                    self.is_laid_out &= before.to <= span.from;
                    item.end = index + 1;
                }
                (_, before) => {
                    self.is_laid_out &= before.is_none_or(|before| before.subscription < span.subscription);
                    self.lay_beside(index..index + 1, span.from);
                }
            }
            if !self.is_laid_out {
                return;
            }
            before = Some(span);
        }
    }

    /// Begins with a customer of whom no item is laid out.
    pub(crate) fn lay_out_none(&mut self, context: &Context<'_>) {
        self.items.clear();
        self.is_laid_out = context.ticks.settle() == 0;
    }

    /// Lays the next item beside those before it, in the ascending order of items. Its spans are those from `first` on, without a
    /// trial, each lasting and one after the other.
    #[inline]
    pub(crate) fn lay_out_item(&mut self, spans: &[Span], first: usize, context: &Context<'_>) {
        let own = spans.get(first..).unwrap_or_default();
        let Some(span) = own.first() else { return };
        self.is_laid_out &= own.iter().all(|span| is_reported(span, context));
        self.lay_beside(first..spans.len(), span.from);
    }

    #[inline]
    fn lay_beside(&mut self, spans: Range<usize>, tick: Tick) {
        self.is_laid_out &= self.items.len() < FEW_ITEMS;
        if self.is_laid_out {
            self.items.push(Item { tick, held: spans.start, next: spans.start, end: spans.end });
        }
    }
}

/// Whether a span is worth what it is in the reporting currency.
#[inline]
fn is_reported(span: &Span, context: &Context<'_>) -> bool {
    context.offers.get(span.offer as usize).is_some_and(|offer| offer.currency == context.reporting)
}

/// The movements of a customer whose items are laid side by side: whichever changes first is next. Mostly it is one alone, and
/// nothing has to be netted.
fn in_turn(
    spans: &[Span],
    context: &Context<'_>,
    cause: &impl Fn(&Span, &Span) -> Cause,
    scratch: &mut Scratch,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    let Scratch { changes, items, .. } = scratch;
    let mut standing = Standing::default();
    loop {
        let (mut tick, mut first, mut is_alone) = (NEVER, 0, true);
        match items.as_slice() {
            [item] => tick = item.tick,
            items => {
                for (index, item) in items.iter().enumerate() {
                    if item.tick < tick {
                        (tick, first, is_alone) = (item.tick, index, true);
                    } else if item.tick == tick {
                        is_alone = false;
                    }
                }
            }
        }
        if tick == NEVER {
            return Ok(());
        }
        if is_alone {
            change(tick, items[first].turn(spans), spans, context, cause, &mut standing, movements)?;
            continue;
        }
        // In the order in which they are settled: by item, then by offer.
        changes.clear();
        for item in items[first..].iter_mut().filter(|item| item.tick == tick) {
            let (held, begun) = (item.held, item.next);
            let (ends, begins) = item.turn(spans);
            let side = |span: &Span, side, index: usize, delta_micros| {
                let span_index = u32::try_from(index).map_err(|_| MovementError::TooLarge)?;
                let Span { subscription, offer, .. } = *span;
                Ok::<_, MovementError>(Change { tick, subscription, offer, side, span: span_index, delta_micros })
            };
            if let Some(span) = ends {
                changes.push(side(span, Side::Ends, held, -span.monthly_micros)?);
            }
            if let Some(span) = begins {
                let begins = side(span, Side::Begins, begun, span.monthly_micros)?;
                let is_first = ends.is_some_and(|ends| span.offer < ends.offer);
                changes.insert(changes.len() - usize::from(is_first), begins);
            }
        }
        settle(changes, spans, context, cause, &mut standing, movements)?;
    }
}

/// Appends what comes of one item that changes alone: a span ends, or begins, or one follows the other.
#[inline]
fn change(
    tick: Tick,
    (ended, begun): (Option<&Span>, Option<&Span>),
    spans: &[Span],
    context: &Context<'_>,
    cause_of_change: &impl Fn(&Span, &Span) -> Cause,
    standing: &mut Standing,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    let worth = |span: Option<&Span>| span.map_or(0, |span| span.monthly_micros);
    let delta = i128::from(worth(begun)) - i128::from(worth(ended));
    let presence = i32::from(begun.is_some()) - i32::from(ended.is_some());
    let day = context.ticks.day(tick).0;
    let kind = standing.change(day, (0, delta), presence, context)?;
    let states = States { ended, replaced: ended, begun };
    let part = match (ended, begun) {
        (Some(from), Some(to)) if from.offer != to.offer => {
            let gone = (from, -from.monthly_micros, states);
            let come = (to, to.monthly_micros, States { ended: None, ..states });
            for (part, delta_micros, states) in if from.offer < to.offer { [gone, come] } else { [come, gone] } {
                // Who has the one before and the other after it was a customer all along: what is free makes no row.
                if delta_micros != 0 {
                    let why = states.why(kind, tick, spans, context, cause_of_change);
                    movements.push(states.movement(day, part, delta_micros, kind, why));
                }
            }
            return Ok(());
        }
        (_, Some(part)) | (Some(part), None) => part,
        (None, None) => return Ok(()),
    };
    let delta_micros = to_micros(delta)?;
    // A free part that comes or goes moves no money, but it may be what makes somebody a customer.
    if delta_micros != 0 || presence != 0 && kind.comes_or_goes() {
        let why = states.why(kind, tick, spans, context, cause_of_change);
        movements.push(states.movement(day, part, delta_micros, kind, why));
    }
    Ok(())
}

/// The states that a part's change leads from and to.
#[derive(Clone, Copy)]
struct States<'s> {
    /// Its span that ended.
    ended: Option<&'s Span>,
    /// The same, or that of another offer of the subscription that went on as this one.
    replaced: Option<&'s Span>,
    /// What began: of its own, or as another offer of the subscription; then that row is what changed it.
    begun: Option<&'s Span>,
}

impl States<'_> {
    /// What the part of a span does, and why.
    #[inline]
    fn movement(
        &self,
        day: i32,
        part: &Span,
        delta_micros: i64,
        kind: Kind,
        (cause, reason): (Cause, Reason),
    ) -> Movement {
        let Span { subscription, offer, .. } = *part;
        let (fact, confidence) = (self.fact(), self.confidence());
        Movement { day, subscription, offer, fact, delta_micros, kind, cause, reason, confidence }
    }

    /// What made it happen, and why revenue was lost where it was.
    #[inline]
    fn why(
        &self,
        kind: Kind,
        tick: Tick,
        spans: &[Span],
        context: &Context<'_>,
        cause_of_change: &impl Fn(&Span, &Span) -> Cause,
    ) -> (Cause, Reason) {
        let end_reason = self.ended.map_or(Reason::Unknown, |span| span.end_reason);
        match kind {
            Kind::New | Kind::Reactivation | Kind::Fx => (Cause::Contract, Reason::Unknown),
            Kind::Churn => (Cause::Contract, end_reason),
            Kind::Expansion | Kind::Contraction | Kind::Transfer => {
                let cause = match (self.replaced, self.begun) {
                    (Some(from), Some(to)) => cause_of_change(from, to),
                    (Some(alone), None) | (None, Some(alone)) => cause_of_part(alone, tick, spans, context),
                    (None, None) => Cause::Contract,
                };
                let is_lost = kind == Kind::Contraction && self.begun.is_none();
                (cause, if is_lost { end_reason } else { Reason::Unknown })
            }
        }
    }

    /// The fact that made it.
    #[inline]
    fn fact(&self) -> u32 {
        self.begun.or(self.ended).map_or(0, |span| span.fact)
    }

    /// As sure as the less sure of the states that it leads from and to, also where those are of two offers: both halves of
    /// one change are of one day.
    #[inline]
    fn confidence(&self) -> Confidence {
        let of = |span: Option<&Span>| span.map_or(Confidence::Exact, |span| span.confidence);
        of(self.begun).max(of(self.replaced))
    }
}

/// The sides of every span, in the reporting currency.
fn list_changes(spans: &[Span], context: &Context<'_>, changes: &mut Vec<Change>) -> Result<(), MovementError> {
    let mut before: Option<(&Span, Tick, Currency, i64)> = None;
    let mut next = 0;
    while let Some(span) = spans.get(next) {
        let index = next;
        let mut last = index;
        while spans.get(last + 1).is_some_and(|next| goes_on(&spans[last], next)) {
            last += 1;
        }
        next = last + 1;
        let to = spans[last].to;
        if span.trial {
            continue;
        }
        let Some(offer) = context.offers.get(span.offer as usize) else { continue };
        let from_day = context.ticks.day(span.from);
        let convert = |day| context.rates.convert(span.monthly_micros, offer.currency, context.reporting, day);
        let opening = if offer.currency == context.reporting {
            span.monthly_micros
        } else {
            match (context.policy.exchange, before) {
                (Exchange::Constant(day), _) => convert(day)?,
                // The same amount goes on: no movement of money happened, so its rate is carried.
                (Exchange::AtMovement, Some((earlier, ended, currency, carried)))
                    if earlier.subscription == span.subscription
                        && ended == span.from
                        && earlier.monthly_micros == span.monthly_micros
                        && currency == offer.currency =>
                {
                    carried
                }
                _ => convert(from_day)?,
            }
        };
        let first_index = u32::try_from(index).map_err(|_| MovementError::TooLarge)?;
        let last_index = u32::try_from(last).map_err(|_| MovementError::TooLarge)?;
        let change = |tick, side, delta_micros| Change {
            tick,
            subscription: span.subscription,
            offer: span.offer,
            side,
            span: if side == Side::Ends { last_index } else { first_index },
            delta_micros,
        };
        changes.push(change(span.from, Side::Begins, opening));
        let mut standing = opening;
        if context.policy.exchange == Exchange::Revalue && offer.currency != context.reporting {
            let until = to.min(context.revalue_until.saturating_add(1));
            let closing = (to != NEVER).then_some(to);
            for tick in month_ends(span.from, until, context.ticks).chain(closing) {
                let revalued = convert(context.ticks.day(tick))?;
                if revalued != standing {
                    changes.push(change(tick, Side::Revalued, revalued - standing));
                    standing = revalued;
                }
            }
        }
        if to != NEVER {
            changes.push(change(to, Side::Ends, -standing));
        }
        before = Some((span, to, offer.currency, opening));
    }
    Ok(())
}

/// Whether a span only says again what the one before it said: neither a movement nor a reason to value anew.
fn goes_on(span: &Span, next: &Span) -> bool {
    span.to == next.from
        && span.subscription == next.subscription
        && span.offer == next.offer
        && span.monthly_micros == next.monthly_micros
        && span.trial == next.trial
}

/// Where a customer stands between two changes.
#[derive(Debug, Default)]
struct Standing {
    mrr_micros: i64,
    parts: i32,
    paid_before: bool,
    left_on: i32,
}

impl Standing {
    /// Goes on by what a day's changes come to, in money and in parts that are there, and says what that was. Money is what rates
    /// alone did, which is no change, and what else happened.
    #[inline]
    fn change(
        &mut self,
        day: i32,
        (revalued_micros, delta_micros): (i128, i128),
        presence: i32,
        context: &Context<'_>,
    ) -> Result<Kind, MovementError> {
        let (before, parts_before) = (i128::from(self.mrr_micros) + revalued_micros, self.parts);
        let (after, parts_after) = (before + delta_micros, parts_before + presence);
        let mrr_micros = to_micros(after)?;
        let kind = match (parts_before > 0, parts_after > 0) {
            (false, true) => kind_of_beginning(self.paid_before.then_some(self.left_on), day, context),
            (true, false) => Kind::Churn,
            (true, true) if after > before => Kind::Expansion,
            (true, true) if after < before => Kind::Contraction,
            _ => Kind::Transfer,
        };
        if parts_after > 0 {
            self.paid_before = true;
        } else if parts_before > 0 {
            self.left_on = day;
        }
        (self.mrr_micros, self.parts) = (mrr_micros, parts_after);
        Ok(kind)
    }
}

/// The changes of a window by part: they are sorted so.
fn parts_of(window: &[Change]) -> impl Iterator<Item = &[Change]> {
    window.chunk_by(|a, b| (a.subscription, a.offer) == (b.subscription, b.offer))
}

/// What the changes of one part come to.
struct Sums {
    /// What rates alone did to a part that was there before.
    revalued_micros: i128,
    /// What else it is worth more or less.
    delta_micros: i128,
    /// 1 when the part has come, -1 when it has gone.
    presence: i32,
}

impl Sums {
    fn of(sides: &[Change]) -> Self {
        let mut sums = Sums { revalued_micros: 0, delta_micros: 0, presence: 0 };
        // Of a part that comes within the window nothing was there for rates to move.
        let was_there = sides.iter().find(|change| change.side != Side::Revalued).is_none_or(|c| c.side == Side::Ends);
        for change in sides {
            let micros = i128::from(change.delta_micros);
            match change.side {
                Side::Revalued if was_there => sums.revalued_micros += micros,
                Side::Revalued => sums.delta_micros += micros,
                Side::Begins => {
                    sums.delta_micros += micros;
                    sums.presence += 1;
                }
                Side::Ends => {
                    sums.delta_micros += micros;
                    sums.presence -= 1;
                }
            }
        }
        sums
    }
}

/// Nets the changes of one window and appends what is left of them as movements.
fn settle(
    window: &[Change],
    spans: &[Span],
    context: &Context<'_>,
    cause_of_change: &impl Fn(&Span, &Span) -> Cause,
    standing: &mut Standing,
    movements: &mut Vec<Movement>,
) -> Result<(), MovementError> {
    let day = context.ticks.day(window.iter().map(|change| change.tick).min().unwrap_or_default()).0;
    let (mut delta, mut parts, mut revalued) = (0i128, 0i32, 0i128);
    for sides in parts_of(window) {
        let sums = Sums::of(sides);
        delta += sums.delta_micros;
        parts += sums.presence;
        revalued += sums.revalued_micros;
    }
    let kind = standing.change(day, (revalued, delta), parts, context)?;

    for sides in parts_of(window) {
        let [part, ..] = sides else { continue };
        let sums = Sums::of(sides);
        let (delta_micros, revalued_micros) = (to_micros(sums.delta_micros)?, to_micros(sums.revalued_micros)?);
        let presence = sums.presence;
        let of_side = |wanted| sides.iter().rev().find(|change| change.side == wanted);
        let (begins, ends) = (of_side(Side::Begins), of_side(Side::Ends));
        let span_of = |change: &Change| spans.get(change.span as usize);
        if revalued_micros != 0 {
            let span = sides.first().and_then(span_of);
            movements.push(Movement {
                day,
                subscription: part.subscription,
                offer: part.offer,
                fact: span.map_or(0, |span| span.fact),
                delta_micros: revalued_micros,
                kind: Kind::Fx,
                cause: Cause::Contract,
                reason: Reason::Unknown,
                confidence: Confidence::Exact,
            });
        }
        // A free part that comes or goes moves no money, but it may be what makes somebody a customer.
        if delta_micros == 0 && !(presence != 0 && kind.comes_or_goes()) {
            continue;
        }
        let ended = ends.and_then(span_of);
        // What ended here may go on as another offer of the same subscription: then that row is what changed it.
        let begun = begins.and_then(span_of).or_else(|| {
            window
                .iter()
                .find(|change| change.side == Side::Begins && change.subscription == part.subscription)
                .and_then(span_of)
        });
        let replaced = ended.or_else(|| {
            window
                .iter()
                .find(|change| change.side == Side::Ends && change.subscription == part.subscription)
                .and_then(span_of)
        });
        let states = States { ended, replaced, begun };
        let tick = window.first().map_or_else(Tick::default, |change| change.tick);
        let (cause, reason) = states.why(kind, tick, spans, context, cause_of_change);
        movements.push(Movement {
            day,
            subscription: part.subscription,
            offer: part.offer,
            fact: states.fact(),
            delta_micros,
            kind,
            cause,
            reason,
            confidence: states.confidence(),
        });
    }
    Ok(())
}

/// What it is when somebody begins to pay who left on that day, if ever.
fn kind_of_beginning(left_on: Option<i32>, day: i32, context: &Context<'_>) -> Kind {
    let is_back = left_on.is_some_and(|left_on| {
        let away = i64::from(day) - i64::from(left_on);
        context.policy.reactivation_within_days.is_none_or(|days| away <= i64::from(days))
    });
    if is_back { Kind::Reactivation } else { Kind::New }
}

/// What changed between two spans of one subscription item that follow each other.
fn cause_of_change(from: &Span, to: &Span, terms: &[Terms]) -> Cause {
    let (Some(old), Some(new)) = (terms.get(from.terms as usize), terms.get(to.terms as usize)) else {
        return Cause::Contract;
    };
    let is_same_quantity = old.price.quantity == new.price.quantity;
    let is_same_amount = old.price.amount_picos == new.price.amount_picos;
    cause_of_terms(old, new, is_same_quantity, is_same_amount, from.discount_ended != to.discount_ended)
}

/// As [`cause_of_change`], of spans of plain rows.
pub(crate) fn cause_of_plain(from: &Span, to: &Span, rows: &[PlainRow], classes: &[Terms]) -> Cause {
    let (Some(old), Some(new)) = (rows.get(from.terms as usize), rows.get(to.terms as usize)) else {
        return Cause::Contract;
    };
    // Most differ in what is at hand.
    let (is_same_quantity, is_same_amount) = (old.quantity == new.quantity, old.amount == new.amount);
    if from.offer != to.offer {
        return Cause::Upgrade;
    } else if !is_same_quantity {
        return Cause::Quantity;
    } else if !is_same_amount || old.class == new.class {
        return Cause::PriceRise;
    }
    let (Some(old), Some(new)) = (classes.get(old.class as usize), classes.get(new.class as usize)) else {
        return Cause::Contract;
    };
    cause_of_terms(old, new, is_same_quantity, is_same_amount, false)
}

fn cause_of_terms(
    old: &Terms,
    new: &Terms,
    is_same_quantity: bool,
    is_same_amount: bool,
    has_discount_ended: bool,
) -> Cause {
    if old.offer != new.offer {
        Cause::Upgrade
    } else if !is_same_quantity || old.metered || new.metered {
        Cause::Quantity
    } else if !is_same_amount || old.price.pricing != new.price.pricing {
        Cause::PriceRise
    } else if old.price.discount != new.price.discount || has_discount_ended {
        Cause::Discount
    } else {
        Cause::PriceRise
    }
}

/// What it is when a subscription item comes to others, or leaves others behind: a product more or fewer, or more or
/// fewer of what the customer has.
fn cause_of_part(alone: &Span, tick: Tick, spans: &[Span], context: &Context<'_>) -> Cause {
    let product = |span: &Span| {
        context.offers.get(span.offer as usize).map(|offer| {
            if offer.product.is_empty() { (true, offer.plan.as_str()) } else { (false, offer.product.as_str()) }
        })
    };
    let sold = product(alone);
    let another = spans.iter().any(|span| {
        span.subscription != alone.subscription
            && !span.trial
            && span.from <= tick
            && span.to >= tick
            && (span.offer == alone.offer || product(span) == sold)
    });
    if another { Cause::Quantity } else { Cause::CrossSell }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{calendar::Zone, policy::SettleWindow, price::Interval};

    /// A span of an item: how long nothing was before it, how long it lasts (a hundred for ever), its offer, what it is worth, and
    /// of ten how many are trials, of three how sure it is.
    type Stretch = (Tick, Tick, u32, i64, u8, usize);

    fn spans(items: &[Vec<Stretch>]) -> Vec<Span> {
        let mut spans = Vec::new();
        for (subscription, stretches) in (0..).zip(items) {
            let mut at = 0;
            for (gap, length, offer, worth, trial, sure) in stretches {
                let from = at + gap;
                at = from + length;
                spans.push(Span {
                    subscription,
                    offer: *offer,
                    terms: 0,
                    fact: spans.len() as u32,
                    from,
                    to: if *length == 100 { NEVER } else { at },
                    monthly_micros: *worth,
                    announced_end: NEVER,
                    end_reason: if worth % 2 == 0 { Reason::AskedFor } else { Reason::Unknown },
                    confidence: [Confidence::Exact, Confidence::Derived, Confidence::Assumed][*sure],
                    trial: *trial == 0,
                    discount_ended: false,
                });
                if *length == 100 {
                    break;
                }
            }
        }
        spans
    }

    fn stretch() -> impl Strategy<Value = Stretch> {
        let length = prop_oneof![5 => 1..6, 1 => Just(100)];
        (0..3, length, 0..3u32, 0..4i64, 0..10u8, 0..3usize)
    }

    /// Works with what the kernel needs to know: three offers in dollars, which the ledger is in.
    fn in_context<T>(policy: &Policy, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let offer = |plan: &str, product: &str| Offer {
            plan: plan.to_owned(),
            product: product.to_owned(),
            interval: Interval::Month,
            interval_count: 1,
            currency: Currency::USD,
        };
        work(&Context {
            policy,
            ticks: &Ticks::new(policy, Zone::utc()),
            offers: &[offer("basic", "crm"), offer("pro", "crm"), offer("seats", "")],
            terms: &[],
            rates: &Rates::default(),
            reporting: Currency::USD,
            revalue_until: NEVER,
        })
    }

    fn cause(from: &Span, to: &Span) -> Cause {
        if from.offer == to.offer { Cause::PriceRise } else { Cause::Upgrade }
    }

    #[test]
    fn a_change_is_as_sure_as_the_less_sure_of_what_it_leads_from_and_to() {
        let (exact, derived, assumed) = (0, 1, 2);
        // What is there, what it becomes, and how sure each movement is: it begins, it changes, it ends.
        for (before, after, wanted) in [
            (exact, exact, [Confidence::Exact, Confidence::Exact, Confidence::Exact]),
            (exact, assumed, [Confidence::Exact, Confidence::Assumed, Confidence::Assumed]),
            (assumed, exact, [Confidence::Assumed, Confidence::Assumed, Confidence::Exact]),
            (derived, assumed, [Confidence::Derived, Confidence::Assumed, Confidence::Assumed]),
            (derived, exact, [Confidence::Derived, Confidence::Derived, Confidence::Exact]),
        ] {
            let spans = spans(&[vec![(0, 2, 0, 5, 1, before), (0, 2, 0, 7, 1, after)]]);
            let mut made = Vec::new();
            in_context(&Policy::default(), |context| {
                movements(&spans, context, &mut Scratch::default(), &mut made).unwrap();
            });
            let sure: Vec<Confidence> = made.iter().map(|movement| movement.confidence).collect();
            assert_eq!(sure, wanted, "{before} {after}");
        }
    }

    #[test]
    fn what_does_not_simply_follow_each_other_goes_the_general_way() {
        let two = || spans(&[vec![(0, 4, 0, 5, 1, 0), (1, 4, 1, 7, 1, 0)], vec![(2, 9, 2, 3, 1, 0)]]);
        let changed = |change: &dyn Fn(&mut Vec<Span>)| {
            let mut spans = two();
            change(&mut spans);
            spans
        };
        let minutes = Policy { settle_window: SettleWindow::Minutes(60), ..Policy::default() };
        for (what, spans, policy, is_laid_out) in [
            ("as it should be", two(), Policy::default(), true),
            ("windows of minutes", two(), minutes, false),
            (
                "two that claim the same time",
                changed(&|spans| spans[0].to = spans[1].from + 1),
                Policy::default(),
                false,
            ),
            ("one of no time", changed(&|spans| spans[1].to = spans[1].from), Policy::default(), false),
            ("an item that comes again", changed(&|spans| spans.swap(1, 2)), Policy::default(), false),
            ("an offer that nobody knows", changed(&|spans| spans[2].offer = 3), Policy::default(), false),
            (
                "trials alone may overlap",
                changed(&|spans| (spans[0].to, spans[0].trial) = (9, true)),
                Policy::default(),
                true,
            ),
            ("many items", self::spans(&vec![vec![(0, 1, 0, 1, 1, 0)]; FEW_ITEMS + 1]), Policy::default(), false),
            ("as many as are few", self::spans(&vec![vec![(0, 1, 0, 1, 1, 0)]; FEW_ITEMS]), Policy::default(), true),
        ] {
            let mut scratch = Scratch::default();
            in_context(&policy, |context| scratch.lay_out(&spans, context));
            assert_eq!(scratch.is_laid_out, is_laid_out, "{what}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
        /// Going through items side by side gives what listing and sorting their changes gives.
        #[test]
        fn the_shorter_way_and_the_general_one_agree(
            items in proptest::collection::vec(proptest::collection::vec(stretch(), 0..7), 0..5),
            days in prop_oneof![Just(None), (0..9u32).prop_map(Some)],
        ) {
            let policy = Policy { reactivation_within_days: days, ..Policy::default() };
            let spans = spans(&items);
            let mut scratch = Scratch::default();
            let (mut short, mut general) = (Vec::new(), Vec::new());
            in_context(&policy, |context| {
                scratch.lay_out(&spans, context);
                in_turn(&spans, context, &cause, &mut scratch, &mut short).unwrap();
                sorted(&spans, context, &cause, &mut scratch.changes, &mut general).unwrap();
            });
            prop_assert!(scratch.is_laid_out);
            prop_assert_eq!(short, general);
        }
    }
}
