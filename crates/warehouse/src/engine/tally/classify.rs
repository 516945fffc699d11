//! Facts sorted into segments: by what they state themselves, else by what is known of their customer.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::super::{
    label::Labels,
    people::People,
    segment::{Filter, OUTSIDE, Segmentation, UNKNOWN},
};
use crate::{
    books::Attributes,
    observed::{NO_CODE, NO_ID, Observed, Wanted, value_of_column},
};

/// The column that says what a fact bills or sells.
const PLAN: &str = "plan";

/// Sorts facts of any kind into the segments of one question.
pub struct Classifier<'a> {
    by: &'a [String],
    filters: &'a [Filter],
    segmentation: &'a Segmentation,
    people: &'a People,
}

/// For each fact its segment; [`OUTSIDE`] when it is not looked at.
pub enum Classes {
    /// All facts are in one segment.
    One(u32),
    /// A segment a fact.
    Each(Vec<u32>),
}

impl Classes {
    /// The segment of a fact.
    #[must_use]
    pub fn of(&self, fact: usize) -> u32 {
        match self {
            Classes::One(segment) => *segment,
            Classes::Each(segments) => segments.get(fact).copied().unwrap_or(OUTSIDE),
        }
    }
}

/// Where a dimension of some facts comes from.
enum Source<'o> {
    /// The facts state it.
    Own(&'o [u32], &'o [String]),
    /// The contracts with the plan that they state have it.
    Plan(Vec<u32>, Vec<String>),
    /// Their customer has it.
    Customer(&'o Attributes, &'o [u32]),
    /// Nobody knows.
    Unknown,
}

impl Source<'_> {
    /// What facts that state a plan are in a dimension of contracts.
    fn of_plans(observed: &Observed, of_plans: &BTreeMap<String, Option<String>>) -> Option<Self> {
        let plans = observed.texts(PLAN)?;
        let mut texts: Vec<String> = Vec::new();
        let mut of_text = |plan: &String| -> u32 {
            let Some(Some(value)) = of_plans.get(plan) else { return NO_CODE };
            let known = texts.iter().position(|text| text == value);
            known.unwrap_or_else(|| {
                texts.push(value.clone());
                texts.len() - 1
            }) as u32
        };
        let codes: Vec<u32> = plans.texts.iter().map(&mut of_text).collect();
        let of_fact = |plan: &u32| codes.get(*plan as usize).copied().unwrap_or(NO_CODE);
        Some(Source::Plan(plans.codes.iter().map(of_fact).collect(), texts))
    }

    fn code(&self, fact: usize) -> u32 {
        match self {
            Source::Own(codes, _) => codes.get(fact).copied().unwrap_or(NO_CODE),
            Source::Plan(codes, _) => codes.get(fact).copied().unwrap_or(NO_CODE),
            Source::Customer(attributes, customers) => {
                let customer = customers.get(fact).copied().unwrap_or(NO_ID) as usize;
                attributes.of_customer.get(customer).copied().flatten().unwrap_or(NO_CODE)
            }
            Source::Unknown => NO_CODE,
        }
    }

    fn text(&self, code: u32) -> String {
        let text = match self {
            Source::Own(_, texts) => texts.get(code as usize),
            Source::Plan(_, texts) => texts.get(code as usize),
            Source::Customer(attributes, _) => attributes.values.get(code as usize),
            Source::Unknown => None,
        };
        text.cloned().unwrap_or_else(|| UNKNOWN.to_owned())
    }

    /// Which codes a filter lets through, and whether the unknown is.
    fn allowed(&self, values: &[&str]) -> (Vec<bool>, bool) {
        let fits = |text: &String| values.contains(&text.as_str());
        let codes = match self {
            Source::Own(_, texts) => texts.iter().map(fits).collect(),
            Source::Plan(_, texts) => texts.iter().map(fits).collect(),
            Source::Customer(attributes, _) => attributes.values.iter().map(fits).collect(),
            Source::Unknown => Vec::new(),
        };
        (codes, values.contains(&UNKNOWN))
    }
}

impl<'a> Classifier<'a> {
    /// A classifier for the dimensions and filters of a question.
    #[must_use]
    pub fn new(by: &'a [String], filters: &'a [Filter], segmentation: &'a Segmentation, people: &'a People) -> Self {
        Classifier { by, filters, segmentation, people }
    }

    fn dimensions(&self) -> impl Iterator<Item = &str> {
        self.by.iter().map(String::as_str).chain(self.filters.iter().map(|filter| filter.dimension.as_str()))
    }

