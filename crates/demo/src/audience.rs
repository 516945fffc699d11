//! Who visits, and who signs up: the way of each customer, and everybody else.

use crate::biography::Biography;
use crate::calendar::{Calendar, Day, Moment};
use crate::dice::Dice;
use crate::person::{Person, SignUps};
use crate::pipeline;
use crate::sheet::{Sheet, Surroundings};
use crate::story::{self, CHANNELS_COUNT, Channel, PLANS};
use crate::till::{Till, channel_index};
use crate::timeline::Status;
use crate::{Company, DemoError, dice::Purpose};

/// A way onto the site: a channel, and a campaign of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) channel: &'static Channel,
    channel_index: usize,
    campaign: Option<usize>,
}

impl Way {
    fn by(dice: &mut Dice, channel: &'static Channel) -> Way {
        let places = [0, 1, 2];
        let campaigns = channel.campaigns;
        let campaign = (!campaigns.is_empty())
            .then(|| *dice.choose(&places, |place: &usize| campaigns.get(*place).map_or(0, |row| row.share)));
        Way { channel, channel_index: channel_index(channel), campaign }
    }

    pub(crate) fn campaign_name(&self) -> &'static str {
        self.campaign.and_then(|place| self.channel.campaigns.get(place)).map_or("", |campaign| campaign.name)
    }
}

/// Who visits: a customer by its number, or one of those who pass by on a day.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Visitor {
    Customer(u64),
    Passing(Day, u32),
}

/// How a customer came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// By which way it came last.
    pub(crate) way: Way,
    pub(crate) first_seen: Moment,
    pub(crate) signed_up: Moment,
}

pub(crate) fn visitor_id(sheet: &mut Sheet, visitor: Visitor) -> &mut Sheet {
    match visitor {
        Visitor::Customer(number) => sheet.id(b'v', number, 0, 0),
        Visitor::Passing(day, place) => sheet.id(b'w', u64::from(day), place, 0),
    }
}

/// A moment of a day on which people are awake.
pub(crate) fn awake(dice: &mut Dice, day: Day) -> Moment {
    Moment { day, second: 7 * 3_600 + dice.below(14 * 3_600) }
}

fn one_of(dice: &mut Dice, texts: &[&'static str]) -> &'static str {
    texts.get(dice.below(texts.len() as u32) as usize).copied().unwrap_or("")
}

/// The site, with those who count its visits.
struct Site<'a> {
    calendar: &'a Calendar,
    till: &'a mut Till,
    to: &'a mut Surroundings,
}

impl Site<'_> {
    /// One visit; no way where the address was typed in.
    fn visit(&mut self, dice: &mut Dice, visitor: Visitor, at: Moment, way: Option<&Way>, country: &str) {
        let sheet = &mut self.to.visits;
        visitor_id(sheet, visitor).moment(self.calendar, at);
        match way {
            Some(way) => {
                if let Some(campaign) = way.campaign {
                    self.till.visit(at.day, way.channel_index, campaign);
                }
                let referrer = one_of(dice, way.channel.referrers);
                let page = one_of(dice, way.channel.pages);
                sheet.text(way.channel.name).text(way.campaign_name()).text(referrer).text(page);
            }
            None => {
                sheet.empty().empty().empty().text("/");
            }
        }
        sheet.text(country).end_row();
    }
}

/// One who passes by and never becomes a customer.
pub(crate) struct Passing<'a> {
    /// The day of the first visit, and the place among those of that day: who it is.
    pub(crate) day: Day,
    pub(crate) place: u32,
    /// The last visit.
    pub(crate) seen: Moment,
    pub(crate) way: &'a Way,
    pub(crate) country: &'a str,
}

/// The visits, the sign-up and the trial of a customer.
pub(crate) fn tell(
    company: &Company,
    calendar: &Calendar,
    person: &Person,
    biography: &Biography,
    till: &mut Till,
    to: &mut Surroundings,
) -> Arrival {
    let mut site = Site { calendar, till, to };
    let mut dice = Dice::new(company.seed, person.number, Purpose::Visits);
    let last = Way::by(&mut dice, person.channel);
    let signed_up = awake(&mut dice, person.signed_up);

    let places = [0, 1, 2, 3, 4];
    let earlier = *dice.choose(&places, |place: &usize| story::EARLIER_VISITS_SHARE[*place]);
    // Nobody signs for a large company at the first visit, and it takes longer.
    let large = person.size.contract;
    let (earlier, within) =
        if large { (earlier + 1, story::LARGE_LEAD_DAYS.1) } else { (earlier, story::EARLIER_VISITS_DAYS) };
    let mut days: Vec<Day> = (0..earlier)
        .map(|_| person.signed_up.saturating_sub(dice.between(1, within)).max(calendar.first))
        .filter(|day| *day < person.signed_up)
        .collect();
    days.sort_unstable();
    days.dedup();
    let visitor = Visitor::Customer(person.number);
    let first_differs = dice.happens(story::FIRST_TOUCH_DIFFERS);
    let places = [0, 1, 2, 3, 4, 5];
    let first_channel = story::channel(*dice.choose(&places, |place: &usize| story::FIRST_TOUCH_SHARE[*place]));
    let first_way = if first_differs { Way::by(&mut dice, first_channel) } else { last };
    let mut first_seen = None;
    for (place, day) in days.iter().enumerate() {
        let at = awake(&mut dice, *day);
        first_seen = first_seen.or(Some(at));
        let typed_in = place > 0 && dice.happens(story::VISIT_TYPED_IN);
        let launch_over = !story::LAUNCH.covers(calendar.story_month(*day));
        let mut way = if place == 0 { first_way } else { last };
        if way.channel.coupon == story::Coupon::LaunchRepeating && launch_over {
            way = Way::by(&mut dice, story::channel(0));
        }
        let way = (!typed_in).then_some(&way);
        site.visit(&mut dice, visitor, at, way, person.country.code);
    }
    // The visit that ends in the sign-up begins some minutes before it.
    let before = Moment { day: signed_up.day, second: signed_up.second - dice.between(60, 1_500) };
    site.visit(&mut dice, visitor, before, Some(&last), person.country.code);
    let Site { till, to, .. } = site;

    let first = biography.chapters.first().and_then(|chapter| chapter.rows.first());
    to.signups.id(b'u', person.number, 1, 0).id(b'c', person.number, 0, 0);
    if dice.happens(story::SIGN_UP_WITHOUT_VISITOR) {
        to.signups.empty();
    } else {
        visitor_id(&mut to.signups, visitor);
    }
    to.signups
        .moment(calendar, signed_up)
        .text(person.channel.name)
        .text(last.campaign_name())
        .text(first.map_or("", |row| PLANS[row.terms.plan].id))
        .text(person.country.code)
        .end_row();

    if let Some(row) = first.filter(|row| row.status == Status::Trialing) {
        to.trials
            .id(b's', person.number, 1, 0)
            .id(b'c', person.number, 0, 0)
            .id(b'u', person.number, 1, 0)
            .text(PLANS[row.terms.plan].id)
            .day(calendar, row.start)
            .day_if(calendar, row.trial_end)
            .day_if(calendar, biography.known_paid_from(calendar))
            .text(person.channel.name)
            .end_row();
    }
    if let Some(day) = biography.known_paid_from(calendar) {
        till.reward(day, person.channel);
    }
    Arrival { way: last, first_seen: first_seen.unwrap_or(before), signed_up }
}

