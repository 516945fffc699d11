//! The cash of a customer, month by month: what invoices asked for, what came in, what went back, and why these differ.
//!
//! Every difference is put together of reasons with their amounts, so that nothing is left over:
//!
//! ```text
//! asked - (collected - given back) = the sum of the reasons
//! ```

use std::collections::BTreeMap;

use revenue::{
    calendar::{Day, Grain, Zone},
    money::{Currency, parse_scaled},
};

use crate::{
    amount::picos,
    field::{integer, members, path, text},
    gist::Gist,
    object::{Payments, facts},
    subscription::Catalogue,
};

/// Why what invoices of a month asked for is not what came in in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// An invoice is open: nothing came in for it, or not all.
    InvoiceOpen,
    /// An invoice was given up.
    WrittenOff,
    /// An invoice is void.
    Voided,
    /// An invoice of the month was paid in another one.
    PaidInAnotherMonth,
    /// What came in is for an invoice of another month.
    ForAnotherMonth,
    /// An invoice counts as paid, and no charge paid it: the customer's balance did, or money that Stripe never saw.
    PaidWithoutCharge,
    /// More came in for an invoice than it asked for.
    PaidTooMuch,
    /// An invoice is below nought: it is the customer's credit until another one uses it up.
    CreditOnAccount,
    /// A credit note took back what an invoice asked for.
    CreditNote,
    /// What came in is for no invoice that is known.
    WithoutInvoice,
    /// Money was given back.
    Refunded,
    /// Money is disputed, or was lost in a dispute.
    Disputed,
}

impl Why {
    /// Every reason with its word.
    pub const ALL: &'static [(Why, &'static str)] = &[
        (Why::InvoiceOpen, "invoice_open"),
        (Why::WrittenOff, "written_off"),
        (Why::Voided, "voided"),
        (Why::PaidInAnotherMonth, "paid_in_another_month"),
        (Why::ForAnotherMonth, "for_another_month"),
        (Why::PaidWithoutCharge, "paid_without_charge"),
        (Why::PaidTooMuch, "paid_too_much"),
        (Why::CreditOnAccount, "credit_on_account"),
        (Why::CreditNote, "credit_note"),
        (Why::WithoutInvoice, "without_invoice"),
        (Why::Refunded, "refunded"),
        (Why::Disputed, "disputed"),
    ];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(why, _)| *why == self).map_or("", |(_, name)| name)
    }
}

/// What became of a customer's money in one month and currency, in micro-units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Month {
    /// What invoices that were issued in it ask for with taxes, less what credit notes took back in it.
    pub asked_micros: i64,
    /// What came in.
    pub collected_micros: i64,
    /// What went back: refunds, and disputes that are not won.
    pub given_back_micros: i64,
    /// Why these differ: the amounts add up to the difference.
    pub why: BTreeMap<Why, i64>,
}

impl Month {
    /// What was left of what came in.
    #[must_use]
    pub fn cash_micros(&self) -> i64 {
        self.collected_micros - self.given_back_micros
    }

    /// What was asked for and is not there.
    #[must_use]
    pub fn difference_micros(&self) -> i64 {
        self.asked_micros - self.cash_micros()
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Month) {
        self.asked_micros += other.asked_micros;
        self.collected_micros += other.collected_micros;
        self.given_back_micros += other.given_back_micros;
        other.why.iter().for_each(|(why, micros)| self.explain(*why, *micros));
    }

    fn explain(&mut self, why: Why, micros: i64) {
        let sum = self.why.entry(why).or_default();
        *sum += micros;
        if *sum == 0 {
            self.why.remove(&why);
        }
    }
}

/// A payment that came in or went back.
struct Paid {
    second: i64,
    currency: Currency,
    micros: i64,
    invoice: Option<String>,
    /// Why it went back; none for what came in.
    back: Option<Why>,
}

/// What an invoice asks for.
struct Asked {
    month: Day,
    currency: Currency,
    micros: i64,
    status: String,
    /// What came in for it, in its own month and in all.
    collected: (i64, i64),
}

/// An amount in minor units as micro-units: Stripe writes three decimals at most.
fn micros(minor: i64, currency: Currency) -> i64 {
    i64::try_from(picos(minor, currency) / 1_000_000).unwrap_or(0)
}

