//! Whether a rule speaks: once for each change of its state, and never of what is not known.
//!
//! ```text
//! looks         what the rule sees of each period, the earliest first; a period that runs still is none of them
//!               unless the rule says so, and is then never taken for a full one
//! state before + looks ──▶ state after + what is said
//! ```
//!
//! A rule fires when its figure is beyond the limit so many periods running, and is over when the figure is back by more
//! than the slack: one that swings about the limit speaks once. A figure without a value decides nothing: the state
//! stays, and the period is judged when it has one.
//!
//! Facts come late, and figures of the past are stated anew. The last period that was judged is judged again each time:
//! if that changes the state, it is said as a restatement, with the figure then and now. What was said of a period before
//! is taken back, once, if by the facts of today it is not so. A past period that would have fired by what is known today
//! is no news of today, and nothing is said of it.

use revenue::calendar::{Day, Grain, Zone};

use crate::{
    condition::{ONE, Reading},
    wording::Words,
};

/// On which side of the limit a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the number is less.
    Below,
    /// Where the number is greater.
    Above,
}

/// When a rule fires and when that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The side.
    pub side: Side,
    /// The limit, times 10¹². A number that is just at the limit is not beyond it.
    pub limit: i128,
    /// By how much the number has to be back, times 10¹²; not below zero.
    pub slack: i128,
    /// How many periods running the number has to be beyond it; one at the least.
    pub running: u32,
}

impl Limit {
    /// The limit of what holds or not: a number of 1 or of 0.
    pub const HOLDS: Limit = Limit { side: Side::Above, limit: ONE / 2, slack: 0, running: 1 };

    /// Whether a number is beyond it.
    #[must_use]
    pub fn is_beyond(&self, number: i128) -> bool {
        match self.side {
            Side::Below => number < self.limit,
            Side::Above => number > self.limit,
        }
    }

    /// Whether a number is back.
    #[must_use]
    pub fn is_back(&self, number: i128) -> bool {
        match self.side {
            Side::Below => number >= self.limit.saturating_add(self.slack),
            Side::Above => number <= self.limit.saturating_sub(self.slack),
        }
    }

    fn step(&self, before: Standing, number: i128) -> Standing {
        if before.fires {
            return if self.is_back(number) { Standing::default() } else { before };
        }
        let running = if self.is_beyond(number) { before.running.saturating_add(1) } else { 0 };
        Standing { fires: running >= self.running.max(1), running }
    }
}

/// What a number is compared with before it is held against the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// With nothing: the number itself.
    Nothing,
    /// The change from the period before, as a fraction of that.
    PeriodBefore,
    /// The change from the same period a year ago, as a fraction of that; of weeks the one 52 weeks ago.
    YearAgo,
}

impl Against {
    /// The period that one is compared with.
    #[must_use]
    pub fn period(self, period: Day, grain: Grain) -> Option<Day> {
        match self {
            Against::Nothing => None,
            Against::PeriodBefore => Some(period.plus_days(-1).first_of(grain)),
            Against::YearAgo if grain == Grain::Week => Some(period.plus_days(-364)),
            Against::YearAgo => Some(period.plus_months(-12).first_of(grain)),
        }
    }
}

/// What a rule sees of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The first day of the period.
    pub period: Day,
    /// Whether the period runs still.
    pub is_open: bool,
    /// What is held against the limit, times 10¹², or why there is nothing.
    pub reading: Reading,
    /// The figure itself, where it has a value.
    pub figure: Option<i128>,
    /// What it is compared with, where it is.
    pub compared: Option<i128>,
}

/// What a rule sees of a series of figures, given by the first days of their periods, in order.
///
/// A period is full once its end is not after `full_until`, a day's beginning. One that runs still is left out unless
/// `with_open`.
#[must_use]
pub fn looks(series: &[(Day, Reading)], against: Against, grain: Grain, full_until: Day, with_open: bool) -> Vec<Look> {
    let at = |period: Day| series.iter().find(|(day, _)| *day == period).map(|(_, reading)| reading);
    let looks = series.iter().map(|(period, now)| {
        let is_open = period.next_of(grain) > full_until;
        let (reading, compared) = match against.period(*period, grain) {
            None => (now.clone(), None),
            Some(other) => match (now, at(other)) {
                (Ok(now), Some(Ok(before))) => (change(*now, *before), Some(*before)),
                (Err(why), _) | (Ok(_), Some(Err(why))) => (Err(why.clone()), None),
                (Ok(_), None) => (Err(NOTHING_BEFORE), None),
            },
        };
        Look { period: *period, is_open, reading, figure: now.as_ref().ok().copied(), compared }
    });
    looks.filter(|look| with_open || !look.is_open).collect()
}

