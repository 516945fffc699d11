//! What has been told of one customer, for everything that follows from it: use, requests, opinions, invitations.

use crate::calendar::{Calendar, Day};
use crate::person::Person;
use crate::price::PriceList;
use crate::story::{self, Event};
use crate::timeline::{Reason, Row, Status, Timeline};

/// The life of one customer as it was, with what lies beyond the end of the calendar: nobody knows of that yet,
/// but a customer who is about to leave already behaves so.
#[derive(Debug, Default)]
pub(crate) struct Biography {
    /// The subscriptions to the desk, one after the other.
    pub(crate) chapters: Vec<Timeline>,
    /// The days on which a card failed at first.
    pub(crate) card_failed: Vec<Day>,
    /// From when on its people lose heart though nobody has said that they leave.
    pub(crate) quiet_from: Option<Day>,
}

/// A state that holds on `[from, to)`, both within the calendar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'b> {
    pub(crate) from: Day,
    pub(crate) to: Day,
    pub(crate) row: &'b Row,
    pub(crate) chapter: &'b Timeline,
}

/// Why and when a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// When the customer said so.
    pub(crate) asked: Day,
    pub(crate) reason: Reason,
}

impl Timeline {
    /// When and why the customer asked to leave; `None` where it goes on, or ended without having been asked to.
    pub(crate) fn leaving(&self) -> Option<Leaving> {
        let last = self.rows.last()?;
        last.cancel_at?;
        Some(Leaving { asked: last.start, reason: last.reason? })
    }

    /// The first day that was paid for.
    pub(crate) fn paid_from(&self) -> Option<Day> {
        self.rows.iter().find(|row| row.status.is_paying()).map(|row| row.start)
    }
}

impl Biography {
    pub(crate) fn clear(&mut self) {
        self.chapters.clear();
        self.card_failed.clear();
        self.quiet_from = None;
    }

    /// Every state of every subscription to the desk that the calendar has seen some of.
    pub(crate) fn spans(&self, calendar: &Calendar) -> impl Iterator<Item = Span<'_>> {
        let end = calendar.end;
        self.chapters.iter().flat_map(move |chapter| {
            let ends = chapter.rows.iter().skip(1).map(|next| Some(next.start)).chain([chapter.end]);
            chapter.rows.iter().zip(ends).filter_map(move |(row, to)| {
                let to = to.unwrap_or(end).min(end);
                (row.start < to).then_some(Span { from: row.start, to, row, chapter })
            })
        })
    }

    /// What held on a day.
    pub(crate) fn on(&self, calendar: &Calendar, day: Day) -> Option<Span<'_>> {
        self.spans(calendar).find(|span| span.from <= day && day < span.to)
    }

    /// The day from which the customer pays for the first time, if it ever does.
    pub(crate) fn paid_from(&self) -> Option<Day> {
        self.chapters.first().and_then(Timeline::paid_from)
    }

    /// The same, if it is known by the end of the calendar.
    pub(crate) fn known_paid_from(&self, calendar: &Calendar) -> Option<Day> {
        self.paid_from().filter(|day| *day < calendar.end)
    }

    /// The days on which a customer who was there before was put on the new price list.
    pub(crate) fn raised(&self, calendar: &Calendar) -> Option<Day> {
        self.chapters.iter().find_map(|chapter| {
            let raised = chapter.rows.windows(2).find(|pair| {
                pair[0].terms.list == PriceList::First
                    && pair[1].terms.list == PriceList::AfterRise
                    && pair[0].terms.plan == pair[1].terms.plan
            });
            raised.map(|pair| pair[1].start).filter(|day| *day < calendar.end)
        })
    }
}

/// The days of an event, as far as the calendar goes.
pub(crate) fn days_of(calendar: &Calendar, event: &Event) -> (Day, Day) {
    let from = calendar.months_after(calendar.first, event.first_month - 1);
    let to = calendar.months_after(calendar.first, event.first_month - 1 + event.months);
    (from.min(calendar.end), to.min(calendar.end))
}

impl Span<'_> {
    /// Whether people of the customer can use the product.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self.row.status, Status::Trialing | Status::Active | Status::PastDue)
    }

    /// Whether the bad release hits this customer on that day.
    pub(crate) fn is_hit(&self, calendar: &Calendar, day: Day) -> bool {
        self.row.terms.plan == story::TEAM && story::BAD_RELEASE.covers(calendar.story_month(day))
    }
}

/// The place of the customer's fit in the tables by fit.
pub(crate) fn fit_index(person: &Person) -> usize {
    story::FIT_LEAVING_PERCENT.iter().position(|percent| *percent == person.fit_leaving_percent).unwrap_or(0)
}
