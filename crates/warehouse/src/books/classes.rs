//! What rows state besides who, when and how much: few rows differ in it, so it is numbered.

use hashbrown::{HashMap, hash_map::Entry};
use revenue::{
    fact::{Offer, Reason, Status, Terms, Tick},
    money::{Currency, parse_scaled},
    price::{Discount, DiscountDuration, Interval, Price, Pricing, Tier},
    timeline::Confidence,
};

use super::BooksError;

/// Everything that makes a row's terms but the amount and the quantity, as codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class {
    /// Codes of texts, in the order of [`TEXTS`].
    pub(super) texts: [u32; TEXTS.len()],
    pub(super) discount_end: Tick,
    pub(super) has_discount: bool,
    pub(super) withdrawn: bool,
    pub(super) package_size: i64,
    pub(super) interval_count: i64,
    pub(super) discount_amount_picos: i128,
    pub(super) discount_percent_picos: i128,
}

/// The columns of text that make a class.
pub(super) const TEXTS: [&str; 11] = [
    "plan",
    "product",
    "currency",
    "pricing",
    "tiers",
    "interval",
    "usage_type",
    "discount_duration",
    "status",
    "cancel_reason",
    "confidence",
];

const PLAN: usize = 0;
const PRODUCT: usize = 1;
const CURRENCY: usize = 2;
const PRICING: usize = 3;
const TIERS: usize = 4;
const INTERVAL: usize = 5;
const USAGE: usize = 6;
const DURATION: usize = 7;
const STATUS: usize = 8;
const REASON: usize = 9;
const CONFIDENCE: usize = 10;

/// Different values of a column, numbered from 1 in the order in which they come; 0 stands for none.
#[derive(Debug, Default)]
pub(crate) struct Coded {
    numbers: HashMap<Vec<u8>, u32>,
    values: Vec<Vec<u8>>,
}

impl Coded {
    /// The number of a value.
    pub(crate) fn number(&mut self, value: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        self.values.push(value.to_vec());
        let number = self.values.len() as u32;
        self.numbers.insert(value.to_vec(), number);
        number
    }

    /// The value of a number.
    pub(crate) fn value(&self, number: u32) -> Option<&[u8]> {
        self.values.get((number as usize).checked_sub(1)?).map(Vec::as_slice)
    }

    /// The values by their numbers.
    pub(crate) fn values(&self) -> &[Vec<u8>] {
        &self.values
    }

    fn text(&self, number: u32) -> &str {
        self.value(number).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Numbers classes as they are met.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// The texts, by column.
    pub(super) texts: [Coded; TEXTS.len()],
    classes: Vec<Class>,
    known: HashMap<Class, u32>,
}

impl Classes {
    /// The number of a class.
    pub(super) fn number(&mut self, class: Class) -> Result<u32, BooksError> {
        match self.known.entry(class) {
            Entry::Occupied(entry) => Ok(*entry.get()),
            Entry::Vacant(entry) => {
                let number = u32::try_from(self.classes.len()).map_err(|_| BooksError::TooMany { what: "terms" })?;
                self.classes.push(class);
                Ok(*entry.insert(number))
            }
        }
    }

    /// The offers, sorted by content, and for each class its terms, without amount and quantity.
    pub(super) fn settle(self) -> Result<(Vec<Offer>, Vec<Terms>), BooksError> {
        let of_class = self.classes.iter().map(|class| self.offer_of(class)).collect::<Result<Vec<Offer>, _>>()?;
        let mut offers = of_class.clone();
        offers.sort_unstable();
        offers.dedup();
        let terms = self
            .classes
            .iter()
            .zip(&of_class)
            .map(|(class, offer)| self.terms_of(class, offers.partition_point(|other| other < offer) as u32))
            .collect::<Result<Vec<Terms>, _>>()?;
        Ok((offers, terms))
    }

    fn text(&self, class: &Class, column: usize) -> &str {
        self.texts[column].text(class.texts[column])
    }

