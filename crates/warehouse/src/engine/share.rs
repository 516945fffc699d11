//! Linear attribution: a customer whom several channels brought belongs to each of them in part.
//!
//! Customers with the same mixture of channels are one segment, and everything is counted for that; a channel is then
//! the sum of its shares in the mixtures. So every measure that adds up over customers can be shared out, and the
//! channels make the whole.

use std::collections::BTreeMap;

use num_rational::BigRational;

use super::{Question, label::Labels};

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

/// Which segments, and how much of each, make up the segments that are shown.
#[derive(Default)]
pub struct Shares {
    parts: BTreeMap<usize, Vec<(usize, BigRational)>>,
    mixtures: Vec<usize>,
}

impl Shares {
    /// Looks for mixtures among the segments.
    pub fn new(question: &Question, labels: &mut Labels) -> Shares {
        let mut shares = Shares::default();
        if question.by.is_empty() {
            return shares;
        }
        let mixed = |labels: &Labels, segment: usize| labels.of(segment).iter().any(|text| text.starts_with(CHANNEL));
        let counted = labels.len();
        shares.mixtures = (0..counted).filter(|segment| mixed(labels, *segment)).collect();
        for mixture in shares.mixtures.clone() {
            let mut labels_of: Vec<(Vec<String>, BigRational)> =
                vec![(Vec::new(), BigRational::from_integer(1.into()))];
            for text in labels.of(mixture) {
                let values = values_of(text);
                labels_of = labels_of
                    .into_iter()
                    .flat_map(|(label, share)| {
                        values.iter().map(move |(value, part)| {
                            let mut label = label.clone();
                            label.push(value.clone());
                            (label, &share * part)
                        })
                    })
                    .collect();
            }
            for (label, share) in labels_of {
                let segment = labels.number(label) as usize;
                let parts = shares.parts.entry(segment).or_default();
                if parts.is_empty() {
                    // What was counted for the channel alone belongs to it wholly.
                    parts.push((segment, BigRational::from_integer(1.into())));
                }
                parts.push((mixture, share));
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

    /// Whether a segment is a mixture, which only its channels show.
    #[must_use]
    pub fn hides(&self, segment: usize) -> bool {
        self.mixtures.contains(&segment)
    }
}
