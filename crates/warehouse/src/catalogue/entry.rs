//! One entry of the catalogue: a metric, its variants, and how a file says them.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::expression::Expression;
use super::fault::{Fault, Flaw};
use super::measure::{self, Measure, Unit};
use super::nearest::{nearest, plain};
use super::need::{self, NEEDS, Needs};
use outlook::wording::{Language, Words};

/// A part of the catalogue that people look under.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// The name in the files.
    pub id: &'static str,
    /// The heading.
    pub words: Words,
}

/// Every section, in the order of `kpis.md`; `own` is for what users add.
pub const SECTIONS: &[Section] = &[
    Section { id: "revenue", words: Words::fixed("Revenue", "收入", "Revenus") },
    Section {
        id: "retention", words: Words::fixed("Customers and retention", "客户与留存", "Clients et rétention")
    },
    Section { id: "acquisition", words: Words::fixed("Getting customers", "获客", "Acquisition de clients") },
    Section {
        id: "product",
        words: Words::fixed(
            "Product, support, satisfaction",
            "产品、支持与满意度",
            "Produit, assistance, satisfaction",
        ),
    },
    Section { id: "cash", words: Words::fixed("Payments and cash", "付款与现金", "Paiements et trésorerie") },
    Section { id: "judgement", words: Words::fixed("Judgement", "判断", "Jugement") },
    Section { id: "own", words: Words::fixed("Your own", "自定义", "Vos indicateurs") },
];

/// Which direction is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Better {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// Neither.
    None,
}

impl Better {
    /// Every direction, with its name in the files.
    pub const ALL: [(Better, &'static str); 3] = [(Better::Up, "up"), (Better::Down, "down"), (Better::None, "none")];

    /// The name in the files.
    pub fn name(self) -> &'static str {
        Better::ALL.iter().find(|(better, _)| *better == self).map_or("", |(_, name)| name)
    }
}

/// How a metric is worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is one measure.
    Measure,
    /// Σ ÷ Σ of two formulas of measures.
    Ratio,
    /// A flow, added up from a fixed day on.
    Cumulative,
    /// A formula of metrics and measures.
    Derived,
    /// A triangle: one measure by start and age.
    Cohort,
    /// The engine has a method of its own for it.
    Custom,
}

impl Kind {
    /// Every kind, with its name in the files.
    pub const ALL: [(Kind, &'static str); 6] = [
        (Kind::Measure, "measure"),
        (Kind::Ratio, "ratio"),
        (Kind::Cumulative, "cumulative"),
        (Kind::Derived, "derived"),
        (Kind::Cohort, "cohort"),
        (Kind::Custom, "custom"),
    ];

    /// The name in the files.
    pub fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    fn takes(self) -> &'static str {
        match self {
            Kind::Measure | Kind::Cumulative | Kind::Cohort => "`measure`",
            Kind::Ratio => "`numerator` and `denominator`",
            Kind::Derived => "`expression`",
            Kind::Custom => "no formula",
        }
    }
}

/// A unit of the calendar in which a window is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Years.
    Year,
}

/// The time over which a measure is taken, given the period that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Window {
    /// The period itself.
    #[default]
    Period,
    /// The period before it, of the same grain.
    PeriodBefore,
    /// So many spans of the calendar up to the end of the period.
    Trailing {
        /// How many, at least 1.
        count: u32,
        /// Of what.
        span: Span,
    },
    /// From the first day of the year in which the period ends up to its end.
    YearToDate,
    /// From the first fact up to the end of the period.
    AllHistory,
}

impl Window {
    /// Reads "period", "period before", "12 months", "year to date" or "all history".
    pub fn parse(text: &str) -> Option<Window> {
        let text = plain(text);
        match text.as_str() {
            "period" => return Some(Window::Period),
            "period_before" => return Some(Window::PeriodBefore),
            "year_to_date" => return Some(Window::YearToDate),
            "all_history" => return Some(Window::AllHistory),
            _ => {}
        }
        let (count, span) = text.split_once('_')?;
        let count = count.parse().ok().filter(|count| (1..=1200).contains(count))?;
        let span = match span.strip_suffix('s').unwrap_or(span) {
            "day" => Span::Day,
            "week" => Span::Week,
            "month" => Span::Month,
            "quarter" => Span::Quarter,
            "year" => Span::Year,
            _ => return None,
        };
        Some(Window::Trailing { count, span })
    }
}

