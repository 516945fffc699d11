//! The playbook: which figures a business is judged by, the rules, the targets and the advice, as data.
//!
//! What stands here is what `playbook.toml` says, read and checked: figures (metrics of the catalogue, or formulas over
//! them), rules with their conditions and thresholds, advice with what it is weighed by, targets from the launch on, and
//! for each the sentence in three languages and the line of the founder's document that it is there for.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{
    calendar::Day,
    money::{Currency, round_half_even},
};

use crate::{
    condition::{Condition, Formula, Ground, History, MONTHS_SINCE_LAUNCH, Missing, ONE, Read, Reading, Unknown},
    wording::{Form, Phrase, Sentence, Unfilled, Value, Words},
};

/// How a number is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Major units of the currency reported in.
    Money,
    /// A fraction, said as per cent.
    Share,
    /// A number of things.
    Count,
    /// Any other number: a ratio, points, months.
    Number,
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A metric of the catalogue, of a part of the business where there are filters (`DIM=VALUE`).
    Metric {
        /// The metric, with its variant after a dot.
        metric: String,
        /// What is looked at; several values of one dimension are alternatives.
        filters: Vec<(String, String)>,
    },
    /// A formula over other figures.
    Formula(Formula),
}

/// A figure that conditions and sentences may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Its name in the playbook.
    pub id: String,
    /// What it is called.
    pub name: Words,
    /// Where it comes from.
    pub source: Source,
    /// How it is said.
    pub unit: Unit,
}

/// The part of a dimension in which a metric came to most, or least: the best channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Its name in the playbook.
    pub id: String,
    /// The metric, with its variant after a dot.
    pub metric: String,
    /// The dimension.
    pub by: String,
    /// Over how many months up to the one that is judged.
    pub months: i32,
    /// Whether the part with most is picked, or the one with least.
    pub is_greatest: bool,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Where the business is: it grows.
    Growing,
    /// It neither grows nor falls.
    Flat,
    /// It falls.
    Falling,
    /// The verdict that has to be acted on now.
    ActNow,
    /// The verdict to improve something.
    Improve,
    /// The verdict that it does well.
    Good,
    /// A signal of danger.
    Danger,
    /// A signal to do more of it.
    Promise,
}

impl Kind {
    /// Every kind: its name in the files, what it is called, and whether MRR is expected to fall after it.
    pub const ALL: [(Kind, &'static str, Words, bool); 8] = [
        (Kind::Growing, "growing", Words::fixed("growing", "增长", "en croissance"), false),
        (Kind::Flat, "flat", Words::fixed("flat", "停滞", "stable"), true),
        (Kind::Falling, "falling", Words::fixed("falling", "下降", "en baisse"), true),
        (Kind::ActNow, "act_now", Words::fixed("Act now", "需要果断处理", "Agir maintenant"), true),
        (Kind::Improve, "improve", Words::fixed("To improve", "需要改进", "À améliorer"), true),
        (Kind::Good, "good", Words::fixed("Good", "良好", "Bon"), false),
        (Kind::Danger, "danger", Words::fixed("Danger signal", "危险信号", "Signal de danger"), true),
        (Kind::Promise, "promise", Words::fixed("Good signal", "积极信号", "Signal positif"), false),
    ];

    /// The name in the files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, ..)| name)
    }

    /// A kind by its name in the files.
    #[must_use]
    pub fn parse(name: &str) -> Option<Kind> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(kind, ..)| *kind)
    }

    /// What it is called.
    #[must_use]
    pub fn words(self) -> Words {
        Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or(Words::fixed("", "", ""), |(.., words, _)| words.clone())
    }

    /// Whether MRR is expected to fall after it.
    #[must_use]
    pub fn warns(self) -> bool {
        Self::ALL.iter().any(|(kind, .., warns)| *kind == self && *warns)
    }

    /// Whether it says where the business is.
    #[must_use]
    pub fn is_stage(self) -> bool {
        matches!(self, Kind::Growing | Kind::Flat | Kind::Falling)
    }
}

/// Customers whom a rule or a piece of advice names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The largest customers whose health falls or is low.
    WhalesAtRisk,
    /// Those whose payment failed and has not come in.
    PaymentsFailed,
    /// Those whose trial ends within days.
    TrialsEnding,
    /// Those who stopped paying in the month.
    Lost,
}

