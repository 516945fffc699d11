//! The health of customers: an index from 0 to 100, out of at most five events, with the reasons.
//!
//! Where enough customers have left, the events and their weights come from how behaviour differed before: [`learn`]
//! tries every event, chooses those that tell leavers from stayers together, and judges its choice on customers whom
//! neither choice nor weights had seen. The index is then 70 for the mean of those who stayed and 30 for the mean of those
//! who left, and linear in between and beyond, so that the points of each event add up to it.
//!
//! Where too few have left, or where a person prefers to say what counts, [`Kept`] takes weights from outside: the index is
//! how much of their own usual activity customers still show.

/// An index has so many events at the most: more than a person can keep in mind explain nothing.
pub const MOST_EVENTS: usize = 5;

/// With fewer customers who left, or who stayed, than this nothing is learnt from them.
pub const LEAST_OF_EACH: usize = 30;

/// Only so many samples are looked at, chosen by their keys: more change nothing but the time it takes.
pub const MOST_SAMPLES: usize = 50_000;

/// Only so many features, those that separate best alone, are tried together.
const MOST_CANDIDATES: usize = 20;

/// The parts into which customers are divided, each of which judges what the others say.
const FOLDS: u64 = 5;

/// How strongly weights are held towards zero, in units of one observation of a standardised feature.
const RIDGE: f64 = 1.0;

/// The index of the mean customer who stayed, and of the mean customer who left.
const STAYED_POINTS: f64 = 70.0;
const LEFT_POINTS: f64 = 30.0;

/// How often a customer did something lately, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Activity {
    /// Times a day in the recent days (such as the last 28).
    pub recent: f64,
    /// Times a day in the days before (such as the 84 before).
    pub earlier: f64,
}

/// Less than one time in twelve weeks is as good as never.
const NEXT_TO_NEVER: f64 = 1.0 / 84.0;

impl Activity {
    /// Activity from counts over days.
    #[must_use]
    pub fn of(recent_count: u64, recent_days: u32, earlier_count: u64, earlier_days: u32) -> Self {
        let rate = |count: u64, days: u32| count as f64 / f64::from(days.max(1));
        Self { recent: rate(recent_count, recent_days), earlier: rate(earlier_count, earlier_days) }
    }

    /// How activity changed, in doublings: −1 is half of before, 1 twice as much. Rates next to never are damped.
    #[must_use]
    pub fn trend(self) -> f64 {
        ((self.recent + NEXT_TO_NEVER) / (self.earlier + NEXT_TO_NEVER)).log2()
    }

    /// How much activity there is lately, in doublings of next to never.
    #[must_use]
    pub fn level(self) -> f64 {
        (1.0 + self.recent / NEXT_TO_NEVER).log2()
    }

    /// The share of the usual activity that is still there, from 0 to 1; `None` where there was none at all.
    #[must_use]
    pub fn kept(self) -> Option<f64> {
        if self.earlier > 0.0 {
            Some((self.recent / self.earlier).min(1.0))
        } else {
            (self.recent > 0.0).then_some(1.0)
        }
    }
}

/// How an event is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// [`Activity::trend`].
    Trend,
    /// [`Activity::level`].
    Level,
    /// Something else that is known of the customer, as a number.
    Attribute,
}

impl Shape {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shape::Trend => "trend",
            Shape::Level => "level",
            Shape::Attribute => "value",
        }
    }
}

/// One column of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// The event or attribute. Several features may be of the same one; one of them is chosen.
    pub event: String,
    /// How it is looked at.
    pub shape: Shape,
}

/// A customer at a day in the past, and what became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The same for all samples of a customer: [`key`] of the id.
    pub key: u64,
    /// The value of each feature then; not a number where it is not known.
    pub values: Vec<f64>,
    /// Whether the customer left within the time looked ahead.
    pub churned: bool,
}

/// A number from an id that spreads ids evenly (FNV-1a, then the finish of `SplitMix64`): it decides who judges whom.
#[must_use]
pub fn key(id: &str) -> u64 {
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A health, and what made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// From 0, about to leave, to 100.
    pub index: f64,
    /// For each feature of the index (or event of [`Kept`]), by its number, the points that it adds to or takes from the
    /// index of the mean customer who stayed (or from 100).
    pub reasons: Vec<(usize, f64)>,
}