/// The window as the files write it.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Window::Period => f.write_str("period"),
            Window::PeriodBefore => f.write_str("period before"),
            Window::YearToDate => f.write_str("year to date"),
            Window::AllHistory => f.write_str("all history"),
            Window::Trailing { count, span } => {
                let span = match span {
                    Span::Day => "day",
                    Span::Week => "week",
                    Span::Month => "month",
                    Span::Quarter => "quarter",
                    Span::Year => "year",
                };
                write!(f, "{count} {span}{}", if *count == 1 { "" } else { "s" })
            }
        }
    }
}

/// What a variant works out, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calculation {
    /// One measure.
    Measure(&'static Measure),
    /// Σ ÷ Σ, both over measures.
    Ratio {
        /// What is divided.
        numerator: Expression,
        /// What it is divided by.
        denominator: Expression,
    },
    /// A formula of metrics and measures.
    Derived(Expression),
    /// The engine's own method.
    Custom,
}

/// One way of working a metric out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name; empty when the metric has no variants.
    pub name: String,
    /// Other names it answers to. An expression can use one of them where the name has signs in it.
    pub alias: Vec<String>,
    /// Whether it is meant when no variant is named.
    pub default: bool,
    /// What it is, when the metric has more than one.
    pub words: Option<Words>,
    /// The formula for people, when it has one of its own.
    pub formula: Option<String>,
    /// What the number is of.
    pub unit: Unit,
    /// How it is worked out.
    pub kind: Kind,
    /// What it works out.
    pub calculation: Calculation,
    /// Over which time.
    pub window: Window,
    /// Why there is no answer when a divisor is zero.
    pub undefined: Option<Words>,
    /// The kinds of fact it needs beyond those that its measures need.
    pub needs: Needs,
    /// The dimensions by which it is split unless others are asked for.
    pub by: Vec<String>,
}

/// A metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// The name for machines.
    pub id: String,
    /// Other names it answers to.
    pub alias: Vec<String>,
    /// Where people find it.
    pub section: &'static Section,
    /// The name for people.
    pub name: Words,
    /// What it says, in sentences.
    pub definition: Words,
    /// The formula for people.
    pub formula: String,
    /// What the number is of, unless a variant says otherwise.
    pub unit: Unit,
    /// Which direction is good news.
    pub better: Better,
    /// Whether its segments are listed by how large they are in the last period, the largest first.
    pub ranked: bool,
    /// How it is worked out, unless a variant says otherwise.
    pub kind: Kind,
    /// The documents that ask for it, `000` to `004`.
    pub source: Vec<String>,
    /// At least one; exactly one of them is the default.
    pub variants: Vec<Arc<Variant>>,
    /// The file it stands in.
    pub file: String,
    /// The line where it begins.
    pub line: usize,
}

impl Metric {
    /// Whether there is more than one way of working it out, or a named one.
    pub fn has_variants(&self) -> bool {
        self.variants.iter().any(|variant| !variant.name.is_empty())
    }

    /// The place among its variants of the one meant by a name; of the default when the name is empty.
    pub fn find_variant(&self, name: &str) -> Option<usize> {
        let name = plain(name);
        if name.is_empty() {
            return self.variants.iter().position(|variant| variant.default);
        }
        self.variants
            .iter()
            .position(|variant| plain(&variant.name) == name || variant.alias.iter().any(|alias| plain(alias) == name))
    }

    /// Its variants in words, for those who named one that there is not.
    pub(super) fn variants_in_words(&self) -> String {
        if !self.has_variants() {
            return "it has no variants".to_owned();
        }
        let names: Vec<String> = self
            .variants
            .iter()
            .map(|variant| match variant.default {
                true => format!("{} (the default)", variant.name),
                false => variant.name.clone(),
            })
            .collect();
        match names.split_last() {
            Some((last, [])) => format!("it has {last}"),
            Some((last, most)) => format!("it has {} and {last}", most.join(", ")),
            None => "it has no variants".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    metric: Vec<Spanned<MetricForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricForm {
    id: Option<String>,
    #[serde(default)]
    alias: Vec<String>,
    section: Option<String>,
    name: Option<toml::Value>,
    definition: Option<toml::Value>,
    formula: Option<String>,
    unit: Option<String>,
    better: Option<String>,
    #[serde(default)]
    ranked: bool,
    #[serde(default)]
    source: Vec<String>,
    kind: Option<String>,
    measure: Option<String>,
    numerator: Option<String>,
    denominator: Option<String>,
    expression: Option<String>,
    window: Option<String>,
    undefined: Option<toml::Value>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default)]
    variant: Vec<VariantForm>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct VariantForm {
    name: Option<String>,
    #[serde(default)]
    alias: Vec<String>,
    #[serde(default)]
    default: bool,
    words: Option<toml::Value>,
    formula: Option<String>,
    unit: Option<String>,
    kind: Option<String>,
    measure: Option<String>,
    numerator: Option<String>,
    denominator: Option<String>,
    expression: Option<String>,
    window: Option<String>,
    undefined: Option<toml::Value>,
    #[serde(default)]
    needs: Vec<String>,
    by: Option<Vec<String>>,
}

impl VariantForm {
    fn formulas(&self) -> Formulas<'_> {
        Formulas {
            measure: self.measure.as_deref(),
            numerator: self.numerator.as_deref(),
            denominator: self.denominator.as_deref(),
            expression: self.expression.as_deref(),
        }
    }
}

impl MetricForm {
    fn formulas(&self) -> Formulas<'_> {
        Formulas {
            measure: self.measure.as_deref(),
            numerator: self.numerator.as_deref(),
            denominator: self.denominator.as_deref(),
            expression: self.expression.as_deref(),
        }
    }
}

