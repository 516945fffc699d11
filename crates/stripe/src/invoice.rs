//! Invoices and their lines, in the shapes before and after 2025-03-31 and 2025-09-30.

use revenue::money::Currency;

use crate::{
    discount::{Discount, Scope},
    field::{decimal, flag, id, id_of, integer, members, part, path, text},
    gist::Gist,
    issue::{Code, Issue},
    price::{self, PriceTerms},
    subscription::Catalogue,
};

/// A line of an invoice, or an invoice item that waits for one.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Minor units, negative for a credit. Of prorations it may be with or without discounts, see `discounts`.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// The subscription that it bills.
    pub subscription: Option<String>,
    /// The item that it bills.
    pub item: Option<String>,
    /// The id of its price.
    pub price_id: Option<String>,
    /// The id of its product.
    pub product: Option<String>,
    /// Its price, where it was shown or is known.
    pub price: Option<PriceTerms>,
    /// The price of a unit in minor units, as a decimal.
    pub unit: Option<String>,
    /// How much of it.
    pub quantity: Option<i64>,
    /// What it pays for: from this second ...
    pub start: i64,
    /// ... to this one.
    pub end: i64,
    /// Whether it settles a change within a period.
    pub proration: bool,
    /// The discounts that it names, with the minor units that each took off.
    pub discounts: Vec<(String, i64)>,
    /// Minor units of tax on top.
    pub tax: i64,
    /// Minor units of tax that are in the amount.
    pub tax_inside: i64,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoice {
    /// Its id.
    pub id: String,
    /// Who is billed.
    pub customer: String,
    /// The subscription that it is for.
    pub subscription: Option<String>,
    /// When it was created.
    pub created: i64,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: String,
    /// Why it was made, such as `subscription_cycle`.
    pub reason: String,
    /// When it was finalised.
    pub finalized: Option<i64>,
    /// When it was paid.
    pub paid: Option<i64>,
    /// When it was declared void.
    pub voided: Option<i64>,
    /// When it was given up.
    pub uncollectible: Option<i64>,
    /// How often a payment was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt: Option<i64>,
    /// Whether Stripe goes on by itself.
    pub auto_advance: bool,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Its discounts, those of its lines included.
    pub discounts: Vec<Discount>,
    /// The ids of its discounts.
    pub discount_ids: Vec<String>,
}

/// Reads a line of an invoice (`line_item`) or an invoice item (`invoiceitem`).
pub(crate) fn read_line(
    line: &Gist,
    subscription: Option<&str>,
    catalogue: &Catalogue,
    issues: &mut Vec<Issue>,
) -> Option<Line> {
    let of = text(line, "id").unwrap_or("line");
    let currency = text(line, "currency").and_then(Currency::parse);
    let (Some(_), Some(amount), Some(currency)) = (text(line, "id"), integer(line, "amount"), currency) else {
        issues.push(Issue::new(Code::FieldMissing, of, "a line without id, amount or currency"));
        return None;
    };
    let details = path(line, &["parent", "subscription_item_details"])
        .or_else(|| path(line, &["parent", "invoice_item_details"]))
        .or_else(|| path(line, &["parent", "subscription_details"]))
        .unwrap_or(line);
    let shown = part(line, "price").or_else(|| part(line, "plan"));
    let details_of_price = path(line, &["pricing", "price_details"]);
    let price_id = shown.and_then(id_of).or_else(|| details_of_price.and_then(|found| id(found, "price")));
    let product = shown
        .and_then(|price| id(price, "product"))
        .or_else(|| details_of_price.and_then(|found| id(found, "product")))
        .map(str::to_owned);
    // A line shows its price without tiers, so the one that is known comes first.
    let known = price_id.and_then(|price| catalogue.prices.get(price)).filter(|price| price.currency == currency);
    let price = known.cloned().or_else(|| {
        let expanded = details_of_price.and_then(|found| part(found, "price")).filter(|price| price.is_object());
        let whole = shown.filter(|price| price.is_object()).or(expanded)?;
        // What a line does not say of tiers is made up for by its amounts: no issue.
        price::read(whole, Some(currency), &catalogue.prices, &mut Vec::new())
    });
    let unit = path(line, &["pricing"])
        .and_then(|pricing| decimal(pricing, "unit_amount_decimal"))
        .or_else(|| shown.and_then(|price| decimal(price, "unit_amount_decimal")))
        .or_else(|| decimal(line, "unit_amount_decimal"));
    let period = part(line, "period");
    let (Some(start), Some(end)) =
        (period.and_then(|of| integer(of, "start")), period.and_then(|of| integer(of, "end")))
    else {
        issues.push(Issue::new(Code::FieldMissing, of, "a line without a period"));
        return None;
    };
    let mut discounts: Vec<(String, i64)> = members(line, "discount_amounts")
        .iter()
        .filter_map(|taken| Some((id(taken, "discount")?.to_owned(), integer(taken, "amount").unwrap_or(0))))
        .collect();
    for named in members(line, "discounts").iter().filter_map(id_of) {
        if discounts.iter().all(|(listed, _)| listed != named) {
            discounts.push((named.to_owned(), 0));
        }
    }
    let (tax, tax_inside) = taxes(line);
    Some(Line {
        id: of.to_owned(),
        amount,
        currency,
        subscription: id(details, "subscription").or(id(line, "subscription")).or(subscription).map(str::to_owned),
        item: id(details, "subscription_item").or(id(line, "subscription_item")).map(str::to_owned),
        price_id: price_id.map(str::to_owned),
        product,
        price,
        unit,
        quantity: integer(line, "quantity"),
        start,
        end,
        proration: flag(details, "proration") || flag(line, "proration"),
        discounts,
        tax,
        tax_inside,
    })
}