const NOTHING_BEFORE: Words = Words::fixed(
    "there was nothing before to compare with",
    "之前没有可比较的数值",
    "il n’y avait rien avant à quoi comparer",
);

/// The change from a number to another, as a fraction of the first, rounded down; none where the first is not above zero.
fn change(now: i128, before: i128) -> Reading {
    if before <= 0 {
        return Err(NOTHING_BEFORE);
    }
    let too_large = || Words::fixed("the number is too large", "数值过大", "le nombre est trop grand");
    let difference = now.checked_sub(before).ok_or_else(too_large)?;
    difference.checked_mul(ONE).map(|scaled| scaled.div_euclid(before)).ok_or_else(too_large)
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it fires.
    pub fires: bool,
    /// How many periods running its number was beyond the limit, up to the one by which it fired.
    pub running: u32,
}

/// What was said of a full period: that the rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The period.
    pub period: Day,
    /// The number that was said.
    pub number: i128,
}

/// What a rule remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The last period that was judged.
    pub period: Day,
    /// Whether it ran still then.
    pub was_open: bool,
    /// Where the rule stood before it.
    pub prior: Standing,
    /// Where it stands by it.
    pub standing: Standing,
    /// The number by which it was judged.
    pub number: i128,
    /// What was said of full periods, the earliest first.
    pub said: Vec<Said>,
}

/// How many statements are remembered, to be taken back if they have to be.
pub const SAID_KEPT: usize = 12;

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The rule fires.
    Fired,
    /// It fires no more.
    Over,
    /// It fires by a figure that was stated anew; before it did not.
    RestatedFired,
    /// It does not fire by a figure that was stated anew; before it did.
    RestatedOver,
    /// What was said of an earlier period is not so by what is known today.
    TakenBack,
}

impl Why {
    /// All, with their names.
    pub const ALL: [(Why, &'static str); 5] = [
        (Why::Fired, "fired"),
        (Why::Over, "over"),
        (Why::RestatedFired, "restated_fired"),
        (Why::RestatedOver, "restated_over"),
        (Why::TakenBack, "taken_back"),
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Why::ALL.iter().find(|(why, _)| *why == self).map_or("", |(_, name)| name)
    }
}

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Why.
    pub why: Why,
    /// What was seen of the period.
    pub look: Look,
    /// The number that was said or judged before, where the figure was stated anew.
    pub was: Option<i128>,
}

/// From what a rule remembers and what it sees, the earliest period first: what it remembers then, and what it says.
///
/// Periods before the one that was judged last are looked at only for what was said of them.
#[must_use]
pub fn decide(limit: &Limit, memory: Option<&Memory>, looks: &[Look]) -> (Option<Memory>, Vec<Speech>) {
    let mut memory = memory.cloned();
    let mut speeches = Vec::new();
    if let Some(memory) = &mut memory {
        let judged = memory.period;
        memory.said.retain(|said| {
            let look = looks.iter().find(|look| look.period == said.period && !look.is_open);
            let (Some(look), true) = (look, said.period < judged) else { return true };
            let Ok(number) = look.reading else { return true };
            let holds = limit.is_beyond(number);
            if !holds {
                speeches.push(Speech { why: Why::TakenBack, look: look.clone(), was: Some(said.number) });
            }
            holds
        });
    }
    for look in looks {
        let Ok(number) = look.reading else { continue };
        let (prior, before, again, mut said) = match memory.take() {
            None => (Standing::default(), false, None, Vec::new()),
            Some(kept) if look.period < kept.period => {
                memory = Some(kept);
                continue;
            }
            Some(kept) if look.period == kept.period => {
                (kept.prior, kept.standing.fires, Some((kept.number, kept.was_open)), kept.said)
            }
            Some(kept) => (kept.standing, kept.standing.fires, None, kept.said),
        };
        let standing = limit.step(prior, number);
        // A period that ran still was never said to be anything for good.
        let restated = again.filter(|(_, was_open)| !was_open).map(|(number, _)| number);
        if standing.fires != before {
            let why = match (standing.fires, restated) {
                (true, None) => Why::Fired,
                (false, None) => Why::Over,
                (true, Some(_)) => Why::RestatedFired,
                (false, Some(_)) => Why::RestatedOver,
            };
            speeches.push(Speech { why, look: look.clone(), was: restated });
            said.retain(|said| said.period != look.period);
            if standing.fires && !look.is_open {
                said.push(Said { period: look.period, number });
                let surplus = said.len().saturating_sub(SAID_KEPT);
                said.drain(..surplus);
            }
        }
        memory = Some(Memory { period: look.period, was_open: look.is_open, prior, standing, number, said });
    }
    (memory, speeches)
}