/// One feature of a learnt index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The number of the feature.
    pub feature: usize,
    /// The mean of those who stayed.
    pub usual: f64,
    /// One standard deviation of all.
    pub deviation: f64,
    /// Points of the index that one deviation above the mean adds.
    pub points: f64,
}

/// A learnt index.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its features, the heaviest first.
    pub parts: Vec<Part>,
}

impl Index {
    /// The health of a customer with these values of the features. What is not known counts as the mean of those who
    /// stayed.
    #[must_use]
    pub fn of(&self, values: &[f64]) -> Health {
        let reasons: Vec<(usize, f64)> = self
            .parts
            .iter()
            .map(|part| {
                let value = values.get(part.feature).copied().filter(|value| value.is_finite()).unwrap_or(part.usual);
                (part.feature, (value - part.usual) / part.deviation * part.points)
            })
            .collect();
        let points: f64 = reasons.iter().map(|(_, points)| points).sum();
        Health { index: (STAYED_POINTS + points).clamp(0.0, 100.0), reasons }
    }
}

/// One feature, tried alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The number of the feature.
    pub feature: usize,
    /// How well it tells leavers from stayers: how often, of one of each, the one who left has the lower value (ties count
    /// half). 0.5 is a coin; below it, high values go before leaving.
    pub separation: f64,
    /// Whether it is in the index.
    pub is_chosen: bool,
}

/// What an index was learnt from, and how good it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Samples that were looked at.
    pub samples: usize,
    /// How many of them left.
    pub churned: usize,
    /// Customers who left: one may be in several samples, at several days.
    pub customers_left: usize,
    /// Customers who stayed, at one of their days at least.
    pub customers_stayed: usize,
    /// How often, of one who left and one who stayed, the one who left has the lower health, where neither choice nor
    /// weights had seen the two: the area under the ROC curve, out of fold.
    pub separation: f64,
    /// Its standard error (J. A. Hanley and B. J. McNeil, 1982), for so many customers: samples of one customer are much
    /// alike and say little more than one of them.
    pub standard_error: f64,
    /// Every feature alone, the best first.
    pub tried: Vec<Tried>,
}

/// What came of learning.
#[derive(Debug, Clone, PartialEq)]
pub enum Learnt {
    /// An index, and what speaks for it.
    Index(Index, Evidence),
    /// Too few customers left, or stayed, to learn from. [`Kept::of_most_used`] is the way on.
    TooFew {
        /// How many customers left.
        churned: usize,
        /// How many customers stayed.
        stayed: usize,
    },
    /// No feature tells those who left from those who stayed, or those that were chosen do not tell it of customers whom
    /// the choice had not seen: by less than two standard errors.
    NothingSeparates(Evidence),
}

/// Chooses at most [`MOST_EVENTS`] events and their weights.
///
/// Each feature is standardised. Of the features of one event the one that separates best alone stands for it. From them
/// events are added one by one to a logistic regression (with a ridge), each time the one with the highest score statistic
/// (C. R. Rao, 1948), as long as it explains more than a parameter is worth by Schwarz's criterion; an event whose weight
/// would point against what it shows alone is passed over, for no reason could be given for it. The whole of this is done five times on four fifths
/// of the customers, by their keys, and judged on the fifth, and once on all: that is the index.
#[must_use]
pub fn learn(features: &[Feature], samples: &[Sample]) -> Learnt {
    let mut samples: Vec<&Sample> = samples.iter().filter(|sample| sample.values.len() == features.len()).collect();
    // Sums of floats depend on the order, which therefore must not depend on the caller's.
    samples.sort_by(|one, other| {
        let values = || one.values.iter().zip(&other.values).map(|(one, other)| one.total_cmp(other));
        let values = values().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal);
        one.key.cmp(&other.key).then(one.churned.cmp(&other.churned)).then(values)
    });
    samples.truncate(MOST_SAMPLES);
    let churned = samples.iter().filter(|sample| sample.churned).count();
    let customers = |churned: bool| {
        let of_each = samples.chunk_by(|one, next| one.key == next.key);
        of_each.filter(|own| own.iter().any(|sample| sample.churned == churned)).count()
    };
    let (customers_left, customers_stayed) = (customers(true), customers(false));
    if customers_left < LEAST_OF_EACH || customers_stayed < LEAST_OF_EACH {
        return Learnt::TooFew { churned: customers_left, stayed: customers_stayed };
    }
    let mut judged = Vec::with_capacity(samples.len());
    for fold in 0..FOLDS {
        let (others, own): (Vec<&Sample>, Vec<&Sample>) = samples.iter().partition(|sample| sample.key % FOLDS != fold);
        let (scorer, _) = Scorer::choose(features, &others);
        judged.extend(own.iter().map(|sample| (-scorer.risk(&sample.values), sample.churned)));
    }
    let (scorer, mut tried) = Scorer::choose(features, &samples);
    for one in &mut tried {
        one.is_chosen = scorer.parts.iter().any(|part| part.feature == one.feature);
    }
    let separation = separation(&mut judged);
    let standard_error = hanley_mcneil(separation, customers_left as f64, customers_stayed as f64);
    let evidence = Evidence {
        samples: samples.len(),
        churned,
        customers_left,
        customers_stayed,
        separation,
        standard_error,
        tried,
    };
    match scorer.index(&samples).filter(|_| separation - 2.0 * standard_error > 0.5) {
        Some(index) => Learnt::Index(index, evidence),
        None => Learnt::NothingSeparates(evidence),
    }
}

