//! Which customer saw which arm of the two tests.

use crate::Company;
use crate::biography::Biography;
use crate::calendar::Calendar;
use crate::dice::{Chance, Dice, Purpose};
use crate::person::Person;
use crate::price::Interval;
use crate::sheet::Surroundings;
use crate::story;

/// Writes the arms of a customer who signed up while a test ran. Large companies never see the price page.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    to: &mut Surroundings,
) {
    if person.size.contract {
        return;
    }
    let month = calendar.story_month(person.signed_up);
    if story::ANNUAL_TEST.covers(month) {
        // The arm is drawn given what became of the trial, which leaves the same shares in both arms as a cause would
        // have: lives stay what they are, and the test is found in them.
        let [nothing, monthly, yearly] = story::ANNUAL_TEST_SEEN;
        let paid = biography
            .chapters
            .first()
            .and_then(|chapter| chapter.rows.iter().find(|row| row.status.is_paying()).map(|row| row.terms.interval));
        let seen = match paid {
            None => nothing,
            Some(Interval::Month | Interval::Quarter) => monthly,
            Some(Interval::Year) => yearly,
        };
        let dice = Dice::new(company.seed, person.number, Purpose::AnnualTest);
        assign(calendar, person, dice, seen, story::ANNUAL_TEST_ID, story::ANNUAL_TEST_ARMS, to);
    }
    if story::CHECKLIST_TEST.covers(month) {
        let dice = Dice::new(company.seed, person.number, Purpose::ChecklistTest);
        let half = Chance::per_cent(50);
        assign(calendar, person, dice, half, story::CHECKLIST_TEST_ID, story::CHECKLIST_TEST_ARMS, to);
    }
}

fn assign(
    calendar: &Calendar,
    person: &Person,
    mut dice: Dice,
    treated: Chance,
    experiment: &str,
    arms: [&str; 2],
    to: &mut Surroundings,
) {
    let arm = usize::from(dice.happens(treated));
    to.experiments
        .text(experiment)
        .id(b'c', person.number, 0, 0)
        .text(arms[arm])
        .text(if arm == 0 { "true" } else { "false" })
        .day(calendar, person.signed_up)
        .end_row();
}