    /// Whether the facts of a kind are looked at for a dimension, and not their customers.
    fn is_own(&self, table: &str, name: &str) -> bool {
        value_of_column(table, name).is_some() || self.segmentation.attributes(name).is_none()
    }

    /// Adds the columns that it looks at.
    pub fn want(&self, table: &str, wanted: &mut Wanted) {
        let dimensions: Vec<String> = self.dimensions().map(str::to_owned).collect();
        want(table, &dimensions, &|name| self.segmentation.attributes(name).is_some(), wanted);
        if value_of_column(table, PLAN).is_some()
            && dimensions.iter().any(|name| self.segmentation.of_plans(name).is_some())
        {
            wanted.texts.insert(PLAN.to_owned());
        }
    }

    /// The segments of some facts, with the dimensions `across` taken as one.
    pub fn classes(&self, table: &str, observed: &Observed, across: &[&str], labels: &mut Labels) -> Classes {
        let asks_customer = self.dimensions().any(|name| !self.is_own(table, name));
        let customers = if asks_customer { self.people.customers_of(table, observed) } else { Vec::new() };
        let source = |name: &str| -> Source<'_> {
            let own = || observed.texts(name).map(|coded| Source::Own(&coded.codes, &coded.texts));
            let of_customer = || self.segmentation.attributes(name).map(|a| Source::Customer(a, &customers));
            let of_plan = || match value_of_column(table, name) {
                None => self.segmentation.of_plans(name).and_then(|of_plans| Source::of_plans(observed, of_plans)),
                Some(_) => None,
            };
            let found = if self.is_own(table, name) { of_plan().or_else(own) } else { of_customer() };
            found.unwrap_or(Source::Unknown)
        };
        let split: Vec<(&str, Source<'_>)> = self
            .by
            .iter()
            .map(|name| (name.as_str(), if across.contains(&name.as_str()) { Source::Unknown } else { source(name) }))
            .collect();
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for filter in self.filters.iter().filter(|filter| !across.contains(&filter.dimension.as_str())) {
            wanted.entry(&filter.dimension).or_default().push(&filter.value);
        }
        let wanted: Vec<(Source<'_>, Vec<bool>, bool)> = wanted
            .into_iter()
            .map(|(name, values)| {
                let source = source(name);
                let (codes, unknown) = source.allowed(&values);
                (source, codes, unknown)
            })
            .collect();
        if split.is_empty() && wanted.is_empty() {
            return Classes::One(labels.number(Vec::new()));
        }
        let is_in = |fact: usize| {
            wanted
                .iter()
                .all(|(source, codes, unknown)| codes.get(source.code(fact) as usize).copied().unwrap_or(*unknown))
        };
        let mut label = |codes: &[u32]| -> u32 {
            let texts = split.iter().zip(codes).map(|((name, source), code)| match across.contains(name) {
                true => ACROSS.to_owned(),
                false => source.text(*code),
            });
            labels.number(texts.collect())
        };
        if let [(_, only)] = split.as_slice() {
            // One dimension: its codes are the segments, but for their numbers; the unknown comes first.
            let mut numbers: Vec<Option<u32>> = Vec::new();
            let segments = (0..observed.len()).map(|fact| {
                if !is_in(fact) {
                    return OUTSIDE;
                }
                let code = only.code(fact);
                let place = code.wrapping_add(1) as usize;
                if numbers.len() <= place {
                    numbers.resize(place + 1, None);
                }
                *numbers[place].get_or_insert_with(|| label(&[code]))
            });
            return Classes::Each(segments.collect());
        }
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut codes = Vec::with_capacity(split.len());
        let segments = (0..observed.len()).map(|fact| {
            if !is_in(fact) {
                return OUTSIDE;
            }
            codes.clear();
            codes.extend(split.iter().map(|(_, source)| source.code(fact)));
            if let Some(number) = numbers.get(&codes) {
                return *number;
            }
            let number = label(&codes);
            numbers.insert(codes.clone(), number);
            number
        });
        Classes::Each(segments.collect())
    }
}

/// Adds the columns by which facts of a kind are sorted into dimensions: their own, else those that lead to customers,
/// of whom some dimensions are known.
pub fn want(table: &str, dimensions: &[String], of_customers: &dyn Fn(&str) -> bool, wanted: &mut Wanted) {
    for name in dimensions {
        if value_of_column(table, name).is_some() || !of_customers(name) {
            wanted.texts.insert(name.clone());
        } else {
            People::want(table, wanted);
        }
    }
}

/// What stands in a label for a dimension that a measure does not tell apart.
pub const ACROSS: &str = "\u{0}across";
