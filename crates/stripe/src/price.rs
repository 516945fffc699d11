//! Prices, and the plans that came before them.

use std::collections::BTreeMap;

use revenue::{
    money::Currency,
    price::{Interval, Price, Pricing, Tier},
};

use crate::{
    amount::{picos, picos_of_decimal},
    field::{decimal, id, integer, members, part, text},
    gist::Gist,
    issue::{Code, Issue},
};

/// What a price asks for, without quantity and discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceTerms {
    /// The id of the price or plan.
    pub id: String,
    /// The id of its product; empty where none is named.
    pub product: String,
    /// Its currency.
    pub currency: Currency,
    /// Price of a unit, in pico-units.
    pub amount_picos: i128,
    /// How quantity becomes money.
    pub pricing: Pricing,
    /// How often it is billed.
    pub interval: Interval,
    /// How many of the interval make one billing.
    pub interval_count: i32,
    /// Whether it is for usage.
    pub metered: bool,
}

impl PriceTerms {
    /// What a quantity costs in one billing, before discounts, in pico-units; `None` when it does not fit.
    #[must_use]
    pub fn billed_picos(&self, quantity: i64) -> Option<i128> {
        self.of(quantity).billed_picos().ok()
    }

    /// The price of a quantity, without discount.
    #[must_use]
    pub fn of(&self, quantity: i64) -> Price {
        Price {
            amount_picos: self.amount_picos,
            quantity,
            pricing: self.pricing.clone(),
            interval: self.interval,
            interval_count: self.interval_count,
            discount: None,
        }
    }
}

/// Prices by id, for objects that name a price or show it without its tiers.
pub type Prices = BTreeMap<String, PriceTerms>;

/// Reads a price or plan, in the currency of what is sold with it. `known` fills in tiers that were not expanded.
pub(crate) fn read(
    price: &Gist,
    currency: Option<Currency>,
    known: &Prices,
    issues: &mut Vec<Issue>,
) -> Option<PriceTerms> {
    let Some(of) = crate::field::id_of(price) else {
        issues.push(Issue::new(Code::FieldMissing, "price", "a price without an id"));
        return None;
    };
    if price.as_str().is_some() {
        return known.get(of).cloned();
    }
    let mut refuse = |code, words: &str| {
        issues.push(Issue::new(code, of, words));
        None
    };
    let Some(own) = text(price, "currency").and_then(Currency::parse) else {
        return refuse(Code::UnknownCurrency, "its currency is none of ISO 4217");
    };
    let currency = currency.unwrap_or(own);
    // A price can have amounts of its own in further currencies.
    let word = currency.code().to_ascii_lowercase();
    let option = members(price, "currency_options").iter().find(|option| text(option, "currency") == Some(&word));
    let amounts = match option {
        Some(option) => option,
        None if currency != own => {
            return known.get(of).filter(|found| found.currency == currency).cloned().or_else(|| {
                refuse(Code::TiersMissing, "its amounts in the currency of the subscription were not expanded")
            });
        }
        None => price,
    };
    // A price says how it recurs in `recurring`; a plan in itself. Neither means that it is billed once.
    let recurring = part(price, "recurring");
    let rhythm = recurring.unwrap_or(price);
    let interval = match text(rhythm, "interval") {
        None => Interval::OneOff,
        Some(word) => match Interval::parse(word) {
            Some(interval) => interval,
            None => return refuse(Code::UnknownWord, &format!("an interval `{word}`")),
        },
    };
    let interval_count = integer(rhythm, "interval_count").and_then(|count| i32::try_from(count).ok()).unwrap_or(1);
    let metered = text(rhythm, "usage_type") == Some("metered");

    let amount = |of: &Gist, names: [&str; 2]| -> Result<Option<i128>, ()> {
        match (decimal(of, names[0]), integer(of, names[1])) {
            (Some(exact), _) => picos_of_decimal(&exact, currency).map(Some).ok_or(()),
            (None, Some(minor)) => Ok(Some(picos(minor, currency))),
            (None, None) => Ok(None),
        }
    };
    let unit = match amount(amounts, ["unit_amount_decimal", "unit_amount"]) {
        Ok(None) => amount(amounts, ["amount_decimal", "amount"]),
        found => found,
    };
    let Ok(unit) = unit else { return refuse(Code::AmountUnreadable, "its amount is finer than the ledger holds") };

    let tiered = text(price, "billing_scheme") == Some("tiered");
    let package = part(price, "transform_quantity").or_else(|| part(price, "transform_usage"));
    let (pricing, amount_picos) = if tiered {
        let listed = match members(amounts, "tiers") {
            [] => members(price, "tiers"),
            listed => listed,
        };
        if listed.is_empty() {
            return known
                .get(of)
                .cloned()
                .or_else(|| refuse(Code::TiersMissing, "a tiered price came without its tiers"));
        }
        let mut tiers = Vec::new();
        for tier in listed {
            let (Ok(unit), Ok(flat)) = (
                amount(tier, ["unit_amount_decimal", "unit_amount"]),
                amount(tier, ["flat_amount_decimal", "flat_amount"]),
            ) else {
                return refuse(Code::AmountUnreadable, "a tier's amount is finer than the ledger holds");
            };
            // `inf` in requests, null in answers.
            let up_to = integer(tier, "up_to");
            tiers.push(Tier { up_to, unit_picos: unit.unwrap_or(0), flat_picos: flat.unwrap_or(0) });
        }
        match text(price, "tiers_mode") {
            Some("volume") => (Pricing::Volume(tiers), 0),
            Some("graduated") | None => (Pricing::Graduated(tiers), 0),
            Some(word) => return refuse(Code::UnknownWord, &format!("tiers of mode `{word}`")),
        }
    } else {
        let Some(unit) = unit else { return refuse(Code::PriceUnreadable, "a price without a fixed amount") };
        match package {
            Some(package) => {
                if text(package, "round") == Some("down") {
                    return refuse(Code::PriceUnreadable, "packages that are rounded down");
                }
                (Pricing::Package { size: integer(package, "divide_by").unwrap_or(1).max(1) }, unit)
            }
            None => (Pricing::PerUnit, unit),
        }
    };
    Some(PriceTerms {
        id: of.to_owned(),
        product: id(price, "product").unwrap_or_default().to_owned(),
        currency,
        amount_picos,
        pricing,
        interval,
        interval_count: interval_count.max(1),
        metered,
    })
}
