//! The playbook as a file: `playbook.toml` of the product, and the user's own laid over it.
//!
//! What rules and advice mean is said in [`outlook::playbook`]; here files become a playbook, or a list of what is wrong
//! with them: which file and line, which entry, what, and how to mend it.

pub mod document;

use std::{collections::BTreeMap, fmt};

use outlook::{
    condition::{Condition, Formula},
    playbook::{Advice, Figure, Group, Kind, Milestone, Pick, Playbook, Rule, Source, Threshold, Unit},
    wording::{Form, Phrase, Words},
};
use revenue::money::parse_scaled;
use serde::Deserialize;
use toml::Spanned;

use crate::catalogue::{self, Catalogue, LookupError, ResolvedMetric};

/// The playbook of the product. A file of that name in a data folder is laid over it.
pub const BUILT_IN: (&str, &str) = ("playbook.toml", include_str!("../../../playbook.toml"));

/// Everything that is wrong with a playbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .flaws.iter().map(Flaw::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PlaybookError {
    /// At least one, in the order of the files.
    pub flaws: Vec<Flaw>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The entry, where it is about one that has a name.
    pub entry: String,
    /// What is wrong, and how to mend it.
    pub fault: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.entry.is_empty() {
            write!(f, "`{}`: ", self.entry)?;
        }
        f.write_str(&self.fault)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    figure: BTreeMap<String, Spanned<FigureForm>>,
    #[serde(default)]
    pick: BTreeMap<String, Spanned<PickForm>>,
    #[serde(default)]
    rule: Vec<Spanned<EntryForm>>,
    #[serde(default)]
    advice: Vec<Spanned<EntryForm>>,
    #[serde(default)]
    target: Vec<Spanned<TargetForm>>,
    /// Whether the targets of the product stand; they do unless a file says no.
    product_targets: Option<bool>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields)]