/// The four keys that say what is worked out.
#[derive(Clone, Copy)]
struct Formulas<'f> {
    measure: Option<&'f str>,
    numerator: Option<&'f str>,
    denominator: Option<&'f str>,
    expression: Option<&'f str>,
}

impl Formulas<'_> {
    fn keys(&self) -> Vec<&'static str> {
        let keys = [
            ("`measure`", self.measure),
            ("`numerator`", self.numerator),
            ("`denominator`", self.denominator),
            ("`expression`", self.expression),
        ];
        keys.into_iter().filter_map(|(key, text)| text.map(|_| key)).collect()
    }

    fn are_none(&self) -> bool {
        self.keys().is_empty()
    }

    /// The kind that these keys can only mean, given that of the metric.
    fn kind(&self, of_metric: Kind) -> Kind {
        match (self.measure, self.numerator.or(self.denominator), self.expression) {
            (Some(_), None, None) if matches!(of_metric, Kind::Cumulative | Kind::Cohort) => of_metric,
            (Some(_), None, None) => Kind::Measure,
            (None, Some(_), None) => Kind::Ratio,
            (None, None, Some(_)) => Kind::Derived,
            _ => of_metric,
        }
    }
}

/// Reads one file: the metrics that are whole, and what is wrong with the others.
pub(super) fn read(file: &str, text: &str, flaws: &mut Vec<Flaw>) -> Vec<Metric> {
    let form: FileForm = match toml::from_str(text) {
        Ok(form) => form,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            flaws.push(Flaw {
                file: file.to_owned(),
                line,
                metric: String::new(),
                variant: String::new(),
                fault: Fault::Unreadable(error.message().to_owned()),
            });
            return Vec::new();
        }
    };
    form.metric
        .into_iter()
        .filter_map(|form| {
            let line = line_of(text, form.span().start);
            let form = form.into_inner();
            let mut reader = Reader {
                file,
                line,
                metric: form.id.clone().unwrap_or_default(),
                variant: String::new(),
                flaws,
                whole: true,
            };
            reader.metric(form)
        })
        .collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Reads one entry and notes everything that is wrong with it.
struct Reader<'r> {
    file: &'r str,
    line: usize,
    metric: String,
    variant: String,
    flaws: &'r mut Vec<Flaw>,
    whole: bool,
}

