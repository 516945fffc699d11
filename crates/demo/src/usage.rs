//! What users do in the product: sessions, features, and how it falls before a customer leaves.

use crate::Company;
use crate::biography::{Biography, Leaving, Span, fit_index};
use crate::calendar::{Calendar, Day};
use crate::dice::{Dice, Purpose};
use crate::person::Person;
use crate::sheet::Surroundings;
use crate::story::{self, FEATURES, Feature};
use crate::timeline::{Reason, Status, Timeline};

/// What is known of one user of one customer.
#[derive(Debug, Clone, Copy)]
struct User {
    /// 1 for the one who signed up.
    number: u32,
    /// How many sessions there were.
    sessions: u32,
}

/// How use falls before a customer says that it leaves.
#[derive(Debug, Clone, Copy)]
struct Fall {
    from: Day,
    asked: Day,
}

impl Fall {
    /// Of those who have not said that they leave, and may never.
    fn without_a_word(from: Day) -> Fall {
        Fall { from, asked: from + story::FALL_DAYS.1 }
    }

    /// What is left on a day, percent: it falls fast at first and slowly in the end.
    fn left_percent(self, day: Day) -> u32 {
        if day < self.from {
            return 100;
        }
        if day >= self.asked {
            return story::FALL_LEAVES_PERCENT;
        }
        let (to_come, days) = (self.asked - day, self.asked - self.from);
        story::FALL_LEAVES_PERCENT + (100 - story::FALL_LEAVES_PERCENT) * to_come * to_come / (days * days)
    }
}

/// The use of the product by one customer. Says when it made a board of its own, if it ever did.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    to: &mut Surroundings,
) -> Option<Day> {
    let dice = Dice::new(company.seed, person.number, Purpose::Usage);
    let mut teller = Teller { calendar, person, dice, to, users: Vec::new(), activated: None };
    let begins = biography.chapters.first()?.rows.first()?.start;
    let chance = match biography.paid_from() {
        Some(_) => story::ACTIVATED_BUYER,
        None => story::ACTIVATED_OTHER,
    };
    let activated = begins + teller.dice.below(story::ACTIVATION_DAYS + 1);
    if teller.dice.happens(chance) && activated < calendar.end {
        teller.activated = Some(activated);
    }
    let mut told: Option<(&Timeline, Option<Fall>)> = None;
    for span in biography.spans(calendar).filter(Span::is_in_use) {
        let fall = match told {
            Some((chapter, fall)) if std::ptr::eq(chapter, span.chapter) => fall,
            _ => biography.quiet_from.map(Fall::without_a_word).or_else(|| teller.fall(span.chapter)),
        };
        told = Some((span.chapter, fall));
        teller.span(&span, fall);
    }
    teller.activated
}

struct Teller<'a> {
    calendar: &'a Calendar,
    person: &'a Person,
    dice: Dice,
    to: &'a mut Surroundings,
    users: Vec<User>,
    activated: Option<Day>,
}

impl Teller<'_> {
    /// Who leaves of their own will has used it less before; who is lost to a card has not.
    fn fall(&mut self, chapter: &Timeline) -> Option<Fall> {
        let Leaving { asked, reason } = chapter.leaving()?;
        let chance = match reason {
            Reason::TooExpensive => story::FALLS_BEFORE_LEAVING_FOR_PRICE,
            _ => story::FALLS_BEFORE_LEAVING,
        };
        let team = chapter.rows.last().is_some_and(|row| row.terms.plan == story::TEAM);
        let driven = team && story::BAD_RELEASE.covers(self.calendar.story_month(asked));
        let (low, high) = if driven { story::FALL_DAYS_BAD_RELEASE } else { story::FALL_DAYS };
        let days = self.dice.between(low, high);
        self.dice.happens(chance).then(|| Fall { from: asked.saturating_sub(days), asked })
    }

    fn span(&mut self, span: &Span<'_>, fall: Option<Fall>) {
        let followed = span.row.terms.seats.min(story::USERS_FOLLOWED);
        while (self.users.len() as u32) < followed {
            self.users.push(User { number: self.users.len() as u32 + 1, sessions: 0 });
        }
        let trial_lost = span.row.status == Status::Trialing && span.chapter.paid_from().is_none();
        let (made, not_made) = story::SESSION_LOST_TRIAL_PERCENT;
        let trial_percent = match (trial_lost, self.activated) {
            (false, _) => 100,
            (true, Some(_)) => made,
            (true, None) => not_made,
        };
        let settled = story::SESSION.times(story::SESSION_FIT_PERCENT[fit_index(self.person)]).times(trial_percent);
        for day in span.from..span.to {
            let hit = span.is_hit(self.calendar, day);
            let fallen = fall.map_or(100, |fall| fall.left_percent(day));
            let season = story::SESSION_SEASON_PERCENT[usize::from(self.calendar.month_of_year(day) - 1) % 12];
            let weekend = if self.calendar.is_weekend(day) { story::SESSION_WEEKEND_PERCENT } else { 100 };
            let release = if hit { story::BAD_RELEASE_SESSION_PERCENT } else { 100 };
            let today = settled.times(fallen).times(season).times(weekend).times(release);
            for place in 0..followed as usize {
                // The others are invited one after the other in the first days.
                if place > 0 && day < span.from + place as Day {
                    continue;
                }
                let activates = place == 0 && self.activated == Some(day);
                let chance = if place == 0 { today.times(story::SESSION_FIRST_USER_PERCENT) } else { today };
                if activates || self.dice.happens(chance) {
                    self.session(span, place, day, (fallen, hit), activates);
                }
            }
        }
    }

    fn session(&mut self, span: &Span<'_>, place: usize, day: Day, (fallen, hit): (u32, bool), activates: bool) {
        let plan = span.row.terms.plan;
        let month = self.calendar.story_month(day);
        self.users[place].sessions += 1;
        let user = self.users[place];
        let mut at = crate::audience::awake(&mut self.dice, day);
        let mut event = |teller: &mut Self, name: &str, feature: &str| {
            teller
                .to
                .events
                .id(b'u', teller.person.number, user.number, 0)
                .id(b'c', teller.person.number, 0, 0)
                .id(b'z', teller.person.number, user.number, user.sessions)
                .text(name)
                .moment(teller.calendar, at)
                .text(feature)
                .end_row();
            at.second += 20 + teller.dice.below(400);
        };
        event(self, story::LOGIN_EVENT, "");
        if activates {
            event(self, story::ACTIVATION_EVENT, "boards");
        }
        let share = |feature: &Feature| {
            if month < feature.from_month {
                return 0;
            }
            let broken = hit && feature.name == story::SHARED_BOARDS;
            let released = if broken { story::BAD_RELEASE_SHARED_BOARDS_PERCENT } else { 100 };
            let alone = if feature.is_shared { fallen } else { 100 };
            feature.share[plan.min(story::BUSINESS)] * 100 * released / 100 * alone / 100
        };
        let (low, high) = story::ACTIONS_A_SESSION;
        for _ in 0..self.dice.between(low, high) {
            let feature = self.dice.choose(&FEATURES, share);
            event(self, feature.event, feature.name);
        }
    }
}
