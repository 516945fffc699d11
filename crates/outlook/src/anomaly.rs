//! Which points of a series are off, and which part of it drives them.
//!
//! What a point should have been follows from the points before it alone: a straight line through them by medians
//! (Theil and Sen), and on days what each weekday adds to it. How far off it is, is counted in deviations that medians
//! give too (1.4826 times the median distance), so that what was off before neither hides nor makes what is off now.
//! Counts are looked at as twice their square root, whose deviation is one by chance alone, and is never taken for less.
//!
//! How far off is too far follows from how many points are looked at and how often a report may be wrong: with no more than
//! [`FALSE_ALARMS`] expected among all the points of a report, a point is off when
//! Student's distribution, with as many degrees of freedom as medians leave of the window, makes it less likely than that. The tests hold that this rate is kept on series in which
//! nothing happens.

use revenue::calendar::{Day, Grain};

use crate::student;

/// False alarms that may be expected in one report, whatever the number of its points.
pub const FALSE_ALARMS: f64 = 0.2;

/// How a series is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Numbers of things.
    Count,
    /// Amounts, shares and other numbers.
    Amount,
}

/// A point that is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// The place of the point in its series.
    pub place: usize,
    /// What it was.
    pub value: f64,
    /// What it should have been.
    pub expected: f64,
    /// How many deviations it is off.
    pub deviations: f64,
    /// How likely a point is as far off by chance, on either side.
    pub chance: f64,
}

/// Points before a point that say what it should be: at most so many, and at least.
#[derive(Debug, Clone, Copy)]
struct Window {
    most: usize,
    least: usize,
    season: usize,
}

fn window(grain: Grain) -> Window {
    match grain {
        Grain::Day => Window { most: 70, least: 35, season: 7 },
        Grain::Week => Window { most: 26, least: 10, season: 1 },
        Grain::Month | Grain::Quarter | Grain::Year => Window { most: 18, least: 8, season: 1 },
    }
}

/// How unlikely a point has to be when so many points are looked at in all.
#[must_use]
pub fn chance_allowed(points: usize) -> f64 {
    FALSE_ALARMS / points.max(1) as f64
}

/// The points that are less likely than is allowed, in order.
#[must_use]
pub fn alarms(values: &[f64], grain: Grain, nature: Nature, allowed: f64) -> Vec<Alarm> {
    let points = (0..values.len()).filter_map(|place| judge(values, place, grain, nature));
    points.filter(|alarm| alarm.chance < allowed).collect()
}

/// How many points of a series can be judged.
#[must_use]
pub fn judged(points: usize, grain: Grain) -> usize {
    points.saturating_sub(window(grain).least)
}

/// How far off a point is; nothing where too little came before it.
#[must_use]
pub fn judge(values: &[f64], place: usize, grain: Grain, nature: Nature) -> Option<Alarm> {
    let Window { most, least, season } = window(grain);
    let before = &values[place.saturating_sub(most)..place];
    if before.len() < least {
        return None;
    }
    let seen = |value: f64| match nature {
        Nature::Count => 2.0 * (value.max(0.0) + 0.375).sqrt(),
        Nature::Amount => value,
    };
    let unseen = |value: f64| match nature {
        Nature::Count => ((value / 2.0).max(0.0).powi(2) - 0.375).max(0.0),
        Nature::Amount => value,
    };
    let history: Vec<f64> = before.iter().map(|value| seen(*value)).collect();
    let slope = slope(&history, season);
    // What is left once the line is taken off, as it would stand at the point itself.
    let levelled: Vec<f64> =
        history.iter().enumerate().map(|(index, value)| value + slope * (history.len() - index) as f64).collect();
    let level = median(&levelled);
    let phase = |index: usize| (history.len() - index) % season;
    let effects: Vec<f64> = (0..season)
        .map(|wanted| {
            let of_phase: Vec<f64> = levelled
                .iter()
                .enumerate()
                .filter(|(index, _)| phase(*index) == wanted)
                .map(|(_, value)| value - level)
                .collect();
            if season > 1 { median(&of_phase) } else { 0.0 }
        })
        .collect();
    let effect = |index: usize| effects.get(phase(index)).copied().unwrap_or_default();
    let expected = level + effects.first().copied().unwrap_or_default();
    let rests: Vec<f64> =
        levelled.iter().enumerate().map(|(index, value)| (value - level - effect(index)).abs()).collect();
    // Effects that were fitted to the same points leave too little of their noise.
    let fitted = if season > 1 { (rests.len() as f64 / (rests.len() as f64 - season as f64)).sqrt() } else { 1.0 };
    let least_deviation = match nature {
        Nature::Count => 1.0,
        Nature::Amount => (0.02 * level.abs()).max(f64::MIN_POSITIVE),
    };
    // The line is not known exactly: at its end it is as unsure as the points allow.
    let unsure = (1.0 + 5.0 / history.len() as f64).sqrt();
    // Amounts that are nothing most of the time and then much have no deviation by medians: their mean distance is one.
    let mean_distance = rests.iter().sum::<f64>() / rests.len() as f64;
    let by_medians = 1.4826 * median(&rests);
    let by_means = 1.2533 * mean_distance;
    let is_sporadic = nature == Nature::Amount && by_medians < 0.5 * by_means;
    let seen_deviation = if is_sporadic { by_means } else { by_medians } * fitted;
    let points = history.len() as f64;
    // Medians tell as much of a deviation as 37 % of the points would by their squares, and the line takes two. That of
    // counts is never taken for less than chance makes it, which is worth some points more.
    let freedom = if nature == Nature::Count { 0.5 * points } else { 0.37 * points - 2.0 };
    let deviations = (seen(values[place]) - expected) / (seen_deviation.max(least_deviation) * unsure);
    let chance = 1.0 - student::within(deviations.abs(), freedom.max(3.0) as u32);
    Some(Alarm { place, value: values[place], expected: unseen(expected), deviations, chance })
}

