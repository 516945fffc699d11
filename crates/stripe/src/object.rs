//! Objects that are facts by themselves: customers, prices, invoices with their lines, payments with what went back,
//! credit notes, fees. What is no fact is passed on with its reason.

use std::collections::BTreeMap;

use revenue::{money::Currency, price::Interval, timeline::Confidence};

use crate::{
    amount::{major, print_picos},
    fact::{Fact, moment},
    field::{flag, id, integer, members, part, path, text},
    gist::Gist,
    history::pricing_columns,
    invoice::{self, Invoice, Line},
    issue::{Code, Issue},
    price,
    subscription::Catalogue,
};

/// What objects do not say of themselves: whose charge a refund takes back, and what the processor kept of it.
#[derive(Debug, Clone, Default)]
pub struct Payments {
    /// Customer and invoice of each charge.
    charges: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Which payment intent, or charge, is for which invoice: since 2025-03-31 charges do not say it.
    invoices: BTreeMap<String, String>,
    /// What was kept of a charge: minor units with their currency.
    fees: BTreeMap<String, (i64, Currency)>,
}

impl Payments {
    /// Learns from a charge, an invoice payment or a balance transaction. Give it those before their facts are read;
    /// when it learns more, the facts of the same charges are read again and are newer versions.
    pub fn learn(&mut self, object: &Gist) {
        let Some(of) = text(object, "id") else { return };
        match text(object, "object") {
            Some("charge") => {
                let invoice = id(object, "invoice").map(str::to_owned);
                let invoice = invoice.or_else(|| self.invoices.get(id(object, "payment_intent")?).cloned());
                self.charges.insert(of.to_owned(), (id(object, "customer").map(str::to_owned), invoice));
                if let Some(transaction) = part(object, "balance_transaction").filter(|found| found.is_object()) {
                    self.learn_fee(of, transaction);
                }
            }
            Some("invoice_payment") => {
                let payment = part(object, "payment");
                let paid = payment.and_then(|payment| id(payment, "payment_intent").or_else(|| id(payment, "charge")));
                if let (Some(paid), Some(invoice)) = (paid, id(object, "invoice")) {
                    self.invoices.insert(paid.to_owned(), invoice.to_owned());
                }
            }
            Some("balance_transaction") => {
                if let Some(source) = id(object, "source") {
                    self.learn_fee(source, object);
                }
            }
            _ => {}
        }
    }

    fn learn_fee(&mut self, of: &str, transaction: &Gist) {
        let currency = text(transaction, "currency").and_then(Currency::parse);
        if let (Some(fee), Some(currency)) = (integer(transaction, "fee").filter(|fee| *fee != 0), currency) {
            self.fees.insert(of.to_owned(), (fee, currency));
        }
    }
}

/// The facts of an object. Subscriptions and events of theirs say nothing alone: [`crate::history::rebuild`] reads them.
pub fn facts(object: &Gist, catalogue: &Catalogue, payments: &Payments, issues: &mut Vec<Issue>) -> Vec<Fact> {
    let kind = text(object, "object").unwrap_or_default();
    let of = text(object, "id").unwrap_or(kind);
    match kind {
        "customer" => customer(object).into_iter().collect(),
        "price" | "plan" => plan(object, catalogue, issues).into_iter().collect(),
        "invoice" => match invoice::read(object, catalogue, issues) {
            Some(read) => invoice_lines(object, &read, issues),
            None => Vec::new(),
        },
        "charge" => charge(object, payments, issues).into_iter().collect(),
        "refund" | "dispute" => taken_back(object, kind == "dispute", payments, issues).into_iter().collect(),
        "credit_note" => credit_note(object, issues),
        "balance_transaction" => own_fee(object).into_iter().collect(),
        "event" => match path(object, &["data", "object"]) {
            Some(inner) => facts(inner, catalogue, payments, issues),
            None => Vec::new(),
        },
        // These shape other facts, or wait to become one.
        "product"
        | "coupon"
        | "promotion_code"
        | "discount"
        | "subscription"
        | "subscription_item"
        | "invoiceitem"
        | "subscription_schedule"
        | "invoice_payment"
        | "payment_intent"
        | "payment_method"
        | "tax_rate" => Vec::new(),
        other => {
            issues.push(Issue::new(Code::UnknownObject, of, format!("an object of the kind `{other}`")));
            Vec::new()
        }
    }
}

