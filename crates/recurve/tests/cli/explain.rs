//! Every metric is opened down to the facts that make it, and the facts add up to it.

use revenue::calendar::{Day, Grain};
use warehouse::{
    catalogue::Catalogue,
    engine::{Assumptions, Question, answer, contribution::contributions, people::Attribution, segment::Filter},
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
    folder.run(&["demo", "--customers", "60", "--months", "9", "--seed", "3"]).ends_with(0);
    let books = folder.books("2025-07-20");
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

#[test]
fn a_channel_that_is_filtered_is_the_channel_that_is_listed() {
    let folder = Folder::empty();
    folder.run(&["demo", "--customers", "60", "--months", "9", "--seed", "3"]).ends_with(0);
    let books = folder.books("2025-07-20");
    let catalogue = Catalogue::built_in().unwrap();
    let ask = |by: &[&str], filters: &[(&str, &str)]| {
        let mut question = question(&catalogue, Day::parse("2025-06-01").unwrap(), filters);
        question.by = by.iter().map(|name| (*name).to_owned()).collect();
        question.assumptions.attribution = Attribution::Linear;
        question
    };
    let text = |figure: &warehouse::engine::Figure| (figure.text(2), figure.note.clone());
    let listed = answer(&books, &ask(&["channel"], &[])).unwrap();
    let mut compared = 0;
    let channels: std::collections::BTreeSet<&String> = listed.iter().map(|figure| &figure.segment[0]).collect();
    assert!(channels.len() > 3, "{channels:?}");
    for channel in channels {
        let filtered = answer(&books, &ask(&[], &[("channel", channel)])).unwrap();
        let both = answer(&books, &ask(&["channel"], &[("channel", channel)])).unwrap();
        let rows: Vec<_> = listed.iter().filter(|figure| figure.segment[0] == *channel).collect();
        assert_eq!((rows.len(), rows.len()), (filtered.len(), both.len()), "{channel}");
        for ((row, filtered), both) in rows.into_iter().zip(&filtered).zip(&both) {
            let name = (&row.metric.metric.id, &row.metric.variant.name);
            assert_eq!(text(row), text(filtered), "{name:?} of {channel}");
            assert_eq!((text(row), &row.segment), (text(both), &both.segment), "{name:?} by and of {channel}");
            compared += 1;
        }
        // The facts of a share add up to it as well.
        for opened in contributions(&books, &ask(&[], &[("channel", channel)])).unwrap() {
            let (id, sum) = (opened.measure.id, opened.sum());
            assert!(opened.adds_up(), "{id} of {channel}: {sum} of {:?}", opened.value);
        }
    }
    assert!(compared > 500, "{compared}");
}