struct WordsForm {
    en: Option<String>,
    zh: Option<String>,
    fr: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct FigureForm {
    metric: Option<String>,
    #[serde(rename = "where", default)]
    filters: Vec<String>,
    formula: Option<String>,
    unit: Option<String>,
    name: Option<WordsForm>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct PickForm {
    metric: String,
    by: String,
    months: Option<i32>,
    take: Option<String>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct EntryForm {
    id: Option<String>,
    off: Option<bool>,
    kind: Option<String>,
    stage: Option<String>,
    line: Option<String>,
    when: Option<String>,
    weight: Option<String>,
    #[serde(default)]
    thresholds: BTreeMap<String, toml::Value>,
    customers: Option<String>,
    title: Option<WordsForm>,
    says: Option<WordsForm>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct TargetForm {
    metric: String,
    at_least: toml::Value,
    month: i32,
    line: Option<String>,
}

impl WordsForm {
    fn over(self, under: Option<WordsForm>) -> WordsForm {
        let under = under.unwrap_or_default();
        WordsForm { en: self.en.or(under.en), zh: self.zh.or(under.zh), fr: self.fr.or(under.fr) }
    }

    fn words(self) -> Words {
        let text = |text: Option<String>| text.unwrap_or_default();
        Words::owned(text(self.en), text(self.zh), text(self.fr))
    }
}

impl EntryForm {
    /// This entry laid over an earlier one of the same name: what it states holds, the rest is the earlier one's.
    fn over(self, under: EntryForm) -> EntryForm {
        let thresholds = under.thresholds.into_iter().chain(self.thresholds).collect();
        let words = |over: Option<WordsForm>, under: Option<WordsForm>| match over {
            Some(over) => Some(over.over(under)),
            None => under,
        };
        EntryForm {
            id: self.id.or(under.id),
            off: self.off.or(under.off),
            kind: self.kind.or(under.kind),
            stage: self.stage.or(under.stage),
            line: self.line.or(under.line),
            when: self.when.or(under.when),
            weight: self.weight.or(under.weight),
            thresholds,
            customers: self.customers.or(under.customers),
            title: words(self.title, under.title),
            says: words(self.says, under.says),
        }
    }
}

/// Where an entry stands.
#[derive(Clone)]
struct Place {
    file: String,
    line: usize,
}

/// The entries of one list, later files laid over earlier ones.
type Entries = Vec<(String, Place, EntryForm)>;

fn lay(entries: &mut Entries, file: &str, line: usize, form: EntryForm, flaws: &mut Vec<Flaw>) {
    let place = Place { file: file.to_owned(), line };
    let Some(id) = form.id.clone().filter(|id| !id.is_empty()) else {
        let fault = "`id` is missing: give it a name of its own, id = \"burn_high\"".to_owned();
        flaws.push(Flaw { file: file.to_owned(), line, entry: String::new(), fault });
        return;
    };
    match entries.iter_mut().find(|(known, ..)| *known == id) {
        Some((_, known, under)) if known.file != place.file => {
            *under = form.over(std::mem::take(under));
            *known = place;
        }
        Some(_) => {
            let fault = "two entries have this name: give one of them another".to_owned();
            flaws.push(Flaw { file: file.to_owned(), line, entry: id, fault });
        }
        None => entries.push((id, place, form)),
    }
}

/// The metric of `id` or `id.variant`.
///
/// # Errors
/// When there is none.
pub fn metric_of(catalogue: &Catalogue, name: &str) -> Result<std::sync::Arc<ResolvedMetric>, LookupError> {
    match name.split_once('.') {
        Some((id, variant)) => catalogue.resolve(id, Some(variant)),
        None => catalogue.resolve(name, None),
    }
}

/// How a figure of a metric is said.
#[must_use]
pub fn unit_of(unit: catalogue::Unit) -> Unit {
    match unit {
        catalogue::Unit::Money => Unit::Money,
        catalogue::Unit::Percent => Unit::Share,
        catalogue::Unit::Count => Unit::Count,
        _ => Unit::Number,
    }
}

const UNITS: [(&str, Unit); 4] =
    [("money", Unit::Money), ("percent", Unit::Share), ("count", Unit::Count), ("number", Unit::Number)];

/// A threshold: a number, `"10%"` or `"1000 money"`.
fn threshold(value: &toml::Value) -> Option<Threshold> {
    let scaled = |text: &str| parse_scaled(text.trim(), 12);
    match value {
        toml::Value::Integer(number) => Some(Threshold { number: scaled(&number.to_string())?, unit: Unit::Count }),
        toml::Value::Float(number) => Some(Threshold { number: scaled(&number.to_string())?, unit: Unit::Number }),
        toml::Value::String(text) => match (text.trim().strip_suffix('%'), text.trim().strip_suffix("money")) {
            (Some(share), _) => Some(Threshold { number: scaled(share)? / 100, unit: Unit::Share }),
            (_, Some(amount)) => Some(Threshold { number: scaled(amount)?, unit: Unit::Money }),
            _ => None,
        },
        _ => None,
    }
}

/// The playbook of the product alone.
///
/// # Errors
/// Everything that is wrong with it; a test holds that nothing is.
pub fn built_in(catalogue: &Catalogue) -> Result<Playbook, PlaybookError> {
    read(&[], catalogue)
}

/// Reads the playbook of the product with files laid over it, in their order: (name, text).
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(over: &[(String, String)], catalogue: &Catalogue) -> Result<Playbook, PlaybookError> {
    let mut flaws: Vec<Flaw> = Vec::new();
    let mut figures: Vec<(String, Place, FigureForm)> = Vec::new();
    let mut picks: Vec<(String, Place, PickForm)> = Vec::new();
    let (mut rules, mut advice): (Entries, Entries) = (Vec::new(), Vec::new());
    let mut targets: Vec<(Place, TargetForm)> = Vec::new();
    let built_in = (BUILT_IN.0.to_owned(), BUILT_IN.1.to_owned());
    for (file, text) in std::iter::once(&built_in).chain(over) {
        let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let form: FileForm = match toml::from_str(text) {
            Ok(form) => form,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(span.start));
                let fault = format!("the file cannot be read as a playbook: {}", error.message().trim_end());
                flaws.push(Flaw { file: file.clone(), line, entry: String::new(), fault });
                continue;
            }
        };
        if form.product_targets == Some(false) {
            targets.retain(|(place, _)| place.file != BUILT_IN.0);
        }
        let place = |line: usize| Place { file: file.clone(), line };
        let mut of_file: Vec<(usize, String, FigureForm)> =
            form.figure.into_iter().map(|(id, form)| (line_of(form.span().start), id, form.into_inner())).collect();
        of_file.sort_by_key(|(line, ..)| *line);
        for (line, id, form) in of_file {
            figures.retain(|(known, ..)| *known != id);
            figures.push((id, place(line), form));
        }
        for (id, form) in form.pick {
            let line = line_of(form.span().start);
            picks.retain(|(known, ..)| *known != id);
            picks.push((id, place(line), form.into_inner()));
        }
        for (forms, entries) in [(form.rule, &mut rules), (form.advice, &mut advice)] {
            for form in forms {
                let line = line_of(form.span().start);
                lay(entries, file, line, form.into_inner(), &mut flaws);
            }
        }
        for form in form.target {
            let line = line_of(form.span().start);
            targets.push((place(line), form.into_inner()));
        }
    }
    for entries in [&mut rules, &mut advice] {
        entries.retain(|(.., form)| form.off != Some(true));
    }

    let mut playbook = Playbook::default();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let mut flaw = |place: &Place, entry: &str, fault: String| {
        flaws.push(Flaw { file: place.file.clone(), line: place.line, entry: entry.to_owned(), fault });
    };
    for (id, place, form) in figures {
        places.insert(id.clone(), place.clone());
        match figure(&id, form, catalogue) {
            Ok(figure) => playbook.figures.push(figure),
            Err(fault) => flaw(&place, &id, fault),
        }
    }
    for (id, place, form) in picks {
        let is_greatest = match form.take.as_deref() {
            None | Some("most") => true,
            Some("least") => false,
            Some(other) => {
                flaw(&place, &id, format!("take = \"{other}\" is neither \"most\" nor \"least\""));
                continue;
            }
        };
        if let Err(error) = metric_of(catalogue, &form.metric) {
            flaw(&place, &id, error.to_string());
        }
        let months = form.months.unwrap_or(1).clamp(1, 120);
        playbook.picks.push(Pick { id, metric: form.metric, by: form.by, months, is_greatest });
    }
    for (id, place, form) in rules {
        places.insert(id.clone(), place.clone());
        match rule(&id, form, &playbook) {
            Ok(rule) => playbook.rules.push(rule),
            Err(faults) => faults.into_iter().for_each(|fault| flaw(&place, &id, fault)),
        }
    }
    for (id, place, form) in advice {
        places.insert(id.clone(), place.clone());
        match advised(&id, form, &playbook) {
            Ok(advice) => playbook.advice.push(advice),
            Err(faults) => faults.into_iter().for_each(|fault| flaw(&place, &id, fault)),
        }
    }
    for (place, form) in targets {
        let number = match &form.at_least {
            toml::Value::Integer(number) => parse_scaled(&number.to_string(), 12),
            toml::Value::Float(number) => parse_scaled(&number.to_string(), 12),
            _ => None,
        };
        match (number, metric_of(catalogue, &form.metric)) {
            (Some(at_least), Ok(_)) => playbook.milestones.push(Milestone {
                metric: form.metric,
                at_least,
                month: form.month.clamp(1, 1200),
                line: form.line.unwrap_or_default(),
            }),
            (None, _) => flaw(&place, &form.metric, "`at_least` takes a number, such as 1000".to_owned()),
            (_, Err(error)) => flaw(&place, &form.metric, error.to_string()),
        }
    }
    for (id, fault) in playbook.faults() {
        if let Some(place) = places.get(&id) {
            flaw(place, &id, fault);
        }
    }
    if flaws.is_empty() { Ok(playbook) } else { Err(PlaybookError { flaws }) }
}

fn figure(id: &str, form: FigureForm, catalogue: &Catalogue) -> Result<Figure, String> {
    let is_name = id.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !is_name {
        return Err("a figure is named by letters, digits and underscores, so that conditions can name it".to_owned());
    }
    let unit = form.unit.as_deref().map(|name| {
        let known = UNITS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit);
        found.ok_or(format!("unit = \"{name}\" is none of {known}"))
    });
    let unit = unit.transpose()?;
    let named = |form: Option<WordsForm>, other: Option<&Words>| -> Result<Words, String> {
        match (form, other) {
            (Some(form), _) => {
                let words = form.words();
                match Phrase::parse(&words, &[]) {
                    Ok(_) => Ok(words),
                    Err(faults) => Err(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
                }
            }
            (None, Some(words)) => Ok(words.clone()),
            (None, None) => Err("`name` is missing: say in en, zh and fr what it is".to_owned()),
        }
    };
    match (form.metric, form.formula) {
        (Some(metric), None) => {
            let resolved = metric_of(catalogue, &metric).map_err(|error| error.to_string())?;
            let filters = form
                .filters
                .iter()
                .map(|text| {
                    let (dimension, value) =
                        text.split_once('=').ok_or(format!("where = \"{text}\" is no condition: write DIM=VALUE"))?;
                    Ok((dimension.trim().to_owned(), value.trim().to_owned()))
                })
                .collect::<Result<Vec<_>, String>>()?;
            let whole = filters.is_empty().then_some(&resolved.metric.name);
            let name = named(form.name, whole)?;
            let unit = unit.unwrap_or(unit_of(resolved.variant.unit));
            Ok(Figure { id: id.to_owned(), name, source: Source::Metric { metric, filters }, unit })
        }
        (None, Some(text)) => {
            if !form.filters.is_empty() {
                return Err("`where` says nothing beside a formula: put it on the figures in it".to_owned());
            }
            let formula = Formula::parse(&text).map_err(|fault| fault.to_string())?;
            let name = named(form.name, None)?;
            let unit = unit.ok_or("`unit` is missing: money, percent, count or number")?;
            Ok(Figure { id: id.to_owned(), name, source: Source::Formula(formula), unit })
        }
        _ => Err("it takes either `metric` or `formula`".to_owned()),
    }
}

/// What rules and advice have in common.
struct Common {
    title: Words,
    says: Phrase,
    when: Option<Condition>,
    thresholds: BTreeMap<String, Threshold>,
    customers: Option<Group>,
    line: String,
}

fn common(form: EntryForm, playbook: &Playbook) -> Result<Common, Vec<String>> {
    let mut faults: Vec<String> = Vec::new();
    let mut thresholds = BTreeMap::new();
    for (name, value) in &form.thresholds {
        match threshold(value) {
            Some(threshold) => {
                thresholds.insert(name.clone(), threshold);
            }
            None => {
                faults.push(format!("the threshold `{name}` is {value}: write a number, \"10%\" or \"1000 money\""))
            }
        }
    }
    let mut phrase = |form: Option<WordsForm>, what: &str, places: &[(&str, Form)]| {
        let words = form.unwrap_or_default().words();
        let parsed = Phrase::parse(&words, places);
        match parsed {
            Ok(phrase) => Some((words, phrase)),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| {
                    // The list of places is long and stands on the page of the playbook.
                    let fault = fault.to_string();
                    let short = fault.split(", and the places").next().unwrap_or_default();
                    format!("{what}: {short}")
                }));
                None
            }
        }
    };
    let title = phrase(form.title, "title", &[]);
    let known = playbook.places(&thresholds);
    let known: Vec<(&str, Form)> = known.iter().map(|(name, form)| (name.as_str(), *form)).collect();
    let says = phrase(form.says, "says", &known);
    let when = match form.when.as_deref().map(Condition::parse).transpose() {
        Ok(when) => when,
        Err(fault) => {
            faults.push(fault.to_string());
            None
        }
    };
    let customers = form.customers.as_deref().map(|name| {
        Group::parse(name).ok_or_else(|| {
            let known = Group::ALL.map(|(_, name)| name).join(", ");
            format!("customers = \"{name}\" is none of {known}")
        })
    });
    let customers = customers.transpose().unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    match (title, says) {
        (Some((title, _)), Some((_, says))) if faults.is_empty() => {
            Ok(Common { title, says, when, thresholds, customers, line: form.line.unwrap_or_default() })
        }
        _ => Err(faults),
    }
}

