//! The kinds of facts: declared once in [`KINDS`], and everything else derived from that table.
//!
//! The Arrow schema of a kind, the headers that an import recognises, the help of the command line and the
//! documentation of the file formats all read the same rows. A column that is not in the table does not exist;
//! what a file holds beyond it is kept as attributes.

mod table;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use table::KINDS;

/// Digits that a stored decimal may have in all.
pub const DECIMAL_PRECISION: u8 = 38;
/// Decimals of a stored decimal: unit prices may be finer than money is.
pub const DECIMAL_SCALE: u32 = 12;

/// Columns that every table of facts has after those of its kind.
pub const SYSTEM_COLUMNS: &[&str] = &["source", "import", "row", "withdrawn", "attributes"];

/// A kind of fact: what it is called, what identifies one, and its columns in order.
#[derive(Debug, PartialEq)]
pub struct Kind {
    /// What the command line calls it, in the plural: `subscriptions`.
    pub name: &'static str,
    /// What its table is called, in the singular: `subscription`.
    pub table: &'static str,
    /// Other names that the command line takes for it.
    pub aliases: &'static [&'static str],
    /// One sentence for the help.
    pub words: &'static str,
    /// The columns whose values together say which fact a row is; an absent value counts as a value.
    pub key: &'static [&'static str],
    /// Its columns, in the order of its export.
    pub columns: &'static [Column],
    /// What must hold between the values of one row.
    pub rules: &'static [Rule],
}

/// A column of a kind.
#[derive(Debug, PartialEq)]
pub struct Column {
    /// Its name in exports, in `--map` and in the table.
    pub name: &'static str,
    /// What its values are.
    pub value: ValueKind,
    /// Whether a row may leave it empty.
    pub need: Need,
    /// Headers under which other systems export it, normalised, the surest first.
    pub synonyms: &'static [&'static str],
    /// One sentence for the help.
    pub words: &'static str,
}

/// Whether a row may leave a column empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A row without it is refused.
    Required,
    /// It may be absent; whoever reads the fact then applies the default.
    Optional,
}

/// What the values of a column are, which decides how they are read, stored and printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueKind {
    /// Any text, as it stands.
    Text,
    /// The name that a source gives to one thing; kept as text, never read as a number.
    Id,
    /// An ISO 4217 code.
    Currency,
    /// An exact decimal with at most twelve decimals.
    Decimal,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal from 0 to 100.
    Percent,
    /// A day of the business, or an instant: stored in two columns of which one is set.
    Moment,
    /// A calendar day.
    Day,
    /// Yes or no.
    Boolean,
    /// One of a few words; stored as the canonical one.
    Choice(&'static [Choice]),
    /// One of a few words, or a whole number of months from 1.
    ChoiceOrMonths(&'static [Choice]),
    /// Price tiers, `up_to:unit:flat` separated by semicolons, the last one up to `inf`.
    Tiers,
}

/// One word of a [`ValueKind::Choice`].
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// The word that is stored.
    pub canonical: &'static str,
    /// Words that mean the same, normalised.
    pub synonyms: &'static [&'static str],
    /// Words that mean several of it: `biannual` is six months. See [`Rule::Multiplies`].
    pub multiples: &'static [(&'static str, i64)],
}

