//! How content customers say they are: a score from 0 to 10 each quarter, and one from 1 to 5 after a request.

use crate::Company;
use crate::biography::{Biography, Span, fit_index};
use crate::calendar::{Calendar, Day, Moment};
use crate::dice::{Dice, Purpose};
use crate::person::Person;
use crate::sheet::Surroundings;
use crate::story;
use crate::support::Ticket;
use crate::timeline::Reason;

/// From this score on a customer is a promoter.
const PROMOTER: i64 = 9;

/// Writes the answers of a customer and says on which days it was a promoter.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    tickets: &[Ticket],
    to: &mut Surroundings,
    promoter_on: &mut Vec<Day>,
) {
    promoter_on.clear();
    let dice = Dice::new(company.seed, person.number, Purpose::Surveys);
    let mut asked = Asked { calendar, person, biography, dice, answers: 0, to };
    if let Some(paid_from) = biography.known_paid_from(calendar) {
        let (first, every) = story::NPS_DAYS;
        let mut day = paid_from + first;
        while day < calendar.end {
            let span = biography.on(calendar, day).filter(|span| span.row.status.is_paying());
            if let Some(span) = span
                && asked.dice.happens(story::NPS_ANSWERED)
                && asked.nps(&span, day) >= PROMOTER
            {
                promoter_on.push(day);
            }
            day += every;
        }
    }
    for (ticket, number) in tickets.iter().zip(1..) {
        asked.csat(ticket, number);
    }
}

struct Asked<'a> {
    calendar: &'a Calendar,
    person: &'a Person,
    biography: &'a Biography,
    dice: Dice,
    answers: u32,
    to: &'a mut Surroundings,
}

impl Asked<'_> {
    fn nps(&mut self, span: &Span<'_>, day: Day) -> i64 {
        let calendar = self.calendar;
        let month = calendar.story_month(day);
        let fit = story::NPS_FIT_TENTHS[fit_index(self.person)];
        // People of one mind still differ by a point or so.
        let mut tenths = fit + i64::from(self.dice.below(21)) - 10;
        let mut words = "";

        let felt_until =
            story::BAD_RELEASE.first_month + story::BAD_RELEASE.months + story::NPS_BAD_RELEASE_FELT_MONTHS;
        let team = span.row.terms.plan == story::TEAM;
        if span.is_hit(calendar, day) {
            tenths -= story::NPS_BAD_RELEASE_TENTHS;
            words = "Shared boards lose our changes since the last release";
        } else if team && story::BAD_RELEASE.has_begun(month) && month < felt_until {
            tenths -= story::NPS_BAD_RELEASE_TENTHS / 2;
            words = "We still check twice whether a shared board was saved";
        }
        if self.biography.raised(calendar).is_some_and(|raised| day >= raised && day < raised + 61) {
            tenths -= story::NPS_RAISED_TENTHS;
            words = "The new price is steep for what we use";
        }
        if self.biography.quiet_from.is_some_and(|from| day >= from) {
            tenths -= story::NPS_LEAVING_TENTHS;
            words = "Few of us still open it";
        }
        if let Some(leaving) = span.chapter.leaving()
            && day + 91 > leaving.asked
        {
            tenths -= story::NPS_LEAVING_TENTHS;
            words = match leaving.reason {
                Reason::TooExpensive => "Too expensive for us",
                Reason::MissingFeature => "What we need is missing",
                Reason::Switched => "Others do this better by now",
                _ => "We hardly use it any more",
            };
        }
        let score = ((tenths + 5) / 10).clamp(0, 10);
        if words.is_empty() && score >= PROMOTER {
            words = "Our week starts on these boards";
        }
        // One in three writes something.
        let words = if self.dice.below(3) == 0 { words } else { "" };
        let at = crate::audience::awake(&mut self.dice, day);
        self.answer("nps", score, at, None, words);
        score
    }

    fn csat(&mut self, ticket: &Ticket, number: u32) {
        let known = ticket.resolved.day < self.calendar.end;
        if !self.dice.happens(story::CSAT_ANSWERED) || !known {
            return;
        }
        let at = ticket.resolved.plus_minutes(self.dice.between(20, 1_400));
        if at.day >= self.calendar.end {
            return;
        }
        let mut score = 5;
        for patience in story::CSAT_PATIENCE_MINUTES {
            score -= i64::from(ticket.first_response > ticket.opened.plus_minutes(patience));
        }
        let mut words = if score <= 2 { "Nobody answered for days" } else { "" };
        if ticket.is_bad_release {
            score -= 1;
            words = "Our shared boards were broken for too long";
        }
        if fit_index(self.person) + 1 == story::FIT_LEAVING_PERCENT.len() {
            score -= 1;
        }
        self.answer("csat", score.max(1), at, Some(number), words);
    }

    fn answer(&mut self, survey: &str, score: i64, at: Moment, ticket: Option<u32>, words: &str) {
        self.answers += 1;
        let sheet = &mut self.to.surveys;
        sheet.id(b'y', self.person.number, self.answers, 0).text(survey).id(b'c', self.person.number, 0, 0).id(
            b'u',
            self.person.number,
            1,
            0,
        );
        match ticket {
            Some(number) => sheet.id(b'r', self.person.number, number, 0),
            None => sheet.empty(),
        };
        sheet
            .decimal(score, 0)
            .number(if ticket.is_some() { 5 } else { 10 })
            .moment(self.calendar, at)
            .words(words)
            .end_row();
    }
}