/// Columns that are put together one by one.
struct Columns(Vec<(&'static str, String)>);

impl Columns {
    fn say(&mut self, column: &'static str, value: Option<impl Into<String>>) {
        self.0.extend(value.map(|value| (column, value.into())));
    }

    fn fact(self, kind: &'static str, source: &str) -> Fact {
        Fact { kind, values: self.0, source: source.to_owned(), confidence: Confidence::Exact }
    }
}

fn customer(object: &Gist) -> Option<Fact> {
    let of = text(object, "id")?;
    // A deleted customer keeps nothing but its id: what was known of it stays.
    if flag(object, "deleted") {
        return None;
    }
    let mut columns = Columns(vec![("customer", of.to_owned())]);
    columns.say("name", text(object, "name").or_else(|| text(object, "description")));
    columns.say("email", text(object, "email"));
    columns.say("country", path(object, &["address", "country"]).and_then(Gist::as_str));
    columns.say("signed_up", integer(object, "created").map(moment));
    Some(columns.fact("customers", of))
}

fn plan(object: &Gist, catalogue: &Catalogue, issues: &mut Vec<Issue>) -> Option<Fact> {
    let terms = price::read(object, None, &catalogue.prices, issues)?;
    let mut columns = Columns(vec![("plan", terms.id.clone())]);
    columns.say("product", Some(terms.product.as_str()).filter(|product| !product.is_empty()));
    let product_name = path(object, &["product", "name"]).and_then(Gist::as_str);
    columns.say("name", text(object, "nickname").or(product_name));
    columns.say("currency", Some(terms.currency.code()));
    columns.say("amount", Some(print_picos(terms.amount_picos)));
    pricing_columns(&terms.pricing, &mut |column, value| columns.say(column, value));
    columns.say("interval", Some(terms.interval.name()));
    columns.say("interval_count", (terms.interval != Interval::OneOff).then(|| terms.interval_count.to_string()));
    columns.say("usage_type", Some(if terms.metered { "metered" } else { "licensed" }));
    let trial = path(object, &["recurring", "trial_period_days"]).and_then(Gist::as_i64);
    columns.say("trial_days", trial.or_else(|| integer(object, "trial_period_days")).map(|days| days.to_string()));
    Some(columns.fact("plans", &terms.id))
}

/// The columns that all lines of an invoice have in common; `None` for a draft, which bills nothing yet.
fn heading(invoice: &Invoice) -> Option<Columns> {
    if invoice.status == "draft" {
        return None;
    }
    let mut columns = Columns(vec![("invoice", invoice.id.clone()), ("customer", invoice.customer.clone())]);
    let issued = invoice.finalized.unwrap_or(invoice.created);
    columns.say("issued", Some(moment(issued)));
    // Never before it was issued, whatever rounding of clocks says.
    columns.say("voided", invoice.voided.map(|at| moment(at.max(issued))));
    columns.say("written_off", invoice.uncollectible.map(|at| moment(at.max(issued))));
    Some(columns)
}

fn invoice_lines(object: &Gist, invoice: &Invoice, issues: &mut Vec<Issue>) -> Vec<Fact> {
    let Some(heading) = heading(invoice) else { return Vec::new() };
    if path(object, &["lines", "has_more"]).and_then(Gist::as_bool) == Some(true) {
        issues.push(Issue::new(Code::LinesMissing, &invoice.id, "an invoice that shows its first lines alone"));
    }
    let mut facts: Vec<Fact> = invoice.lines.iter().map(|line| invoice_line(line, &heading)).collect();
    let shipping = part(object, "shipping_cost");
    let currency = text(object, "currency").and_then(Currency::parse);
    if let (Some(shipping), Some(currency)) = (shipping, currency)
        && let Some(minor) = integer(shipping, "amount_subtotal").filter(|minor| *minor != 0)
    {
        let mut columns = Columns(heading.0.clone());
        columns.say("line", Some(format!("{}-shipping", invoice.id)));
        columns.say("currency", Some(currency.code()));
        columns.say("amount", Some(major(minor, currency)));
        columns.say("tax", integer(shipping, "amount_tax").filter(|tax| *tax != 0).map(|tax| major(tax, currency)));
        columns.say("kind", Some("shipping"));
        facts.push(columns.fact("invoices", &invoice.id));
    }
    facts
}

fn invoice_line(line: &Line, heading: &Columns) -> Fact {
    let mut columns = Columns(heading.0.clone());
    // Where prorations are not itemised their amounts are net already, and nothing stands here to be taken off twice.
    let off: i64 = line.discounts.iter().map(|(_, minor)| minor).sum();
    let metered = line.price.as_ref().is_some_and(|price| price.metered);
    let kind = match (line.proration, line.item.is_some()) {
        (true, _) => "proration",
        (false, true) if metered => "usage",
        (false, true) => "subscription",
        (false, false) => "one_off",
    };
    columns.say("line", Some(line.id.as_str()));
    columns.say("subscription", line.subscription.as_deref());
    columns.say("plan", line.price_id.as_deref());
    columns.say("currency", Some(line.currency.code()));
    columns.say("amount", Some(major(line.amount - off - line.tax_inside, line.currency)));
    let tax = line.tax + line.tax_inside;
    columns.say("tax", (tax != 0).then(|| major(tax, line.currency)));
    if line.end > line.start {
        columns.say("service_start", Some(moment(line.start)));
        columns.say("service_end", Some(moment(line.end)));
    }
    columns.say("kind", Some(kind));
    columns.say("quantity", line.quantity.map(|quantity| quantity.to_string()));
    columns.fact("invoices", &line.id)
}

/// What a payment, refund or dispute has in common; without a customer it is nobody's fact.
fn payment_columns(object: &Gist, customer: Option<&str>, issues: &mut Vec<Issue>) -> Option<(Columns, Currency)> {
    let of = text(object, "id")?;
    let currency = text(object, "currency").and_then(Currency::parse);
    let (Some(currency), Some(created)) = (currency, integer(object, "created")) else {
        issues.push(Issue::new(Code::FieldMissing, of, "a payment without currency or the time of its creation"));
        return None;
    };
    let Some(customer) = customer else {
        issues.push(Issue::new(Code::CustomerMissing, of, "a payment that is no customer's"));
        return None;
    };
    let mut columns = Columns(vec![("payment", of.to_owned()), ("customer", customer.to_owned())]);
    columns.say("currency", Some(currency.code()));
    columns.say("paid_at", Some(moment(created)));
    Some((columns, currency))
}

fn charge(object: &Gist, payments: &Payments, issues: &mut Vec<Issue>) -> Option<Fact> {
    let of = text(object, "id")?;
    let (mut columns, currency) = payment_columns(object, id(object, "customer"), issues)?;
    let word = text(object, "status").unwrap_or_default();
    let captured = part(object, "captured").and_then(Gist::as_bool).unwrap_or(true);
    let status = match word {
        "succeeded" if captured => "succeeded",
        // Authorised, and not taken yet.
        "succeeded" | "pending" => "pending",
        "failed" => "failed",
        other => {
            issues.push(Issue::new(Code::UnknownWord, of, format!("a charge with the status `{other}`")));
            return None;
        }
    };
    let captured_minor = integer(object, "amount_captured").filter(|_| status == "succeeded");
    let minor = captured_minor.filter(|minor| *minor > 0).or_else(|| integer(object, "amount"))?;
    let invoice = payments.charges.get(of).and_then(|(_, invoice)| invoice.as_deref());
    let by_intent = || id(object, "payment_intent").and_then(|intent| payments.invoices.get(intent));
    columns.say("invoice", id(object, "invoice").or(invoice).or_else(|| by_intent().map(String::as_str)));
    columns.say("amount", Some(major(minor, currency)));
    columns.say("status", Some(status));
    let outcome = path(object, &["outcome", "reason"]).and_then(Gist::as_str);
    let reason = text(object, "failure_code").or(outcome).or_else(|| text(object, "failure_message"));
    columns.say("failure_reason", reason.filter(|_| status == "failed"));
    // What was kept is in the currency of the account; it is this payment's only where both are the same.
    let fee = payments.fees.get(of).filter(|(_, of_fee)| *of_fee == currency);
    columns.say("fee", fee.map(|(fee, _)| major(*fee, currency)));
    Some(columns.fact("payments", of))
}

fn taken_back(object: &Gist, dispute: bool, payments: &Payments, issues: &mut Vec<Issue>) -> Option<Fact> {
    let of = text(object, "id")?;
    let charge = id(object, "charge");
    let expanded = part(object, "charge").and_then(|charge| id(charge, "customer"));
    let known = charge.and_then(|charge| payments.charges.get(charge));
    let customer = expanded.or_else(|| known.and_then(|(customer, _)| customer.as_deref()));
    let (mut columns, currency) = payment_columns(object, customer, issues)?;
    let status = match (dispute, text(object, "status").unwrap_or_default()) {
        (true, "needs_response" | "under_review" | "warning_needs_response" | "warning_under_review") => "disputed",
        (true, "lost" | "charge_refunded") => "dispute_lost",
        (true, "won" | "warning_closed" | "prevented") => "dispute_won",
        (false, "succeeded") => "refunded",
        (false, "pending" | "requires_action") => "pending",
        (false, "failed" | "canceled") => "canceled",
        (_, word) => {
            issues.push(Issue::new(Code::UnknownWord, of, format!("a refund or dispute with the status `{word}`")));
            return None;
        }
    };
    columns.say("invoice", known.and_then(|(_, invoice)| invoice.as_deref()));
    columns.say("amount", Some(major(integer(object, "amount")?, currency)));
    columns.say("status", Some(status));
    columns.say("original", charge);
    Some(columns.fact("payments", of))
}

fn credit_note(object: &Gist, issues: &mut Vec<Issue>) -> Vec<Fact> {
    let of = text(object, "id").unwrap_or("credit_note");
    let currency = text(object, "currency").and_then(Currency::parse);
    let (Some(currency), Some(created), Some(customer)) =
        (currency, integer(object, "created"), id(object, "customer"))
    else {
        issues.push(Issue::new(Code::FieldMissing, of, "a credit note without currency, customer or time"));
        return Vec::new();
    };
    let mut heading = Columns(vec![("invoice", of.to_owned()), ("customer", customer.to_owned())]);
    heading.say("issued", Some(moment(created)));
    heading.say("kind", Some("credit_note"));
    heading.say("currency", Some(currency.code()));
    heading.say("corrects", id(object, "invoice"));
    heading.say("voided", integer(object, "voided_at").map(|at| moment(at.max(created))));
    let mut facts = Vec::new();
    for line in members(object, "lines") {
        let (Some(line_id), Some(minor)) = (text(line, "id"), integer(line, "amount")) else {
            issues.push(Issue::new(Code::FieldMissing, of, "a line of a credit note without id or amount"));
            continue;
        };
        let net = minor - integer(line, "discount_amount").unwrap_or(0);
        let (tax, inside) = invoice::taxes(line);
        let mut columns = Columns(heading.0.clone());
        columns.say("line", Some(line_id));
        columns.say("amount", Some(major(inside - net, currency)));
        columns.say("tax", (tax + inside != 0).then(|| major(-tax - inside, currency)));
        columns.say("corrects_line", id(line, "invoice_line_item"));
        facts.push(columns.fact("invoices", line_id));
    }
    facts
}

/// What Stripe itself takes, besides what it keeps of payments.
fn own_fee(object: &Gist) -> Option<Fact> {
    let of = text(object, "id")?;
    if !matches!(text(object, "type"), Some("stripe_fee" | "stripe_fx_fee" | "tax_fee")) {
        return None;
    }
    let currency = text(object, "currency").and_then(Currency::parse)?;
    let mut columns = Columns(vec![("cost", of.to_owned())]);
    columns.say("day", integer(object, "created").map(|second| moment(second).chars().take(10).collect::<String>()));
    columns.say("category", Some("cost_of_revenue"));
    columns.say("vendor", Some("Stripe"));
    columns.say("currency", Some(currency.code()));
    columns.say("amount", Some(major(-integer(object, "amount")?, currency)));
    columns.say("description", text(object, "description"));
    Some(columns.fact("costs", of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(object: &serde_json::Value) -> (Vec<Fact>, Vec<Issue>) {
        let (mut payments, mut issues) = (Payments::default(), Vec::new());
        payments.learn(&Gist::of(&json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1",
            "payment": {"type": "payment_intent", "payment_intent": "pi_1"}})));
        payments
            .learn(&Gist::of(&json!({"id": "ch_1", "object": "charge", "customer": "cus_1", "payment_intent": "pi_1",
            "balance_transaction": {"id": "txn_1", "object": "balance_transaction", "fee": 59, "currency": "usd"}})));
        let facts = facts(&Gist::of(object), &Catalogue::default(), &payments, &mut issues);
        (facts, issues)
    }

    fn of(fact: &Fact, columns: &[&str]) -> String {
        columns.iter().map(|column| fact.value(column).unwrap_or("-")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_line_says_the_same_in_the_old_and_the_new_shape() {
        let line = json!({"id": "il_1", "object": "line_item", "amount": 2000, "currency": "usd", "quantity": 2,
            "discount_amounts": [{"amount": 500, "discount": "di_1"}], "period": {"start": 1700000000, "end": 1702592000}});
        let mut old = line.clone();
        old["subscription"] = json!("sub_1");
        old["subscription_item"] = json!("si_1");
        old["proration"] = json!(false);
        old["price"] = json!({"id": "price_1", "object": "price", "currency": "usd", "unit_amount": 1000, "product": "prod_1",
            "billing_scheme": "per_unit", "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}});
        old["tax_amounts"] = json!([{"amount": 300, "inclusive": false}]);
        let mut new = line;
        new["parent"] = json!({"type": "subscription_item_details", "subscription_item_details":
            {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}});
        new["pricing"] = json!({"type": "price_details", "unit_amount_decimal": "1000",
            "price_details": {"price": "price_1", "product": "prod_1"}});
        new["taxes"] = json!([{"amount": 300, "tax_behavior": "exclusive"}]);
        for line in [old, new] {
            let (facts, issues) =
                read(&json!({"id": "in_1", "object": "invoice", "customer": "cus_1", "created": 1700000000,
                "currency": "usd", "status": "void", "lines": {"object": "list", "data": [line], "has_more": false},
                "status_transitions": {"finalized_at": 1700003600, "voided_at": 1700007200}}));
            assert_eq!(issues, []);
            let columns = [
                "line",
                "invoice",
                "customer",
                "subscription",
                "plan",
                "currency",
                "amount",
                "tax",
                "kind",
                "quantity",
                "issued",
                "voided",
            ];
            assert_eq!(
                of(&facts[0], &columns),
                "il_1 in_1 cus_1 sub_1 price_1 USD 15 3 subscription 2 2023-11-14T23:13:20Z 2023-11-15T00:13:20Z"
            );
        }
    }

    #[test]
    fn what_goes_back_names_what_it_takes_back() {
        let columns = ["payment", "original", "customer", "invoice", "amount", "status", "fee"];
        for (object, words) in [
            (
                json!({"id": "ch_1", "object": "charge", "customer": "cus_1", "amount": 2000, "amount_captured": 2000,
                "currency": "usd", "created": 1, "status": "succeeded", "captured": true, "payment_intent": "pi_1"}),
                "ch_1 - cus_1 in_1 20 succeeded 0.59",
            ),
            (
                json!({"id": "re_1", "object": "refund", "charge": "ch_1", "amount": 500, "currency": "usd", "created": 2,
                "status": "succeeded"}),
                "re_1 ch_1 cus_1 in_1 5 refunded -",
            ),
            (
                json!({"id": "du_1", "object": "dispute", "charge": "ch_1", "amount": 500, "currency": "jpy", "created": 2,
                "status": "lost"}),
                "du_1 ch_1 cus_1 in_1 500 dispute_lost -",
            ),
        ] {
            let (facts, issues) = read(&object);
            assert_eq!((of(&facts[0], &columns).as_str(), issues.len()), (words, 0));
        }
        let (facts, _) = read(&json!({"id": "cn_1", "object": "credit_note", "customer": "cus_1", "invoice": "in_1",
            "currency": "usd", "created": 2, "lines": {"data": [{"id": "cnli_1", "amount": 700, "discount_amount": 100,
            "invoice_line_item": "il_1", "taxes": [{"amount": 60, "tax_behavior": "exclusive"}]}]}}));
        assert_eq!(of(&facts[0], &["invoice", "corrects", "corrects_line", "amount", "tax"]), "cn_1 in_1 il_1 -6 -0.6");
    }

    #[test]
    fn what_is_no_fact_says_why() {
        for (object, code) in [
            (json!({"id": "x_1", "object": "radar.rule"}), Code::UnknownObject),
            (
                json!({"id": "ch_2", "object": "charge", "amount": 5, "currency": "usd", "created": 1, "status": "succeeded"}),
                Code::CustomerMissing,
            ),
            (
                json!({"id": "ch_3", "object": "charge", "customer": "c", "amount": 5, "currency": "usd", "created": 1,
                "status": "dreaming"}),
                Code::UnknownWord,
            ),
            (json!({"id": "in_2", "object": "invoice"}), Code::FieldMissing),
            (
                json!({"id": "price_2", "object": "price", "currency": "usd", "billing_scheme": "tiered"}),
                Code::TiersMissing,
            ),
            (json!({"id": "price_3", "object": "price", "currency": "xxq", "unit_amount": 5}), Code::UnknownCurrency),
        ] {
            let (facts, issues) = read(&object);
            assert_eq!(
                (facts.len(), issues.iter().map(|issue| issue.code).collect::<Vec<_>>()),
                (0, vec![code]),
                "{object}"
            );
            assert!(issues[0].code_words().is_some());
        }
    }
}
