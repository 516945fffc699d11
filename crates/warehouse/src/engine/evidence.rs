//! What a measure counts, one thing at a time, with the fact that shows it.
//!
//! A measure that has a way of its own says what it counts as entries: their sum is the figure, and each of them is a line
//! when the figure is opened. So a figure and its explanation cannot disagree.

use revenue::{ledger::Ledger, timeline::Span};

/// What shows that something counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A fact: its kind, by the table, and its place among the facts of that kind.
    Fact(&'static str, usize),
    /// A subscription fact by its number in the books.
    Subscription {
        /// The customer of the ledger whose it is.
        customer: u32,
        /// The item of the subscription.
        item: u32,
        /// The fact.
        fact: u32,
    },
}

impl Evidence {
    /// A row of the ledger, by the fact that made it.
    #[must_use]
    pub fn of_row(ledger: &Ledger, customer: u32, row: usize) -> Evidence {
        Evidence::Subscription { customer, item: ledger.subscription[row], fact: ledger.fact[row] }
    }

    /// A span of a subscription, by the fact that states it.
    #[must_use]
    pub fn of_span(customer: u32, span: &Span) -> Evidence {
        Evidence::Subscription { customer, item: span.subscription, fact: span.fact }
    }
}

/// One thing that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The segment that it counts in.
    pub segment: u32,
    /// The day on which it counts.
    pub day: i32,
    /// How much, in units of the measure.
    pub value: i128,
    /// The fact that shows it.
    pub evidence: Evidence,
}