/// What came in and went back: by the same rules as the facts of the kind `payments`.
fn payments(objects: &[Gist]) -> Vec<Paid> {
    let mut known = Payments::default();
    // Charges say what they are for once the payments of invoices are known.
    for _ in 0..2 {
        for object in objects {
            known.learn(object);
            members(object, "payments").iter().for_each(|part| known.learn(part));
        }
    }
    let is_payment = |object: &&Gist| matches!(text(object, "object"), Some("charge" | "refund" | "dispute"));
    let mut found = Vec::new();
    for object in objects.iter().filter(is_payment) {
        // What cannot be read is said where facts are made of it.
        for fact in facts(object, &Catalogue::default(), &known, &mut Vec::new()) {
            let back = match fact.value("status") {
                Some("succeeded") => None,
                Some("refunded") => Some(Why::Refunded),
                Some("disputed" | "dispute_lost") => Some(Why::Disputed),
                _ => continue,
            };
            let amount = fact.value("amount").and_then(|amount| parse_scaled(amount, 6));
            let micros = amount.and_then(|micros| i64::try_from(micros.abs()).ok());
            let currency = fact.value("currency").and_then(Currency::parse);
            if let (Some(second), Some(currency), Some(micros)) = (integer(object, "created"), currency, micros) {
                found.push(Paid { second, currency, micros, invoice: fact.value("invoice").map(str::to_owned), back });
            }
        }
    }
    found
}

/// What is left in each currency of what came in from the second `from` to before the second `until`, in micro-units.
#[must_use]
pub fn collected(objects: &[Gist], from: i64, until: i64) -> BTreeMap<Currency, i64> {
    let mut left: BTreeMap<Currency, i64> = BTreeMap::new();
    for paid in payments(objects).iter().filter(|paid| from <= paid.second && paid.second < until) {
        *left.entry(paid.currency).or_default() += if paid.back.is_none() { paid.micros } else { -paid.micros };
    }
    left
}

