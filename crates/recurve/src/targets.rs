//! The targets of a business: those of the playbook from its launch on, and those that its people set.

use std::{collections::BTreeMap, sync::Arc};

use outlook::{
    condition::Reading,
    playbook::{Unit, value},
    target::{Standing, Target, standing},
    wording::{Language, Value, Words, say_with},
};
use revenue::{
    calendar::{Day, Grain},
    money::parse_scaled,
};
use warehouse::{
    books::Books,
    catalogue::{Better, Catalogue, ResolvedMetric},
    engine::{self, Question, judgement},
    playbook::{metric_of, unit_of},
};

use crate::{
    command::CommandError,
    judgement::{launch, playbook},
    session::{self, Session},
};

/// Under this prefix targets are kept among the settings of the data folder.
pub const PREFIX: &str = "target/";
/// Months of the past that a chance is worked out from, at the most.
const MONTHS: i32 = 60;

/// A target as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub id: String,
    /// The metric, with its variant after a dot.
    pub metric: String,
    /// What should be reached, as it was written: `15000` or `5%`.
    pub wanted: String,
    /// The first day of the month at whose end it should be reached.
    pub by: Day,
    /// The first day of the month from which the way is measured.
    pub from: Option<Day>,
    /// Whose it is.
    pub owner: String,
    /// The line of the founder's document, where it is one of the playbook's.
    pub line: String,
}

/// A target with how it stands.
pub struct Stood {
    /// The target.
    pub kept: Kept,
    /// The metric.
    pub metric: Arc<ResolvedMetric>,
    /// How the figure is said.
    pub unit: Unit,
    /// What should be reached.
    pub target: Target,
    /// How it stands.
    pub standing: Standing,
    /// The month and number of the figure that counts.
    pub now: Option<(Day, i128)>,
}

/// What should be reached, times 10¹².
pub fn number(wanted: &str) -> Option<i128> {
    match wanted.trim().strip_suffix('%') {
        Some(share) => parse_scaled(share.trim(), 12).map(|picos| picos / 100),
        None => parse_scaled(wanted.trim(), 12),
    }
}

impl Kept {
    /// The text under which it is kept.
    pub fn text(&self) -> String {
        let from = self.from.map_or(serde_json::Value::Null, |day| day.to_string().into());
        serde_json::json!({
            "metric": self.metric, "wanted": self.wanted, "by": self.by.to_string(), "from": from, "owner": self.owner,
        })
        .to_string()
    }

    fn read(id: &str, text: &str) -> Result<Self, CommandError> {
        let damaged = || {
            CommandError::Usage(format!(
                "the target `{id}` cannot be read: remove it with `recurve target remove {id}`"
            ))
        };
        let kept: serde_json::Value = serde_json::from_str(text).map_err(|_| damaged())?;
        let part = |key: &str| kept.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        Ok(Self {
            id: id.to_owned(),
            metric: part("metric").ok_or_else(damaged)?,
            wanted: part("wanted").ok_or_else(damaged)?,
            by: part("by").and_then(|day| Day::parse(&day)).ok_or_else(damaged)?,
            from: part("from").and_then(|day| Day::parse(&day)),
            owner: part("owner").unwrap_or_default(),
            line: String::new(),
        })
    }
}

/// The name of a target of the playbook.
pub fn milestone_name(metric: &str, month: i32) -> String {
    format!("{}_month_{month}", metric.replace('.', "_"))
}

/// The targets that people set, by name.
pub fn set_by_people(session: &Session) -> Result<Vec<Kept>, CommandError> {
    let kept = session.lake.settings(PREFIX)?;
    let mut targets = kept
        .iter()
        .map(|(key, text)| Kept::read(key.strip_prefix(PREFIX).unwrap_or(key), text))
        .collect::<Result<Vec<_>, _>>()?;
    targets.sort_by_key(|kept| (kept.id.len(), kept.id.clone()));
    Ok(targets)
}

/// Every target with how it stands at the end of a month: those of the playbook first.
pub fn all(session: &Session, books: &Books, catalogue: &Catalogue, month: Day) -> Result<Vec<Stood>, CommandError> {
    let launched = judgement::launch(books, launch(session)?);
    let mut targets: Vec<Kept> = Vec::new();
    if let Some(launched) = launched {
        for stone in playbook(&session.options.data, catalogue)?.milestones {
            targets.push(Kept {
                id: milestone_name(&stone.metric, stone.month),
                wanted: revenue::money::print_scaled(stone.at_least, 12, 0),
                metric: stone.metric,
                by: launched.plus_months(stone.month - 1),
                from: Some(launched),
                owner: String::new(),
                line: stone.line,
            });
        }
    }
    targets.extend(set_by_people(session)?);
    let metrics: Vec<(Kept, Arc<ResolvedMetric>)> = targets
        .into_iter()
        .map(|kept| Ok((kept.clone(), metric_of(catalogue, &kept.metric)?)))
        .collect::<Result<_, CommandError>>()?;
    let to = month.plus_months(1);
    let from = launched.unwrap_or(month).max(to.plus_months(-MONTHS)).min(month);
    let mut asked: BTreeMap<&str, Arc<ResolvedMetric>> = BTreeMap::new();
    for (kept, metric) in &metrics {
        asked.entry(kept.metric.as_str()).or_insert_with(|| Arc::clone(metric));
    }
    let question = Question {
        metrics: asked.values().cloned().collect(),
        grain: Grain::Month,
        from,
        to,
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: session.assumptions()?,
    };
    let answers = engine::answer(books, &question)?;
    let each = (answers.len() / asked.len().max(1)).max(1);
    let series: BTreeMap<String, Vec<(Day, Reading)>> = asked
        .keys()
        .zip(answers.chunks(each))
        .map(|(id, figures)| {
            let readings = figures.iter().map(|figure| (figure.period.label, judgement::reading(&figure.value)));
            ((*id).to_owned(), readings.collect())
        })
        .collect();
    let stood = metrics.into_iter().map(|(kept, metric)| {
        let target = Target {
            number: number(&kept.wanted).unwrap_or_default(),
            is_floor: metric.metric.better != Better::Down,
            by: kept.by,
            from: kept.from.unwrap_or(from).max(from),
        };
        let figures = series.get(&kept.metric).map_or(&[][..], Vec::as_slice);
        let (standing, now) = standing(&target, figures);
        Stood { unit: unit_of(metric.variant.unit), kept, metric, target, standing, now }
    });
    Ok(stood.collect())
}

