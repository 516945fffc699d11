//! Segments add up: every measure of the catalogue, split by every dimension of the demo company, makes the whole again, and
//! what is not known is a segment. Ratios are Σ ÷ Σ, over segments as over periods.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;
use revenue::calendar::{Day, Grain};
use warehouse::{
    books::Books,
    catalogue::{Adds, Catalogue, Kind, MEASURES, Measure, Nature, Value, Window},
    engine::{Assumptions, Figure, Question, answer, people::Attribution, segment::UNKNOWN},
};

use crate::folder::Folder;

/// Dimensions of customers as a whole, each in one segment.
const OF_CUSTOMERS: &[&str] = &["country", "channel", "campaign", "cohort", "segment", "customer"];
/// Dimensions of parts of contracts: a customer may be in several.
const OF_PARTS: &[&str] = &["plan", "product", "interval", "currency"];
/// Dimensions that only some facts state; everything else is unknown in them.
const OF_FACTS: &[&str] = &["category", "feature", "vendor", "survey"];

/// A catalogue in which every measure is a metric by itself.
fn measures() -> Catalogue {
    let entry = |measure: &Measure| {
        format!(
            "[[metric]]\nid = \"only_{id}\"\nsection = \"own\"\nname = \"M\"\ndefinition = \"M.\"\nformula = \"{id}\"\n\
             unit = \"{unit}\"\nbetter = \"up\"\nkind = \"measure\"\nmeasure = \"{id}\"\n\n",
            id = measure.id,
            unit = measure.unit.name(),
        )
    };
    let text: String = MEASURES.iter().map(entry).collect();
    Catalogue::load(&[("own/measures.toml", text.as_str())]).unwrap()
}

fn ask(books: &Books, catalogue: &Catalogue, grain: Grain, by: &[&str], attribution: Attribution) -> Vec<Figure> {
    let metrics = MEASURES.iter().map(|measure| catalogue.resolve(&format!("only_{}", measure.id), None).unwrap());
    let question = Question {
        metrics: metrics.collect(),
        grain,
        from: Day::parse("2025-04-01").unwrap(),
        to: Day::parse("2025-07-01").unwrap(),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        filters: Vec::new(),
        assumptions: Assumptions { attribution, ..Assumptions::default() },
    };
    answer(books, &question).unwrap()
}

/// The numbers by measure and period, added up over the segments; and the values of the segments.
#[derive(Default)]
struct Sums {
    of: BTreeMap<(String, String), BigRational>,
    segments: BTreeSet<String>,
}

fn sums(figures: &[Figure]) -> Sums {
    let mut sums = Sums::default();
    for figure in figures {
        let id = figure.metric.metric.id.trim_start_matches("only_").to_owned();
        if let Value::Number(number) = &figure.value {
            *sums.of.entry((id, figure.period.label.to_string())).or_insert_with(BigRational::zero) += number;
        }
        sums.segments.insert(figure.segment.join(" "));
    }
    sums
}

fn company() -> (Folder, Books) {
    let folder = Folder::empty();
    folder.run(&["demo", "--customers", "60", "--months", "9", "--seed", "3"]).ends_with(0);
    let books = folder.books("2025-07-20");
    (folder, books)
}