/// The median slope between points of the same phase of the season.
fn slope(values: &[f64], season: usize) -> f64 {
    let mut slopes = Vec::new();
    for (index, one) in values.iter().enumerate() {
        let mut later = index + season;
        while let Some(other) = values.get(later) {
            slopes.push((other - one) / (later - index) as f64);
            later += season;
        }
    }
    median(&slopes)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Points next to each other that are off to the same side: one thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The first point.
    pub first: usize,
    /// The last point.
    pub last: usize,
    /// The point that is farthest off.
    pub peak: Alarm,
}

/// Alarms put together; one point between two that is not off does not part them.
#[must_use]
pub fn episodes(alarms: &[Alarm]) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    for alarm in alarms {
        let same = |episode: &&mut Episode| {
            alarm.place <= episode.last + 2 && (alarm.deviations > 0.0) == (episode.peak.deviations > 0.0)
        };
        match found.last_mut().filter(same) {
            Some(episode) => {
                episode.last = alarm.place;
                if alarm.deviations.abs() > episode.peak.deviations.abs() {
                    episode.peak = *alarm;
                }
            }
            None => found.push(Episode { first: alarm.place, last: alarm.place, peak: *alarm }),
        }
    }
    found
}

/// The part of a dimension that drives a difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Driver {
    /// The place of the dimension.
    pub dimension: usize,
    /// The place of the part in it.
    pub part: usize,
    /// What the part was at the point.
    pub value: f64,
    /// What it should have been.
    pub expected: f64,
    /// Its share of the difference of the whole; above one where other parts moved the other way.
    pub share: f64,
}

/// The part that explains most of a difference beyond what its size alone would: for each dimension its parts, each with
/// the values of the whole series. Nothing where no part stands out.
#[must_use]
pub fn driver(whole: &Alarm, dimensions: &[Vec<Vec<f64>>], grain: Grain, nature: Nature) -> Option<Driver> {
    let difference = whole.value - whole.expected;
    let mut best: Option<(f64, Driver)> = None;
    for (dimension, parts) in dimensions.iter().enumerate() {
        // A dimension with one part says nothing.
        if parts.len() < 2 {
            continue;
        }
        for (part, values) in parts.iter().enumerate() {
            let Some(of_part) = judge(values, whole.place, grain, nature) else { continue };
            let share = (of_part.value - of_part.expected) / difference;
            let usual = if whole.expected > 0.0 { (of_part.expected / whole.expected).clamp(0.0, 1.0) } else { 0.0 };
            let surprise = share.min(1.0) - usual;
            if share >= 0.4 && surprise > 0.15 && best.as_ref().is_none_or(|(most, _)| surprise > *most) {
                let driver = Driver { dimension, part, value: of_part.value, expected: of_part.expected, share };
                best = Some((surprise, driver));
            }
        }
    }
    best.map(|(_, driver)| driver)
}

