//! What recurs: the period of a series, and by how much each phase of it stands out.
//!
//! A season is never all or nothing. Each phase's deviation is estimated with more weight on the later years, then drawn
//! towards no deviation by as much as noise of that size would make of it (W. James and C. Stein's estimator, as
//! D. M. Miller and D. Williams use it in *Shrinkage estimators of time series seasonal factors and their effect on
//! forecasting accuracy*, International Journal of Forecasting 19, 2003). So a series without a season gets none, one
//! with a weak season a weak one, and no threshold decides.

/// Periods that are looked for where the time does not tell them.
pub const CANDIDATES: &[usize] = &[12, 4, 7, 24, 52];
/// The period that is tried where none stands out: its phases are then drawn towards nothing.
pub const USUAL: usize = 12;
/// What each phase of the usual period has to explain; those of others have to explain the logarithm of the length.
const PRICE_OF_A_USUAL_PHASE: f64 = 2.5;
/// What a year less of age is worth more in estimating a phase.
const WEIGHT_OF_A_PERIOD: f64 = 0.8;

/// How phases change a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They multiply it: for series that are never zero or less.
    Factor,
    /// They are added to it.
    Summand,
}

/// The deviation of each phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Season {
    effect: Effect,
    /// A deviation for each phase, that of the first point first: a factor, or a summand.
    phases: Vec<f64>,
}

impl Season {
    /// No season.
    #[must_use]
    pub fn none(effect: Effect) -> Self {
        let neutral = match effect {
            Effect::Factor => 1.0,
            Effect::Summand => 0.0,
        };
        Self { effect, phases: vec![neutral] }
    }

    /// The season of a period, where the series holds it at least twice; none where it is shorter.
    #[must_use]
    pub fn of(history: &[f64], period: usize, effect: Effect) -> Self {
        if period < 2 || history.len() < shortest(period) {
            return Self::none(effect);
        }
        let levels = centred_averages(history, period);
        let mut phases = vec![Phase::default(); period];
        for (index, (value, level)) in history.iter().zip(&levels).enumerate() {
            let Some(level) = level else { continue };
            let deviation = match effect {
                Effect::Factor => value / level - 1.0,
                Effect::Summand => value - level,
            };
            let age = (history.len() - 1 - index) as f64 / period as f64;
            phases[index % period].add(deviation, WEIGHT_OF_A_PERIOD.powf(age));
        }
        let mean = phases.iter().map(Phase::mean).sum::<f64>() / period as f64;
        // Factors have the mean 1, summands the mean 0. Divided and not subtracted, a factor stays above zero.
        let centred = |deviation: f64| match effect {
            Effect::Factor => (1.0 + deviation) / (1.0 + mean) - 1.0,
            Effect::Summand => deviation - mean,
        };
        let deviations: Vec<f64> = phases.iter().map(|phase| centred(phase.mean())).collect();
        let share = kept(&phases, &deviations);
        let phases = deviations.into_iter().map(|deviation| match effect {
            Effect::Factor => 1.0 + share * deviation,
            Effect::Summand => share * deviation,
        });
        Self { effect, phases: phases.collect() }
    }

    /// The series without its season. Its first point is the first of the series that the season was estimated from.
    #[must_use]
    pub fn taken_from(&self, history: &[f64]) -> Vec<f64> {
        let phases = self.phases.iter().cycle();
        let without = history.iter().zip(phases).map(|(value, phase)| match self.effect {
            Effect::Factor => value / phase,
            Effect::Summand => value - phase,
        });
        without.collect()
    }

    /// A value without season, as it is so many points after the first one of the series.
    #[must_use]
    pub fn put_on(&self, value: f64, index: usize) -> f64 {
        let phase = self.phases[index % self.phases.len()];
        match self.effect {
            Effect::Factor => value * phase,
            Effect::Summand => value + phase,
        }
    }
}

/// How many points a season takes to be estimated: two of each phase, and a neighbour on either side.
#[must_use]
pub fn shortest(period: usize) -> usize {
    2 * period + 2
}

/// Weighted deviations of one phase.
#[derive(Debug, Clone, Copy, Default)]
struct Phase {
    weight: f64,
    weight_squared: f64,
    sum: f64,
    sum_squared: f64,
}

impl Phase {
    fn add(&mut self, deviation: f64, weight: f64) {
        self.weight += weight;
        self.weight_squared += weight * weight;
        self.sum += weight * deviation;
        self.sum_squared += weight * deviation * deviation;
    }

    fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }

    /// The squares around the mean, the degrees of freedom that they have, and the variance of the mean in units of that
    /// of one deviation.
    fn noise(&self) -> (f64, f64, f64) {
        if self.weight <= 0.0 {
            return (0.0, 0.0, 0.0);
        }
        let squares = (self.sum_squared - self.sum * self.sum / self.weight).max(0.0);
        let freedom = self.weight - self.weight_squared / self.weight;
        (squares, freedom, self.weight_squared / (self.weight * self.weight))
    }
}