/// How often, of one who left and one who stayed, the one who left has the lower value; ties count half.
fn separation(values: &mut [(f64, bool)]) -> f64 {
    values.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut stayed_below, mut above) = (0.0f64, 0.0f64);
    for ties in values.chunk_by(|one, next| one.0.total_cmp(&next.0).is_eq()) {
        let left = ties.iter().filter(|(_, churned)| *churned).count() as f64;
        let stayed = ties.len() as f64 - left;
        above += left * (stayed_below + stayed / 2.0);
        stayed_below += stayed;
    }
    let left = values.len() as f64 - stayed_below;
    if left > 0.0 && stayed_below > 0.0 { 1.0 - above / (left * stayed_below) } else { 0.5 }
}

fn hanley_mcneil(area: f64, left: f64, stayed: f64) -> f64 {
    let (of_two_left, of_two_stayed) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let square = area * area;
    let variance =
        area * (1.0 - area) + (left - 1.0) * (of_two_left - square) + (stayed - 1.0) * (of_two_stayed - square);
    (variance / (left * stayed)).max(0.0).sqrt()
}

/// A feature with its place and spread, and its weight in the log-odds of leaving.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    feature: usize,
    mean: f64,
    deviation: f64,
    weight: f64,
}

/// Chosen features with their weights.
struct Scorer {
    intercept: f64,
    parts: Vec<Weighted>,
}

/// A standardised column: the feature, its mean and deviation, its values, and how it separates alone.
struct Column {
    feature: usize,
    mean: f64,
    deviation: f64,
    values: Vec<f64>,
    separation: f64,
}

impl Column {
    /// `None` where the values do not differ.
    fn of(feature: usize, samples: &[&Sample]) -> Option<Self> {
        let known = || samples.iter().map(|sample| sample.values[feature]).filter(|value| value.is_finite());
        let count = known().count() as f64;
        let mean = known().sum::<f64>() / count;
        let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        if !deviation.is_finite() || deviation <= mean.abs() * 1e-9 {
            return None;
        }
        let standard = |value: f64| if value.is_finite() { (value - mean) / deviation } else { 0.0 };
        let values: Vec<f64> = samples.iter().map(|sample| standard(sample.values[feature])).collect();
        let mut pairs: Vec<(f64, bool)> =
            values.iter().zip(samples).map(|(value, one)| (*value, one.churned)).collect();
        let separation = separation(&mut pairs);
        Some(Self { feature, mean, deviation, values, separation })
    }

    fn strength(&self) -> f64 {
        (self.separation - 0.5).abs()
    }
}

