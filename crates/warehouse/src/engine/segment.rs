//! Segments: by which dimensions a figure is split, and which of them are looked at.
//!
//! Some dimensions are a customer's (country, channel, cohort, any attribute): a customer is in one segment. Others
//! are a part's (plan, product, interval, currency): a customer may be in several, and MRR moves between them.

use std::{collections::BTreeMap, sync::Arc};

use revenue::{calendar::Grain, fact::Offer, price::Interval};

use super::{EngineError, lead_score::first_paid_day, standing::Standings};
use crate::books::{Attributes, Books};

/// What stands for a value that is not known: a segment of its own.
pub const UNKNOWN: &str = "unknown";

/// A dimension of the parts of a customer's contracts.
#[derive(Debug, Clone, Copy)]
struct PartDimension {
    name: &'static str,
    value: fn(&Offer) -> String,
}

/// The dimensions of parts.
const PART_DIMENSIONS: &[PartDimension] = &[
    PartDimension { name: "plan", value: |offer| known(&offer.plan) },
    PartDimension { name: "product", value: |offer| known(&offer.product) },
    PartDimension { name: "interval", value: interval },
    PartDimension { name: "currency", value: |offer| offer.currency.to_string() },
];

/// The dimensions of customers that are not attributes.
const CUSTOMER: &str = "customer";
const COHORT: &str = "cohort";
/// Where customers stand: whale, core, at-risk, trial, free, churned. As of now, but for the measures that count where
/// customers stood at the end of a window ([`super::standing`]).
pub const STANDING: &str = "segment";

fn known(text: &str) -> String {
    if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() }
}

fn interval(offer: &Offer) -> String {
    match (offer.interval, offer.interval_count) {
        (interval, 1) | (interval @ Interval::OneOff, _) => interval.name().to_owned(),
        (interval, count) => format!("{count} {}s", interval.name()),
    }
}

/// One condition: a dimension has a value. Several of one dimension are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The dimension.
    pub dimension: String,
    /// Its value; `unknown` for customers of whom it is not known.
    pub value: String,
}

/// "Not looked at".
pub const OUTSIDE: u32 = u32::MAX;

/// Customers and parts sorted into segments.
pub struct Segmentation {
    /// For each segment its value in each dimension, sorted.
    pub labels: Vec<Vec<String>>,
    /// For each customer the code of its own dimensions; [`OUTSIDE`] when filtered out. Nothing where no dimension of
    /// customers is asked for: then all have the first code.
    customer_code: Option<Vec<u32>>,
    customers: usize,
    /// For each offer the code of its dimensions; [`OUTSIDE`] when filtered out.
    part_code: Vec<u32>,
    /// The segment of (customer code × parts + part code).
    segment_of: Vec<u32>,
    parts: usize,
    /// What the customers are in each dimension of theirs that was named.
    attributes: BTreeMap<String, Arc<Attributes>>,
    /// What contracts with a plan are in each dimension of parts that was named.
    of_plans: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

impl Segmentation {
    /// The segments of the books by the dimensions `by`, with `filters`.
    ///
    /// # Errors
    /// When no customer has a dimension, or facts cannot be read.
    pub fn new(books: &Books, by: &[String], filters: &[Filter]) -> Result<Self, EngineError> {
        let segmentation = Self::of_any_facts(books, by, filters)?;
        for name in by.iter().chain(filters.iter().map(|filter| &filter.dimension)) {
            segmentation.must_know(name)?;
        }
        Ok(segmentation)
    }

    /// As [`Segmentation::new`], for questions about facts that may have dimensions of their own: of one that no
    /// customer has, all customers are unknown.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn of_any_facts(books: &Books, by: &[String], filters: &[Filter]) -> Result<Self, EngineError> {
        Ok(Self::of_attributes(books, by, filters, stated(books, by, filters)?))
    }

