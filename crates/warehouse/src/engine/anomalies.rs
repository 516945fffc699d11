//! What was off: metrics looked through point by point, whole and by the parts of dimensions, and the part that drives
//! each difference.

use std::{collections::BTreeMap, sync::Arc};

use num_traits::ToPrimitive;
use outlook::anomaly::{Driver, Episode, Nature, alarms, chance_allowed, driver, episodes, judged};
use revenue::calendar::{Day, Grain};

use super::{Assumptions, EngineError, Question, answer, prepare, segment::UNKNOWN};
use crate::{
    books::Books,
    catalogue::{Better, Catalogue, ResolvedMetric, Unit},
    playbook::metric_of,
};

/// The metrics that are looked through, and the dimensions whose parts may drive them.
pub const WATCHED: &[(&str, &[&str])] = &[
    ("unique_visitors", &["channel"]),
    ("signups", &["channel", "campaign", "country"]),
    ("trials", &["channel", "plan"]),
    ("leads", &["channel"]),
    ("spend", &["channel", "campaign"]),
    ("customers_new", &["channel", "plan", "country"]),
    ("customers_churned", &["plan", "channel", "country"]),
    ("upsell_revenue.price_rise", &["plan", "country"]),
    ("payments_failed", &["failure_reason", "currency"]),
    ("support_requests", &["category", "plan", "channel"]),
    ("csat", &[]),
    ("nps", &[]),
    ("active_users", &["feature", "plan"]),
];

/// So many parts of a dimension are looked at: the largest.
const PARTS: usize = 12;
/// Parts with fewer things than this in all say nothing by themselves.
const LEAST_TOTAL: f64 = 20.0;

/// Something that was off.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The metric.
    pub metric: Arc<ResolvedMetric>,
    /// The part that was looked at: a dimension and its value; nothing for the whole.
    pub part: Option<(String, String)>,
    /// The first day of the first and of the last period that were off, and of the one that was farthest off.
    pub periods: (Day, Day, Day),
    /// What it was and should have been, farthest off.
    pub episode: Episode,
    /// What drives it: a dimension, its value, and the rest.
    pub driver: Option<(String, String, Driver)>,
    /// Whether it is bad news, where that can be said.
    pub is_bad: Option<bool>,
}

/// What a report looked at.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was off, the latest first.
    pub findings: Vec<Finding>,
    /// How many points were looked at.
    pub points: usize,
    /// How many series.
    pub series: usize,
}

/// The parts of a dimension with their values.
type Parts = Vec<(String, Vec<f64>)>;

struct Looked {
    metric: Arc<ResolvedMetric>,
    nature: Nature,
    whole: Vec<f64>,
    /// By dimension.
    parts: Vec<(String, Parts)>,
}