/// The taxes of a line in minor units: on top of its amount, and in it.
pub(crate) fn taxes(line: &Gist) -> (i64, i64) {
    let (mut on_top, mut inside) = (0, 0);
    for tax in members(line, "taxes").iter().chain(members(line, "tax_amounts")) {
        let minor = integer(tax, "amount").unwrap_or(0);
        if flag(tax, "inclusive") || text(tax, "tax_behavior") == Some("inclusive") {
            inside += minor;
        } else {
            on_top += minor;
        }
    }
    (on_top, inside)
}

/// Reads an invoice.
pub fn read(object: &Gist, catalogue: &Catalogue, issues: &mut Vec<Issue>) -> Option<Invoice> {
    let of = text(object, "id").unwrap_or("invoice");
    let (Some(_), Some(customer), Some(created)) =
        (text(object, "id"), id(object, "customer"), integer(object, "created"))
    else {
        issues.push(Issue::new(Code::FieldMissing, of, "an invoice without id, customer or the time of its creation"));
        return None;
    };
    let subscription = path(object, &["parent", "subscription_details"])
        .and_then(|details| id(details, "subscription"))
        .or_else(|| id(object, "subscription"));
    let lines = members(object, "lines");
    let mut listed: Vec<&Gist> = members(object, "discounts").iter().collect();
    if listed.is_empty() {
        listed.extend(part(object, "discount"));
    }
    let discount_ids = listed.iter().filter_map(|found| id_of(found).map(str::to_owned)).collect();
    listed.extend(lines.iter().flat_map(|line| members(line, "discounts")));
    let mut discounts: Vec<Discount> = Vec::new();
    for found in listed {
        // Ids alone are looked up where they are needed: here they are no loss.
        let read = if found.is_object() { catalogue.discount(found, Scope::Customer, issues) } else { None };
        discounts.extend(read.filter(|read| discounts.iter().all(|listed| listed.id != read.id)));
    }
    let moment = |name| path(object, &["status_transitions"]).and_then(|changes| integer(changes, name));
    Some(Invoice {
        id: of.to_owned(),
        customer: customer.to_owned(),
        subscription: subscription.map(str::to_owned),
        created,
        status: text(object, "status").unwrap_or_default().to_owned(),
        reason: text(object, "billing_reason").unwrap_or_default().to_owned(),
        finalized: moment("finalized_at"),
        paid: moment("paid_at"),
        voided: moment("voided_at"),
        uncollectible: moment("marked_uncollectible_at"),
        attempts: integer(object, "attempt_count").unwrap_or(0),
        next_attempt: integer(object, "next_payment_attempt"),
        auto_advance: flag(object, "auto_advance"),
        lines: lines.iter().filter_map(|line| read_line(line, subscription, catalogue, issues)).collect(),
        discounts,
        discount_ids,
    })
}