    /// The segments by attributes that were read, or worked out, before.
    #[must_use]
    pub fn of_attributes(
        books: &Books,
        by: &[String],
        filters: &[Filter],
        mut attributes: BTreeMap<String, Arc<Attributes>>,
    ) -> Self {
        let mut names: Vec<String> = by.to_vec();
        names.extend(filters.iter().map(|filter| filter.dimension.clone()));
        if names.iter().any(|name| name == CUSTOMER) {
            let values = (0..books.customers.len()).map(|customer| books.customer_id(customer as u32)).collect();
            let of_customer = (0..books.customers.len() as u32).map(Some).collect();
            attributes.insert(CUSTOMER.to_owned(), Arc::new(Attributes { values, of_customer }));
        }
        if names.iter().any(|name| name == COHORT) {
            attributes.insert(COHORT.to_owned(), Arc::new(cohorts(books)));
        }

        let (customer_code, customer_labels) = code_customers(books, by, filters, &attributes);
        let (part_code, part_labels) = code_parts(books, by, filters);
        let parts = part_labels.len();
        let mut order: Vec<(Vec<String>, usize)> = Vec::with_capacity(customer_labels.len() * parts);
        for (customer, of_customer) in customer_labels.iter().enumerate() {
            for (part, of_part) in part_labels.iter().enumerate() {
                let (mut of_customer, mut of_part) = (of_customer.iter(), of_part.iter());
                let label: Vec<String> = by
                    .iter()
                    .filter_map(|name| if is_part(name) { of_part.next() } else { of_customer.next() })
                    .cloned()
                    .collect();
                order.push((label, customer * parts + part));
            }
        }
        order.sort_unstable();
        let mut segment_of = vec![OUTSIDE; order.len()];
        let mut labels = Vec::with_capacity(order.len());
        for (label, place) in order {
            segment_of[place] = labels.len() as u32;
            labels.push(label);
        }
        names.retain(|name| is_part(name));
        let of_plans = names.into_iter().map(|name| (name.clone(), parts_of_plans(books, &name))).collect();
        let customers = books.customers.len();
        Self { labels, customer_code, customers, part_code, segment_of, parts, attributes, of_plans }
    }

