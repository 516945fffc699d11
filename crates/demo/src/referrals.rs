//! Invitations: those that came to nothing, and those that brought a customer.

use crate::Company;
use crate::biography::Biography;
use crate::calendar::{Calendar, Day};
use crate::dice::{Dice, Purpose};
use crate::person::Person;
use crate::sheet::Surroundings;
use crate::story::{self, Coupon};

/// A customer who is glad to tell others, from a day until another.
#[derive(Debug, Clone, Copy)]
struct Promoter {
    number: u64,
    from: Day,
    until: Day,
}

/// The promoters of late, by whom the next referred customers may have been invited.
#[derive(Debug, Default)]
pub(crate) struct Promoters {
    remembered: Vec<Promoter>,
    next: usize,
}

impl Promoters {
    /// Writes whom a customer invites, and who had invited it.
    pub(crate) fn tell(
        &mut self,
        company: &Company,
        calendar: &Calendar,
        person: &Person,
        biography: &Biography,
        promoter_on: &[Day],
        to: &mut Surroundings,
    ) {
        let mut dice = Dice::new(company.seed, person.number, Purpose::Referrals);
        if person.channel.coupon == Coupon::FriendOnce {
            self.invited(calendar, person, biography, &mut dice, to);
        }
        let mut sent = 0;
        for day in promoter_on {
            if !dice.happens(story::PROMOTER_INVITES) {
                continue;
            }
            let (low, high) = story::INVITES;
            for _ in 0..dice.between(low, high) {
                let invited = crate::audience::awake(&mut dice, *day + 1 + sent % 5);
                if invited.day < calendar.end {
                    sent += 1;
                    to.referrals
                        .id(b'f', person.number, sent, 0)
                        .id(b'c', person.number, 0, 0)
                        .empty()
                        .moment(calendar, invited)
                        .empty()
                        .end_row();
                }
            }
        }
        let pays_until = biography.chapters.last().and_then(|chapter| chapter.end).unwrap_or(calendar.end);
        if let Some(from) = promoter_on.first() {
            self.remember(Promoter { number: person.number, from: *from, until: pays_until });
        }
    }

    fn remember(&mut self, promoter: Promoter) {
        if self.remembered.len() < story::PROMOTERS_REMEMBERED {
            self.remembered.push(promoter);
        } else {
            self.remembered[self.next] = promoter;
            self.next = (self.next + 1) % story::PROMOTERS_REMEMBERED;
        }
    }

    /// The invitation that brought this customer. The first of all came by word of mouth: nobody was there to invite.
    fn invited(
        &self,
        calendar: &Calendar,
        person: &Person,
        biography: &Biography,
        dice: &mut Dice,
        to: &mut Surroundings,
    ) {
        let day = person.signed_up.saturating_sub(dice.below(story::INVITE_DAYS + 1));
        let able = self.remembered.iter().filter(|promoter| promoter.from < day && day < promoter.until);
        let count = able.clone().count() as u32;
        let Some(promoter) = able.clone().nth(dice.below(count) as usize) else { return };
        // Before the earliest hour of a sign-up, so that it also fits into the same day.
        let invited = crate::calendar::Moment::new(day, 5, dice.below(110));
        to.referrals
            .id(b'f', person.number, 0, 0)
            .id(b'c', promoter.number, 0, 0)
            .id(b'c', person.number, 0, 0)
            .moment(calendar, invited)
            .day_if(calendar, biography.known_paid_from(calendar))
            .end_row();
    }
}