/// The share of the deviations that is kept: 1 less what noise makes of them.
fn kept(phases: &[Phase], deviations: &[f64]) -> f64 {
    let period = phases.len() as f64;
    let (mut squares, mut freedom, mut of_mean) = (0.0, 0.0, 0.0);
    for phase in phases {
        let (phase_squares, phase_freedom, phase_of_mean) = phase.noise();
        squares += phase_squares;
        freedom += phase_freedom;
        of_mean += phase_of_mean / period;
    }
    let seen = deviations.iter().map(|deviation| deviation * deviation).sum::<f64>() / (period - 1.0);
    if freedom <= 0.0 || seen <= 0.0 {
        return 0.0;
    }
    let noise = squares / freedom * of_mean;
    // With two or three phases the estimator keeps everything: then half of the noise is taken off.
    let drawn = ((period - 3.0) / (period - 1.0)).max(0.5);
    (1.0 - drawn * noise / seen).clamp(0.0, 1.0)
}

/// Averages over one period around each point; none at the ends.
fn centred_averages(history: &[f64], period: usize) -> Vec<Option<f64>> {
    let half = period / 2;
    let window = |index: usize| history.get(index.checked_sub(half)?..=index + half);
    let average = |index: usize| {
        let around = window(index)?;
        let all = around.iter().sum::<f64>();
        // An even period has its centre between two points: the outermost two count half each.
        let ends = if period.is_multiple_of(2) { 0.5 * (around[0] + around[around.len() - 1]) } else { 0.0 };
        Some((all - ends) / period as f64)
    };
    (0..history.len()).map(average).collect()
}

/// The period that a series without a calendar seems to have: among [`CANDIDATES`] the one whose phases explain most of the
/// changes from point to point, counted against how many they are (G. Schwarz's criterion; [`USUAL`] is believed on less,
/// as most series that are kept are of months). Where none is worth its phases, [`USUAL`], whose phases are then drawn
/// towards nothing.
#[must_use]
pub fn period_of(history: &[f64]) -> usize {
    let is_positive = history.iter().all(|value| *value > 0.0);
    let scale = |value: f64| if is_positive { value.ln() } else { value };
    let changes: Vec<f64> = history.windows(2).map(|pair| scale(pair[1]) - scale(pair[0])).collect();
    let fitting = CANDIDATES.iter().copied().filter(|period| history.len() >= shortest(*period));
    let judged = fitting.map(|period| (criterion(&changes, period), period));
    match judged.min_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((found, period)) if found < criterion(&changes, 1) => period,
        _ => USUAL,
    }
}

/// How badly phases of a period explain changes: what is left of them, and a price for each phase.
fn criterion(changes: &[f64], period: usize) -> f64 {
    let mut phases = vec![(0.0, 0.0); period];
    for (index, change) in changes.iter().enumerate() {
        let (number, sum) = &mut phases[index % period];
        *number += 1.0;
        *sum += change;
    }
    let left = changes.iter().enumerate().map(|(index, change)| {
        let (number, sum) = phases[index % period];
        (change - sum / number).powi(2)
    });
    let count = changes.len() as f64;
    let price = if period == USUAL { PRICE_OF_A_USUAL_PHASE.min(count.ln()) } else { count.ln() };
    count * (left.sum::<f64>() / count).max(f64::MIN_POSITIVE).ln() + price * period as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four years of months that grow by 1, with 20 more in each twelfth month.
    fn december() -> Vec<f64> {
        (0..48).map(|month| 100.0 + f64::from(month) + if month % 12 == 11 { 24.0 } else { 0.0 }).collect()
    }

    #[test]
    fn a_season_without_noise_is_found_whole() {
        let history = december();
        let season = Season::of(&history, 12, Effect::Summand);
        for (index, value) in season.taken_from(&history).into_iter().enumerate() {
            // The mean of the season, 24 / 12, stays in the level.
            assert!((value - (102.0 + index as f64)).abs() < 1e-9, "{index}: {value}");
        }
        assert!((season.put_on(0.0, 59) - 22.0).abs() < 1e-9);
    }

    #[test]
    fn a_series_that_is_too_short_has_no_season() {
        let season = Season::of(&december()[..25], 12, Effect::Factor);
        assert_eq!(season, Season::none(Effect::Factor));
    }

    #[test]
    fn noise_is_no_season() {
        // A walk without any rhythm: the digits of pi.
        let digits = "314159265358979323846264338327950288419716939937510582097494459230781640628620899862";
        let history: Vec<f64> = digits.bytes().map(|digit| 100.0 + f64::from(digit - b'0')).collect();
        let season = Season::of(&history, 12, Effect::Factor);
        let strongest = season.phases.iter().map(|phase| (phase - 1.0).abs()).fold(0.0, f64::max);
        assert!(strongest < 0.02, "{season:?}");
    }

    #[test]
    fn the_period_is_told_by_the_series() {
        for period in [4_usize, 7, 12, 24, 52] {
            let history: Vec<f64> = (0..160)
                .map(|index| 100.0 + f64::from(index as u32) + [0.0, 9.0, 4.0][(index * 3 / period) % 3])
                .collect();
            assert_eq!(period_of(&history), period);
        }
        assert_eq!(period_of(&[5.0, 6.0, 7.0]), USUAL);
        assert_eq!(period_of(&[5.0; 90]), USUAL);
    }
}
