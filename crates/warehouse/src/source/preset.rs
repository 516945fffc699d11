//! Presets: how the exports of well-known systems become facts, as data in `presets/*.toml`.
//!
//! A preset names the headers by which its export is recognised, and says for each column of its kind where the value
//! comes from. What a plain mapping cannot say is in it too: words of the source in ours, lines that are no facts
//! (titles, totals), one line that holds several facts, and statements with a column a month. [`Reshape`] does it.
//!
//! [`Reshape`]: super::reshape::Reshape

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::statement;
use crate::kind::Kind;

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        /// The presets that come with the product: their names and files.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../../presets/", $name, ".toml")))),+];
    };
}

presets! {
    "google-ads-daily",
    "google-ads",
    "meta-ads",
    "ga4-traffic-daily",
    "ga4-traffic",
    "hubspot-contacts",
    "zendesk-tickets",
    "zendesk-satisfaction",
    "intercom-conversations",
    "intercom-csv",
    "intercom-ratings",
    "delighted",
    "posthog-events",
    "posthog-pageviews",
    "segment-tracks",
    "segment-pages",
    "quickbooks-profit-and-loss",
    "quickbooks-balance-sheet",
    "xero-profit-and-loss",
    "xero-balance-sheet",
    "stripe-subscriptions",
    "stripe-invoices",
    "stripe-payments",
    "stripe-customers",
    "chartmogul-customers",
    "chartmogul-activities",
    "baremetrics-customers",
    "baremetrics-subscriptions",
}

/// How one export becomes facts of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name, that of its file.
    #[serde(skip)]
    pub name: &'static str,
    /// Tells one version of the preset from another.
    #[serde(skip)]
    pub version: String,
    /// Which system and which export of it.
    pub title: String,
    /// The kind of its facts.
    pub kind: String,
    /// How one gets the export.
    pub export: String,
    /// Which version of the export it was made for.
    pub made_for: String,
    /// What a user should know besides.
    #[serde(default)]
    pub remark: String,
    /// Headers that the file has, all of them; several lists where versions differ.
    #[serde(default)]
    pub header: Vec<Vec<String>>,
    /// Headers that the file does not have: with them it is another export.
    #[serde(default)]
    pub without: Vec<String>,
    /// How the export writes numbers.
    pub decimal: Option<String>,
    /// How the export writes dates.
    pub dates: Option<String>,
    /// Texts by which the export says that there is nothing.
    #[serde(default)]
    pub empty: Vec<String>,
    /// Columns of the kind with one value for all rows.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Where the columns of the kind come from.
    #[serde(default)]
    pub columns: BTreeMap<String, Source>,
    /// Words of the export in ours, by column of the kind; the first that fits holds.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<Word>>,
    /// Lines that are no facts.
    #[serde(default)]
    pub pass: Vec<Pass>,
    /// Where a line holds several facts: each of them.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Where the export is a statement: accounts down, periods across.
    pub statement: Option<statement::Layout>,
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// A column of the file.
    Header(String),
    /// The first of several columns that holds anything.
    FirstOf(Vec<String>),
    /// A text with `{Header}` in it; nothing when one of them is empty.
    Text {
        /// The text.
        text: String,
    },
    /// A moment and a time after it.
    After {
        /// The column of the moment.
        moment: String,
        /// The column of the time after it.
        plus: String,
        /// What that time is counted in.
        unit: Unit,
    },
    /// A number divided by a whole one: cents by 100, and by −1 what is to be taken off.
    Number {
        /// The column of the number.
        number: String,
        /// What it is divided by.
        divide: i64,
    },
    /// What stands in parentheses in the header of this name: `Amount spent (EUR)`.
    InHeader {
        /// The header without its parentheses.
        in_header: String,
    },
    /// The column whose header is this, whatever stands in parentheses after it.
    Below {
        /// The header without its parentheses.
        below: String,
    },
    /// What follows a label in the lines above the header.
    Above {
        /// The label.
        above: String,
    },
    /// The first or last day of the span of days that stands above the header.
    Span {
        /// Which of the two.
        span: End,
    },
}

/// What a time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl Unit {
    /// How many microseconds one is.
    #[must_use]
    pub fn micros(self) -> i64 {
        match self {
            Unit::Seconds => 1_000_000,
            Unit::Minutes => 60_000_000,
            Unit::Hours => 3_600_000_000,
        }
    }
}

/// One of the two ends of a span of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Its first day.
    First,
    /// Its last day.
    Last,
}

/// Words of an export and the one of ours that they mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The whole text is one of these; case does not count.
    #[serde(default)]
    pub is: Vec<String>,
    /// The text has one of these in it; case does not count. Without `is` and `has` it is any text.
    #[serde(default)]
    pub has: Vec<String>,
    /// What it means.
    pub word: String,
}

