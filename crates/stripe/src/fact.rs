//! Facts as Recurve takes them: the kind, and values by the names of the kind's columns.

use revenue::timeline::Confidence;

/// A fact of one of the kinds, in canonical words: amounts in major units, times in RFC 3339, words of the kind table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The kind, in the plural of the command line: `subscriptions`.
    pub kind: &'static str,
    /// Columns with their values; what is not known is not there.
    pub values: Vec<(&'static str, String)>,
    /// The id of the object or event that says so.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Fact {
    /// A column's value.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == column).map(|(_, value)| value.as_str())
    }
}

/// A second since 1970-01-01 as RFC 3339.
#[must_use]
pub fn moment(seconds: i64) -> String {
    revenue::calendar::Moment::Instant(seconds.saturating_mul(1_000_000)).to_string()
}