impl Group {
    /// Every group with its name in the files.
    pub const ALL: [(Group, &'static str); 4] = [
        (Group::WhalesAtRisk, "whales_at_risk"),
        (Group::PaymentsFailed, "payments_failed"),
        (Group::TrialsEnding, "trials_ending"),
        (Group::Lost, "lost"),
    ];

    /// The name in the files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(group, _)| *group == self).map_or("", |(_, name)| name)
    }

    /// A group by its name in the files.
    #[must_use]
    pub fn parse(name: &str) -> Option<Group> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(group, _)| *group)
    }
}

/// A number that the user may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// The number times 10¹².
    pub number: i128,
    /// How it is said.
    pub unit: Unit,
}

/// A rule: a verdict, a signal, or where the business is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// What it is called.
    pub title: Words,
    /// When it fires.
    pub when: Condition,
    /// The numbers in it that the user may change.
    pub thresholds: BTreeMap<String, Threshold>,
    /// What is said when it fires.
    pub says: Phrase,
    /// The customers whom it names.
    pub customers: Option<Group>,
    /// The line of the founder's document that it is there for; empty for the user's own.
    pub line: String,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Its name.
    pub id: String,
    /// Where the business is when it is given.
    pub stage: Kind,
    /// What it is called.
    pub title: Words,
    /// Whether it is given at all; always without one.
    pub when: Option<Condition>,
    /// How much the numbers ask for it: what weighs most comes first.
    pub weight: Formula,
    /// The numbers that the user may change.
    pub thresholds: BTreeMap<String, Threshold>,
    /// What is said.
    pub says: Phrase,
    /// The customers whom it names.
    pub customers: Option<Group>,
    /// The line of the founder's document.
    pub line: String,
}

/// A figure that should be reached some months after the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// The metric, with its variant after a dot.
    pub metric: String,
    /// At least this much, times 10¹².
    pub at_least: i128,
    /// At the end of this month: 1 is the month of the launch.
    pub month: i32,
    /// The line of the founder's document.
    pub line: String,
}

/// Everything by which a business is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Playbook {
    /// The figures.
    pub figures: Vec<Figure>,
    /// The parts that are picked.
    pub picks: Vec<Pick>,
    /// The rules, in the order of the document.
    pub rules: Vec<Rule>,
    /// The advice, in the order of the document.
    pub advice: Vec<Advice>,
    /// The targets from the launch on.
    pub milestones: Vec<Milestone>,
}

/// The farthest month back that a sentence may name.
const MOST_MONTHS_AGO: usize = 12;

/// The places that sentences may name besides figures and thresholds.
pub const PLACES: &[(&str, Form, &str)] = &[
    ("month", Form::Period, "the month that is judged"),
    ("month_before", Form::Period, "the month before it"),
    ("customers", Form::Names, "the customers of the group that the rule names, those with the highest MRR first"),
    (MONTHS_SINCE_LAUNCH, Form::Count, "the age of the business: 1 in its first month"),
];