impl Word {
    /// Whether a text, in lower case, is meant.
    #[must_use]
    pub fn fits(&self, lower: &str) -> bool {
        let any = self.is.is_empty() && self.has.is_empty();
        any || self.is.iter().any(|is| is.to_lowercase() == lower)
            || self.has.iter().any(|has| lower.contains(&has.to_lowercase()))
    }
}

/// What a line may be asked; everything that is said has to hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The column that is looked at; the first of the file when none is named.
    pub column: Option<String>,
    /// It is one of these; case does not count.
    pub is: Option<Vec<String>>,
    /// It is none of these; case does not count.
    pub not: Option<Vec<String>>,
    /// It begins with one of these; case does not count.
    pub begins: Option<Vec<String>>,
    /// It holds something, or nothing.
    pub given: Option<bool>,
    /// It is a number above zero, or not.
    pub above_zero: Option<bool>,
}

/// Lines that are no facts.
#[derive(Debug, Clone, Deserialize)]
pub struct Pass {
    /// Which lines.
    #[serde(flatten)]
    pub test: Test,
    /// What they are, for the report.
    pub why: String,
}

/// One of several facts of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// When the line holds it; always when nothing is said.
    #[serde(default)]
    pub when: Vec<Test>,
    /// Its own columns.
    #[serde(default)]
    pub columns: BTreeMap<String, Source>,
    /// Its own values.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// A preset that fits a file, and where the file's header is.
#[derive(Debug, Clone)]
pub struct Found {
    /// The preset.
    pub preset: &'static Preset,
    /// Records above the header.
    pub above: usize,
    /// The delimiter under which it was found.
    pub delimiter: Option<u8>,
}

/// The beginning of a file, as it may be recognised.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The delimiter that it was split by; none for formats without one.
    pub delimiter: Option<u8>,
    /// Its first records.
    pub records: Vec<Vec<String>>,
}

/// Every preset, in the order of the table.
#[must_use]
pub fn presets() -> &'static [Preset] {
    static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        // A test reads every file, so that none is left out here.
        FILES.iter().filter_map(|(name, text)| read(name, text).ok()).collect()
    });
    &PRESETS
}

fn read(name: &'static str, text: &str) -> Result<Preset, toml::de::Error> {
    let mut preset: Preset = toml::from_str(text)?;
    preset.name = name;
    preset.version = blake3::hash(text.as_bytes()).to_hex().chars().take(8).collect();
    Ok(preset)
}

impl Preset {
    /// The kind of its facts.
    #[must_use]
    pub fn kind(&self) -> Option<&'static Kind> {
        Kind::parse(&self.kind)
    }

    /// How well it fits the header of a file, where it does: the more headers it asks for, the better.
    fn fit(&self, names: &[String], above: &[Vec<String>]) -> Option<usize> {
        if self.without.iter().any(|header| find(names, header).is_some()) {
            return None;
        }
        if let Some(layout) = &self.statement {
            return layout.fits(names, above).then_some(1);
        }
        let fits = self.header.iter().filter(|headers| headers.iter().all(|header| find(names, header).is_some()));
        fits.map(Vec::len).max()
    }

    /// Where its header is at the beginning of a file, and how well it fits.
    fn found(&'static self, beginnings: &[Beginning]) -> Option<(usize, Found)> {
        beginnings.iter().find_map(|beginning| {
            beginning.records.iter().enumerate().find_map(|(at, names)| {
                let fit = self.fit(names, beginning.records.get(..at).unwrap_or(&[]))?;
                Some((fit, Found { preset: self, above: at, delimiter: beginning.delimiter }))
            })
        })
    }

    /// Each column of its kind that it fills, in the kind's order, and where from.
    #[must_use]
    pub fn columns_in_words(&self) -> Vec<(&'static str, String)> {
        let Some(kind) = self.kind() else { return Vec::new() };
        let of = |name: &str| -> Option<String> {
            let mut from: Vec<String> = self.columns.get(name).map(Source::words).into_iter().collect();
            for fact in &self.facts {
                from.extend(fact.columns.get(name).map(Source::words));
                from.extend(fact.set.get(name).map(|text| format!("`{text}`")));
            }
            from.extend(self.set.get(name).map(|text| format!("`{text}` in all rows")));
            if let Some(layout) = &self.statement {
                from.extend(layout.words(name));
            }
            if let Some(words) = self.words.get(name) {
                let mut ours: Vec<String> = words.iter().map(|word| format!("`{}`", word.word)).collect();
                ours.dedup();
                from.push(format!("by its words: {}", ours.join(", ")));
            }
            let mut told = Vec::new();
            for text in from {
                if !told.contains(&text) {
                    told.push(text);
                }
            }
            (!told.is_empty()).then(|| told.join("; "))
        };
        kind.columns.iter().filter_map(|column| Some((column.name, of(column.name)?))).collect()
    }

    /// What of the export is no fact.
    #[must_use]
    pub fn passed_over(&self) -> Vec<String> {
        let sections =
            self.statement.iter().flat_map(|layout| &layout.sections).filter_map(|section| section.pass.clone());
        let mut passed: Vec<String> = self.pass.iter().map(|pass| pass.why.clone()).chain(sections).collect();
        if self.statement.is_some() {
            passed.push("totals, headings and what stands under none of its sections".to_owned());
        }
        passed.dedup();
        passed
    }

    /// The headers that it asks for, for messages.
    #[must_use]
    pub fn asks_for(&self) -> String {
        let lists = self
            .header
            .iter()
            .map(|headers| headers.iter().map(|header| format!("`{header}`")).collect::<Vec<_>>().join(", "));
        let lists = lists.collect::<Vec<_>>().join("; or ");
        match &self.statement {
            Some(layout) => layout.asks_for(),
            None => lists,
        }
    }
}

