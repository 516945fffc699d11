//! Who a customer is: when they came, from where, by which channel, how large.

use crate::Company;
use crate::calendar::{Calendar, Day};
use crate::dice::{Dice, Purpose};
use crate::sheet::Sheet;
use crate::story::{self, COMPANY_SIZES, CompanySize, Country};

/// A customer on the day of the sign-up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    /// Counted from 1, in the order of signing up.
    pub(crate) number: u64,
    pub(crate) signed_up: Day,
    pub(crate) country: &'static Country,
    pub(crate) channel: &'static story::Channel,
    pub(crate) size: &'static CompanySize,
    pub(crate) is_whale: bool,
    /// How often this customer would leave, as a percentage of the usual.
    pub(crate) fit_leaving_percent: u32,
    name: [usize; 4],
}

const FIRST_SYLLABLES: [&str; 24] = [
    "Al", "Bri", "Ca", "Do", "El", "Fa", "Gre", "Ha", "In", "Jo", "Ka", "Lu", "Mi", "No", "Or", "Pe", "Qua", "Ri",
    "Sa", "Te", "Ul", "Ve", "Wi", "Zo",
];
const MIDDLE_SYLLABLES: [&str; 16] =
    ["da", "be", "lo", "mi", "ra", "ne", "to", "si", "va", "ku", "ren", "dor", "lin", "mar", "pho", "tes"];
const LAST_SYLLABLES: [&str; 16] =
    ["ra", "nix", "ton", "la", "via", "mo", "rix", "sol", "dex", "wa", "gen", "lia", "ko", "tis", "ven", "ria"];
const KINDS: [&str; 12] = [
    "Labs",
    "Studio",
    "Works",
    "Foods",
    "Logistics",
    "Health",
    "Media",
    "Energy",
    "Systems",
    "Travel",
    "Legal",
    "Design",
];

impl Person {
    pub(crate) fn new(company: &Company, calendar: &Calendar, number: u64, signed_up: Day) -> Person {
        let mut dice = Dice::new(company.seed, number, Purpose::Person);
        let is_whale = number % story::WHALE_EVERY_CUSTOMERS == story::WHALE_OFFSET;
        let country = dice.choose(&story::COUNTRIES, |country| country.share);
        let launched =
            story::LAUNCH.covers(calendar.story_month(signed_up)) && dice.below(story::LAUNCH_SIGN_UPS_PERCENT) >= 100;
        let channel =
            if launched { &story::LAUNCH_CHANNEL } else { dice.choose(&story::CHANNELS, |channel| channel.share) };
        // Large companies do not come by a half-price campaign, and a whale is large by definition.
        let size = match (is_whale, launched) {
            (true, _) => dice.choose(&COMPANY_SIZES, |size| u32::from(size.contract)),
            (false, true) => dice.choose(&COMPANY_SIZES, |size| if size.contract { 0 } else { size.share }),
            (false, false) => dice.choose(&COMPANY_SIZES, |size| size.share),
        };
        let fit = dice.below(story::FIT_LEAVING_PERCENT.len() as u32);
        Person {
            number,
            signed_up,
            country,
            channel,
            size,
            is_whale,
            fit_leaving_percent: story::FIT_LEAVING_PERCENT[fit as usize],
            name: [
                dice.below(FIRST_SYLLABLES.len() as u32) as usize,
                dice.below(MIDDLE_SYLLABLES.len() as u32) as usize,
                dice.below(LAST_SYLLABLES.len() as u32) as usize,
                dice.below(KINDS.len() as u32) as usize,
            ],
        }
    }

    pub(crate) fn write(&self, calendar: &Calendar, sheet: &mut Sheet, scratch: &mut String) {
        let [first, middle, last, kind] = self.name;
        sheet.id(b'c', self.number, 0, 0);

        scratch.clear();
        for part in [FIRST_SYLLABLES[first], MIDDLE_SYLLABLES[middle], LAST_SYLLABLES[last], " ", KINDS[kind]] {
            scratch.push_str(part);
        }
        sheet.text(scratch);

        // The number keeps addresses apart where the syllables meet again.
        scratch.make_ascii_lowercase();
        let name_length = scratch.find(' ').unwrap_or(scratch.len());
        scratch.truncate(name_length);
        scratch.push('.');
        scratch.push_str(&self.number.to_string());
        scratch.push_str("@example.com");
        sheet.text(scratch);

        sheet
            .text(self.country.code)
            .text(self.channel.name)
            .text(self.size.name)
            .day(calendar, self.signed_up)
            .end_row();
    }
}

/// How many customers have signed up by the end of each day, so that they
/// can be generated one after the other in the order in which they came.
#[derive(Debug)]
pub(crate) struct SignUps {
    customers: u64,
    first: Day,
    /// The weights of all days up to and including each day.
    weights: Vec<u64>,
}

impl SignUps {
    pub(crate) fn new(company: &Company, calendar: &Calendar) -> SignUps {
        let mut sum = 0;
        let weights = (calendar.first..calendar.end)
            .map(|day| {
                sum += day_weight(calendar, day);
                sum
            })
            .collect();
        SignUps { customers: company.customers, first: calendar.first, weights }
    }

    /// The days with the number of the first customer after each, in order.
    pub(crate) fn days(&self) -> impl Iterator<Item = (Day, u64)> {
        let total = u128::from(self.weights.last().copied().unwrap_or(1).max(1));
        self.weights.iter().zip(self.first..).map(move |(weight, day)| {
            let come = u128::from(*weight) * u128::from(self.customers) / total;
            (day, come as u64 + 1)
        })
    }
}

impl SignUps {
    /// How many sign-ups the season, the growth and the launch let one expect on a day, in millionths.
    pub(crate) fn expected_millionths(&self, day: Day) -> u64 {
        let index = (day - self.first) as usize;
        let upto = |index: usize| self.weights.get(index).copied().unwrap_or(0);
        let weight = upto(index) - if index > 0 { upto(index - 1) } else { 0 };
        let total = u128::from(self.weights.last().copied().unwrap_or(1).max(1));
        (u128::from(weight) * u128::from(self.customers) * 1_000_000 / total) as u64
    }

    /// How many customers have signed up before a day.
    pub(crate) fn before(&self, day: Day) -> u64 {
        let total = u128::from(self.weights.last().copied().unwrap_or(1).max(1));
        let index = (day.saturating_sub(self.first) as usize).min(self.weights.len());
        let weight = if index > 0 { self.weights[index - 1] } else { 0 };
        (u128::from(weight) * u128::from(self.customers) / total) as u64
    }
}

fn day_weight(calendar: &Calendar, day: Day) -> u64 {
    let month = calendar.story_month(day);
    let season = story::SEASON_PERCENT[usize::from(calendar.month_of_year(day) - 1) % 12];
    let growth = 100 + story::SIGN_UP_GROWTH_PERCENT * month.saturating_sub(1);
    let weekday = if calendar.is_weekend(day) { story::WEEKEND_PERCENT } else { 100 };
    let launch = if story::LAUNCH.covers(month) { story::LAUNCH_SIGN_UPS_PERCENT } else { 100 };
    u64::from(season) * u64::from(growth) * u64::from(weekday) * u64::from(launch)
}
