//! The segments of an answer, whatever kind of fact they were seen in.

use std::collections::HashMap;

/// Segments, numbered: those of the ledger first, then what only other facts know.
#[derive(Debug, Default)]
pub struct Labels {
    labels: Vec<Vec<String>>,
    known: HashMap<Vec<String>, u32>,
}

impl Labels {
    /// Begins with the segments of the ledger, which keep their numbers.
    #[must_use]
    pub fn new(labels: &[Vec<String>]) -> Self {
        let known = labels.iter().enumerate().map(|(index, label)| (label.clone(), index as u32)).collect();
        Labels { labels: labels.to_vec(), known }
    }

    /// The number of a segment, new or known.
    pub fn number(&mut self, label: Vec<String>) -> u32 {
        if let Some(number) = self.known.get(&label) {
            return *number;
        }
        let number = self.labels.len() as u32;
        self.known.insert(label.clone(), number);
        self.labels.push(label);
        number
    }

    /// The number of a segment, when it has one.
    #[must_use]
    pub fn find(&self, label: &[String]) -> Option<usize> {
        self.known.get(label).map(|number| *number as usize)
    }

    /// The values of a segment in the dimensions asked for.
    #[must_use]
    pub fn of(&self, segment: usize) -> &[String] {
        self.labels.get(segment).map_or(&[], Vec::as_slice)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The segments in the order in which they are shown.
    #[must_use]
    pub fn sorted(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by(|a, b| self.labels[*a].cmp(&self.labels[*b]));
        order
    }
}