/// What must hold between the values of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The second moment, when both are given, comes after the first.
    After(&'static str, &'static str),
    /// The second moment, when both are given, does not come before the first.
    NotBefore(&'static str, &'static str),
    /// The number is not negative.
    NotNegative(&'static str),
    /// The number is at least one.
    AtLeastOne(&'static str),
    /// The number is above zero.
    AboveZero(&'static str),
    /// The amount times the quantity (1 where there is none) fits the ledger's 64-bit micro-units.
    FitsLedger(&'static str, Option<&'static str>),
    /// The multiple that a word of the first column means goes into the whole number in the second.
    Multiplies(&'static str, &'static str),
    /// The two texts differ.
    Differs(&'static str, &'static str),
}

impl Kind {
    /// A kind by the name that the command line uses, by its table or by an alias.
    #[must_use]
    pub fn parse(name: &str) -> Option<&'static Kind> {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        KINDS.iter().find(|kind| {
            kind.name == name || kind.table.replace('_', "-") == name || kind.aliases.contains(&name.as_str())
        })
    }

    /// Whether its facts are totals of days: then no id tells two of them apart, only what they are totals of.
    #[must_use]
    pub fn is_of_totals(&self) -> bool {
        let key = || self.key.iter().filter_map(|key| self.columns.get(self.position(key)?));
        key().any(|column| column.value == ValueKind::Day)
    }

    /// The position of a column by its name.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|listed| listed.name == column)
    }

    /// The schema of the kind's table: its columns (a moment takes two), then [`SYSTEM_COLUMNS`].
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let mut fields = Vec::new();
        for column in self.columns {
            // A day's column and an instant's are both nullable even when one of them must be set.
            let nullable = column.need == Need::Optional || column.value == ValueKind::Moment;
            for (name, data_type) in column.storage() {
                fields.push(Field::new(name, data_type, nullable));
            }
        }
        fields.push(Field::new("source", DataType::Utf8, false));
        fields.push(Field::new("import", DataType::Int64, false));
        fields.push(Field::new("row", DataType::Int64, false));
        fields.push(Field::new("withdrawn", DataType::Boolean, false));
        fields.push(Field::new("attributes", DataType::Utf8, true));
        Arc::new(Schema::new(fields))
    }
}

impl Column {
    /// The stored columns: one, or for a moment the day's and the instant's.
    #[must_use]
    pub fn storage(&self) -> Vec<(String, DataType)> {
        let data_type = match self.value {
            ValueKind::Moment => {
                return vec![
                    (self.day_name(), DataType::Date32),
                    (self.instant_name(), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
                ];
            }
            ValueKind::Decimal | ValueKind::Percent => DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE as i8),
            ValueKind::Integer => DataType::Int64,
            ValueKind::Day => DataType::Date32,
            ValueKind::Boolean => DataType::Boolean,
            ValueKind::Text
            | ValueKind::Id
            | ValueKind::Currency
            | ValueKind::Choice(_)
            | ValueKind::ChoiceOrMonths(_)
            | ValueKind::Tiers => DataType::Utf8,
        };
        vec![(self.name.to_owned(), data_type)]
    }

    /// Where the day of a moment is stored: `start` → `start_day`, `paid_at` → `paid_day`.
    #[must_use]
    pub fn day_name(&self) -> String {
        format!("{}_day", self.name.strip_suffix("_at").unwrap_or(self.name))
    }

    /// Where the instant of a moment is stored: `start` → `start_at`, `paid_at` → `paid_at`.
    #[must_use]
    pub fn instant_name(&self) -> String {
        format!("{}_at", self.name.strip_suffix("_at").unwrap_or(self.name))
    }

    /// A line for the help: its name, what it takes, whether it is needed, and under which headers it is recognised.
    #[must_use]
    pub fn help(&self) -> String {
        let need = if self.need == Need::Required { " Needed." } else { "" };
        let also = if self.synonyms.is_empty() {
            String::new()
        } else {
            format!(" Also recognised as {}.", self.synonyms.join(", "))
        };
        format!("{}: {}. {}{need}{also}", self.name, self.value.words(), self.words)
    }
}

impl ValueKind {
    /// What a person is told to write.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            ValueKind::Text => "text".to_owned(),
            ValueKind::Id => "an identifier".to_owned(),
            ValueKind::Currency => "an ISO 4217 currency code such as USD".to_owned(),
            ValueKind::Decimal => "a number such as 1234.56, with at most 12 decimals".to_owned(),
            ValueKind::Integer => "a whole number".to_owned(),
            ValueKind::Percent => "a percentage from 0 to 100".to_owned(),
            ValueKind::Moment => "a date such as 2024-01-31, or an instant such as 2024-01-31T10:00:00Z".to_owned(),
            ValueKind::Day => "a date such as 2024-01-31".to_owned(),
            ValueKind::Boolean => "true or false".to_owned(),
            ValueKind::Choice(choices) => format!("one of {}", listed(choices)),
            ValueKind::ChoiceOrMonths(choices) => format!("one of {}, or a whole number of months", listed(choices)),
            ValueKind::Tiers => "tiers such as `10:5.00:0; inf:4.00:0` (up to : unit amount : flat amount)".to_owned(),
        }
    }
}

fn listed(choices: &[Choice]) -> String {
    choices.iter().map(|choice| choice.canonical).collect::<Vec<_>>().join(", ")
}

