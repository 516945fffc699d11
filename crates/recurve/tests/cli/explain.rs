//! Every metric is opened down to the facts that make it, and the facts add up to it.

use revenue::{
    calendar::{Day, Grain, Zone},
    policy::Policy,
};
use warehouse::{
    books::{Books, View},
    catalogue::Catalogue,
    engine::{Assumptions, Question, contribution::contributions, segment::Filter},
    lake::{Access, Lake},
};

use crate::folder::Folder;

/// Every metric in every variant over a month, for a part of the company.
fn question(catalogue: &Catalogue, from: Day, filters: &[(&str, &str)]) -> Question {
    let variants = catalogue.metrics().flat_map(|metric| catalogue.resolve_variants(&metric.id).unwrap());
    let filters = filters.iter();
    Question {
        metrics: variants.cloned().collect(),
        grain: Grain::Month,
        from,
        to: from.plus_months(1),
        by: Vec::new(),
        filters: filters
            .map(|(dimension, value)| Filter { dimension: (*dimension).to_owned(), value: (*value).to_owned() })
            .collect(),
        assumptions: Assumptions::default(),
    }
}

#[test]
fn the_facts_under_each_figure_add_up_to_it() {
    let folder = Folder::empty();
    folder.run(&["demo", "--data", "data", "--customers", "60", "--months", "9", "--seed", "3"]).ends_with(0);
    let lake = Lake::open(&folder.path().join("data"), Access::Read).unwrap();
    let now = Zone::utc().start_of_day(Day::parse("2025-07-20").unwrap());
    let books = Books::open(
        &lake,
        View {
            policy: Policy::default(),
            policy_name: "default".to_owned(),
            zone: Zone::utc(),
            currency: None,
            as_known_at: None,
            now,
            health_weights: Vec::new(),
        },
    )
    .unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let mut wrong: Vec<String> = Vec::new();
    for (month, filters) in [
        ("2025-06-01", &[][..]),
        ("2025-07-01", &[][..]),
        ("2025-06-01", &[("plan", "team")][..]),
        ("2025-06-01", &[("segment", "core")][..]),
        ("2025-06-01", &[("channel", "unknown")][..]),
    ] {
        let question = question(&catalogue, Day::parse(month).unwrap(), filters);
        let opened = contributions(&books, &question).unwrap();
        let compared = opened.iter().filter(|opened| opened.value.is_some() && !opened.facts.is_empty()).count();
        assert!(
            compared > if filters.is_empty() { 100 } else { 30 },
            "{compared} measures of {filters:?} were compared"
        );
        for opened in opened {
            if !opened.adds_up() {
                let (id, sum) = (opened.measure.id, opened.sum());
                wrong.push(format!("{month} {filters:?} {id}: {sum} of {:?}", opened.value));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