/// Hours of each day in which nothing is sent, by the clock of the business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The minute of the day at which they begin.
    pub from_minute: u32,
    /// The minute at which they end: of the next day, where it is not after the first.
    pub to_minute: u32,
}

impl QuietHours {
    /// Reads `22:00-07:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let hours = Self { from_minute: minute(from)?, to_minute: minute(to)? };
        (hours.from_minute != hours.to_minute).then_some(hours)
    }

    /// When the quiet hours end in which an instant lies, in microseconds; nothing where it lies in none.
    #[must_use]
    pub fn end(&self, zone: &Zone, micros: i64) -> Option<i64> {
        let today = zone.day_of_instant(micros);
        [today.plus_days(-1), today].into_iter().find_map(|day| {
            let last = if self.to_minute > self.from_minute { day } else { day.plus_days(1) };
            let (from, to) = (zone.instant_at(day, self.from_minute), zone.instant_at(last, self.to_minute));
            (from <= micros && micros < to).then_some(to)
        })
    }
}

/// The minute of the day of a time such as `07:30`.
#[must_use]
pub fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let part = |text: &str, end: u32| {
        let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_plain && *number < end)
    };
    Some(part(hour, 24)? * 60 + part(minute, 60)?)
}

/// The last full period of which a digest is due: it is, from a minute of the first day after it.
#[must_use]
pub fn digest_due(grain: Grain, zone: &Zone, micros: i64, at_minute: u32) -> (Day, i64) {
    let first = zone.day_of_instant(micros).first_of(grain);
    let due = zone.instant_at(first, at_minute);
    let after = if due <= micros { first } else { first.plus_days(-1).first_of(grain) };
    (after.plus_days(-1).first_of(grain), zone.instant_at(after, at_minute))
}