    fn offer_of(&self, class: &Class) -> Result<Offer, BooksError> {
        let currency = self.text(class, CURRENCY);
        let interval = self.text(class, INTERVAL);
        Ok(Offer {
            plan: self.text(class, PLAN).to_owned(),
            product: self.text(class, PRODUCT).to_owned(),
            interval: Interval::parse(interval).ok_or_else(|| unreadable("interval", interval))?,
            interval_count: i32::try_from(class.interval_count.max(1)).unwrap_or(i32::MAX),
            currency: Currency::parse(currency).ok_or_else(|| unreadable("currency", currency))?,
        })
    }

    fn terms_of(&self, class: &Class, offer: u32) -> Result<Terms, BooksError> {
        let status = self.text(class, STATUS);
        let status = match status {
            _ if class.withdrawn => Status::Withdrawn,
            "" => Status::Active,
            _ => Status::parse(status).ok_or_else(|| unreadable("status", status))?,
        };
        let tiers = self.text(class, TIERS);
        let pricing = match self.text(class, PRICING) {
            "" | "per_unit" if tiers.is_empty() => Pricing::PerUnit,
            "flat" => Pricing::Flat,
            "package" => Pricing::Package { size: class.package_size.max(1) },
            "volume" => Pricing::Volume(read_tiers(tiers)?),
            "graduated" | "" | "per_unit" => Pricing::Graduated(read_tiers(tiers)?),
            other => return Err(unreadable("pricing", other)),
        };
        let duration = match self.text(class, DURATION) {
            "once" => DiscountDuration::Once,
            "repeating" => DiscountDuration::Repeating,
            "" | "forever" => DiscountDuration::Forever,
            months => DiscountDuration::Months(months.parse().map_err(|_| unreadable("discount_duration", months))?),
        };
        let discount = class.has_discount.then(|| Discount {
            percent_millionths: i64::try_from(class.discount_percent_picos / 1_000_000).unwrap_or(i64::MAX),
            amount_picos: class.discount_amount_picos,
            duration,
        });
        let interval = self.text(class, INTERVAL);
        Ok(Terms {
            offer,
            status,
            price: Price {
                amount_picos: 0,
                quantity: 0,
                pricing,
                interval: Interval::parse(interval).unwrap_or(Interval::OneOff),
                interval_count: i32::try_from(class.interval_count.max(1)).unwrap_or(i32::MAX),
                discount,
            },
            metered: match self.text(class, USAGE) {
                "" | "licensed" => false,
                "metered" => true,
                other => return Err(unreadable("usage_type", other)),
            },
            discount_end: class.discount_end,
            cancel_reason: Reason::of_words(self.text(class, REASON)),
            confidence: match self.text(class, CONFIDENCE) {
                "" => Confidence::Exact,
                word => Confidence::parse(word).ok_or_else(|| unreadable("confidence", word))?,
            },
        })
    }
}

/// A value that the importer would have refused: the file was not written by it.
fn unreadable(column: &str, value: &str) -> BooksError {
    BooksError::UnknownValue { column: column.to_owned(), value: value.to_owned() }
}

/// Reads `10:5.00:0; inf:4.00:0`: the last unit of each tier, the price of a unit and the price of the tier itself.
pub fn read_tiers(text: &str) -> Result<Vec<Tier>, BooksError> {
    text.split(';')
        .map(str::trim)
        .filter(|tier| !tier.is_empty())
        .map(|tier| {
            let mut parts = tier.split(':').map(str::trim);
            let up_to = parts.next().unwrap_or_default();
            let mut price = |none| parts.next().map_or(Some(none), |price| parse_scaled(price, 12));
            let (unit_picos, flat_picos) = (price(0), price(0));
            match (up_to, unit_picos, flat_picos) {
                ("inf" | "", Some(unit_picos), Some(flat_picos)) => Ok(Tier { up_to: None, unit_picos, flat_picos }),
                (up_to, Some(unit_picos), Some(flat_picos)) => up_to
                    .parse()
                    .map(|up_to| Tier { up_to: Some(up_to), unit_picos, flat_picos })
                    .map_err(|_| unreadable("tiers", tier)),
                _ => Err(unreadable("tiers", tier)),
            }
        })
        .collect()
}