const MET: Words = Words::fixed(
    "{metric} was {now} in {by}: the target of {wanted} is met.",
    "{by}{metric}为 {now}：达到目标 {wanted}。",
    "{metric} : {now} en {by}, l’objectif de {wanted} est atteint.",
);
const MISSED: Words = Words::fixed(
    "{metric} was {now} in {by}: the target of {wanted} is missed.",
    "{by}{metric}为 {now}：未达到目标 {wanted}。",
    "{metric} : {now} en {by}, l’objectif de {wanted} est manqué.",
);
const OPEN: Words = Words::fixed(
    "{metric} is {now} in {month}; on the way to {wanted} by {by} it should be {pace}. The chance that it gets there is {chance}.",
    "{month}{metric}为 {now}；要在{by}达到 {wanted}，现在应为 {pace}。达成的可能性为 {chance}。",
    "{metric} : {now} en {month} ; pour atteindre {wanted} en {by}, il faudrait {pace}. La probabilité d’y arriver est de {chance}.",
);
const NO_FIGURE: Words = Words::fixed(
    "{metric} has no value by which the target of {wanted} by {by} could be judged.",
    "{metric}没有数值，无法判断{by}的目标 {wanted}。",
    "{metric} n’a pas de valeur pour juger l’objectif de {wanted} en {by}.",
);
const NOT_KNOWN: Words =
    Words::fixed("not known (too short a past)", "未知（历史太短）", "inconnue (passé trop court)");

impl Stood {
    /// Its state for machines.
    pub fn state(&self) -> &'static str {
        match self.standing {
            Standing::Met => "met",
            Standing::Missed => "missed",
            Standing::Open { .. } => "open",
            Standing::NotKnown => "not_known",
        }
    }

    /// Whether the figure is at least (or at most) where it should be by now.
    pub fn is_on_pace(&self) -> Option<bool> {
        let (Standing::Open { pace: Some(pace), .. }, Some((_, now))) = (self.standing, self.now) else { return None };
        Some(if self.target.is_floor { now >= pace } else { now <= pace })
    }

    /// How it stands, in words.
    pub fn says(&self, currency: revenue::money::Currency, language: Language) -> String {
        let number = |number: i128| value(number, self.unit, currency);
        let mut values = vec![
            ("metric", Value::Words(self.metric.metric.name.clone())),
            ("wanted", number(self.target.number)),
            ("by", Value::month(self.target.by)),
        ];
        values.extend(self.now.iter().flat_map(|(day, now)| [("now", number(*now)), ("month", Value::month(*day))]));
        let words = match self.standing {
            Standing::Met => MET,
            Standing::Missed => MISSED,
            Standing::NotKnown => NO_FIGURE,
            Standing::Open { pace, chance, .. } => {
                let unknown = || Value::Words(NOT_KNOWN);
                values.push(("pace", pace.map_or_else(unknown, number)));
                // A chance of 63.7 % would say more than is known.
                values.push((
                    "chance",
                    chance.map_or_else(unknown, |chance| Value::share((chance * 100.0).round() / 100.0)),
                ));
                OPEN
            }
        };
        say_with(&words, language, &values)
    }
}

/// A target's name that is not taken.
pub fn free_name(session: &Session) -> Result<String, CommandError> {
    let taken = set_by_people(session)?;
    let name = (1..).map(|number| format!("t{number}")).find(|name| taken.iter().all(|kept| kept.id != *name));
    Ok(name.unwrap_or_default())
}

/// The month of an option.
pub fn month_of(text: &str, option: &str) -> Result<Day, CommandError> {
    Ok(session::day(text, option)?.first_of(Grain::Month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_targets_can_be_said_in_every_language() {
        let values = [
            ("metric", Value::Words(Words::fixed("MRR", "MRR", "MRR"))),
            ("wanted", Value::Count(1)),
            ("now", Value::Count(2)),
            ("by", Value::month(Day(0))),
            ("month", Value::month(Day(0))),
            ("pace", Value::Count(3)),
            ("chance", Value::share(0.6)),
        ];
        for words in [MET, MISSED, OPEN, NO_FIGURE] {
            for language in Language::ALL {
                let said = say_with(&words, language, &values);
                assert!(!said.contains(['{', '}']), "{said}");
            }
        }
    }

    #[test]
    fn a_target_is_kept_as_text_and_read_again() {
        let kept = Kept {
            id: "t1".to_owned(),
            metric: "customer_churn".to_owned(),
            wanted: "5%".to_owned(),
            by: Day(20_000),
            from: None,
            owner: "Ana \"the\" first".to_owned(),
            line: String::new(),
        };
        assert_eq!(Kept::read("t1", &kept.text()).unwrap(), kept);
        assert_eq!(number("5%"), Some(50_000_000_000));
        assert_eq!(number("fifteen"), None);
        assert!(Kept::read("t1", "{}").is_err());
    }
}