/// A header or a word without what differs between systems: case, spaces, punctuation, `(UTC)`.
/// `Start (UTC)` → `start`, `customerID` → `customer_id`.
#[must_use]
pub fn normalised(text: &str) -> String {
    let text = text.trim();
    let lower = text.to_lowercase();
    let text = match lower.rfind('(') {
        // Lowercasing may change the length of a text, so the cut is made only where both agree.
        Some(open) if open > 0 && lower.ends_with(')') && text.is_char_boundary(open) => &text[..open],
        _ => text,
    };
    let mut word = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() {
            // A capital begins a word after a small letter (customerId) and before one (IDNumber).
            let begins = character.is_uppercase()
                && before.is_some_and(|before| {
                    before.is_lowercase()
                        || before.is_numeric()
                        || (before.is_uppercase() && characters.peek().is_some_and(|next| next.is_lowercase()))
                });
            if begins && !word.ends_with('_') {
                word.push('_');
            }
            word.extend(character.to_lowercase());
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
        before = Some(character);
    }
    while word.ends_with('_') {
        word.pop();
    }
    word
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn headers_are_compared_without_case_spaces_and_punctuation() {
        for (header, word) in [
            ("Customer ID", "customer_id"),
            ("customerID", "customer_id"),
            ("CustomerId", "customer_id"),
            ("Start (UTC)", "start"),
            (" Canceled At (UTC) ", "canceled_at"),
            ("plan.amount", "plan_amount"),
            ("(x)", "x"),
            ("MRR%", "mrr"),
            ("İ(é)", "i\u{307}"),
            ("", ""),
        ] {
            assert_eq!(normalised(header), word, "{header}");
        }
    }

    #[test]
    fn the_table_of_kinds_keeps_its_own_rules() {
        let mut names = HashSet::new();
        for kind in KINDS {
            for name in [kind.name, kind.table].into_iter().chain(kind.aliases.iter().copied()) {
                // A kind may be called the same in the plural and the singular (spend).
                assert!(names.insert(name) || kind.name == kind.table, "two kinds are called {name}");
                assert_eq!(Kind::parse(name).map(|found| found.table), Some(kind.table));
            }
            for key in kind.key {
                assert!(kind.position(key).is_some(), "{}: the key {key} is no column", kind.name);
            }
            for rule in kind.rules {
                let columns: Vec<&str> = match *rule {
                    Rule::After(a, b) | Rule::NotBefore(a, b) | Rule::Multiplies(a, b) | Rule::Differs(a, b) => {
                        vec![a, b]
                    }
                    Rule::NotNegative(a) | Rule::AtLeastOne(a) | Rule::AboveZero(a) | Rule::FitsLedger(a, None) => {
                        vec![a]
                    }
                    Rule::FitsLedger(a, Some(b)) => vec![a, b],
                };
                for column in columns {
                    assert!(kind.position(column).is_some(), "{}: the rule names {column}", kind.name);
                }
            }
            let mut stored = HashSet::new();
            for field in kind.schema().fields() {
                assert!(stored.insert(field.name().clone()), "{}: {} is stored twice", kind.name, field.name());
            }
            for column in kind.columns {
                assert!(!SYSTEM_COLUMNS.contains(&column.name), "{}: {}", kind.name, column.name);
                assert!(column.words.ends_with('.'), "{}.{} has no sentence", kind.name, column.name);
                for synonym in column.synonyms {
                    assert_eq!(normalised(synonym), *synonym, "{}.{}", kind.name, column.name);
                }
                if let ValueKind::Choice(choices) | ValueKind::ChoiceOrMonths(choices) = column.value {
                    let mut words = HashSet::new();
                    for choice in choices {
                        for word in [choice.canonical]
                            .into_iter()
                            .chain(choice.synonyms.iter().copied())
                            .chain(choice.multiples.iter().map(|(word, _)| *word))
                        {
                            assert_eq!(normalised(word), word);
                            assert!(words.insert(word), "{}.{}: {word} twice", kind.name, column.name);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_moment_is_stored_as_a_day_or_an_instant() {
        let schema = Kind::parse("subscriptions").unwrap().schema();
        for name in ["start_day", "start_at", "end_day", "end_at", "cancel_day", "cancel_at"] {
            assert!(schema.field_with_name(name).is_ok(), "{name}");
        }
        assert!(!schema.field_with_name("customer").unwrap().is_nullable());
    }
}