impl Scorer {
    fn choose(features: &[Feature], samples: &[&Sample]) -> (Self, Vec<Tried>) {
        let mut columns: Vec<Column> = (0..features.len()).filter_map(|feature| Column::of(feature, samples)).collect();
        columns.sort_by(|one, other| other.strength().total_cmp(&one.strength()).then(one.feature.cmp(&other.feature)));
        let tried: Vec<Tried> = columns
            .iter()
            .map(|column| Tried { feature: column.feature, separation: column.separation, is_chosen: false })
            .collect();
        let mut candidates: Vec<&Column> = Vec::new();
        for column in &columns {
            let event = &features[column.feature].event;
            if candidates.len() < MOST_CANDIDATES
                && candidates.iter().all(|other| features[other.feature].event != *event)
            {
                candidates.push(column);
            }
        }
        let churned: Vec<bool> = samples.iter().map(|sample| sample.churned).collect();
        let worth_a_parameter = (samples.len() as f64).ln() / 2.0;
        let mut chosen: Vec<&Column> = Vec::new();
        let mut best = Logistic::fit(&[], &churned);
        while chosen.len() < MOST_EVENTS {
            let so_far: Vec<&[f64]> = chosen.iter().map(|column| column.values.as_slice()).collect();
            let scores = best.scores(&so_far, candidates.iter().map(|column| column.values.as_slice()), &churned);
            let mut order: Vec<usize> = (0..candidates.len()).collect();
            // Of equals the first, which separates better alone.
            order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]).then(one.cmp(other)));
            let next = order.into_iter().find_map(|place| {
                let all = || chosen.iter().chain([&candidates[place]]);
                let values: Vec<&[f64]> = all().map(|column| column.values.as_slice()).collect();
                let fit = Logistic::fit(&values, &churned);
                // Low values that go before leaving have a weight below zero, and high ones one above.
                let reasons_hold =
                    all().zip(&fit.weights).all(|(column, weight)| (0.5 - column.separation) * weight > 0.0);
                reasons_hold.then_some((place, fit))
            });
            let Some((place, fit)) = next.filter(|(_, fit)| fit.value - best.value > worth_a_parameter) else { break };
            best = fit;
            chosen.push(candidates.remove(place));
        }
        let parts = chosen
            .iter()
            .zip(&best.weights)
            .map(|(column, weight)| Weighted {
                feature: column.feature,
                mean: column.mean,
                deviation: column.deviation,
                weight: *weight,
            })
            .collect();
        (Self { intercept: best.intercept, parts }, tried)
    }

    /// The log-odds of leaving.
    fn risk(&self, values: &[f64]) -> f64 {
        let of = |part: &Weighted| {
            let value = values.get(part.feature).copied().filter(|value| value.is_finite()).unwrap_or(part.mean);
            (value - part.mean) / part.deviation * part.weight
        };
        self.intercept + self.parts.iter().map(of).sum::<f64>()
    }

    /// The index under which those who stayed have 70 points in the mean, and those who left 30; `None` where nothing
    /// was chosen.
    fn index(&self, samples: &[&Sample]) -> Option<Index> {
        let mean = |of: &dyn Fn(&Sample) -> f64, churned: bool| {
            let own = || samples.iter().filter(move |sample| sample.churned == churned);
            own().map(|sample| of(sample)).sum::<f64>() / own().count() as f64
        };
        let risk = |sample: &Sample| self.risk(&sample.values);
        let apart = mean(&risk, true) - mean(&risk, false);
        if self.parts.is_empty() || apart <= 0.0 {
            return None;
        }
        let scale = (LEFT_POINTS - STAYED_POINTS) / apart;
        let mut parts: Vec<Part> = self
            .parts
            .iter()
            .map(|part| {
                let value = |sample: &Sample| {
                    let value = sample.values[part.feature];
                    if value.is_finite() { value } else { part.mean }
                };
                let usual = mean(&value, false);
                Part { feature: part.feature, usual, deviation: part.deviation, points: part.weight * scale }
            })
            .collect();
        parts.sort_by(|one, other| other.points.abs().total_cmp(&one.points.abs()));
        Some(Index { parts })
    }
}

/// A logistic regression.
struct Logistic {
    intercept: f64,
    weights: Vec<f64>,
    /// The log-likelihood less the ridge.
    value: f64,
}

