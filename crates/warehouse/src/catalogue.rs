//! The catalogue: every metric as data.
//!
//! `metrics/*.toml` say what each number means, in three languages, and how it is made of
//! [measures](measure), which the engine computes. Users add files of their own beside them.
//! Loading reads and checks all of it, and follows each metric down to its measures, so that
//! whoever asks gets a [`ResolvedMetric`]: which measures over which time, and the arithmetic.
//!
//! ```text
//! metrics/*.toml ─▶ entry (one metric) ─▶ plan (its measures) ─▶ engine
//! ```
//!
//! What is not here: how a measure is computed (the engine), and what a number means for the
//! business (the playbook).

mod document;
mod entry;
mod expression;
mod fault;
pub mod measure;
mod nearest;
pub mod need;
mod plan;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub use document::{ShownIn, markdown};
pub use entry::{Better, Calculation, Kind, Metric, SECTIONS, Section, Span, Variant, Window};
pub use expression::{Expression, ExpressionError, ROOT_DECIMALS, Value};
pub use fault::{CatalogueError, Fault, Flaw, LookupError};
pub use measure::{Adds, MEASURES, Measure, Nature, Setting, Unit};
pub use need::{NEEDS, Need, Needs};
pub use outlook::wording::{Language, Words};
pub use plan::{Input, ResolvedMetric};

use nearest::{nearest, plain};
use plan::{Meaning, NoPlan};

/// The files of the product, in the order in which people read them.
const FILES: &[(&str, &str)] = &[
    ("metrics/revenue.toml", include_str!("../../../metrics/revenue.toml")),
    ("metrics/retention.toml", include_str!("../../../metrics/retention.toml")),
    ("metrics/acquisition.toml", include_str!("../../../metrics/acquisition.toml")),
    ("metrics/product.toml", include_str!("../../../metrics/product.toml")),
    ("metrics/cash.toml", include_str!("../../../metrics/cash.toml")),
];

/// Every metric there is.
#[derive(Debug, Clone)]
pub struct Catalogue {
    metrics: Vec<Arc<Metric>>,
    /// Ids and aliases.
    places: HashMap<String, usize>,
    /// For each metric, one a variant, in their order.
    resolved: Vec<Vec<Arc<ResolvedMetric>>>,
}

impl Catalogue {
    /// The catalogue of the product, without anything of the user's.
    ///
    /// # Errors
    /// None in a product that passed its tests.
    pub fn built_in() -> Result<Catalogue, CatalogueError> {
        Catalogue::load::<&str, &str>(&[])
    }

    /// The catalogue of the product and the user's own files, each a name and its text.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files: where, what, and how to mend it.
    pub fn load<N: AsRef<str>, T: AsRef<str>>(extra: &[(N, T)]) -> Result<Catalogue, CatalogueError> {
        let extra = extra.iter().map(|(name, text)| (name.as_ref(), text.as_ref()));
        Catalogue::read(FILES.iter().copied().chain(extra))
    }

    fn read<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> Result<Catalogue, CatalogueError> {
        let mut flaws = Vec::new();
        let mut metrics: Vec<Arc<Metric>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let files: Vec<(&str, &str)> = files.collect();
        for (file, text) in &files {
            for metric in entry::read(file, text, &mut flaws) {
                note_taken_names(&metric, &metrics, &places, &mut flaws);
                for name in std::iter::once(&metric.id).chain(&metric.alias) {
                    places.entry(name.clone()).or_insert(metrics.len());
                }
                metrics.push(Arc::new(metric));
            }
        }
        for metric in &metrics {
            note_unknown_names(metric, &metrics, &places, &mut flaws);
        }
        let resolved = resolve_all(&metrics, &places, &mut flaws);
        // The checks went over all files several times; people mend one file from its top to its end.
        let place = |file: &str| files.iter().position(|(name, _)| *name == file);
        flaws.sort_by_key(|flaw| (place(&flaw.file), flaw.line));
        if flaws.is_empty() { Ok(Catalogue { metrics, places, resolved }) } else { Err(CatalogueError { flaws }) }
    }

    /// Every metric, in the order of the files.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = &Arc<Metric>> {
        self.metrics.iter()
    }

    /// The metric of an id or another of its names. Hyphens and underscores are the same.
    ///
    /// # Errors
    /// When there is none, with the nearest names.
    pub fn metric(&self, id: &str) -> Result<&Arc<Metric>, LookupError> {
        self.place(id).and_then(|place| self.metrics.get(place).ok_or_else(|| self.unknown(id)))
    }

    /// A variant of a metric with the measures it is made of; the default one when none is named.
    ///
    /// # Errors
    /// When there is no such metric, with the nearest names, or no such variant, with those there are.
    pub fn resolve(&self, id: &str, variant: Option<&str>) -> Result<Arc<ResolvedMetric>, LookupError> {
        let place = self.place(id)?;
        let (Some(metric), Some(resolved)) = (self.metrics.get(place), self.resolved.get(place)) else {
            return Err(self.unknown(id));
        };
        let variant = variant.unwrap_or_default();
        let found = metric.find_variant(variant).and_then(|variant| resolved.get(variant));
        found.cloned().ok_or_else(|| LookupError::Variant {
            metric: metric.id.clone(),
            asked: variant.to_owned(),
            has: metric.variants_in_words(),
        })
    }

    /// Every variant of a metric, with its measures, in the order of the file.
    ///
    /// # Errors
    /// When there is no such metric, with the nearest names.
    pub fn resolve_variants(&self, id: &str) -> Result<&[Arc<ResolvedMetric>], LookupError> {
        let place = self.place(id)?;
        self.resolved.get(place).map(Vec::as_slice).ok_or_else(|| self.unknown(id))
    }

    fn place(&self, id: &str) -> Result<usize, LookupError> {
        self.places.get(&plain(id)).copied().ok_or_else(|| self.unknown(id))
    }

    fn unknown(&self, id: &str) -> LookupError {
        let known = self.metrics.iter().flat_map(|metric| std::iter::once(&metric.id).chain(&metric.alias));
        LookupError::Metric { asked: id.to_owned(), near: nearest(id, known.map(String::as_str)) }
    }
}