/// The months of a customer, by the first day of each and currency: from its invoices, charges, payments of invoices,
/// refunds, disputes and credit notes. Drafts ask for nothing yet.
#[must_use]
pub fn months(objects: &[Gist], zone: &Zone) -> BTreeMap<(Day, Currency), Month> {
    let month_of = |second: i64| zone.day_of_instant(second.saturating_mul(1_000_000)).first_of(Grain::Month);
    let mut months: BTreeMap<(Day, Currency), Month> = BTreeMap::new();
    let mut asked: BTreeMap<&str, Asked> = BTreeMap::new();
    for object in objects {
        let (Some(of), Some(currency)) = (text(object, "id"), text(object, "currency").and_then(Currency::parse))
        else {
            continue;
        };
        let Some(created) = integer(object, "created") else { continue };
        let total = micros(integer(object, "total").unwrap_or(0), currency);
        let status = text(object, "status").unwrap_or_default();
        match text(object, "object") {
            Some("invoice") if status != "draft" => {
                let finalized = path(object, &["status_transitions", "finalized_at"]).and_then(Gist::as_i64);
                let month = month_of(finalized.unwrap_or(created));
                months.entry((month, currency)).or_default().asked_micros += total;
                let collected = (0, 0);
                asked.insert(of, Asked { month, currency, micros: total, status: status.to_owned(), collected });
            }
            Some("credit_note") if status != "void" => {
                let month = months.entry((month_of(created), currency)).or_default();
                month.asked_micros -= total;
                month.explain(Why::CreditNote, -total);
            }
            _ => {}
        }
    }
    for paid in payments(objects) {
        let in_month = month_of(paid.second);
        let month = months.entry((in_month, paid.currency)).or_default();
        if let Some(why) = paid.back {
            month.given_back_micros += paid.micros;
            month.explain(why, paid.micros);
            continue;
        }
        month.collected_micros += paid.micros;
        let invoice = paid.invoice.as_deref().and_then(|invoice| asked.get_mut(invoice));
        match invoice.filter(|invoice| invoice.currency == paid.currency) {
            Some(invoice) => {
                invoice.collected.1 += paid.micros;
                if invoice.month == in_month {
                    invoice.collected.0 += paid.micros;
                } else {
                    month.explain(Why::ForAnotherMonth, -paid.micros);
                }
            }
            None => month.explain(Why::WithoutInvoice, -paid.micros),
        }
    }
    for invoice in asked.values() {
        let month = months.entry((invoice.month, invoice.currency)).or_default();
        let (in_month, in_all) = invoice.collected;
        month.explain(Why::PaidInAnotherMonth, in_all - in_month);
        let rest = invoice.micros - in_all;
        let why = match invoice.status.as_str() {
            _ if rest < 0 && invoice.micros < 0 => Why::CreditOnAccount,
            _ if rest < 0 => Why::PaidTooMuch,
            "paid" => Why::PaidWithoutCharge,
            "void" => Why::Voided,
            "uncollectible" => Why::WrittenOff,
            _ => Why::InvoiceOpen,
        };
        month.explain(why, rest);
    }
    months.retain(|_, month| *month != Month::default());
    months
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn second(day: &str) -> i64 {
        i64::from(Day::parse(day).unwrap().0) * 86_400 + 3_600
    }

    fn invoice(id: &str, day: &str, total: i64, status: &str) -> Gist {
        Gist::of(&json!({"id": id, "object": "invoice", "customer": "cus_1", "currency": "usd", "created": second(day),
            "total": total, "status": status, "status_transitions": {"finalized_at": second(day)}}))
    }

    fn charge(id: &str, day: &str, amount: i64, invoice: Option<&str>, status: &str) -> Gist {
        Gist::of(&json!({"id": id, "object": "charge", "customer": "cus_1", "currency": "usd", "created": second(day),
            "amount": amount, "amount_captured": amount, "captured": true, "status": status, "invoice": invoice}))
    }

    fn back(object: &str, day: &str, amount: i64, status: &str) -> Gist {
        Gist::of(&json!({"id": format!("{object}_1"), "object": object, "charge": "ch_1", "currency": "usd",
            "created": second(day), "amount": amount, "status": status}))
    }

    /// Months as a person would note them: asked, in, back, and the reasons with their amounts in whole dollars.
    fn noted(objects: &[Gist]) -> Vec<String> {
        let dollars = |micros: i64| micros / 1_000_000;
        months(objects, &Zone::utc())
            .iter()
            .map(|((month, _), of)| {
                assert_eq!(of.why.values().sum::<i64>(), of.difference_micros(), "nothing is left over");
                let why: String =
                    of.why.iter().map(|(why, micros)| format!(" {} {}", why.name(), dollars(*micros))).collect();
                let amounts = [of.asked_micros, of.collected_micros, of.given_back_micros].map(dollars);
                format!("{month} {amounts:?}{why}")
            })
            .collect()
    }

    #[test]
    fn an_invoice_that_is_paid_at_once_differs_in_nothing() {
        let objects = [
            invoice("in_1", "2024-01-31", 4900, "paid"),
            charge("ch_1", "2024-01-31", 4900, Some("in_1"), "succeeded"),
            // What failed is no cash.
            charge("ch_0", "2024-01-31", 4900, Some("in_1"), "failed"),
        ];
        assert_eq!(noted(&objects), ["2024-01-01 [49, 49, 0]"]);
        assert_eq!(
            collected(&objects, second("2024-01-31"), second("2024-02-01")),
            [(Currency::USD, 49_000_000)].into()
        );
        assert_eq!(collected(&objects, 0, second("2024-01-31")), BTreeMap::new());
    }

    #[test]
    fn what_is_paid_after_the_turn_of_the_month_is_missing_in_one_and_more_in_the_other() {
        let objects = [
            invoice("in_1", "2024-01-30", 4900, "paid"),
            charge("ch_1", "2024-02-03", 4900, Some("in_1"), "succeeded"),
            invoice("in_2", "2024-02-29", 4900, "open"),
        ];
        assert_eq!(
            noted(&objects),
            [
                "2024-01-01 [49, 0, 0] paid_in_another_month 49",
                "2024-02-01 [49, 49, 0] invoice_open 49 for_another_month -49"
            ]
        );
    }

    #[test]
    fn what_goes_back_what_is_given_up_and_what_no_charge_paid_have_their_reasons() {
        let objects = [
            invoice("in_1", "2024-01-10", 10_000, "paid"),
            charge("ch_1", "2024-01-10", 10_000, Some("in_1"), "succeeded"),
            back("refund", "2024-01-12", 2_000, "succeeded"),
            back("dispute", "2024-02-12", 3_000, "needs_response"),
            invoice("in_2", "2024-02-10", 10_000, "uncollectible"),
            invoice("in_3", "2024-03-10", 10_000, "void"),
            invoice("in_4", "2024-04-10", -1_500, "paid"),
            invoice("in_5", "2024-04-20", 1_500, "paid"),
            invoice("in_6", "2024-04-20", 7_000, "draft"),
            charge("ch_2", "2024-05-02", 600, None, "succeeded"),
            Gist::of(&json!({"id": "cn_1", "object": "credit_note", "customer": "cus_1", "currency": "usd",
                "status": "issued", "created": second("2024-06-02"), "total": 900, "invoice": "in_1"})),
        ];
        assert_eq!(
            noted(&objects),
            [
                "2024-01-01 [100, 100, 20] refunded 20",
                "2024-02-01 [100, 0, 30] written_off 100 disputed 30",
                "2024-03-01 [100, 0, 0] voided 100",
                "2024-04-01 [0, 0, 0] paid_without_charge 15 credit_on_account -15",
                "2024-05-01 [0, 6, 0] without_invoice -6",
                "2024-06-01 [-9, 0, 0] credit_note -9",
            ]
        );
    }

    #[test]
    fn a_dispute_that_is_won_and_a_refund_that_failed_take_nothing() {
        let objects = [
            invoice("in_1", "2024-01-10", 10_000, "paid"),
            charge("ch_1", "2024-01-10", 10_000, Some("in_1"), "succeeded"),
            back("refund", "2024-01-12", 2_000, "failed"),
            back("dispute", "2024-01-12", 3_000, "won"),
        ];
        assert_eq!(noted(&objects), ["2024-01-01 [100, 100, 0]"]);
    }
}