    /// Refuses a dimension that neither parts nor customers have.
    ///
    /// # Errors
    /// With the dimensions that there are.
    pub fn must_know(&self, name: &str) -> Result<(), EngineError> {
        if is_part(name) || self.attributes.contains_key(name) {
            return Ok(());
        }
        Err(EngineError::UnknownDimension {
            name: name.to_owned(),
            known: PART_DIMENSIONS.iter().map(|dimension| dimension.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// One segment for each code of parts, whoever the customer is; customers of the code [`OUTSIDE`] are not looked at.
    #[cfg(test)]
    pub(super) fn of_codes(customer_code: Vec<u32>, part_code: Vec<u32>, parts: usize) -> Self {
        Self {
            labels: (0..parts).map(|part| vec![part.to_string()]).collect(),
            customers: customer_code.len(),
            customer_code: Some(customer_code),
            part_code,
            segment_of: (0..parts as u32).collect(),
            parts,
            attributes: BTreeMap::new(),
            of_plans: BTreeMap::new(),
        }
    }

    /// The segments of the same customers by fewer dimensions, with fewer filters.
    #[must_use]
    pub fn with_fewer(&self, books: &Books, by: &[String], filters: &[Filter]) -> Self {
        Self::of_attributes(books, by, filters, self.attributes.clone())
    }

    /// What the customers are in a dimension of theirs.
    #[must_use]
    pub fn attributes(&self, name: &str) -> Option<&Attributes> {
        self.attributes.get(name).map(Arc::as_ref)
    }

    /// How many segments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Whether a customer is looked at.
    #[must_use]
    #[inline]
    pub fn has_customer(&self, customer: usize) -> bool {
        self.code_of(customer) != OUTSIDE
    }

    /// Whether a part of some customers' contracts is looked at.
    #[inline]
    #[must_use]
    pub fn has_part(&self, offer: u32) -> bool {
        self.part_code.get(offer as usize).is_some_and(|code| *code != OUTSIDE)
    }

    #[inline]
    fn code_of(&self, customer: usize) -> u32 {
        match &self.customer_code {
            Some(codes) => codes.get(customer).copied().unwrap_or(OUTSIDE),
            None if customer < self.customers => 0,
            None => OUTSIDE,
        }
    }

    /// The segment of a part of a customer's contracts; [`OUTSIDE`] when it is not looked at.
    #[inline]
    #[must_use]
    pub fn segment(&self, customer: usize, offer: u32) -> u32 {
        match (self.code_of(customer), self.part_code.get(offer as usize)) {
            (customer, Some(part)) if customer != OUTSIDE && *part != OUTSIDE => {
                self.segment_of.get(customer as usize * self.parts + *part as usize).copied().unwrap_or(OUTSIDE)
            }
            _ => OUTSIDE,
        }
    }

    /// What the contracts with each plan are in a dimension of parts, where all of them are the same.
    #[must_use]
    pub fn of_plans(&self, dimension: &str) -> Option<&BTreeMap<String, Option<String>>> {
        self.of_plans.get(dimension)
    }
}

/// What the facts state of customers in the dimensions of a question that are theirs.
///
/// # Errors
/// When facts cannot be read.
pub fn stated(
    books: &Books,
    by: &[String],
    filters: &[Filter],
) -> Result<BTreeMap<String, Arc<Attributes>>, EngineError> {
    let mut attributes = stated_in_facts(books, by, filters)?;
    if by.iter().chain(filters.iter().map(|filter| &filter.dimension)).any(|name| name == STANDING) {
        let standing = std::iter::once(STANDING.to_owned()).collect();
        let of_now = |_: &[String]| Ok(BTreeMap::from([(STANDING.to_owned(), Standings::new(books)?.attributes())]));
        attributes.extend(books.cubes.attributes(standing, of_now)?);
    }
    Ok(attributes)
}

/// As [`stated`], but for where customers stand, which is worked out.
///
/// # Errors
/// When facts cannot be read.
pub fn stated_in_facts(
    books: &Books,
    by: &[String],
    filters: &[Filter],
) -> Result<BTreeMap<String, Arc<Attributes>>, EngineError> {
    let names: std::collections::BTreeSet<String> = by
        .iter()
        .chain(filters.iter().map(|filter| &filter.dimension))
        .filter(|name| !is_part(name) && ![CUSTOMER, COHORT, STANDING].contains(&name.as_str()))
        .cloned()
        .collect();
    let mut attributes = books.cubes.attributes(names, |names| Ok(books.attributes(names)?))?;
    attributes.retain(|_, attribute| !attribute.values.is_empty());
    Ok(attributes)
}

/// Something that figures can be split and filtered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dimension {
    /// Its name.
    pub name: String,
}

/// The dimensions that the books can be split by: those of parts, those of customers, and the attributes of customers.
/// Which attributes there are is seen from the first rows of each part of their files.
///
/// # Errors
/// When the facts cannot be read.
pub fn dimensions(books: &Books) -> Result<Vec<Dimension>, EngineError> {
    const LOOKED_AT: usize = 1_000;
    const OF_CUSTOMERS: [&str; 2] = ["country", "channel"];
    let mut found: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    if let Some(lake) = books.lake()
        && lake.table_schema("customer")?.is_some()
    {
        for part in lake.parts("customer", &["attributes"], books.view.as_known_at)? {
            let Some(batch) = part.rows()?.next() else { continue };
            let batch = batch?;
            let json = crate::books::Texts::of(&batch, "attributes")?;
            for text in (0..batch.num_rows().min(LOOKED_AT)).filter_map(|row| json.get(row)) {
                let stated: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
                found.extend(stated.into_iter().map(|(name, _)| name));
            }
        }
    }
    let parts = PART_DIMENSIONS.iter().map(|dimension| dimension.name);
    let known = parts.chain(OF_CUSTOMERS).chain([COHORT, STANDING, CUSTOMER]);
    let known: Vec<String> = known.map(str::to_owned).collect();
    found.retain(|name| !known.contains(name));
    Ok(known.into_iter().chain(found).map(|name| Dimension { name }).collect())
}

fn is_part(name: &str) -> bool {
    PART_DIMENSIONS.iter().any(|dimension| dimension.name == name)
}

/// What the contracts with each plan are in a dimension; nothing where they differ.
fn parts_of_plans(books: &Books, dimension: &str) -> BTreeMap<String, Option<String>> {
    let mut of_plans: BTreeMap<String, Option<String>> = BTreeMap::new();
    let Some(dimension) = PART_DIMENSIONS.iter().find(|known| known.name == dimension) else { return of_plans };
    for offer in &books.facts.offers {
        let value = (dimension.value)(offer);
        let known = of_plans.entry(offer.plan.clone()).or_insert_with(|| Some(value.clone()));
        if known.as_ref().is_some_and(|known| *known != value) {
            *known = None;
        }
    }
    of_plans
}

/// The month in which each customer first paid.
fn cohorts(books: &Books) -> Attributes {
    let month = |day: i32| revenue::calendar::Day(day).first_of(Grain::Month).0;
    let first: Vec<Option<i32>> =
        (0..books.customers.len() as u32).map(|customer| first_paid_day(books, customer).map(month)).collect();
    let mut months: Vec<i32> = first.iter().flatten().copied().collect();
    months.sort_unstable();
    months.dedup();
    Attributes {
        values: months.iter().map(|month| revenue::calendar::Day(*month).to_string()).collect(),
        of_customer: first
            .into_iter()
            .map(|month| month.and_then(|month| months.binary_search(&month).ok()).map(|index| index as u32))
            .collect(),
    }
}

/// Codes for combinations of values, and the values of each code.
#[derive(Default)]
struct Codes {
    known: BTreeMap<Vec<u32>, u32>,
    labels: Vec<Vec<String>>,
}

impl Codes {
    fn of(&mut self, values: &[u32], label: impl FnOnce() -> Vec<String>) -> u32 {
        if let Some(code) = self.known.get(values) {
            return *code;
        }
        let code = self.labels.len() as u32;
        self.known.insert(values.to_vec(), code);
        self.labels.push(label());
        code
    }
}

fn code_customers(
    books: &Books,
    by: &[String],
    filters: &[Filter],
    attributes: &BTreeMap<String, Arc<Attributes>>,
) -> (Option<Vec<u32>>, Vec<Vec<String>>) {
    if by.iter().chain(filters.iter().map(|filter| &filter.dimension)).all(|name| is_part(name)) {
        return (None, vec![Vec::new()]);
    }
    let nothing = Attributes { values: Vec::new(), of_customer: Vec::new() };
    let of = |name: &String| attributes.get(name).map_or(&nothing, Arc::as_ref);
    let split: Vec<&Attributes> = by.iter().filter(|name| !is_part(name)).map(of).collect();
    let named: std::collections::BTreeSet<&String> =
        filters.iter().map(|filter| &filter.dimension).filter(|name| !is_part(name)).collect();
    let wanted: Vec<(&Attributes, Vec<Option<u32>>)> = named
        .into_iter()
        .map(|name| {
            let attribute = of(name);
            let values: Vec<Option<u32>> = filters
                .iter()
                .filter(|filter| filter.dimension == *name)
                .filter_map(|filter| match attribute.values.binary_search(&filter.value) {
                    Ok(found) => Some(Some(found as u32)),
                    Err(_) => (filter.value == UNKNOWN).then_some(None),
                })
                .collect();
            (attribute, values)
        })
        .collect();
    let label = |attribute: &Attributes, code: u32| {
        attribute.values.get(code as usize).cloned().unwrap_or_else(|| UNKNOWN.to_owned())
    };
    let mut codes = Codes::default();
    if split.is_empty() {
        codes.of(&[], Vec::new);
    }
    let mut values = Vec::new();
    let of_customer = (0..books.customers.len())
        .map(|customer| {
            let value = |attribute: &Attributes| attribute.of_customer.get(customer).copied().flatten();
            if !wanted.iter().all(|(attribute, wanted)| wanted.contains(&value(attribute))) {
                return OUTSIDE;
            }
            if split.is_empty() {
                return 0;
            }
            values.clear();
            values.extend(split.iter().map(|attribute| value(attribute).unwrap_or(OUTSIDE)));
            codes.of(&values, || split.iter().zip(&values).map(|(attribute, code)| label(attribute, *code)).collect())
        })
        .collect();
    (Some(of_customer), codes.labels)
}

fn code_parts(books: &Books, by: &[String], filters: &[Filter]) -> (Vec<u32>, Vec<Vec<String>>) {
    let dimension = |name: &str| PART_DIMENSIONS.iter().find(|dimension| dimension.name == name);
    let split: Vec<&PartDimension> = by.iter().filter_map(|name| dimension(name)).collect();
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for filter in filters.iter().filter(|filter| is_part(&filter.dimension)) {
        wanted.entry(&filter.dimension).or_default().push(&filter.value);
    }
    let mut labels: Vec<Vec<String>> = if split.is_empty() { vec![Vec::new()] } else { Vec::new() };
    let of_part = books
        .facts
        .offers
        .iter()
        .map(|offer| {
            let fits = wanted.iter().all(|(name, values)| {
                dimension(name).is_some_and(|dimension| values.contains(&(dimension.value)(offer).as_str()))
            });
            if !fits {
                return OUTSIDE;
            }
            let label: Vec<String> = split.iter().map(|dimension| (dimension.value)(offer)).collect();
            let known = labels.iter().position(|other| *other == label);
            known.unwrap_or_else(|| {
                labels.push(label);
                labels.len() - 1
            }) as u32
        })
        .collect();
    (of_part, labels)
}