/// The first day of the period at a place.
#[must_use]
pub fn day_of(first: Day, grain: Grain, place: usize) -> Day {
    (0..place).fold(first, |day, _| day.next_of(grain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1 that look like chance and are the same each time.
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        fn poisson(&mut self, mean: f64) -> f64 {
            let (mut count, mut product, end) = (0.0, self.next(), (-mean).exp());
            while product > end {
                count += 1.0;
                product *= self.next();
            }
            count
        }

        fn normal(&mut self) -> f64 {
            (-2.0 * self.next().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
        }
    }

    const WEEK: [f64; 7] = [1.2, 1.1, 1.0, 1.0, 0.9, 0.5, 0.4];

    #[test]
    fn where_nothing_happens_false_alarms_are_as_rare_as_stated() {
        let mut draws = Draws(7);
        for (grain, points, nature) in [
            (Grain::Day, 180, Nature::Count),
            (Grain::Week, 104, Nature::Count),
            (Grain::Month, 30, Nature::Count),
            (Grain::Week, 104, Nature::Amount),
            (Grain::Month, 30, Nature::Amount),
        ] {
            // A report looks at 20 series.
            let (reports, series) = (16, 20);
            let allowed = chance_allowed(series * judged(points, grain));
            let mut found = 0;
            for report in 0..reports {
                for _ in 0..series {
                    let level = 1.0 + 40.0 * draws.next();
                    let growth = 1.0 + 0.01 * draws.next() * f64::from(report % 3);
                    let values: Vec<f64> = (0..points)
                        .map(|place| {
                            let weekday = if grain == Grain::Day { WEEK[place % 7] } else { 1.0 };
                            let mean = level * weekday * growth.powi(place.min(60) as i32);
                            match nature {
                                Nature::Count => draws.poisson(mean),
                                Nature::Amount => 100.0 + mean + 0.2 * level * draws.normal(),
                            }
                        })
                        .collect();
                    found += alarms(&values, grain, nature, allowed).len();
                }
            }
            let rate = f64::from(found as u32) / f64::from(reports);
            assert!(rate <= FALSE_ALARMS * 1.5, "{grain:?} {nature:?}: {rate} false alarms a report");
        }
    }

    #[test]
    fn a_wave_is_found_where_it_is_and_its_part_is_named() {
        let mut draws = Draws(3);
        let quiet: Vec<f64> = (0..60).map(|_| draws.poisson(10.0)).collect();
        let mut waved: Vec<f64> = (0..60).map(|_| draws.poisson(6.0)).collect();
        for value in &mut waved[40..43] {
            *value += 35.0;
        }
        let whole: Vec<f64> = quiet.iter().zip(&waved).map(|(one, other)| one + other).collect();
        let found = episodes(&alarms(&whole, Grain::Week, Nature::Count, chance_allowed(50)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].first, found[0].last), (40, 42));
        let unrelated =
            vec![whole.iter().map(|value| value * 0.9).collect(), whole.iter().map(|value| value * 0.1).collect()];
        let driver = driver(&found[0].peak, &[unrelated, vec![quiet, waved]], Grain::Week, Nature::Count).unwrap();
        assert_eq!((driver.dimension, driver.part), (1, 1));
        assert!(driver.share > 0.7, "{driver:?}");
    }

    #[test]
    fn a_weekend_is_not_off_and_a_working_day_like_one_is() {
        let mut values: Vec<f64> = (0..120).map(|place| (100.0 * WEEK[place % 7]).round()).collect();
        assert!(alarms(&values, Grain::Day, Nature::Count, chance_allowed(120)).is_empty());
        values[100] = 50.0;
        let found = alarms(&values, Grain::Day, Nature::Count, chance_allowed(120));
        assert_eq!(found.iter().map(|alarm| alarm.place).collect::<Vec<_>>(), [100]);
        assert!((found[0].expected - 100.0 * WEEK[100 % 7]).abs() < 2.0 && found[0].deviations < 0.0);
    }

    #[test]
    fn growth_is_not_off_and_too_short_a_past_says_nothing() {
        let grows: Vec<f64> = (0..80).map(|place| 50.0 + 2.0 * f64::from(place)).collect();
        assert!(alarms(&grows, Grain::Week, Nature::Amount, chance_allowed(80)).is_empty());
        assert_eq!(judge(&grows, 9, Grain::Week, Nature::Amount), None);
        assert!(judge(&grows, 10, Grain::Week, Nature::Amount).is_some());
        assert_eq!(judged(80, Grain::Week), 70);
    }
}