/// A fault of a metric, or of the variant of that name.
fn flaw(metric: &Metric, variant: &str, fault: Fault) -> Flaw {
    Flaw { file: metric.file.clone(), line: metric.line, metric: metric.id.clone(), variant: variant.to_owned(), fault }
}

/// Notes the names of a metric that another metric or a measure already has.
fn note_taken_names(metric: &Metric, metrics: &[Arc<Metric>], places: &HashMap<String, usize>, flaws: &mut Vec<Flaw>) {
    for name in std::iter::once(&metric.id).chain(&metric.alias) {
        if let Some(first) = places.get(name).and_then(|place| metrics.get(*place)) {
            let place = format!("{}:{}", first.file, first.line);
            flaws.push(flaw(metric, "", Fault::Taken { id: name.clone(), place }));
        }
        // A metric may bear the name of the one measure that it is: then both mean the same number.
        if let Some(measure) = measure::find(name) {
            let same = metric.variants.iter().all(|variant| {
                variant.calculation == Calculation::Measure(measure) && variant.window == Window::Period
            });
            if !same {
                flaws.push(flaw(metric, "", Fault::Measure { id: name.clone() }));
            }
        }
    }
}

/// Notes the names in the expressions of a metric that mean nothing there.
fn note_unknown_names(
    metric: &Metric,
    metrics: &[Arc<Metric>],
    places: &HashMap<String, usize>,
    flaws: &mut Vec<Flaw>,
) {
    for variant in &metric.variants {
        let formulas: Vec<(&'static str, &Expression)> = match &variant.calculation {
            Calculation::Ratio { numerator, denominator } => {
                vec![("numerator", numerator), ("denominator", denominator)]
            }
            Calculation::Derived(expression) => vec![("expression", expression)],
            Calculation::Measure(_) | Calculation::Custom => Vec::new(),
        };
        for (field, expression) in formulas {
            for name in expression.names() {
                let name = name.to_owned();
                let fault = match plan::meaning(&name, metrics, places) {
                    Meaning::Measure(_) | Meaning::Before(_) => continue,
                    Meaning::Metric(..) if field == "expression" => continue,
                    Meaning::Metric(..) => Fault::NotAMeasure { field, name },
                    Meaning::NoVariant(place) => {
                        let has = metrics.get(place).map(|metric| metric.variants_in_words()).unwrap_or_default();
                        Fault::NoVariant { field, name, has }
                    }
                    Meaning::Nothing => {
                        let measures = MEASURES.iter().map(|measure| measure.id);
                        let near = nearest(&name, measures.chain(metrics.iter().map(|metric| metric.id.as_str())));
                        Fault::NoName { field, name, near }
                    }
                };
                flaws.push(flaw(metric, &variant.name, fault));
            }
        }
    }
}

/// Follows every variant of every metric down to its measures, and notes circles once each.
fn resolve_all(
    metrics: &[Arc<Metric>],
    places: &HashMap<String, usize>,
    flaws: &mut Vec<Flaw>,
) -> Vec<Vec<Arc<ResolvedMetric>>> {
    let mut circles: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    let mut all = Vec::with_capacity(metrics.len());
    for (place, metric) in metrics.iter().enumerate() {
        let mut resolved = Vec::with_capacity(metric.variants.len());
        for (variant_place, variant) in metric.variants.iter().enumerate() {
            match plan::plan(place, variant_place, metrics, places) {
                Ok(plan) => resolved.push(Arc::new(plan)),
                // Whoever wrote the name has been told.
                Err(NoPlan::Name) => {}
                Err(NoPlan::TooDeep) => flaws.push(flaw(metric, &variant.name, Fault::TooDeep(plan::DEEPEST))),
                Err(NoPlan::Circle(circle)) => {
                    if circles.insert(circle.iter().copied().collect()) {
                        let path =
                            circle.iter().filter_map(|place| metrics.get(*place)).map(|metric| metric.id.clone());
                        flaws.push(flaw(metric, &variant.name, Fault::Circle { path: path.collect() }));
                    }
                }
            }
        }
        all.push(resolved);
    }
    all
}

#[cfg(test)]
mod tests;