/// Everybody who visits for the first time on a day and never becomes a customer, with the sign-ups and leads that
/// come of it.
pub(crate) fn pass_by(
    company: &Company,
    calendar: &Calendar,
    sign_ups: &SignUps,
    day: Day,
    till: &mut Till,
    to: &mut Surroundings,
) -> Result<(), DemoError> {
    let mut dice = Dice::new(company.seed, u64::from(day), Purpose::Audience);
    let expected = sign_ups.expected_millionths(day);
    let in_launch = story::LAUNCH.covers(calendar.story_month(day));
    let everyday_percent = if in_launch { 100 * 100 / story::LAUNCH_SIGN_UPS_PERCENT } else { 100 };
    let mut place = 0;
    for index in 0..CHANNELS_COUNT {
        let channel = story::channel(index);
        let is_launch = channel.coupon == story::Coupon::LaunchRepeating;
        let share_per_mille = match (is_launch, in_launch) {
            (true, true) => u64::from(100 - everyday_percent) * 10,
            (true, false) => continue,
            (false, _) => u64::from(channel.share * everyday_percent / 100),
        };
        // Those who do become customers are among the visitors, hence the one less.
        let visitors = expected * share_per_mille * u64::from(channel.visitors_a_sign_up - 1) / 1_000;
        let more = u64::from(dice.below(1_000_000)) < visitors % 1_000_000;
        for _ in 0..visitors / 1_000_000 + u64::from(more) {
            place += 1;
            let mut site = Site { calendar, till, to };
            passing_visitor(company, &mut site, &mut dice, channel, (day, place));
            to.visits.write_if_full()?;
        }
    }
    Ok(())
}

fn passing_visitor(
    company: &Company,
    site: &mut Site<'_>,
    dice: &mut Dice,
    channel: &'static Channel,
    (day, place): (Day, u32),
) {
    let calendar = site.calendar;
    let visitor = Visitor::Passing(day, place);
    let country = dice.choose(&story::COUNTRIES, |country| country.share).code;
    let way = Way::by(dice, channel);
    let mut at = awake(dice, day);
    site.visit(dice, visitor, at, Some(&way), country);
    let places = [0, 1, 2];
    for _ in 0..*dice.choose(&places, |place: &usize| story::PASSING_VISITS_SHARE[*place]) {
        let (low, high) = story::PASSING_VISITS_DAYS;
        let again = at.day + dice.between(low, high);
        if again >= calendar.end {
            return;
        }
        at = awake(dice, again);
        let typed_in = dice.happens(story::VISIT_TYPED_IN);
        // A campaign that is over brings nobody.
        let over =
            channel.coupon == story::Coupon::LaunchRepeating && !story::LAUNCH.covers(calendar.story_month(again));
        let way = (!typed_in && !over).then_some(&way);
        site.visit(dice, visitor, at, way, country);
    }
    // Of so many visitors one becomes a customer; these are the others who went some of the way.
    let one_in = channel.visitors_a_sign_up * 100;
    if dice.below(one_in) < story::SIGN_UPS_NEVER_CONFIRMED_PERCENT {
        let signed_up = at.plus_minutes(dice.between(1, 20));
        if signed_up.day < calendar.end {
            let signups = &mut site.to.signups;
            signups.id(b'n', u64::from(day), place, 0).empty();
            visitor_id(signups, visitor)
                .moment(calendar, signed_up)
                .text(channel.name)
                .text(way.campaign_name())
                .empty()
                .text(country)
                .end_row();
        }
    } else if dice.below(one_in) < story::LOST_LEADS_PERCENT {
        let passing = Passing { day, place, seen: at, way: &way, country };
        pipeline::lose(company, calendar, &passing, site.to);
    }
}