impl Logistic {
    /// Newton's method from zero, each step halved until it improves. The ridge makes the top the only one.
    fn fit(columns: &[&[f64]], churned: &[bool]) -> Self {
        let size = columns.len() + 1;
        let mut weights = vec![0.0f64; size];
        let mut value = Self::value(columns, churned, &weights);
        for _ in 0..30 {
            let (mut curve, slope) = Self::curve(columns, churned, &weights);
            factor(&mut curve);
            let step = solve(&curve, slope);
            let mut length = 1.0f64;
            let next = loop {
                let next: Vec<f64> = weights.iter().zip(&step).map(|(weight, step)| weight + length * step).collect();
                let found = Self::value(columns, churned, &next);
                if found >= value || length < 1e-6 {
                    break (next, found);
                }
                length /= 2.0;
            };
            let gained = next.1 - value;
            if gained < 0.0 {
                break;
            }
            (weights, value) = next;
            if gained < 1e-9 * (1.0 + value.abs()) {
                break;
            }
        }
        let intercept = weights.remove(0);
        Self { intercept, weights, value }
    }

    /// The second derivatives (their lower half, turned around) and the slope at some weights.
    fn curve(columns: &[&[f64]], churned: &[bool], weights: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let size = weights.len();
        let mut slope = vec![0.0f64; size];
        let mut curve = vec![vec![0.0f64; size]; size];
        let mut row = vec![1.0f64; size];
        for (index, churned) in churned.iter().enumerate() {
            for (place, column) in columns.iter().enumerate() {
                row[place + 1] = column[index];
            }
            let (chance, spread) = chance(&row, weights);
            let miss = f64::from(*churned) - chance;
            for place in 0..size {
                slope[place] += miss * row[place];
                for other in 0..=place {
                    curve[place][other] += spread * row[place] * row[other];
                }
            }
        }
        for place in 1..size {
            slope[place] -= RIDGE * weights[place];
            curve[place][place] += RIDGE;
        }
        // The intercept alone has no ridge; where all or none churned it would have no top.
        curve[0][0] += 1e-9;
        (curve, slope)
    }

    /// The score statistic of each candidate: how steeply the likelihood rises with its weight, over how sure that is.
    fn scores<'a>(
        &self,
        columns: &[&[f64]],
        candidates: impl Iterator<Item = &'a [f64]>,
        churned: &[bool],
    ) -> Vec<f64> {
        let weights: Vec<f64> = [self.intercept].iter().chain(&self.weights).copied().collect();
        let (mut curve, _) = Self::curve(columns, churned, &weights);
        factor(&mut curve);
        let row = |index: usize| -> Vec<f64> {
            std::iter::once(1.0).chain(columns.iter().map(|column| column[index])).collect()
        };
        let now: Vec<(Vec<f64>, f64, f64)> = churned
            .iter()
            .enumerate()
            .map(|(index, churned)| {
                let row = row(index);
                let (chance, spread) = chance(&row, &weights);
                (row, f64::from(*churned) - chance, spread)
            })
            .collect();
        candidates
            .map(|candidate| {
                let (mut rise, mut own) = (0.0f64, RIDGE);
                let mut shared = vec![0.0f64; weights.len()];
                for (value, (row, miss, spread)) in candidate.iter().zip(&now) {
                    rise += value * miss;
                    own += value * value * spread;
                    for (sum, other) in shared.iter_mut().zip(row) {
                        *sum += value * other * spread;
                    }
                }
                let explained: f64 = solve(&curve, shared.clone()).iter().zip(&shared).map(|(a, b)| a * b).sum();
                rise * rise / (own - explained).max(1e-9)
            })
            .collect()
    }

    fn value(columns: &[&[f64]], churned: &[bool], weights: &[f64]) -> f64 {
        let mut value = 0.0f64;
        for (index, churned) in churned.iter().enumerate() {
            let score: f64 = weights[0]
                + columns.iter().zip(&weights[1..]).map(|(column, weight)| column[index] * weight).sum::<f64>();
            // The logarithm of 1 + e^score, where e^score may be too large.
            let both = score.max(0.0) + (-score.abs()).exp().ln_1p();
            value += if *churned { score - both } else { -both };
        }
        value - RIDGE / 2.0 * weights[1..].iter().map(|weight| weight * weight).sum::<f64>()
    }
}

/// The chance of leaving under some weights, and the variance of one outcome under it.
fn chance(row: &[f64], weights: &[f64]) -> (f64, f64) {
    let score: f64 = row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    let chance = 1.0 / (1.0 + (-score).exp());
    (chance, chance * (1.0 - chance))
}

