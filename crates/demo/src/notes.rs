//! What people of the company wrote down: the events, talks with customers, rivals, plans.

use crate::Company;
use crate::biography::{Biography, days_of};
use crate::calendar::{Calendar, Day};
use crate::person::Person;
use crate::sheet::{Sheet, Surroundings};
use crate::story::{self, Coupon, INTERVIEWS_COUNT, Interview};
use crate::timeline::Reason;

/// The first customer that fits each talk, with its day.
#[derive(Debug, Default)]
pub(crate) struct Talks {
    found: [Option<(u64, Day)>; INTERVIEWS_COUNT],
}

impl Talks {
    /// Remembers a customer whom somebody talked to.
    pub(crate) fn hear(&mut self, calendar: &Calendar, person: &Person, biography: &Biography) {
        for (place, interview) in Interview::ALL.into_iter().enumerate() {
            if self.found[place].is_none() {
                let day = day_of_talk(interview, calendar, person, biography);
                self.found[place] = day.filter(|day| *day < calendar.end).map(|day| (person.number, day));
            }
        }
    }

    /// Writes every note, in the order of their days.
    pub(crate) fn write(&self, company: &Company, calendar: &Calendar, to: &mut Surroundings) {
        let mut notes: Vec<(Day, Note)> = Vec::new();
        let mut add = |day: Day, note: Note| {
            if day < calendar.end {
                notes.push((day, note));
            }
        };
        for event in story::EVENTS.iter().filter(|event| event.is_known) {
            let (day, _) = days_of(calendar, event);
            if event.first_month <= company.months {
                add(day, Note { kind: "annotation", title: event.name, body: event.words, customer: None });
            }
        }
        for written in &story::NOTES {
            let month = calendar.months_after(calendar.first, written.month - 1);
            let note = Note { kind: written.kind, title: written.title, body: written.body, customer: None };
            if written.month <= company.months {
                add(month + written.day, note);
            }
        }
        for (interview, found) in Interview::ALL.into_iter().zip(self.found) {
            if let Some((customer, day)) = found {
                let (title, body) = interview.words();
                add(day, Note { kind: "interview", title, body, customer: Some(customer) });
            }
        }
        notes.sort_by_key(|(day, _)| *day);
        for ((day, note), number) in notes.iter().zip(1..) {
            note.write(calendar, number, *day, &mut to.notes);
        }
    }
}

struct Note {
    kind: &'static str,
    title: &'static str,
    body: &'static str,
    customer: Option<u64>,
}

impl Note {
    fn write(&self, calendar: &Calendar, number: u64, day: Day, sheet: &mut Sheet) {
        sheet.id(b'h', number, 0, 0).day(calendar, day).text(self.kind).words(self.title).words(self.body);
        match self.customer {
            Some(customer) => sheet.id(b'c', customer, 0, 0),
            None => sheet.empty(),
        };
        sheet.text("founders").end_row();
    }
}

/// When the customer was talked to, if it fits the talk.
fn day_of_talk(interview: Interview, calendar: &Calendar, person: &Person, biography: &Biography) -> Option<Day> {
    let left_for = |reason: Reason| {
        let leavings = biography.chapters.iter().filter_map(|chapter| chapter.leaving());
        leavings.filter(|leaving| leaving.reason == reason).map(|leaving| leaving.asked).next()
    };
    match interview {
        Interview::FirstWhale => biography.paid_from().filter(|_| person.is_whale).map(|day| day + 9),
        Interview::LaunchLeaver => {
            let launched = person.channel.coupon == Coupon::LaunchRepeating;
            left_for(Reason::NoLongerNeeded).filter(|_| launched).map(|day| day + 3)
        }
        Interview::CardLost => {
            let lost = biography.card_failed.iter().find(|day| {
                let lost = |end: Day| end > **day && end <= **day + story::PAST_DUE_DAYS + story::UNPAID_DAYS;
                story::CARD_FAILURES.covers(calendar.story_month(**day))
                    && biography.chapters.iter().any(|chapter| chapter.end.is_some_and(lost))
            });
            lost.map(|day| day + story::PAST_DUE_DAYS + story::UNPAID_DAYS + 4)
        }
        Interview::DrivenByRelease => {
            let (from, to) = days_of(calendar, &story::BAD_RELEASE);
            let asked = left_for(Reason::MissingFeature).filter(|asked| (from..to).contains(asked))?;
            let team = biography.on(calendar, asked).is_some_and(|span| span.row.terms.plan == story::TEAM);
            team.then_some(asked + 2)
        }
        Interview::RaisedAndStayed => {
            let raised = biography.raised(calendar)?;
            let stayed = biography.chapters.last().is_some_and(|chapter| chapter.end.is_none());
            stayed.then_some(raised + 12)
        }
    }
}