impl Playbook {
    /// A figure by its name.
    #[must_use]
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.id == id)
    }

    /// The places that a sentence with these thresholds may name: figures (and `figure_3_ago`), picks, thresholds.
    #[must_use]
    pub fn places(&self, thresholds: &BTreeMap<String, Threshold>) -> Vec<(String, Form)> {
        let mut places: Vec<(String, Form)> =
            PLACES.iter().map(|(name, form, _)| ((*name).to_owned(), *form)).collect();
        let counted = |threshold: &Threshold| if threshold.unit == Unit::Count { Form::Count } else { Form::Figure };
        places.extend(thresholds.iter().map(|(name, threshold)| (name.clone(), counted(threshold))));
        for figure in &self.figures {
            places.push((figure.id.clone(), Form::Figure));
            places.extend((1..=MOST_MONTHS_AGO).map(|ago| (format!("{}_{ago}_ago", figure.id), Form::Figure)));
        }
        places.extend(self.picks.iter().map(|pick| (pick.id.clone(), Form::Figure)));
        places
    }

    /// What names in the conditions and formulas mean nothing, and which figures are made of themselves: the entry that
    /// is at fault, and the fault.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let known: BTreeSet<&str> =
            self.figures.iter().map(|figure| figure.id.as_str()).chain([MONTHS_SINCE_LAUNCH]).collect();
        let mut check = |id: &str, names: BTreeSet<&str>, thresholds: &BTreeMap<String, Threshold>| {
            for name in names.into_iter().filter(|name| !known.contains(name) && !thresholds.contains_key(*name)) {
                let own = thresholds.keys().map(String::as_str);
                let near = known.iter().copied().chain(own).collect::<Vec<_>>().join(", ");
                faults.push((id.to_owned(), format!("there is no figure or threshold `{name}`; there are {near}")));
            }
        };
        let none = BTreeMap::new();
        for figure in &self.figures {
            if let Source::Formula(formula) = &figure.source {
                check(&figure.id, formula.names(), &none);
            }
        }
        for rule in &self.rules {
            check(&rule.id, rule.when.names(), &rule.thresholds);
        }
        for advice in &self.advice {
            check(&advice.id, advice.weight.names(), &advice.thresholds);
            check(&advice.id, advice.when.as_ref().map(Condition::names).unwrap_or_default(), &advice.thresholds);
        }
        for figure in self.figures.iter().filter(|figure| self.is_made_of(&figure.id, &figure.id, 0)) {
            faults.push((figure.id.clone(), "it is made of itself: leave it out of its own formula".to_owned()));
        }
        faults
    }

    fn is_made_of(&self, id: &str, part: &str, depth: usize) -> bool {
        let Some(Figure { source: Source::Formula(formula), .. }) = self.figure(id) else { return false };
        depth <= self.figures.len()
            && formula.names().into_iter().any(|name| name == part || self.is_made_of(name, part, depth + 1))
    }

    /// The figures that are given together with those that formulas make of them.
    #[must_use]
    pub fn complete(&self, given: &History) -> History {
        let mut whole = given.clone();
        // As many rounds as there are figures: each settles at least one that hangs on settled ones.
        for _ in 0..self.figures.len() {
            let open: Vec<(&Figure, &Formula)> = self
                .figures
                .iter()
                .filter(|figure| !whole.figures.contains_key(&figure.id))
                .filter_map(|figure| match &figure.source {
                    Source::Formula(formula) => Some((figure, formula)),
                    Source::Metric { .. } => None,
                })
                .collect();
            let is_settled = |name: &&str| {
                whole.figures.contains_key(*name)
                    || !matches!(self.figure(name), Some(Figure { source: Source::Formula(_), .. }))
            };
            let ready: Vec<(String, Vec<Reading>)> = open
                .iter()
                .filter(|(_, formula)| formula.names().iter().all(is_settled))
                .map(|(figure, formula)| (figure.id.clone(), self.series(formula, &whole)))
                .collect();
            if ready.is_empty() {
                break;
            }
            whole.figures.extend(ready);
        }
        whole
    }

    fn series(&self, formula: &Formula, history: &History) -> Vec<Reading> {
        let thresholds = BTreeMap::new();
        let ground = Ground { history, thresholds: &thresholds };
        (0..history.months)
            .map(|place| {
                let number = formula.number(&ground, place, &mut Read::default());
                number.map_err(|unknown| self.why(&unknown, history.month(place)))
            })
            .collect()
    }

    /// Why something is not known, in words: each figure with its reason, once.
    #[must_use]
    pub fn why(&self, unknown: &[Missing], month: Day) -> Words {
        let mut said: Vec<(Words, Option<Day>, Words)> = Vec::new();
        for missing in unknown {
            let name = match self.figure(&missing.figure) {
                Some(figure) => figure.name.clone(),
                None => Words::owned(missing.figure.clone(), missing.figure.clone(), missing.figure.clone()),
            };
            if !said.iter().any(|(known, _, reason)| *known == name && *reason == missing.reason) {
                said.push((name, (missing.month != month).then_some(missing.month), missing.reason.clone()));
            }
        }
        let in_language = |language: crate::wording::Language| {
            use crate::wording::Language;
            let parts: Vec<String> = said
                .iter()
                .map(|(name, other, reason)| {
                    let (name, reason) = (name.say(language), reason.say(language));
                    let when = other.map(|day| Value::month(day).say(language));
                    match (language, when) {
                        (Language::Chinese, Some(when)) => format!("{name}（{when}）：{reason}"),
                        (Language::Chinese, None) => format!("{name}：{reason}"),
                        (Language::French, Some(when)) => format!("{name} ({when})\u{a0}: {reason}"),
                        (Language::French, None) => format!("{name}\u{a0}: {reason}"),
                        (Language::English, Some(when)) => format!("{name} ({when}): {reason}"),
                        (Language::English, None) => format!("{name}: {reason}"),
                    }
                })
                .collect();
            parts.join(if language == Language::Chinese { "；" } else { "; " })
        };
        let [en, zh, fr] = crate::wording::Language::ALL.map(in_language);
        Words::owned(en, zh, fr)
    }
}