impl Reader<'_> {
    fn note(&mut self, fault: Fault) {
        self.whole = false;
        self.flaws.push(Flaw {
            file: self.file.to_owned(),
            line: self.line,
            metric: self.metric.clone(),
            variant: self.variant.clone(),
            fault,
        });
    }

    /// The value of a key that must be there.
    fn required<T>(&mut self, field: &'static str, example: &str, given: Option<T>) -> Option<T> {
        if given.is_none() {
            self.note(Fault::Missing { field, example: example.to_owned() });
        }
        given
    }

    fn metric(&mut self, form: MetricForm) -> Option<Metric> {
        let id = self.required("id", "id = \"my_metric\"", form.id.clone());
        for name in id.iter().chain(&form.alias) {
            let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !fits {
                self.note(Fault::Id { id: name.clone() });
            }
        }
        let sections = || SECTIONS.iter().map(|section| (section, section.id));
        let section = self.required("section", "section = \"own\"", form.section.clone());
        let section = section.and_then(|given| self.choice("section", &given, sections()));
        let name = self.required("name", "name = { en = \"...\", zh = \"...\", fr = \"...\" }", form.name.clone());
        let name = name.and_then(|given| self.words("name", &given));
        let definition = self.required(
            "definition",
            "definition = { en = \"...\", zh = \"...\", fr = \"...\" }",
            form.definition.clone(),
        );
        let definition = definition.and_then(|given| self.words("definition", &given));
        let formula = self.required("formula", "formula = \"...\", the formula for people", form.formula.clone());
        let unit = self.required("unit", "unit = \"money\", or another unit", form.unit.clone());
        let unit = unit.and_then(|given| self.choice("unit", &given, Unit::ALL.into_iter()));
        let better = self.required("better", "better = \"up\", \"down\" or \"none\"", form.better.clone());
        let better = better.and_then(|given| self.choice("better", &given, Better::ALL.into_iter()));
        let kind = self.required("kind", "kind = \"derived\", or another kind", form.kind.clone());
        let kind = kind.and_then(|given| self.choice("kind", &given, Kind::ALL.into_iter()));
        let undefined = form.undefined.as_ref().and_then(|given| self.words("undefined", given));

        let variants = match (unit, kind) {
            (Some(unit), Some(kind)) => self.variants(&form, unit, kind, undefined),
            _ => Vec::new(),
        };
        if !self.whole {
            return None;
        }
        Some(Metric {
            id: id?,
            alias: form.alias,
            section: section?,
            name: name?,
            definition: definition?,
            formula: formula?,
            unit: unit?,
            better: better?,
            ranked: form.ranked,
            kind: kind?,
            source: form.source,
            variants,
            file: self.file.to_owned(),
            line: self.line,
        })
    }

    fn variants(&mut self, form: &MetricForm, unit: Unit, kind: Kind, undefined: Option<Words>) -> Vec<Arc<Variant>> {
        let whole = VariantForm { name: Some(String::new()), default: true, ..VariantForm::default() };
        let forms = match form.variant.as_slice() {
            [] => std::slice::from_ref(&whole),
            forms => forms,
        };
        let mut variants = Vec::new();
        for variant in forms {
            let named = self.required("name", "name = \"...\" to its [[metric.variant]]", variant.name.clone());
            self.variant = named.clone().unwrap_or_default();
            if !form.variant.is_empty() && named.as_deref() == Some("") {
                self.note(Fault::Missing { field: "name", example: "name = \"...\" to its [[metric.variant]]".into() });
            }
            if let (Some(name), Some(read)) = (named, self.variant(form, variant, unit, kind, undefined.as_ref())) {
                variants.push(Arc::new(Variant { name, ..read }));
            }
        }
        self.variant = String::new();
        let names = forms.iter().flat_map(|variant| variant.name.iter().chain(&variant.alias)).map(|name| plain(name));
        let mut seen: Vec<String> = Vec::new();
        for name in names {
            if seen.contains(&name) {
                self.note(Fault::SameVariant { name: name.clone() });
            }
            seen.push(name);
        }
        let defaults = forms.iter().filter(|variant| variant.default);
        let names: Vec<String> = defaults.filter_map(|variant| variant.name.clone()).collect();
        if names.len() != 1 {
            self.note(Fault::Defaults { names });
        }
        variants
    }

    fn variant(
        &mut self,
        metric: &MetricForm,
        form: &VariantForm,
        unit: Unit,
        kind: Kind,
        undefined: Option<&Words>,
    ) -> Option<Variant> {
        let words = match (&form.words, metric.variant.is_empty()) {
            (None, true) => None,
            (given, _) => {
                let given =
                    self.required("words", "words = { en = \"...\", zh = \"...\", fr = \"...\" }", given.clone());
                given.and_then(|given| self.words("words", &given))
            }
        };
        let unit = match &form.unit {
            Some(given) => self.choice("unit", given, Unit::ALL.into_iter())?,
            None => unit,
        };
        let own = form.formulas();
        let formulas = if own.are_none() { metric.formulas() } else { own };
        let kind = match &form.kind {
            Some(given) => self.choice("kind", given, Kind::ALL.into_iter())?,
            None if own.are_none() || metric.variant.is_empty() => kind,
            None => own.kind(kind),
        };
        let undefined = match &form.undefined {
            Some(given) => self.words("undefined", given),
            None => undefined.cloned(),
        };
        let needs = self.needs(metric.needs.iter().chain(&form.needs));
        let window = match form.window.as_ref().or(metric.window.as_ref()) {
            None if kind == Kind::Cumulative => Window::AllHistory,
            None => Window::Period,
            Some(given) => match Window::parse(given) {
                Some(window) => window,
                None => {
                    self.note(Fault::Window { given: given.clone() });
                    return None;
                }
            },
        };
        let calculation = self.calculation(kind, formulas)?;
        let divides = match &calculation {
            Calculation::Ratio { .. } => true,
            Calculation::Derived(expression) => expression.divides(),
            Calculation::Measure(_) | Calculation::Custom => false,
        };
        if divides && undefined.is_none() {
            self.note(Fault::Undefined);
        }
        Some(Variant {
            name: String::new(),
            alias: form.alias.clone(),
            default: form.default,
            words,
            formula: form.formula.clone(),
            unit,
            kind,
            calculation,
            window,
            undefined,
            needs,
            by: form.by.clone().unwrap_or_else(|| metric.by.clone()),
        })
    }

    fn calculation(&mut self, kind: Kind, formulas: Formulas<'_>) -> Option<Calculation> {
        let calculation = match (kind, formulas.measure, formulas.numerator, formulas.denominator, formulas.expression)
        {
            (Kind::Measure | Kind::Cumulative | Kind::Cohort, Some(id), None, None, None) => {
                let Some(measure) = measure::find(id) else {
                    let near = nearest(id, measure::MEASURES.iter().map(|measure| measure.id));
                    self.note(Fault::NoMeasure { id: id.to_owned(), near });
                    return None;
                };
                if kind == Kind::Cumulative && !measure.adds_over_periods {
                    self.note(Fault::Cumulative { measure: measure.id });
                }
                Calculation::Measure(measure)
            }
            (Kind::Ratio, None, Some(numerator), Some(denominator), None) => Calculation::Ratio {
                numerator: self.expression("numerator", numerator)?,
                denominator: self.expression("denominator", denominator)?,
            },
            (Kind::Derived, None, None, None, Some(expression)) => {
                Calculation::Derived(self.expression("expression", expression)?)
            }
            (Kind::Custom, None, None, None, None) => Calculation::Custom,
            _ => {
                let keys = formulas.keys();
                let has = if keys.is_empty() { "none of them".to_owned() } else { keys.join(" and ") };
                self.note(Fault::Keys { kind: kind.name(), takes: kind.takes(), has });
                return None;
            }
        };
        Some(calculation)
    }

    fn expression(&mut self, field: &'static str, text: &str) -> Option<Expression> {
        match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.note(Fault::Expression { field, error });
                None
            }
        }
    }

    fn needs<'n>(&mut self, given: impl Iterator<Item = &'n String>) -> Needs {
        let mut needs = Needs::new();
        for id in given {
            match need::find(id) {
                Some(need) => {
                    needs.insert(need.id);
                }
                None => {
                    let choices = NEEDS.iter().map(|need| need.id.to_owned()).collect();
                    self.note(Fault::Choice { field: "needs", given: id.clone(), choices });
                }
            }
        }
        needs
    }

    fn choice<T>(
        &mut self,
        field: &'static str,
        given: &str,
        choices: impl Iterator<Item = (T, &'static str)>,
    ) -> Option<T> {
        let mut names = Vec::new();
        for (choice, name) in choices {
            if name == given {
                return Some(choice);
            }
            names.push(name.to_owned());
        }
        self.note(Fault::Choice { field, given: given.to_owned(), choices: names });
        None
    }

    /// A text in three languages, or one text that stands for all three: users need not be translators.
    fn words(&mut self, field: &str, given: &toml::Value) -> Option<Words> {
        let table = match given {
            toml::Value::String(text) => return Some(Words::owned(text.clone(), text.clone(), text.clone())),
            toml::Value::Table(table) => table,
            _ => {
                self.note(Fault::NotText { field: field.to_owned() });
                return None;
            }
        };
        let mut texts = Vec::new();
        for language in Language::ALL {
            match table.get(language.tag()).and_then(toml::Value::as_str).map(str::trim) {
                Some(text) if !text.is_empty() => texts.push(text.to_owned()),
                _ => self.note(Fault::Translation { field: field.to_owned(), language: language.tag() }),
            }
        }
        if table.keys().any(|key| !Language::ALL.iter().any(|language| language.tag() == key)) {
            self.note(Fault::NotText { field: field.to_owned() });
        }
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next(), texts.next()) {
            (Some(en), Some(zh), Some(fr)) => Some(Words::owned(en, zh, fr)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_as_it_is_written() {
        for text in [
            "period",
            "period before",
            "12 months",
            "1 week",
            "90 days",
            "4 quarters",
            "2 years",
            "year to date",
            "all history",
        ] {
            assert_eq!(Window::parse(text).map(|window| window.to_string()).as_deref(), Some(text));
        }
        for text in ["", "months", "0 months", "12", "twelve months", "12 moons", "-1 months", "5000 days"] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