/// Cholesky's factor of a symmetric matrix above zero, in place of its lower half.
fn factor(lower: &mut [Vec<f64>]) {
    for row in 0..lower.len() {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|place| lower[row][place] * lower[column][place]).sum();
            let rest = lower[row][column] - dot;
            lower[row][column] = if row == column { rest.max(1e-12).sqrt() } else { rest / lower[column][column] };
        }
    }
}

/// Solves a system whose factor is known.
fn solve(factor: &[Vec<f64>], mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for row in 0..size {
        let dot: f64 = (0..row).map(|place| factor[row][place] * right[place]).sum();
        right[row] = (right[row] - dot) / factor[row][row];
    }
    for row in (0..size).rev() {
        let dot: f64 = (row + 1..size).map(|place| factor[place][row] * right[place]).sum();
        right[row] = (right[row] - dot) / factor[row][row];
    }
    right
}

/// An index by weights from outside: the weighted mean of the share of usual activity that is still there.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    weights: Vec<(usize, f64)>,
}

/// Weights that make no index.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// None, or too many.
    #[error("{count} events have a weight; a health index has from one to five")]
    Count {
        /// How many.
        count: usize,
    },
    /// A weight that is none.
    #[error("a weight is {weight}; weights are numbers above 0")]
    NotAboveZero {
        /// The weight.
        weight: f64,
    },
}

impl Kept {
    /// Weights that a person set, by the number of the event.
    ///
    /// # Errors
    /// When there are none or more than five, or one is not above zero.
    pub fn by_hand(weights: &[(usize, f64)]) -> Result<Self, WeightError> {
        if weights.is_empty() || weights.len() > MOST_EVENTS {
            return Err(WeightError::Count { count: weights.len() });
        }
        if let Some((_, weight)) = weights.iter().find(|(_, weight)| !weight.is_finite() || *weight <= 0.0) {
            return Err(WeightError::NotAboveZero { weight: *weight });
        }
        Ok(Self { weights: weights.to_vec() })
    }

    /// The same weight for the events that most customers use, while too few have left to learn from. `users` counts the
    /// customers of each event; of equals the first. `None` where no event is used at all.
    #[must_use]
    pub fn of_most_used(users: &[u64]) -> Option<Self> {
        let mut events: Vec<usize> = (0..users.len()).filter(|event| users[*event] > 0).collect();
        events.sort_by_key(|event| (std::cmp::Reverse(users[*event]), *event));
        events.truncate(MOST_EVENTS);
        (!events.is_empty()).then(|| Self { weights: events.into_iter().map(|event| (event, 1.0)).collect() })
    }

    /// The events and their weights, which add up to 1.
    #[must_use]
    pub fn weights(&self) -> Vec<(usize, f64)> {
        let total: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        self.weights.iter().map(|(event, weight)| (*event, weight / total)).collect()
    }

    /// The health of a customer with this activity in each event. Events that the customer never used do not count; `None`
    /// where all are such.
    #[must_use]
    pub fn of(&self, activity: &[Activity]) -> Option<Health> {
        let kept = |event: usize| activity.get(event).and_then(|activity| activity.kept());
        let used: Vec<(usize, f64, f64)> =
            self.weights.iter().filter_map(|(event, weight)| Some((*event, *weight, kept(*event)?))).collect();
        let total: f64 = used.iter().map(|(_, weight, _)| weight).sum();
        let reasons: Vec<(usize, f64)> =
            used.iter().map(|(event, weight, kept)| (*event, (kept - 1.0) * 100.0 * weight / total)).collect();
        let lost: f64 = reasons.iter().map(|(_, points)| points).sum();
        (total > 0.0).then(|| Health { index: (100.0 + lost).clamp(0.0, 100.0), reasons })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
    }

    fn features(names: &[&str]) -> Vec<Feature> {
        names.iter().map(|name| Feature { event: (*name).to_owned(), shape: Shape::Trend }).collect()
    }