fn rule(id: &str, form: EntryForm, playbook: &Playbook) -> Result<Rule, Vec<String>> {
    let known = || Kind::ALL.iter().map(|(_, name, ..)| *name).collect::<Vec<_>>().join(", ");
    let kind = match form.kind.as_deref() {
        None => return Err(vec![format!("`kind` is missing: one of {}", known())]),
        Some(name) => Kind::parse(name).ok_or_else(|| vec![format!("kind = \"{name}\" is none of {}", known())])?,
    };
    if form.stage.is_some() || form.weight.is_some() {
        return Err(vec!["`stage` and `weight` belong to advice: a rule has a `kind`".to_owned()]);
    }
    let common = common(form, playbook)?;
    let when = common.when.ok_or_else(|| vec!["`when` is missing: say when it fires".to_owned()])?;
    Ok(Rule {
        id: id.to_owned(),
        kind,
        title: common.title,
        when,
        thresholds: common.thresholds,
        says: common.says,
        customers: common.customers,
        line: common.line,
    })
}

fn advised(id: &str, form: EntryForm, playbook: &Playbook) -> Result<Advice, Vec<String>> {
    let stage = form.stage.as_deref().and_then(Kind::parse).filter(|kind| kind.is_stage());
    let stage = stage.ok_or_else(|| vec!["`stage` is one of growing, flat, falling".to_owned()])?;
    if form.kind.is_some() {
        return Err(vec!["`kind` belongs to rules: advice has a `stage`".to_owned()]);
    }
    let weight = match form.weight.as_deref().map(Formula::parse) {
        Some(Ok(weight)) => weight,
        Some(Err(fault)) => return Err(vec![fault.to_string()]),
        None => return Err(vec!["`weight` is missing: a formula of how much the numbers ask for it".to_owned()]),
    };
    let common = common(form, playbook)?;
    Ok(Advice {
        id: id.to_owned(),
        stage,
        title: common.title,
        when: common.when,
        weight,
        thresholds: common.thresholds,
        says: common.says,
        customers: common.customers,
        line: common.line,
    })
}

