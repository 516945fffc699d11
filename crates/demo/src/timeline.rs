//! The rows of one subscription: each holds on `[start, end)`, the next begins where it ends.

use crate::calendar::{Calendar, Day};
use crate::person::Person;
use crate::price::{Discount, Terms};
use crate::sheet::Sheet;
use crate::story::PLANS;

/// What a subscription is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Trialing => "trialing",
            Status::Active => "active",
            Status::PastDue => "past_due",
            Status::Unpaid => "unpaid",
            Status::Paused => "paused",
        }
    }

    /// Whether the customer has the product and is expected to pay for it.
    pub(crate) fn is_paying(self) -> bool {
        matches!(self, Status::Active | Status::PastDue)
    }
}

/// Why a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    TooExpensive,
    MissingFeature,
    Switched,
    NoLongerNeeded,
    PaymentFailed,
    Dispute,
}

impl Reason {
    /// The reasons that customers give, in the order of the story's weights.
    pub(crate) const GIVEN: [Reason; 4] =
        [Reason::TooExpensive, Reason::MissingFeature, Reason::Switched, Reason::NoLongerNeeded];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::TooExpensive => "too_expensive",
            Reason::MissingFeature => "missing_feature",
            Reason::Switched => "switched",
            Reason::NoLongerNeeded => "no_longer_needed",
            Reason::PaymentFailed => "payment_failed",
            Reason::Dispute => "dispute",
        }
    }
}

/// A state of the subscription that holds from `start` until the next row's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) start: Day,
    pub(crate) terms: Terms,
    pub(crate) status: Status,
    pub(crate) trial_end: Option<Day>,
    pub(crate) cancel_at: Option<Day>,
    pub(crate) reason: Option<Reason>,
}

/// The history of one subscription while it is being told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Timeline {
    pub(crate) rows: Vec<Row>,
    pub(crate) end: Option<Day>,
}

impl Timeline {
    /// Forgets the last subscription and keeps its memory.
    pub(crate) fn begin(&mut self, start: Day, terms: Terms, status: Status, trial_end: Option<Day>) {
        self.rows.clear();
        self.end = None;
        self.rows.push(Row { start, terms, status, trial_end, cancel_at: None, reason: None });
    }

    /// From `day` on the row looks as `edit` leaves it. Days never go back.
    pub(crate) fn change(&mut self, day: Day, edit: impl FnOnce(&mut Row)) {
        let Some(last) = self.rows.last_mut() else { return };
        let mut next = *last;
        edit(&mut next);
        if next == *last {
            return;
        }
        if last.start == day {
            *last = next;
        } else {
            next.start = day;
            self.rows.push(next);
        }
    }

    /// The customer says on `asked` that they leave when what they paid for is over.
    pub(crate) fn schedule_end(&mut self, asked: Day, end: Day, reason: Reason) {
        self.change(asked, |row| {
            row.cancel_at = Some(end);
            row.reason = Some(reason);
        });
        self.end = Some(end);
    }

    /// It ends on that day, without notice.
    pub(crate) fn end_at(&mut self, end: Day, reason: Reason) {
        if let Some(last) = self.rows.last_mut() {
            last.reason = Some(reason);
        }
        self.end = Some(end);
    }

    /// The first day, at or after `from`, on which the subscription is no longer paid for, with the row
    /// that gave notice of it, if one did.
    pub(crate) fn stops_after(&self, from: Day) -> Option<(Day, Reason, Option<Day>)> {
        let stopped = self.rows.iter().find(|row| row.start > from && !row.status.is_paying());
        let last = self.rows.last()?;
        match (stopped, self.end) {
            (Some(row), _) if row.status == Status::Unpaid => Some((row.start, Reason::PaymentFailed, None)),
            (Some(row), _) => Some((row.start, Reason::NoLongerNeeded, None)),
            (None, Some(end)) => {
                let asked = last.cancel_at.map(|_| last.start);
                Some((end, last.reason.unwrap_or(Reason::NoLongerNeeded), asked))
            }
            (None, None) => None,
        }
    }

    /// Writes what is known on the calendar's last day: a change that lies
    /// beyond it is left out, unless it was announced before.
    pub(crate) fn write(&self, subscription: u32, person: &Person, calendar: &Calendar, sheet: &mut Sheet) {
        let currency = person.country.currency;
        for (index, row) in self.rows.iter().enumerate() {
            // The first row stands even when it begins later: it was signed before the end.
            if row.start >= calendar.end && index > 0 {
                break;
            }
            let until = match self.rows.get(index + 1) {
                Some(next) => Some(next.start),
                None => self.end,
            };
            let announced = row.cancel_at.is_some();
            let end = until.filter(|day| *day < calendar.end || announced);
            let reason = row.reason.filter(|_| end.is_some());

            let plan = &PLANS[row.terms.plan];
            sheet
                .id(b's', person.number, subscription, 0)
                .id(b'c', person.number, 0, 0)
                .text(plan.id)
                .text(plan.product)
                .text(currency.code())
                .money(row.terms.unit_amount(currency), currency)
                .text(row.terms.interval.name())
                .number(1)
                .number(row.terms.seats);
            match row.terms.discount {
                Discount::None => sheet.empty().empty().empty(),
                Discount::PercentForever(percent) => sheet.number(percent).empty().text("forever"),
                Discount::PercentRepeating(percent) => sheet.number(percent).empty().text("repeating"),
                Discount::AmountOnce(amount) => sheet.empty().money(amount, currency).text("once"),
            };
            sheet
                .text(row.status.name())
                .day_if(calendar, row.trial_end)
                .day_if(calendar, row.cancel_at)
                .text(reason.map_or("", Reason::name))
                .day(calendar, row.start)
                .day_if(calendar, end)
                .end_row();
        }
    }
}