/// Seconds until a message is tried again, by how often it was tried; nothing when it is given up.
#[must_use]
pub fn retry_after_seconds(attempts: u32) -> Option<u64> {
    const AFTER: [u64; 11] = [30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600, 21_600, 21_600];
    AFTER.get(usize::try_from(attempts.saturating_sub(1)).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNKNOWN: Words = Words::fixed("no facts", "无", "rien");

    fn below(limit: i128, slack: i128, running: u32) -> Limit {
        Limit { side: Side::Below, limit, slack, running }
    }

    /// Full days, the first of which is day 100.
    fn days(numbers: &[Option<i128>]) -> Vec<Look> {
        let series: Vec<(Day, Reading)> =
            (100..).map(Day).zip(numbers.iter().map(|number| number.ok_or(UNKNOWN))).collect();
        looks(&series, Against::Nothing, Grain::Day, Day(10_000), false)
    }

    /// What is said when the days come one after the other, as `day why`.
    fn said(limit: &Limit, numbers: &[Option<i128>]) -> Vec<(i32, Why)> {
        let all = days(numbers);
        let (mut memory, mut said) = (None, Vec::new());
        for end in 1..=all.len() {
            // Every day is looked at twice: the second time there is nothing new.
            for _ in 0..2 {
                let (after, speeches) = decide(limit, memory.as_ref(), &all[..end]);
                memory = after;
                said.extend(speeches.iter().map(|speech| (speech.look.period.0 - 100, speech.why)));
            }
        }
        said
    }

    #[test]
    fn a_rule_speaks_once_for_each_change_of_its_state() {
        let numbers = [Some(12), Some(9), Some(8), Some(9), Some(10), Some(11), Some(3)];
        assert_eq!(said(&below(10, 0, 1), &numbers), [(1, Why::Fired), (4, Why::Over), (6, Why::Fired)]);
    }

    #[test]
    fn one_that_swings_about_the_limit_speaks_once() {
        let numbers = [Some(12), Some(9), Some(10), Some(9), Some(11), Some(9), Some(12), Some(11), Some(9)];
        assert_eq!(said(&below(10, 2, 1), &numbers), [(1, Why::Fired), (6, Why::Over), (8, Why::Fired)]);
        assert_eq!(said(&below(10, 0, 2), &[Some(9), Some(11), Some(9), Some(9), Some(9)]), [(3, Why::Fired)]);
    }

    #[test]
    fn what_is_not_known_decides_nothing_and_is_judged_when_it_is() {
        let limit = below(10, 0, 1);
        assert_eq!(said(&limit, &[None, Some(9), None, None, Some(9), None]), [(1, Why::Fired)]);
        let (memory, none) = decide(&limit, None, &days(&[None]));
        assert!(memory.is_none() && none.is_empty());
        let (memory, _) = decide(&limit, None, &days(&[Some(12), None]));
        let (_, speeches) = decide(&limit, memory.as_ref(), &days(&[Some(12), Some(7)]));
        assert_eq!(speeches.iter().map(|speech| (speech.why, speech.was)).collect::<Vec<_>>(), [(Why::Fired, None)]);
    }

    #[test]
    fn a_rule_that_is_set_on_what_is_wrong_already_says_so_at_once() {
        let (_, speeches) = decide(&below(10, 0, 1), None, &days(&[Some(9)]));
        assert_eq!(speeches.len(), 1);
    }

    #[test]
    fn a_figure_that_is_stated_anew_is_said_as_a_restatement() {
        let limit = below(10, 0, 1);
        let (memory, _) = decide(&limit, None, &days(&[Some(12), Some(9)]));
        // The number moves, the state does not: nothing is said.
        let (memory, none) = decide(&limit, memory.as_ref(), &days(&[Some(12), Some(8)]));
        assert!(none.is_empty());
        let (memory, speeches) = decide(&limit, memory.as_ref(), &days(&[Some(12), Some(10)]));
        assert_eq!((speeches[0].why, speeches[0].was), (Why::RestatedOver, Some(8)));
        assert!(memory.as_ref().is_some_and(|memory| memory.said.is_empty() && !memory.standing.fires));
        let (_, speeches) = decide(&limit, memory.as_ref(), &days(&[Some(12), Some(7)]));
        assert_eq!((speeches[0].why, speeches[0].was), (Why::RestatedFired, Some(10)));
    }

    #[test]
    fn what_was_said_of_an_earlier_period_is_taken_back_once() {
        let limit = below(10, 0, 1);
        let (memory, _) = decide(&limit, None, &days(&[Some(9)]));
        let (memory, over) = decide(&limit, memory.as_ref(), &days(&[Some(9), Some(11), Some(12)]));
        assert_eq!(over.len(), 1);
        let stated_anew = days(&[Some(15), Some(11), Some(12)]);
        let (memory, speeches) = decide(&limit, memory.as_ref(), &stated_anew);
        assert_eq!((speeches[0].why, speeches[0].was, speeches.len()), (Why::TakenBack, Some(9), 1));
        let (memory, none) = decide(&limit, memory.as_ref(), &stated_anew);
        assert!(none.is_empty());
        // That an earlier day would have fired is no news of today.
        let (_, none) = decide(&limit, memory.as_ref(), &days(&[Some(15), Some(1), Some(12)]));
        assert!(none.is_empty());
    }

    #[test]
    fn a_period_that_runs_still_is_no_full_one() {
        let series = [(Day(100), Ok(20)), (Day(101), Ok(2))];
        let at = |with_open| looks(&series, Against::PeriodBefore, Grain::Day, Day(101), with_open);
        assert_eq!(at(false).iter().map(|look| look.period).collect::<Vec<_>>(), [Day(100)]);
        let open = at(true);
        assert!(open[1].is_open && open[1].reading == Ok(-ONE * 9 / 10));
        // Within the day that runs the number comes back: that is no restatement.
        let limit = below(-ONE / 2, 0, 1);
        let (memory, fired) = decide(&limit, None, &open);
        let later = looks(&[(Day(100), Ok(20)), (Day(101), Ok(19))], Against::PeriodBefore, Grain::Day, Day(101), true);
        let (_, over) = decide(&limit, memory.as_ref(), &later);
        assert_eq!((fired[0].why, over[0].why), (Why::Fired, Why::Over));
    }

    #[test]
    fn changes_are_compared_with_the_period_before_or_the_same_of_the_year_before() {
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(Against::PeriodBefore.period(day("2024-03-01"), Grain::Month), Some(day("2024-02-01")));
        assert_eq!(Against::YearAgo.period(day("2024-02-29"), Grain::Day), Some(day("2023-02-28")));
        assert_eq!(Against::YearAgo.period(day("2024-07-01"), Grain::Quarter), Some(day("2023-07-01")));
        // Monday is compared with a Monday.
        assert_eq!(Against::YearAgo.period(day("2024-07-01"), Grain::Week), Some(day("2023-07-03")));
        assert_eq!(change(110, 100), Ok(ONE / 10));
        assert!(change(5, 0).is_err() && change(5, -3).is_err());
        let series = [(Day(100), Err(UNKNOWN)), (Day(101), Ok(2))];
        assert_eq!(looks(&series, Against::PeriodBefore, Grain::Day, Day(200), false)[1].reading, Err(UNKNOWN));
    }

    fn instant(text: &str) -> i64 {
        let (day, time) = text.split_once('T').unwrap();
        let (hours, minutes) = time.split_once(':').unwrap();
        let minutes: i64 = hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap();
        Zone::utc().start_of_day(Day::parse(day).unwrap()) + minutes * 60_000_000
    }

    #[test]
    fn quiet_hours_keep_to_the_clock_when_it_is_changed() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let night = QuietHours::parse("22:00-07:00").unwrap();
        // In winter 07:00 in Paris is 06:00 UTC, in summer 05:00; on March 31 2024 the clock went from 02:00 to 03:00.
        assert_eq!(night.end(&paris, instant("2024-01-15T03:00")), Some(instant("2024-01-15T06:00")));
        assert_eq!(night.end(&paris, instant("2024-03-30T21:30")), Some(instant("2024-03-31T05:00")));
        assert_eq!(night.end(&paris, instant("2024-03-31T04:59")), Some(instant("2024-03-31T05:00")));
        assert_eq!(night.end(&paris, instant("2024-03-31T05:00")), None);
        assert_eq!(night.end(&paris, instant("2024-10-26T20:00")), Some(instant("2024-10-27T06:00")));
        assert_eq!(night.end(&paris, instant("2024-10-26T19:59")), None);
        // An hour that there is twice ends the first time, one that there is not when the clock has passed it.
        let early = QuietHours::parse("01:00-02:30").unwrap();
        assert_eq!(early.end(&paris, instant("2024-10-27T00:29")), Some(instant("2024-10-27T00:30")));
        assert_eq!(early.end(&paris, instant("2024-10-27T00:45")), None);
        assert_eq!(early.end(&paris, instant("2024-03-31T00:15")), Some(instant("2024-03-31T01:30")));
        for wrong in ["", "22-7", "22:00", "24:00-07:00", "07:00-07:00", "7:60-8:00", "+7:00-8:00"] {
            assert_eq!(QuietHours::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_digest_is_due_once_its_period_is_full_and_the_hour_has_come() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let due = |grain, text| digest_due(grain, &paris, instant(text), 8 * 60);
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(due(Grain::Day, "2024-03-31T05:59").0, day("2024-03-29"));
        assert_eq!(due(Grain::Day, "2024-03-31T06:00"), (day("2024-03-30"), instant("2024-03-31T06:00")));
        assert_eq!(due(Grain::Week, "2024-03-31T12:00").0, day("2024-03-18"));
        assert_eq!(due(Grain::Month, "2024-04-01T06:00"), (day("2024-03-01"), instant("2024-04-01T06:00")));
        assert_eq!(due(Grain::Month, "2024-04-01T05:00").0, day("2024-02-01"));
    }

    #[test]
    fn a_message_is_tried_ever_more_seldom_and_given_up_after_a_day_and_a_half() {
        let waits: Vec<u64> = (1..).map_while(retry_after_seconds).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!((waits.len(), retry_after_seconds(12)), (11, None));
        assert!((24 * 3_600..40 * 3_600).contains(&waits.iter().sum::<u64>()));
    }

    proptest! {
        /// However often and in whatever portions the days are looked at, the same is said.
        #[test]
        fn what_is_said_does_not_depend_on_how_often_one_looks(
            numbers in prop::collection::vec(prop::option::weighted(0.8, 0i128..20), 1..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            slack in 0i128..4, running in 1u32..4,
        ) {
            let (limit, all) = (below(10, slack, running), days(&numbers));
            let once = decide(&limit, None, &all);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len()) + 1).collect();
            ends.push(all.len());
            ends.sort_unstable();
            let (mut memory, mut said) = (None, Vec::new());
            for end in ends {
                let (after, speeches) = decide(&limit, memory.as_ref(), &all[..end]);
                memory = after;
                said.extend(speeches);
            }
            prop_assert_eq!((memory, said), once);
        }

        /// What is said goes to and fro: never twice the same without the other between.
        #[test]
        fn firing_and_being_over_take_turns(numbers in prop::collection::vec(prop::option::of(0i128..20), 1..60), slack in 0i128..4) {
            let said = said(&below(10, slack, 1), &numbers);
            for (place, (_, why)) in said.iter().enumerate() {
                prop_assert_eq!(*why, if place % 2 == 0 { Why::Fired } else { Why::Over });
            }
        }
    }
}