#[cfg(test)]
mod tests {
    use outlook::{
        condition::{History, ONE},
        playbook::Case,
        wording::Language,
    };
    use revenue::{calendar::Day, money::Currency};

    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::built_in().unwrap()
    }

    fn wrong(text: &str) -> String {
        read(&[("mine.toml".to_owned(), text.to_owned())], &catalogue()).unwrap_err().to_string()
    }

    #[test]
    fn every_sentence_of_the_playbook_can_be_said_in_every_language() {
        let playbook = built_in(&catalogue()).unwrap();
        let first_month = Day::parse("2024-01-01").unwrap();
        let given = |figure: &Figure| match figure.source {
            Source::Metric { .. } => Some((
                figure.id.clone(),
                vec![Ok(if figure.id == "new_without_channel" { ONE } else { 12_345 * ONE / 1000 }); 14],
            )),
            Source::Formula(_) => None,
        };
        let figures = playbook.figures.iter().filter_map(given).collect();
        let history = playbook.complete(&History { first_month, launch: first_month, months: 14, figures });
        let case = Case {
            playbook: &playbook,
            history: &history,
            place: 13,
            currency: Currency::USD,
            picked: [("best_channel".to_owned(), "partner".to_owned())].into(),
            customers: Group::ALL.map(|(group, _)| (group, vec!["acme".to_owned(), "bee".to_owned()])).into(),
        };
        let rules = playbook.rules.iter().map(|rule| (&rule.id, &rule.says, &rule.thresholds, rule.customers));
        let advice =
            playbook.advice.iter().map(|advice| (&advice.id, &advice.says, &advice.thresholds, advice.customers));
        for (id, says, thresholds, customers) in rules.chain(advice) {
            let sentence = case.sentence(says, thresholds, customers).unwrap();
            assert!(sentence.values().keys().any(|name| playbook.figure(name).is_some()), "{id} names no figure");
            let said = Language::ALL.map(|language| sentence.say(language));
            for text in &said {
                let gap = ["{", "}", "  ", "not known", "未知", "inconnu"].into_iter().find(|gap| text.contains(gap));
                assert_eq!(gap, None, "{id}: {text}");
            }
            assert!(said[0] != said[1] && said[1] != said[2] && said[0] != said[2], "{id}");
        }
        assert!(playbook.rules.iter().all(|rule| !rule.line.is_empty()));
        assert!(playbook.advice.iter().all(|advice| !advice.line.is_empty()));
    }

    #[test]
    fn a_file_of_ones_own_changes_thresholds_adds_rules_and_takes_others_out() {
        let text = "product_targets = false\n[[rule]]\nid = 'growth_good'\nthresholds = { least = '20%' }\n\
                    [[rule]]\nid = 'churn_low'\noff = true\n\
                    [figure.arpa]\nmetric = 'arpa'\n\
                    [[rule]]\nid = 'arpa_low'\nkind = 'danger'\nwhen = 'arpa < least'\nthresholds = { least = '5 money' }\n\
                    title = { en = 'a', zh = 'b', fr = 'c' }\nsays = { en = '{arpa}', zh = '{arpa}', fr = '{arpa}' }\n\
                    [[target]]\nmetric = 'customers'\nat_least = 10\nmonth = 2\n";
        let playbook = read(&[("mine.toml".to_owned(), text.to_owned())], &catalogue()).unwrap();
        let rule = |id: &str| playbook.rules.iter().find(|rule| rule.id == id);
        let changed = rule("growth_good").unwrap();
        assert_eq!(changed.thresholds["least"], Threshold { number: ONE / 5, unit: Unit::Share });
        assert_eq!(changed.line, "每月收入增长 10% 以上");
        assert!(rule("churn_low").is_none() && rule("churn_high").is_some());
        assert_eq!(rule("arpa_low").unwrap().thresholds["least"], Threshold { number: 5 * ONE, unit: Unit::Money });
        assert_eq!(playbook.milestones.len(), 1);
        let whole = built_in(&catalogue()).unwrap();
        assert_eq!(
            whole.milestones.iter().map(|stone| (stone.month, stone.at_least / ONE)).collect::<Vec<_>>(),
            [(1, 1000), (3, 3000), (6, 7500), (12, 15_000)]
        );
    }

    #[test]
    fn a_wrong_file_says_where_what_and_how_to_mend_it() {
        let error = wrong(
            "[[rule]]\nid = 'a'\nkind = 'danger'\nwhen = 'mrr <'\ntitle = { en = 'a', zh = 'b' }\nsays = { en = '{mmr}', zh = 'x', fr = 'y' }\n\
             [[rule]]\nkind = 'danger'\n[[rule]]\nid = 'b'\nkind = 'bad'\n[[rule]]\nid = 'growth_good'\nthresholds = { least = 'ten' }\n\
             [[advice]]\nid = 'c'\nstage = 'up'\n[figure.x]\nmetric = 'mmr'\n[figure.y]\nformula = 'y + 1'\nunit = 'count'\n\
             name = { en = 'a', zh = 'b', fr = 'c' }\n[[rule]]\nid = 'd'\nkind = 'danger'\nwhen = 'mmr < 1'\n\
             title = { en = 'a', zh = 'b', fr = 'c' }\nsays = { en = 'a', zh = 'b', fr = 'c' }\n",
        );
        for words in [
            "mine.toml:1: `a`: `mrr <`: it ends where",
            "`a`: title: `fr` is missing",
            "`a`: says: `en` names `{mmr}`",
            "mine.toml:7: `id` is missing",
            "`b`: kind = \"bad\" is none of growing",
            "`growth_good`: the threshold `least` is \"ten\": write a number",
            "`c`: `stage` is one of growing",
            "`x`: there is no metric `mmr`",
            "`y`: it is made of itself",
            "`d`: there is no figure or threshold `mmr`",
        ] {
            assert!(error.contains(words), "{words}\n{error}");
        }
        assert!(
            wrong("[[rule]]\nid = 'a'\nwhenn = 'x'\n").contains("mine.toml:3: the file cannot be read as a playbook")
        );
    }
}
