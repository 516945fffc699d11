//! Linear attribution: a customer whom several channels brought belongs to each of them in part.
//!
//! Customers with the same mixture of channels are one segment, and everything is counted for that; a channel is then
//! the sum of its shares in the mixtures. So every measure that adds up over customers can be shared out, and the
//! channels make the whole.

use std::collections::BTreeMap;

use num_rational::BigRational;

use super::{
    Question,
    label::Labels,
    people::{Attribution, TOUCHED},
    segment::Filter,
};

/// Stands before each channel of a mixture, and between a channel and how often it was touched.
const CHANNEL: char = '\u{1}';
const TIMES: char = '\u{2}';

/// A mixture of values as the value of a dimension.
#[must_use]
pub fn mixture(values: &[(String, u32)]) -> String {
    match values {
        [(only, _)] => only.clone(),
        several => several.iter().map(|(value, times)| format!("{CHANNEL}{value}{TIMES}{times}")).collect(),
    }
}

/// The values of a mixture with their shares; the value itself when it is none.
fn values_of(text: &str) -> Vec<(String, BigRational)> {
    let parts: Vec<(String, u32)> = text
        .split(CHANNEL)
        .filter_map(|part| part.split_once(TIMES))
        .filter_map(|(value, times)| Some((value.to_owned(), times.parse().ok()?)))
        .collect();
    let all: u32 = parts.iter().map(|(_, times)| times).sum();
    if !text.starts_with(CHANNEL) || all == 0 {
        return vec![(text.to_owned(), BigRational::from_integer(1.into()))];
    }
    parts.into_iter().map(|(value, times)| (value, BigRational::new(times.into(), all.into()))).collect()
}

/// A question as it is counted. A filter of a channel cannot be asked of a customer who belongs to several of them, so it is
/// counted by that dimension as well, and of each mixture the share of the channel is taken: as `--by` shows it.
pub struct Counted {
    /// The question.
    pub question: Question,
    /// How many of its dimensions are shown.
    pub shown: usize,
    /// Places of its dimensions with the values that are looked at.
    wanted: Vec<(usize, Vec<String>)>,
}

impl Counted {
    /// What is counted to answer a question.
    #[must_use]
    pub fn of(question: &Question) -> Counted {
        let mut counted = Counted { question: question.clone(), shown: question.by.len(), wanted: Vec::new() };
        if question.assumptions.attribution != Attribution::Linear {
            return counted;
        }
        let is_shared = |filter: &Filter| TOUCHED.contains(&filter.dimension.as_str());
        counted.question.filters.retain(|filter| !is_shared(filter));
        for filter in question.filters.iter().filter(|filter| is_shared(filter)) {
            let by = &mut counted.question.by;
            let place = by.iter().position(|name| *name == filter.dimension).unwrap_or_else(|| {
                by.push(filter.dimension.clone());
                by.len() - 1
            });
            match counted.wanted.iter_mut().find(|(known, _)| *known == place) {
                Some((_, values)) => values.push(filter.value.clone()),
                None => counted.wanted.push((place, vec![filter.value.clone()])),
            }
        }
        counted
    }

    /// The segments that are shown to which a segment that is counted belongs, each with its share.
    #[must_use]
    pub fn shares_of(&self, label: &[String]) -> Vec<(Vec<String>, BigRational)> {
        let mut found: Vec<(Vec<String>, BigRational)> = vec![(Vec::new(), BigRational::from_integer(1.into()))];
        for (place, text) in label.iter().enumerate() {
            let mut values = values_of(text);
            if let Some((_, wanted)) = self.wanted.iter().find(|(known, _)| *known == place) {
                values.retain(|(value, _)| wanted.contains(value));
            }
            let with = |(label, share): (Vec<String>, BigRational)| {
                values.clone().into_iter().map(move |(value, part)| {
                    let value = (place < self.shown).then_some(value);
                    (label.iter().cloned().chain(value).collect(), &share * part)
                })
            };
            found = found.into_iter().flat_map(with).collect();
        }
        let mut joined: BTreeMap<Vec<String>, BigRational> = BTreeMap::new();
        for (label, share) in found {
            joined.entry(label).and_modify(|known| *known += &share).or_insert(share);
        }
        joined.into_iter().collect()
    }
}

/// Which segments, and how much of each, make up the segments that are shown.
#[derive(Default)]
pub struct Shares {
    parts: BTreeMap<usize, Vec<(usize, BigRational)>>,
    hidden: Vec<usize>,
}

impl Shares {
    /// Looks for mixtures, and for segments that were counted for a filter, among the segments.
    pub fn new(counted: &Counted, labels: &mut Labels) -> Shares {
        let mut shares = Shares::default();
        let is_mixed =
            |labels: &Labels, segment: usize| labels.of(segment).iter().any(|text| text.starts_with(CHANNEL));
        let is_filtered = !counted.wanted.is_empty();
        let segments = 0..labels.len();
        shares.hidden = segments.filter(|segment| is_filtered || is_mixed(labels, *segment)).collect();
        for hidden in shares.hidden.clone() {
            for (label, share) in counted.shares_of(labels.of(hidden)) {
                let segment = labels.number(label) as usize;
                let parts = shares.parts.entry(segment).or_default();
                if parts.is_empty() && !is_filtered {
                    // What was counted for the channel alone belongs to it wholly.
                    parts.push((segment, BigRational::from_integer(1.into())));
                }
                parts.push((hidden, share));
            }
        }
        if is_filtered {
            // A segment that is shown may be counted as well: by a channel that is filtered.
            shares.hidden.retain(|segment| !shares.parts.contains_key(segment));
            if counted.shown == 0 {
                shares.parts.entry(labels.number(Vec::new()) as usize).or_default();
            }
        }
        shares
    }

    /// The parts of a segment; nothing where it is what was counted.
    #[must_use]
    pub fn of(&self, segment: usize) -> Option<&[(usize, BigRational)]> {
        self.parts.get(&segment).map(Vec::as_slice)
    }

    /// Whether a segment has parts of others.
    #[must_use]
    pub fn has(&self, segment: usize) -> bool {
        self.parts.contains_key(&segment)
    }

    /// Whether a segment was counted only to be shared out.
    #[must_use]
    pub fn hides(&self, segment: usize) -> bool {
        self.hidden.contains(&segment)
    }
}