/// Looks metrics through over the periods of `[from, to)`; `told_from` is the first day of those that are reported.
///
/// # Errors
/// When facts cannot be read.
pub fn anomalies(
    books: &Books,
    catalogue: &Catalogue,
    assumptions: &Assumptions,
    watched: &[(String, Vec<String>)],
    grain: Grain,
    (from, told_from, to): (Day, Day, Day),
) -> Result<Report, EngineError> {
    let question = |metric: &Arc<ResolvedMetric>, by: Vec<String>| Question {
        metrics: vec![Arc::clone(metric)],
        grain,
        from,
        to,
        by,
        filters: Vec::new(),
        assumptions: assumptions.clone(),
    };
    let mut asked: Vec<(Arc<ResolvedMetric>, Vec<Question>)> = Vec::new();
    for (metric, dimensions) in watched {
        let metric = metric_of(catalogue, metric)?;
        // Days and weeks of money are a few large amounts: what is off in them shows by the month.
        if grain < Grain::Month && metric.variant.unit == Unit::Money {
            continue;
        }
        let by = std::iter::once(Vec::new()).chain(dimensions.iter().map(|name| vec![name.clone()]));
        let questions = by.map(|by| question(&metric, by)).collect();
        asked.push((metric, questions));
    }
    match prepare(books, asked.iter().flat_map(|(_, questions)| questions)) {
        Ok(()) | Err(EngineError::UnknownDimension { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut looked: Vec<Looked> = Vec::new();
    for (metric, questions) in &asked {
        let nature = if metric.variant.unit == Unit::Count { Nature::Count } else { Nature::Amount };
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        for question in questions {
            let found = match answer(books, question) {
                Ok(found) => found,
                Err(EngineError::UnknownDimension { .. }) => continue,
                Err(error) => return Err(error),
            };
            let mut series: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
            for figure in &found {
                let name = figure.segment.first().cloned().unwrap_or_default();
                let number = figure.value.number().and_then(ToPrimitive::to_f64);
                series.entry(name).or_default().push(number);
            }
            match question.by.first() {
                None => whole = series.into_values().next().unwrap_or_default(),
                Some(dimension) => {
                    let zero = |numbers: Vec<Option<f64>>| -> Vec<f64> {
                        numbers.into_iter().map(Option::unwrap_or_default).collect()
                    };
                    let mut sized: Parts = series
                        .into_iter()
                        .filter(|(name, _)| name != UNKNOWN && !name.is_empty())
                        .map(|(name, numbers)| (name, zero(numbers)))
                        .collect();
                    let total = |numbers: &[f64]| numbers.iter().map(|number| number.abs()).sum::<f64>();
                    sized.sort_by(|one, other| total(&other.1).total_cmp(&total(&one.1)));
                    sized.truncate(PARTS);
                    parts.push((dimension.clone(), sized));
                }
            }
        }
        // What has no value in some period is a ratio of nothing: it is looked at from where it has one throughout.
        let known = whole.iter().rev().take_while(|number| number.is_some()).count();
        let skipped = whole.len() - known;
        let whole: Vec<f64> = whole.into_iter().skip(skipped).flatten().collect();
        for (_, series) in parts.iter_mut().flat_map(|(_, series)| series) {
            series.drain(..skipped.min(series.len()));
        }
        looked.push(Looked { metric: Arc::clone(metric), nature, whole, parts });
    }

    let told = |series: &[f64]| {
        let periods = revenue::calendar::periods(told_from, to, grain).len();
        judged(series.len(), grain).min(periods)
    };
    let is_large = |series: &[f64]| series.iter().map(|value| value.abs()).sum::<f64>() >= LEAST_TOTAL;
    let mut points = 0;
    let mut series = 0;
    for one in &looked {
        points += told(&one.whole);
        series += 1;
        for (_, values) in one.parts.iter().flat_map(|(_, parts)| parts).filter(|(_, values)| is_large(values)) {
            points += told(values);
            series += 1;
        }
    }
    let allowed = chance_allowed(points);
    let mut findings = Vec::new();
    for one in &looked {
        let first = (0..one.whole.len()).fold(to, |day, _| day.plus_days(-1).first_of(grain));
        let day = |place: usize| outlook::anomaly::day_of(first, grain, place);
        let is_told = |episode: &Episode| day(episode.last) >= told_from;
        let whole = episodes(&alarms(&one.whole, grain, one.nature, allowed));
        let dimensions: Vec<Vec<Vec<f64>>> =
            one.parts.iter().map(|(_, parts)| parts.iter().map(|(_, values)| values.clone()).collect()).collect();
        let finding = |episode: Episode, part: Option<(String, String)>, driver| {
            let rises = episode.peak.value > episode.peak.expected;
            let is_bad = match one.metric.metric.better {
                Better::Up => Some(!rises),
                Better::Down => Some(rises),
                Better::None => None,
            };
            let periods = (day(episode.first), day(episode.last), day(episode.peak.place));
            Finding { metric: Arc::clone(&one.metric), part, periods, episode, driver, is_bad }
        };
        for (dimension, parts) in &one.parts {
            for (name, values) in parts.iter().filter(|(_, values)| is_large(values)) {
                for episode in episodes(&alarms(values, grain, one.nature, allowed)).into_iter().filter(is_told) {
                    // What the whole says already, with this part as its driver, is not said again.
                    let overlaps = |other: &Episode| episode.first <= other.last + 1 && other.first <= episode.last + 1;
                    if !whole.iter().any(overlaps) {
                        findings.push(finding(episode, Some((dimension.clone(), name.clone())), None));
                    }
                }
            }
        }
        for episode in whole.into_iter().filter(is_told) {
            let driver = driver(&episode.peak, &dimensions, grain, one.nature).and_then(|driver| {
                let (dimension, parts) = one.parts.get(driver.dimension)?;
                let (name, _) = parts.get(driver.part)?;
                Some((dimension.clone(), name.clone(), driver))
            });
            findings.push(finding(episode, None, driver));
        }
    }
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| std::cmp::Reverse(finding.periods.0);
        order(one).cmp(&order(other)).then(one.episode.peak.chance.total_cmp(&other.episode.peak.chance))
    });
    Ok(Report { findings, points, series })
}