#[test]
fn every_measure_split_by_every_dimension_makes_the_whole() {
    let (_folder, books) = company();
    let catalogue = measures();
    let whole = sums(&ask(&books, &catalogue, Grain::Month, &[], Attribution::Stated)).of;
    assert!(whole.len() > 3 * 100, "{} figures of the whole", whole.len());
    let mut wrong = Vec::new();
    let mut compared = 0;
    let stated = OF_CUSTOMERS.iter().chain(OF_PARTS).chain(OF_FACTS).map(|name| (*name, Attribution::Stated));
    let touched = Attribution::ALL.into_iter().skip(1).map(|(attribution, _)| ("channel", attribution));
    for (dimension, attribution) in stated.chain(touched) {
        let parts = sums(&ask(&books, &catalogue, Grain::Month, &[dimension], attribution));
        for measure in MEASURES {
            let adds = match measure.adds {
                Adds::Anywhere => true,
                Adds::OverCustomers => !OF_PARTS.contains(&dimension),
                Adds::Nowhere => false,
            };
            for ((id, period), wanted) in whole.iter().filter(|((id, _), _)| adds && *id == measure.id) {
                let key = (id.clone(), period.clone());
                let found = parts.of.get(&key).cloned().unwrap_or_else(BigRational::zero);
                compared += 1;
                if found != *wanted {
                    let way = if attribution == Attribution::Stated { "" } else { " (attributed)" };
                    wrong.push(format!("{id} by {dimension}{way} in {period}: {found} of {wanted}"));
                }
            }
        }
        if ["channel", "campaign", "country", "category"].contains(&dimension) {
            assert!(parts.segments.contains(UNKNOWN), "{dimension}: {:?}", parts.segments);
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 4_000, "{compared}");
}

#[test]
fn months_make_their_quarter() {
    let (_folder, books) = company();
    let catalogue = measures();
    let quarter = sums(&ask(&books, &catalogue, Grain::Quarter, &[], Attribution::Stated)).of;
    let months = ask(&books, &catalogue, Grain::Month, &[], Attribution::Stated);
    let mut compared = 0;
    for measure in MEASURES.iter().filter(|measure| measure.nature == Nature::Flow && measure.adds_over_periods) {
        let of_months = months.iter().filter(|figure| figure.metric.metric.id == format!("only_{}", measure.id));
        let sum: BigRational = of_months.filter_map(|figure| figure.value.number()).sum();
        let whole = quarter.get(&(measure.id.to_owned(), "2025-04-01".to_owned()));
        assert_eq!(Some(&sum), whole, "{}", measure.id);
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}

/// What a metric is of the whole comes of the sums of its segments: a ratio is the sum of their numerators over the sum of
/// their denominators, never the mean of their ratios.
#[test]
fn metrics_of_the_whole_come_of_the_sums_of_their_segments() {
    let (_folder, books) = company();
    let own = measures();
    let catalogue = Catalogue::built_in().unwrap();
    let whole = sums(&ask(&books, &own, Grain::Month, &[], Attribution::Stated)).of;
    let segments = sums(&ask(&books, &own, Grain::Month, &["country"], Attribution::Stated)).of;
    let variants = catalogue.metrics().flat_map(|metric| catalogue.resolve_variants(&metric.id).unwrap());
    let from = Day::parse("2025-05-01").unwrap();
    let question = Question {
        metrics: variants.cloned().collect(),
        grain: Grain::Month,
        from,
        to: from.plus_months(1),
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: Assumptions::default(),
    };
    let (mut compared, mut ratios) = (0, 0);
    for figure in answer(&books, &question).unwrap() {
        let metric = &figure.metric;
        // What is of the period itself: its days, its months, the margin that is applied.
        let is_of_the_period = |measure: &Measure| measure.needs.is_empty();
        let adds = metric.inputs.iter().all(|input| {
            input.window == Window::Period && (input.measure.adds != Adds::Nowhere || is_of_the_period(input.measure))
        });
        if !adds || metric.inputs.is_empty() {
            continue;
        }
        let found = metric.evaluate(&mut |input| {
            let figures = if is_of_the_period(input.measure) { &whole } else { &segments };
            let number = figures.get(&(input.measure.id.to_owned(), from.to_string()));
            Value::Number(number.cloned().unwrap_or_else(BigRational::zero))
        });
        assert_eq!(found.number(), figure.value.number(), "{} {}", metric.metric.id, metric.variant.name);
        compared += 1;
        ratios += usize::from(metric.variant.kind == Kind::Ratio && found.number().is_some());
    }
    assert!(compared > 100 && ratios > 40, "{compared} metrics, {ratios} ratios");
}
