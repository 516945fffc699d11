//! Leads: their stages, forwards and sometimes back, and what gives them points.

use crate::Company;
use crate::audience::{Arrival, Passing, Visitor, Way, awake, visitor_id};
use crate::biography::Biography;
use crate::calendar::{Calendar, Day, Moment};
use crate::dice::{Dice, Purpose};
use crate::person::Person;
use crate::sheet::Surroundings;
use crate::story::{self, ScoreEvent};

struct Teller<'a> {
    calendar: &'a Calendar,
    lead: Visitor,
    /// Whether a visit made the lead, so that it is known whose.
    is_visitor: bool,
    /// From when on the lead is known to be a customer's.
    linked_from: Option<Moment>,
    way: &'a Way,
    country: &'a str,
    to: &'a mut Surroundings,
}

impl Teller<'_> {
    fn row(&mut self, at: Moment, stage: &str, score: Option<ScoreEvent>) {
        if at.day >= self.calendar.end {
            return;
        }
        let sheet = &mut self.to.leads;
        match self.lead {
            Visitor::Customer(number) => sheet.id(b'q', number, 0, 0),
            Visitor::Passing(day, place) => sheet.id(b'x', u64::from(day), place, 0),
        };
        let linked = match self.lead {
            Visitor::Customer(number) if self.linked_from.is_some_and(|from| at >= from) => Some(number),
            _ => None,
        };
        match linked {
            Some(number) => sheet.id(b'c', number, 0, 0),
            None => sheet.empty(),
        };
        if self.is_visitor {
            visitor_id(sheet, self.lead);
        } else {
            sheet.empty();
        }
        match linked {
            Some(number) => sheet.id(b'u', number, 1, 0),
            None => sheet.empty(),
        };
        sheet.text(stage).moment(self.calendar, at).text(self.way.channel.name).text(self.way.campaign_name());
        match score {
            Some(event) => sheet.decimal(event.points, 0).text(event.reason),
            None => sheet.empty().empty(),
        };
        sheet.text(self.country).end_row();
    }

    fn stage(&mut self, at: Moment, stage: &str) {
        self.row(at, stage, None);
    }

    /// Some of the events, each at most once, on the days from `from` on.
    fn scores(&mut self, dice: &mut Dice, events: &[ScoreEvent], count: u32, from: Day, days: u32) {
        let first = dice.below(events.len() as u32);
        for place in first..first + count {
            let event = events[place as usize % events.len()];
            let day = from + dice.below(days.max(1));
            let at = awake(dice, day);
            self.row(at, "", Some(event));
        }
    }
}

/// The talks with a customer before it became one, if there were any. `activated` is when it made a board of its own.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    activated: Option<Day>,
    arrival: &Arrival,
    to: &mut Surroundings,
) {
    let mut dice = Dice::new(company.seed, person.number, Purpose::Leads);
    let size = story::COMPANY_SIZES.iter().position(|size| size.name == person.size.name).unwrap_or(0);
    if !dice.happens(story::CUSTOMER_WAS_LEAD[size]) {
        return;
    }
    let large = person.size.contract;
    let (large_unseen, unseen) = story::LEAD_WITHOUT_VISIT;
    let is_visitor = !dice.happens(if large { large_unseen } else { unseen });
    let at = if is_visitor {
        arrival.first_seen.plus_minutes(dice.between(1, 15)).min(arrival.signed_up)
    } else {
        let (low, high) = story::LARGE_LEAD_DAYS;
        let day = person.signed_up.saturating_sub(dice.between(low, high)).max(calendar.first);
        awake(&mut dice, day).min(arrival.signed_up)
    };
    let lead = Visitor::Customer(person.number);
    let linked_from = Some(arrival.signed_up);
    let way = &arrival.way;
    let mut teller = Teller { calendar, lead, is_visitor, linked_from, way, country: person.country.code, to };
    teller.stage(at, "lead");
    let count = dice.between(2, 4);
    let events = if large { &story::SCORES_OF_LARGE } else { &story::SCORES_OF_BUYERS };
    teller.scores(&mut dice, events, count, at.day + 1, person.signed_up.max(at.day) - at.day + 3);

    let paid_from = biography.known_paid_from(calendar);
    if large {
        // The talks fill the time until the contract begins, which may lie beyond the end of the calendar.
        let begins = biography.paid_from().unwrap_or(calendar.end);
        let minutes = begins.saturating_sub(at.day + 1) * 24 * 60;
        let after = |percent: u32| at.plus_minutes(60 + minutes / 100 * percent);
        teller.stage(after(dice.between(2, 15)), "mql");
        teller.stage(after(dice.between(20, 45)), "sql");
        if dice.happens(story::LEAD_GOES_BACK) {
            teller.stage(after(dice.between(50, 65)), "mql");
            teller.stage(after(dice.between(70, 85)), "sql");
        }
        teller.stage(Moment::new(begins, 22, dice.below(60)), "customer");
        return;
    }

    let mql = at.plus_minutes(dice.between(60, 4_000));
    let qualified = dice.happens(story::LOST_LEAD_QUALIFIED) || paid_from.is_some();
    if qualified && mql.day <= person.signed_up {
        teller.stage(mql, "mql");
    }
    if let Some(day) = activated {
        teller.stage(Moment::new(day, 21, dice.below(60)), "pql");
    }
    match paid_from {
        Some(day) => teller.stage(Moment::new(day, 22, 0), "customer"),
        None => {
            let day = person.signed_up + story::TRIAL_DAYS + dice.between(1, 10);
            let at = Moment::new(day, 9, dice.below(60));
            if dice.happens(story::LOST_LEAD_CLOSED) {
                teller.stage(at, "lost");
            }
        }
    }
}

/// A lead who never becomes a customer.
pub(crate) fn lose(company: &Company, calendar: &Calendar, passing: &Passing<'_>, to: &mut Surroundings) {
    let &Passing { day, place, seen, way, country } = passing;
    let mut dice = Dice::new(company.seed, (u64::from(day) << 32) | u64::from(place), Purpose::Leads);
    let (_, unseen) = story::LEAD_WITHOUT_VISIT;
    let is_visitor = !dice.happens(unseen);
    let lead = Visitor::Passing(day, place);
    let mut teller = Teller { calendar, lead, is_visitor, linked_from: None, way, country, to };
    let at = seen.plus_minutes(dice.between(1, 15));
    teller.stage(at, "lead");
    let large = dice.happens(story::LOST_LEAD_LARGE);
    let count = dice.between(1, 3);
    let events: &[_] = if large { &story::SCORES_OF_LARGE } else { &story::SCORES_OF_OTHERS };
    teller.scores(&mut dice, events, count, at.day + 1, 40);

    let mut last = at;
    if large || dice.happens(story::LOST_LEAD_QUALIFIED) {
        last = last.plus_minutes(dice.between(600, 14_000));
        teller.stage(last, "mql");
        if large || dice.happens(story::LOST_LEAD_SALES_QUALIFIED) {
            last = last.plus_minutes(dice.between(1_000, 14_000));
            teller.stage(last, "sql");
            if dice.happens(story::LEAD_GOES_BACK) {
                last = last.plus_minutes(dice.between(4_000, 20_000));
                teller.stage(last, "mql");
            }
        }
    }
    if dice.happens(story::LOST_LEAD_CLOSED) {
        last = last.plus_minutes(dice.between(7_000, 60_000));
        teller.stage(last, "lost");
    }
}
