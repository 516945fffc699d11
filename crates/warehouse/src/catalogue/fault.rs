//! What can be wrong with a catalogue: which file and metric, what, and how to mend it.

use std::fmt;

use super::expression::ExpressionError;
use super::nearest::offer;

/// Everything that is wrong with a catalogue, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.listed())]
pub struct CatalogueError {
    /// At least one.
    pub flaws: Vec<Flaw>,
}

impl CatalogueError {
    fn listed(&self) -> String {
        let lines: Vec<String> = self.flaws.iter().map(Flaw::to_string).collect();
        lines.join("\n")
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The file.
    pub file: String,
    /// The line where the metric begins, from 1.
    pub line: usize,
    /// The metric, when it has a name.
    pub metric: String,
    /// The variant, when it is about one.
    pub variant: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.metric.is_empty() {
            write!(f, "metric `{}`", self.metric)?;
            if !self.variant.is_empty() {
                write!(f, ", variant `{}`", self.variant)?;
            }
            f.write_str(": ")?;
        }
        self.fault.fmt(f)
    }
}

/// What can be wrong with an entry of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is not TOML, or has a key that there is not.
    #[error("the file cannot be read as a catalogue: {0}")]
    Unreadable(String),
    /// A key is missing.
    #[error("`{field}` is missing: add {example}")]
    Missing {
        /// The key.
        field: &'static str,
        /// What to add.
        example: String,
    },
    /// A text lacks a language.
    #[error(
        "`{field}` has no `{language}`: add {field}.{language} = \"...\", or write {field} = \"...\" to use one text in every language"
    )]
    Translation {
        /// The key.
        field: String,
        /// The language.
        language: &'static str,
    },
    /// A text is something else.
    #[error("`{field}` is not a text: write {field} = \"...\", or {field}.en, {field}.zh and {field}.fr")]
    NotText {
        /// The key.
        field: String,
    },
    /// A word that is not among those to choose from.
    #[error("{field} = \"{given}\" is none of its choices: use {}", one_of(.choices))]
    Choice {
        /// The key.
        field: &'static str,
        /// As written.
        given: String,
        /// What it may be.
        choices: Vec<String>,
    },
    /// An id that no expression could name.
    #[error(
        "id = \"{id}\" cannot be used in expressions: begin with a small letter and go on with small letters, digits and underscores"
    )]
    Id {
        /// As written.
        id: String,
    },
    /// An id that is taken.
    #[error("the name `{id}` is already taken by the metric at {place}: choose another")]
    Taken {
        /// The id or alias.
        id: String,
        /// Where the first one stands.
        place: String,
    },
    /// The id of a measure.
    #[error(
        "`{id}` is the name of a measure: choose another id, or make the metric that measure (kind = \"measure\", measure = \"{id}\")"
    )]
    Measure {
        /// The id.
        id: String,
    },
    /// A measure that there is not.
    #[error("there is no measure `{id}`{}", or_list(.near))]
    NoMeasure {
        /// As written.
        id: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// A name in an expression that is neither a measure nor a metric.
    #[error("`{name}` in `{field}` is neither a measure nor a metric{}", or_list(.near))]
    NoName {
        /// The key.
        field: &'static str,
        /// As written.
        name: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// A variant in an expression that its metric does not have.
    #[error("`{name}` in `{field}` names a variant that the metric does not have: {has}")]
    NoVariant {
        /// The key.
        field: &'static str,
        /// As written.
        name: String,
        /// What it has, in words.
        has: String,
    },
    /// A metric where only measures can be added up.
    #[error(
        "`{name}` in `{field}` is a metric, and a ratio adds up measures before it divides (Σ ÷ Σ): name its measures, or use kind = \"derived\" with an expression"
    )]
    NotAMeasure {
        /// The key.
        field: &'static str,
        /// As written.
        name: String,
    },
    /// An expression that cannot be read.
    #[error("`{field}` cannot be read: {error}")]
    Expression {
        /// The key.
        field: &'static str,
        /// Why.
        error: ExpressionError,
    },
    /// The keys do not go with the kind.
    #[error("kind = \"{kind}\" takes {takes}, and the entry has {has}: change the kind or the keys")]
    Keys {
        /// The kind.
        kind: &'static str,
        /// What it takes, in words.
        takes: &'static str,
        /// What is there, in words.
        has: String,
    },
    /// A quotient without the reason for a zero divisor.
    #[error(
        "it divides and does not say why there may be no answer: add undefined = {{ en = \"...\", zh = \"...\", fr = \"...\" }}, such as \"no customers at the start\""
    )]
    Undefined,
    /// A window that cannot be read.
    #[error(
        "window = \"{given}\" is not understood: write \"period\", \"period before\", \"12 months\" (or days, weeks, quarters, years), \"year to date\" or \"all history\""
    )]
    Window {
        /// As written.
        given: String,
    },
    /// A sum over time of what cannot be added up over time.
    #[error(
        "`{measure}` does not add up over periods, so kind = \"cumulative\" has no meaning for it: use a flow such as cash_received"
    )]
    Cumulative {
        /// The measure.
        measure: &'static str,
    },
    /// No variant is the default, or several are.
    #[error("default = true is said by {}: exactly one of its variants must say it", said_by(.names))]
    Defaults {
        /// Those that do.
        names: Vec<String>,
    },
    /// Two variants answer to one name.
    #[error("two of its variants answer to `{name}`: rename one of them")]
    SameVariant {
        /// The name or alias.
        name: String,
    },
    /// A metric is made of itself.
    #[error("it is made of itself ({}): take one of them out of the circle", .path.join(" → "))]
    Circle {
        /// The metrics in the circle, the first one again at the end.
        path: Vec<String>,
    },
    /// A chain of metrics that is too long.
    #[error("more than {0} metrics build on one another here: write some of them with measures")]
    TooDeep(usize),
}

fn or_list(near: &[String]) -> String {
    if near.is_empty() {
        return ": docs/metrics.md lists both".to_owned();
    }
    offer(near)
}

fn one_of(choices: &[String]) -> String {
    match choices {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => choices.join(""),
    }
}

fn said_by(names: &[String]) -> String {
    if names.is_empty() { "none of its variants".to_owned() } else { names.join(" and ") }
}

/// A metric or a variant that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No metric of that name.
    #[error("there is no metric `{asked}`{}", if .near.is_empty() { ": docs/metrics.md lists them all".to_owned() } else { offer(.near) })]
    Metric {
        /// As given.
        asked: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The metric has no such variant.
    #[error("metric `{metric}` has no variant `{asked}`: {has}")]
    Variant {
        /// The metric.
        metric: String,
        /// As given.
        asked: String,
        /// What it has, in words.
        has: String,
    },
}