    /// Values from 0 to 1 that look like chance, the same each time.
    fn noise(customer: usize, what: &str) -> f64 {
        (key(&format!("{what}/{customer}")) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Who leaves had fewer log-ins and fewer reports, and wrote more tickets; the colour says nothing, and `logins too` is
    /// the log-ins again.
    fn company(customers: usize) -> (Vec<Feature>, Vec<Sample>) {
        let samples = (0..customers)
            .map(|customer| {
                let chance = |what: &str| noise(customer, what) * 2.0 - 1.0;
                let (logins, reports, tickets) = (chance("logins"), chance("reports"), chance("tickets"));
                let risk = -2.0 * logins - 1.0 * reports + 1.5 * tickets - 1.0;
                Sample {
                    key: key(&format!("c{customer}")),
                    values: vec![chance("colour"), logins, reports, tickets, logins + 0.1 * chance("logins too")],
                    churned: noise(customer, "leaves") < 1.0 / (1.0 + (-risk * 2.0f64).exp()),
                }
            })
            .collect();
        (features(&["colour", "logins", "reports", "tickets", "logins too"]), samples)
    }

    #[test]
    fn what_goes_before_leaving_is_found() {
        let (features, samples) = company(3_000);
        let Learnt::Index(index, evidence) = learn(&features, &samples) else { panic!("nothing was learnt") };
        let names: Vec<&str> = index.parts.iter().map(|part| features[part.feature].event.as_str()).collect();
        assert_eq!(names, ["logins", "tickets", "reports"]);
        assert!(index.parts[0].points > 0.0 && index.parts[1].points < 0.0, "{index:?}");
        assert!(evidence.separation > 0.85 && evidence.standard_error < 0.02, "{evidence:?}");
        // The colour is a coin and the last; log-ins go first.
        assert_eq!(evidence.tried[0].feature, 1);
        assert_eq!(features[evidence.tried[4].feature].event, "colour");
        near(evidence.tried[4].separation, 0.5, 0.03);
        assert!(evidence.tried.iter().filter(|tried| tried.is_chosen).count() == 3);
        // The mean of those who stayed has 70 and of those who left 30, as far as nothing is cut off at 0 and 100.
        let mean = |churned: bool| {
            let own: Vec<f64> = samples
                .iter()
                .filter(|sample| sample.churned == churned)
                .map(|sample| 70.0 + index.of(&sample.values).reasons.iter().map(|(_, points)| points).sum::<f64>())
                .collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        near(mean(false), 70.0, 1e-6);
        near(mean(true), 30.0, 1e-6);
        // The order of samples changes nothing.
        let turned: Vec<Sample> = samples.iter().rev().cloned().collect();
        assert_eq!(learn(&features, &turned), Learnt::Index(index, evidence));
    }

    #[test]
    fn points_are_the_reasons() {
        let part = |feature, usual, deviation, points| Part { feature, usual, deviation, points };
        let index = Index { parts: vec![part(2, 10.0, 5.0, 20.0), part(0, 1.0, 2.0, -4.0)] };
        let health = index.of(&[3.0, 99.0, 5.0]);
        // One deviation below in the first: −20. One above in the second: −4.
        assert_eq!(health.reasons, [(2, -20.0), (0, -4.0)]);
        near(health.index, 46.0, 1e-12);
        // What is not known counts as usual, and nothing goes beyond 0 and 100.
        near(index.of(&[f64::NAN, -1.0, 10.0]).index, 70.0, 1e-12);
        near(index.of(&[1.0, 0.0, 1_000.0]).index, 100.0, 1e-12);
    }

    #[test]
    fn too_few_who_left_teach_nothing() {
        let (features, mut samples) = company(500);
        let mut left = 0;
        samples.retain(|sample| {
            left += usize::from(sample.churned);
            !sample.churned || left < LEAST_OF_EACH
        });
        assert!(matches!(learn(&features, &samples), Learnt::TooFew { churned: 29, .. }));
        assert!(matches!(learn(&features, &[]), Learnt::TooFew { churned: 0, stayed: 0 }));
    }

    #[test]
    fn days_of_one_customer_are_no_further_customers() {
        let (features, samples) = company(500);
        let Learnt::Index(_, once) = learn(&features, &samples) else { panic!("nothing was learnt") };
        let twice: Vec<Sample> = samples.iter().chain(&samples).cloned().collect();
        let Learnt::Index(_, evidence) = learn(&features, &twice) else { panic!("nothing was learnt") };
        assert_eq!((evidence.samples, evidence.churned), (1_000, 2 * once.churned));
        assert_eq!((evidence.customers_left, evidence.customers_stayed), (once.customers_left, once.customers_stayed));
        assert_eq!(once.customers_left, once.churned);
        near(evidence.standard_error, once.standard_error, 2e-3);
    }

    #[test]
    fn where_nothing_separates_no_index_is_made_up() {
        let samples: Vec<Sample> = (0..2_000)
            .map(|customer| Sample {
                key: key(&format!("c{customer}")),
                values: vec![noise(customer, "colour"), 7.0, f64::NAN],
                churned: noise(customer, "leaves") < 0.2,
            })
            .collect();
        let Learnt::NothingSeparates(evidence) = learn(&features(&["colour", "always seven", "unknown"]), &samples)
        else {
            panic!("an index out of nothing")
        };
        near(evidence.separation, 0.5, 0.05);
        // What never differs cannot be tried.
        assert_eq!(evidence.tried.len(), 1);
    }

    #[test]
    fn separation_by_hand() {
        // Left: 1, 3. Stayed: 2, 3, 4. Lower in 1<2, 1<3, 1<4, 3<4 and half of 3=3: 4.5 of 6.
        let mut values = [(1.0, true), (3.0, true), (2.0, false), (3.0, false), (4.0, false)];
        near(separation(&mut values), 0.75, 1e-12);
        near(separation(&mut [(1.0, true)]), 0.5, 1e-12);
        // Hanley and McNeil's images: an area of 0.893 over 51 and 58 of each is known to about 0.032.
        near(hanley_mcneil(0.893, 51.0, 58.0), 0.032, 1e-3);
    }

    #[test]
    fn a_regression_by_hand() {
        // Of those at 0 one in four left, of those at 1 three in four; the ridge is small beside 4,000 of each.
        let column: Vec<f64> = (0..8_000).map(|index| f64::from(index % 2)).collect();
        let churned: Vec<bool> = (0..8_000).map(|index| (index / 2) % 4 < 1 + 2 * (index % 2)).collect();
        let fit = Logistic::fit(&[&column], &churned);
        near(fit.intercept, (1.0f64 / 3.0).ln(), 0.01);
        near(fit.weights[0], 9.0f64.ln(), 0.01);
    }

    #[test]
    fn weights_by_hand_ask_how_much_of_the_usual_is_left() {
        // Log-ins halved, reports as ever, exports never used.
        let activity = [Activity::of(14, 28, 84, 84), Activity::of(10, 28, 30, 84), Activity::default()];
        let kept = Kept::by_hand(&[(0, 60.0), (1, 20.0), (2, 20.0)]).unwrap();
        let health = kept.of(&activity).unwrap();
        // Of 80 in use, 60 lost a half: 37.5 points.
        assert_eq!(health.reasons, [(0, -37.5), (1, 0.0)]);
        near(health.index, 62.5, 1e-12);
        assert_eq!(kept.of(&[]), None);
        let shares = kept.weights();
        assert_eq!(shares, [(0, 0.6), (1, 0.2), (2, 0.2)]);
        assert_eq!(Kept::by_hand(&[]), Err(WeightError::Count { count: 0 }));
        assert_eq!(Kept::by_hand(&[(0, 0.0)]), Err(WeightError::NotAboveZero { weight: 0.0 }));
        let most_used = Kept::of_most_used(&[5, 0, 9, 5, 1, 2, 3]).unwrap();
        assert_eq!(most_used.weights().iter().map(|(event, _)| *event).collect::<Vec<_>>(), [2, 0, 3, 6, 5]);
        assert_eq!(Kept::of_most_used(&[0, 0]), None);
    }

    #[test]
    fn activity_is_seen_against_the_customers_own_past() {
        let halved = Activity::of(28, 28, 168, 84);
        near(halved.kept().unwrap(), 0.5, 1e-12);
        near(halved.trend(), ((1.0 + 1.0 / 84.0) / (2.0 + 1.0 / 84.0f64)).log2(), 1e-12);
        near(Activity::of(0, 28, 0, 84).trend(), 0.0, 1e-12);
        near(Activity::of(0, 28, 0, 84).level(), 0.0, 1e-12);
        assert_eq!(Activity::of(3, 28, 0, 84).kept(), Some(1.0));
    }
}
