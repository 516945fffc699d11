//! What could not be read, or cannot be known: values, never failures.

use serde::{Deserialize, Serialize};

/// Why something was passed on without becoming a fact, or what about a fact cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// The value of `object` is none that Recurve reads.
    UnknownObject,
    /// A field without which nothing can be said is missing or of another type.
    FieldMissing,
    /// The currency is none of ISO 4217.
    UnknownCurrency,
    /// A word is none that Recurve knows.
    UnknownWord,
    /// An amount is finer or larger than the ledger can hold.
    AmountUnreadable,
    /// A tiered price came without its tiers.
    TiersMissing,
    /// A price is of a kind that has no fixed amount.
    PriceUnreadable,
    /// A discount came as an id alone, and no object says what it takes off.
    DiscountUnknown,
    /// Discounts are stacked so that they cannot be one exact percentage.
    DiscountRounded,
    /// An amount off each invoice of a subscription whose items are billed in different rhythms.
    DiscountOverIntervals,
    /// An invoice shows its first lines alone.
    LinesMissing,
    /// A payment is no customer's.
    CustomerMissing,
    /// Events are missing: the next one begins with another state than the last one left.
    EventMissing,
    /// Something changed between two times, and nothing says when.
    ChangeUndated,
    /// A subscription is known from its invoices alone, so that its end can only be assumed.
    EndAssumed,
    /// Whether a subscription was past due or unpaid is not stated anywhere.
    UnpaidAssumed,
}

/// One code with its words.
#[derive(Debug, Clone, Copy)]
pub struct CodeWords {
    /// The code.
    pub code: Code,
    /// Its name, which is kept in data folders.
    pub name: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What can be done about it.
    pub mend: &'static str,
}

/// Every code, with what it means and how to mend it.
#[rustfmt::skip]
pub const CODES: &[CodeWords] = &[
    CodeWords { code: Code::UnknownObject, name: "unknown_object", means: "Stripe sent an object of a kind that Recurve does not read.", mend: "Nothing is wrong; it is kept, and can be read again by a later version." },
    CodeWords { code: Code::FieldMissing, name: "field_missing", means: "A field is missing without which the object says nothing.", mend: "Fetch the object again; if it stays so, the API version is newer than this version of Recurve." },
    CodeWords { code: Code::UnknownCurrency, name: "unknown_currency", means: "The currency is none of ISO 4217.", mend: "Look at the object in Stripe." },
    CodeWords { code: Code::UnknownWord, name: "unknown_word", means: "A word (of a status, an interval, a duration) is none that Recurve knows.", mend: "It is newer than this version of Recurve: update, and read it again." },
    CodeWords { code: Code::AmountUnreadable, name: "amount_unreadable", means: "An amount is finer or larger than the ledger can hold.", mend: "Look at the price in Stripe." },
    CodeWords { code: Code::TiersMissing, name: "tiers_missing", means: "A tiered price came without its tiers.", mend: "Fetch prices with expand[]=data.tiers." },
    CodeWords { code: Code::PriceUnreadable, name: "price_unreadable", means: "A price has no fixed amount: customers choose it, or packages are rounded down.", mend: "What is billed with it is read from its invoice lines." },
    CodeWords { code: Code::DiscountUnknown, name: "discount_unknown", means: "A discount came as an id, and no object says what it takes off.", mend: "Fetch with expand[]=data.discounts." },
    CodeWords { code: Code::DiscountRounded, name: "discount_rounded", means: "Stacked discounts are no exact percentage; they were rounded at the eighth decimal.", mend: "Nothing; the difference is far below a cent." },
    CodeWords { code: Code::DiscountOverIntervals, name: "discount_over_intervals", means: "An amount off each invoice meets items that are billed in different rhythms; it was taken from those billed most often.", mend: "Give such coupons as a percentage." },
    CodeWords { code: Code::LinesMissing, name: "lines_missing", means: "An invoice shows its first lines alone.", mend: "Fetch the other pages of its lines." },
    CodeWords { code: Code::CustomerMissing, name: "customer_missing", means: "A payment, refund or dispute is no customer's, or its charge is not known.", mend: "Fetch the charge; payments of guests belong to no customer and stay out." },
    CodeWords { code: Code::EventMissing, name: "event_missing", means: "Events of a subscription are missing; what happened in between was taken from invoices, or assumed.", mend: "Sync: events of the last 30 days can be fetched again." },
    CodeWords { code: Code::ChangeUndated, name: "change_undated", means: "Something changed between two times, and nothing says when; the later one is assumed.", mend: "Nothing: Stripe keeps no trace of changes without proration. From the first event on they are exact." },
    CodeWords { code: Code::EndAssumed, name: "end_assumed", means: "Nothing but invoices is known of a subscription; its end is assumed at the end of what was billed.", mend: "Sync its subscription." },
    CodeWords { code: Code::UnpaidAssumed, name: "unpaid_assumed", means: "After the last try to collect an invoice the subscription was past due or unpaid, and nothing says which; past due is assumed.", mend: "Nothing: Stripe keeps no trace of it. From the first event on it is exact." },
];

/// Something that could not be read, or cannot be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Issue {
    /// Which of the reasons.
    pub code: Code,
    /// The id of the object that it is about; its kind where it has none.
    pub object: String,
    /// What exactly, in words.
    pub words: String,
    /// The seconds between which it is, where it is about a time.
    pub between: Option<(i64, i64)>,
}

impl Issue {
    pub(crate) fn new(code: Code, object: impl Into<String>, words: impl Into<String>) -> Self {
        Self { code, object: object.into(), words: words.into(), between: None }
    }

    /// The words of its code.
    #[must_use]
    pub fn code_words(&self) -> Option<&'static CodeWords> {
        CODES.iter().find(|listed| listed.code == self.code)
    }
}
