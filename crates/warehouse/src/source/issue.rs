//! Everything for which a row may be refused: declared once in [`ISSUES`], with what it means and how to mend it.

use std::fmt;

macro_rules! issues {
    ($($code:ident $name:literal $means:literal $mend:literal;)+) => {
        /// Why a row was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $means] $code,)+ }

        /// Every code with its words, in the order of [`Code`].
        pub const ISSUES: &[IssueWords] = &[$(IssueWords { code: Code::$code, name: $name, means: $means, mend: $mend },)+];
    };
}

/// A row of the table of issues.
#[derive(Debug)]
pub struct IssueWords {
    /// The code.
    pub code: Code,
    /// Its name in reports and in the quarantine.
    pub name: &'static str,
    /// What it means.
    pub means: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

issues! {
    FieldTooLong "field-too-long" "A field is longer than 1 MiB." "shorten the field in the source, or leave its column out of the export";
    RecordTooLong "record-too-long" "A record is longer than 4 MiB." "look for a quotation mark that is never closed, or shorten the record";
    TooManyColumns "too-many-columns" "A record has more than 10,000 columns." "check the delimiter, or export fewer columns";
    QuoteUnclosed "quote-unclosed" "A quoted field is not closed before the end of the file." "close the quotation mark (double it inside a field); a file cut short must be exported again";
    QuoteStray "quote-stray" "Text follows the closing quotation mark of a field." "double the quotation marks inside a quoted field";
    NotText "not-text" "The row is not valid in the file's encoding." "give the encoding, for instance `--encoding windows-1252`";
    NulByte "nul-byte" "The row holds a NUL byte." "remove NUL bytes: the file was damaged or is not text";
    FieldsMissing "fields-missing" "The row has fewer fields than the header." "complete the row; a row cut short at the end of the file means that the file is not whole";
    FieldsExtra "fields-extra" "The row has more fields than the header." "quote fields that hold the delimiter";
    JsonUnreadable "json-unreadable" "The line is not one JSON object." "write one JSON object a line";
    JsonKeyTwice "json-key-twice" "The object names one key twice." "remove one of the two";
    ValueMissing "value-missing" "A column that every row needs is empty." "fill it in, or give one value for all rows with `--set column=value`";
    NumberUnreadable "number-unreadable" "The text is not a number." "write digits with at most one decimal sign, such as 1234.56";
    NumberAmbiguous "number-ambiguous" "The number can be read in two ways." "say which sign the file uses with `--decimal point` or `--decimal comma`";
    NumberHabit "number-habit" "The number is not written the way the rest of the file is." "write it like the others, or choose with `--decimal point` or `--decimal comma`";
    NumberTooFine "number-too-fine" "The number has more than 12 decimals." "round it in the source";
    NumberTooLarge "number-too-large" "The number is larger than can be kept." "check the number; amounts are in major units, not in cents";
    NumberNotWhole "number-not-whole" "The number must be whole." "write a whole number";
    NumberNegative "number-negative" "The number must not be negative." "write zero or more";
    NumberNotPositive "number-not-positive" "The number must be above zero." "write a number above zero";
    NumberBelowOne "number-below-one" "The number must be at least 1." "write 1 or more, or leave it empty";
    PercentOutside "percent-outside" "The percentage is not within 0 to 100." "write 20 for 20 %";
    SymbolContradicts "symbol-contradicts" "The currency sign of the amount does not fit the row's currency." "remove the sign or correct the currency";
    AmountTooLarge "amount-too-large" "The amount times the quantity is larger than the ledger can hold." "check the amount; it is in major units, not in cents";
    CurrencyUnknown "currency-unknown" "The text is not an ISO 4217 currency code." "write a code such as USD or EUR";
    DateUnreadable "date-unreadable" "The text is not a date or an instant." "write 2024-01-31 or 2024-01-31T10:00:00Z";
    DateAmbiguous "date-ambiguous" "The day and the month of the date cannot be told apart." "say which comes first with `--dates dmy` or `--dates mdy`";
    DateHabit "date-habit" "The date is not written the way the rest of the file is." "write it like the others, or choose with `--dates`";
    DateNotOnCalendar "date-not-on-calendar" "The calendar has no such day." "correct the day";
    DateOutside "date-outside" "The date is not within the years 1900 to 9998." "correct the year; leave an end empty for `never`";
    DateHasTime "date-has-time" "A day is wanted and an instant was given." "write the day only";
    EpochUnmapped "epoch-unmapped" "A number stands where a date is wanted." "if it is Unix time say so: `--map column=header@epoch` (or `@epoch_millis`)";
    WordUnknown "word-unknown" "The word is not one of those that the column takes." "use one of the words listed";
    BooleanUnknown "boolean-unknown" "The text is neither true nor false." "write true or false";
    TiersUnreadable "tiers-unreadable" "The tiers cannot be read." "write `up_to:unit:flat` separated by semicolons, rising, the last one up to `inf`";
    SpanEmpty "span-empty" "The end is the same as the start." "correct the end, or leave the row out: nothing holds on an empty span";
    SpanBackwards "span-backwards" "The end comes before the start." "correct the dates, or their order with `--dates dmy` or `--dates mdy`";
    SameTwice "same-twice" "Two columns that must differ are the same." "correct one of the two";
    KindUnknown "kind-unknown" "The row does not say which kind of fact it is, or names one that there is not." "write the name of a kind of facts as `kind`";
    StatementUnclear "statement-unclear" "It cannot be told where the columns of the row are." "write the columns beside `kind`, or all of them in `values`; or in `withdraw` the key of a fact that holds no more";
    FactUnknown "fact-unknown" "A fact that was never stated cannot be withdrawn." "check the key and the source; state the fact before it is withdrawn";
}

impl Code {
    /// Its row of the table.
    #[must_use]
    pub fn words(self) -> &'static IssueWords {
        // The table and the codes come out of one macro, in one order.
        &ISSUES[self as usize]
    }

    /// Its name in reports and in the quarantine.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().name
    }

    /// A code by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ISSUES.iter().find(|words| words.name == name).map(|words| words.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why one row was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The code.
    pub code: Code,
    /// The line of the file on which the row begins (for Parquet the number of the row, from 1).
    pub row: u64,
    /// The column of the kind, where one is to blame.
    pub column: Option<&'static str>,
    /// What happened, with the text that did it.
    pub message: String,
}

impl Issue {
    /// How to mend it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.code.words().mend
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.row)?;
        if let Some(column) = self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {} [{}]; {}", self.message, self.code, self.help())
    }
}

/// A text as it is shown in a message: short, on one line, without control characters.
#[must_use]
pub fn shown(text: &str) -> String {
    const CHARACTERS: usize = 60;
    let mut shown: String = text
        .chars()
        .take(CHARACTERS)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