/// What a business is judged by in a month: the figures, and what sentences about them need.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The playbook.
    pub playbook: &'a Playbook,
    /// The figures, those of formulas among them.
    pub history: &'a History,
    /// The place of the month that is judged.
    pub place: usize,
    /// The currency of money.
    pub currency: Currency,
    /// What was picked; nothing where the facts do not say.
    pub picked: BTreeMap<String, String>,
    /// The customers of each group, those with the highest MRR first.
    pub customers: BTreeMap<Group, Vec<String>>,
}

/// A number as it is said.
#[must_use]
pub fn value(number: i128, unit: Unit, currency: Currency) -> Value {
    match unit {
        Unit::Money => {
            Value::Money { micros: round_half_even(number, 1_000_000).unwrap_or(number / 1_000_000), currency }
        }
        Unit::Share => Value::Share { picos: number },
        Unit::Count => Value::Count(round_half_even(number, ONE).unwrap_or(number / ONE)),
        Unit::Number => Value::Decimal { picos: number },
    }
}

impl Case<'_> {
    /// The sentence of a phrase.
    ///
    /// # Errors
    /// When it names what is not there, which reading the playbook rules out.
    pub fn sentence(
        &self,
        phrase: &Phrase,
        thresholds: &BTreeMap<String, Threshold>,
        group: Option<Group>,
    ) -> Result<Sentence, Unfilled> {
        let mut values = BTreeMap::new();
        for (place, form) in phrase.places() {
            if let Some(value) = self.value(place, form, thresholds, group) {
                values.insert(place.to_owned(), value);
            }
        }
        phrase.with(&values)
    }

    fn value(
        &self,
        place: &str,
        form: Form,
        thresholds: &BTreeMap<String, Threshold>,
        group: Option<Group>,
    ) -> Option<Value> {
        let not_known = || Value::Words(Words::fixed("not known", "未知", "inconnu"));
        if let Some(threshold) = thresholds.get(place) {
            return Some(value(threshold.number, threshold.unit, self.currency));
        }
        match place {
            "month" => return Some(Value::month(self.history.month(self.place))),
            "month_before" => return Some(Value::month(self.history.month(self.place).plus_months(-1))),
            "customers" => {
                let named = group.and_then(|group| self.customers.get(&group)).cloned().unwrap_or_default();
                return Some(Value::Names(named));
            }
            MONTHS_SINCE_LAUNCH => {
                return Some(Value::Count(self.history.months_since_launch(self.place).into()));
            }
            _ => {}
        }
        if self.playbook.picks.iter().any(|pick| pick.id == place) {
            return Some(self.picked.get(place).map_or_else(not_known, |name| Value::Name(name.clone())));
        }
        let (figure, ago) = match self.playbook.figure(place) {
            Some(figure) => (figure, 0),
            None => {
                let (id, ago) = place.strip_suffix("_ago")?.rsplit_once('_')?;
                (self.playbook.figure(id)?, ago.parse().ok()?)
            }
        };
        debug_assert!(form == Form::Figure, "a figure stands in a place for figures");
        let reading = self
            .place
            .checked_sub(ago)
            .and_then(|place| self.history.figures.get(&figure.id)?.get(place)?.as_ref().ok().copied());
        Some(reading.map_or_else(not_known, |number| value(number, figure.unit, self.currency)))
    }

    /// Thresholds as conditions take them.
    #[must_use]
    pub fn numbers(thresholds: &BTreeMap<String, Threshold>) -> BTreeMap<String, i128> {
        thresholds.iter().map(|(name, threshold)| (name.clone(), threshold.number)).collect()
    }

    /// What was read, in the order of figures and months.
    #[must_use]
    pub fn evidence(&self, read: &Read) -> Vec<Evidence> {
        let evidence = read.figures.iter().filter_map(|(id, place)| {
            let unit = self.playbook.figure(id)?.unit;
            let reading = self.history.figures.get(id)?.get(*place)?.clone();
            Some(Evidence { figure: id.clone(), unit, month: self.history.month(*place), reading })
        });
        evidence.collect()
    }
}

/// A figure on which a finding rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The figure.
    pub figure: String,
    /// How it is said.
    pub unit: Unit,
    /// The first day of the month.
    pub month: Day,
    /// What was read.
    pub reading: Reading,
}

/// A condition in a month, with what was read.
pub(crate) fn holds(
    case: &Case<'_>,
    condition: &Condition,
    thresholds: &BTreeMap<String, i128>,
    place: usize,
    read: &mut Read,
) -> Result<bool, Unknown> {
    condition.holds(&Ground { history: case.history, thresholds }, place, read)
}