impl Source {
    /// Where it takes a value from, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Source::Header(header) => header.clone(),
            Source::FirstOf(headers) => headers.join(" or else "),
            Source::Text { text } => format!("`{text}`"),
            Source::After { moment, plus, .. } => format!("{moment} + {plus}"),
            Source::Number { number, divide: -1 } => format!("{number}, taken off"),
            Source::Number { number, divide } => format!("{number} / {divide}"),
            Source::InHeader { in_header } => format!("the header {in_header} (...)"),
            Source::Below { below } => format!("{below} (...)"),
            Source::Above { above } => format!("the line `{above}` above the header"),
            Source::Span { span: End::First } => "the first day of the span above the header".to_owned(),
            Source::Span { span: End::Last } => "the last day of the span above the header".to_owned(),
        }
    }
}

/// A preset by its name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
}

/// Where the header of one preset is at the beginning of a file.
#[must_use]
pub fn locate(preset: &'static Preset, beginnings: &[Beginning]) -> Option<Found> {
    preset.found(beginnings).map(|(_, found)| found)
}

/// The presets that fit the beginning of a file, the best first.
#[must_use]
pub fn suggest(beginnings: &[Beginning]) -> Vec<Found> {
    let mut fitting: Vec<(usize, Found)> = presets().iter().filter_map(|preset| preset.found(beginnings)).collect();
    // The order of the table decides between equals.
    fitting.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    fitting.into_iter().map(|(_, found)| found).collect()
}

/// The position of a header, which is looked for as it stands and then without case.
#[must_use]
pub fn find(names: &[String], header: &str) -> Option<usize> {
    let plain = |name: &str| name.trim().to_lowercase();
    names
        .iter()
        .position(|name| name.trim() == header)
        .or_else(|| names.iter().position(|name| plain(name) == plain(header)))
}

/// The position of a header whose parentheses do not count, and what stands in them.
#[must_use]
pub fn find_with_parentheses<'a>(names: &'a [String], header: &str) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let (before, inside) = name.trim().strip_suffix(')')?.rsplit_once('(')?;
        (before.trim().to_lowercase() == header.to_lowercase()).then_some((at, inside.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Need, ValueKind};
    use crate::source::mapping;

    #[test]
    fn every_preset_can_be_read_and_names_what_its_kind_has() {
        for (name, text) in FILES {
            let preset = read(name, text).unwrap_or_else(|error| panic!("presets/{name}.toml: {error}"));
            let kind = preset.kind().unwrap_or_else(|| panic!("{name}: no kind {}", preset.kind));
            let mut given: Vec<&String> = preset.set.keys().chain(preset.columns.keys()).collect();
            for fact in &preset.facts {
                given.extend(fact.set.keys().chain(fact.columns.keys()));
            }
            given.extend(preset.statement.iter().flat_map(statement::Layout::columns));
            for column in given.iter().copied().chain(preset.words.keys()) {
                assert!(kind.position(column).is_some(), "{name}: {} have no {column}", kind.name);
            }
            for column in kind.columns.iter().filter(|column| column.need == Need::Required) {
                // What a currency is has to come from the user where the export does not say it.
                let told = preset.statement.is_some() && column.name == "day";
                let said =
                    told || given.iter().any(|given| *given == column.name) || column.value == ValueKind::Currency;
                assert!(said, "{name}: nothing for {}", column.name);
            }
            let values = preset.set.iter().chain(preset.facts.iter().flat_map(|fact| &fact.set));
            let words =
                preset.words.iter().flat_map(|(column, words)| words.iter().map(move |word| (column, &word.word)));
            for (column, value) in values.chain(words) {
                let column = &kind.columns[kind.position(column).unwrap()];
                assert!(mapping::check(column.value, value).is_ok(), "{name}: {} is no {value}", column.name);
            }
            let texts = [&preset.title, &preset.export, &preset.made_for];
            assert!(texts.iter().all(|text| !text.is_empty()), "{name} does not say what it is for");
        }
        assert_eq!(presets().len(), FILES.len());
    }
}
