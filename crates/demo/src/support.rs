//! What customers ask of support and when they are answered.

use crate::Company;
use crate::biography::{Biography, Span, days_of};
use crate::calendar::{Calendar, Day, Moment};
use crate::dice::{Dice, Purpose};
use crate::person::Person;
use crate::sheet::Surroundings;
use crate::story::{self, Priority, Request};

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) opened: Moment,
    pub(crate) first_response: Moment,
    pub(crate) resolved: Moment,
    category: &'static str,
    by_mail: bool,
    priority: &'static str,
    /// Whether it is about what the bad release broke.
    pub(crate) is_bad_release: bool,
}

impl Ticket {
    /// Its state at the end of the calendar.
    fn status(&self, calendar: &Calendar) -> &'static str {
        if self.resolved.day < calendar.end {
            "solved"
        } else if self.first_response.day < calendar.end {
            "pending"
        } else {
            "new"
        }
    }
}

impl Priority {
    fn name(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

/// Writes a customer's requests and leaves them, in order, in `tickets`.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    tickets: &mut Vec<Ticket>,
    to: &mut Surroundings,
) {
    tickets.clear();
    let mut desk = Desk { calendar, dice: Dice::new(company.seed, person.number, Purpose::Support), tickets };
    desk.everyday(biography);
    desk.causes(biography);

    tickets.sort_unstable();
    for (ticket, number) in tickets.iter().zip(1..) {
        to.tickets
            .id(b'r', person.number, number, 0)
            .id(b'c', person.number, 0, 0)
            .id(b'u', person.number, 1, 0)
            .text(ticket.category)
            .text(if ticket.by_mail { "email" } else { "chat" })
            .text(ticket.priority)
            .text(ticket.status(calendar))
            .moment(calendar, ticket.opened)
            .moment_if_known(calendar, ticket.first_response)
            .moment_if_known(calendar, ticket.resolved)
            .end_row();
    }
}

struct Desk<'a> {
    calendar: &'a Calendar,
    dice: Dice,
    tickets: &'a mut Vec<Ticket>,
}

impl Desk<'_> {
    /// What comes up without any event.
    fn everyday(&mut self, biography: &Biography) {
        for (place, chapter) in biography.chapters.iter().enumerate() {
            if let Some(first) = chapter.rows.first().filter(|_| place == 0) {
                self.ask(&story::REQUEST_IN_TRIAL, first.start, false);
            }
        }
        for span in biography.spans(self.calendar).filter(|span| span.row.status.is_paying()) {
            let mut from = span.from;
            while from < span.to {
                // The last month of a span may be a short one, and asks less.
                let days = (span.to - from).min(30);
                for request in &story::REQUESTS_A_MONTH {
                    let request = Request { chance: request.chance.times(days * 100 / 30), days, ..*request };
                    self.ask(&request, from, false);
                }
                from += days;
            }
        }
    }

    /// What follows from what happened.
    fn causes(&mut self, biography: &Biography) {
        let calendar = self.calendar;
        for failed in &biography.card_failed {
            let wave = story::CARD_FAILURES.covers(calendar.story_month(*failed));
            let request = if wave { &story::REQUEST_CARD_FAILED_IN_WAVE } else { &story::REQUEST_CARD_FAILED };
            self.ask(request, *failed, false);
        }
        let (announced, _) = days_of(calendar, &story::PRICE_RISE);
        let pays = |span: Option<Span<'_>>| span.is_some_and(|span| span.row.status.is_paying());
        if pays(biography.on(calendar, announced)) {
            self.ask(&story::REQUEST_RISE_ANNOUNCED, announced, false);
        }
        if let Some(raised) = biography.raised(calendar) {
            self.ask(&story::REQUEST_RAISED, raised, false);
        }
        let (broken, mended) = days_of(calendar, &story::BAD_RELEASE);
        let hit = biography.spans(calendar).find(|span| {
            span.row.terms.plan == story::TEAM && span.is_in_use() && span.from < mended && span.to > broken
        });
        if let Some(span) = hit {
            let from = span.from.max(broken);
            let days = span.to.min(mended) - from;
            let request = Request { days: days.min(story::REQUEST_BAD_RELEASE.days), ..story::REQUEST_BAD_RELEASE };
            self.ask(&request, from, true);
        }
        for leaving in biography.chapters.iter().filter_map(|chapter| chapter.leaving()) {
            self.ask(&story::REQUEST_LEAVING, leaving.asked, false);
        }
    }

    fn ask(&mut self, request: &Request, cause: Day, is_bad_release: bool) {
        if !self.dice.happens(request.chance) {
            return;
        }
        let day = cause + self.dice.below(request.days.max(1));
        let mut opened = crate::audience::awake(&mut self.dice, day);
        if self.calendar.is_weekend(day) && self.dice.below(100) < 70 {
            opened.day += 2;
        }
        if opened.day >= self.calendar.end {
            return;
        }
        let month = self.calendar.story_month(opened.day);
        let queue = if story::BAD_RELEASE.covers(month) {
            story::QUEUE_BAD_RELEASE_PERCENT
        } else if story::CARD_FAILURES.covers(month) {
            story::QUEUE_CARD_FAILURES_PERCENT
        } else {
            100
        };
        let (low, high) = story::FIRST_RESPONSE_MINUTES[request.priority as usize];
        let first_response = opened.plus_minutes(self.dice.between(low, high) * queue / 100);
        let (low, high) = story::RESOLUTION_MINUTES[request.priority as usize];
        let mut resolved = first_response.plus_minutes(self.dice.between(low, high));
        if is_bad_release {
            let (low, high) = story::BAD_RELEASE_FIX_DAYS;
            resolved.day += self.dice.between(low, high);
        }
        self.tickets.push(Ticket {
            opened,
            first_response,
            resolved,
            category: request.category,
            by_mail: self.dice.below(100) < 60,
            priority: request.priority.name(),
            is_bad_release,
        });
    }
}
