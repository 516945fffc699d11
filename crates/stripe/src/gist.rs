//! What is read of Stripe's objects, and nothing else. Most of what they say is for other purposes (how a page looks, where
//! a receipt is, how a card is paid with), and a history is made anew of everything that was ever said of a customer:
//! what nothing reads is left out before it costs anything.
//!
//! ```text
//! JSON ─▶ Gist ─▶ facts, histories        an event ─▶ Gist ─▶ bytes, kept side by side with those of its customer
//! ```

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::{
    discount, event, field,
    letters::{self, letters},
};

/// The names of all fields that anything here reads, in order. [`crate::field`] holds readers to it.
const READ: &[&str] = &[
    "address",
    "amount",
    "amount_captured",
    "amount_decimal",
    "amount_off",
    "amount_subtotal",
    "amount_tax",
    "applies_to",
    "attempt_count",
    "auto_advance",
    "balance_transaction",
    "billing_reason",
    "billing_scheme",
    "cancel_at",
    "cancel_at_period_end",
    "canceled_at",
    "cancellation_details",
    "captured",
    "charge",
    "country",
    "coupon",
    "created",
    "currency",
    "currency_options",
    "current_period_end",
    "customer",
    "data",
    "deleted",
    "description",
    "discount",
    "discount_amount",
    "discount_amounts",
    "discounts",
    "divide_by",
    "duration",
    "email",
    "end",
    "ended_at",
    "failure_code",
    "failure_message",
    "fee",
    "finalized_at",
    "flat_amount",
    "flat_amount_decimal",
    "has_more",
    "id",
    "inclusive",
    "interval",
    "interval_count",
    "invoice",
    "invoice_item_details",
    "invoice_line_item",
    "items",
    "letters",
    "lines",
    "marked_uncollectible_at",
    "name",
    "next_payment_attempt",
    "nickname",
    "object",
    "outcome",
    "paid_at",
    "parent",
    "pause_collection",
    "payment",
    "payment_intent",
    "payment_record",
    "payments",
    "percent_off",
    "period",
    "phases",
    "plan",
    "previous_attributes",
    "price",
    "price_details",
    "pricing",
    "product",
    "products",
    "proration",
    "quantity",
    "reason",
    "recurring",
    "released_subscription",
    "round",
    "schedule",
    "shipping_cost",
    "source",
    "start",
    "start_date",
    "status",
    "status_transitions",
    "subscription",
    "subscription_details",
    "subscription_item",
    "subscription_item_details",
    "tax_amounts",
    "tax_behavior",
    "taxes",
    "tiers",
    "tiers_mode",
    "total",
    "transform_quantity",
    "transform_usage",
    "trial_end",
    "trial_period_days",
    "trial_start",
    "type",
    "unit_amount",
    "unit_amount_decimal",
    "up_to",
    "usage_type",
    "voided_at",
];

/// What this names are amounts by currency; here it is a list of amounts, each with its currency.
const BY_CURRENCY: &str = "currency_options";
/// Within this a field that is null says something: that there was nothing.
const PREVIOUS: &str = "previous_attributes";

/// Names what [`Gist::of_event`] leaves of an event, and the bytes of it: whoever keeps them makes them anew where this has
/// changed.
#[must_use]
pub fn version() -> String {
    let mut said = Sha256::new();
    // Whoever changes the way of leaving out, or the bytes, counts this up.
    said.update(b"1");
    READ.iter().for_each(|name| letters::add_text(&mut said, name));
    letters::hex(&said.finalize()[..8])
}

/// The name of a field that something reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name(u8);

impl Name {
    /// A name, where anything reads fields of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        u8::try_from(READ.binary_search(&name).ok()?).ok().map(Self)
    }

    fn text(self) -> &'static str {
        READ.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

/// What is read of an object, or of a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gist {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// Several.
    List(Vec<Gist>),
    /// Fields.
    Object(Vec<(Name, Gist)>),
}

impl Gist {
    /// Reads an object, without fields that nothing reads and those that say nothing; `None` where it is no JSON.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Reading::default().deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(read)
    }

    /// What is read of an object or event.
    #[must_use]
    pub fn of(whole: &Value) -> Self {
        // What is read already cannot be no JSON.
        let mut gist = Reading::default().deserialize(whole).unwrap_or(Self::Null);
        let data = whole.get("data").filter(|_| whole.get("object").and_then(Value::as_str) == Some("event"));
        if let Some(object) = data.and_then(|data| data.get("object")).filter(|object| is_a("subscription", object)) {
            let previous = data.and_then(|data| data.get(PREVIOUS)).filter(|previous| !previous.is_null());
            let before = previous.map(|previous| letters(&event::before(object, previous)));
            let either = |letters: Option<String>| letters.map_or(Self::Null, Self::Text);
            gist.set("letters", Self::List(vec![either(before), either(Some(letters(object)))]));
        }
        gist
    }

    /// What is to be kept of an event for the history of its customer; `None` where it says nothing that its object does not
    /// say in its newest version, which is kept by itself.
    #[must_use]
    pub fn of_event(whole: &Value) -> Option<Self> {
        let object = whole.get("data").and_then(|data| data.get("object"))?;
        // A later version of an object can name a discount that an earlier one shows.
        (is_a("subscription", object) || !discount::in_full(object).is_empty()).then(|| Self::of(whole))
    }

    /// As bytes, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory cannot fail for what consists of texts and numbers; nothing is kept of what does.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// What was kept as bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// A field, where it is there.
    ///
    /// # Panics
    ///
    /// In tests, for a name that is not among those of what is read, since what it names is left out.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        debug_assert!(is_read(name), "`{name}` is not among the names of what is read, so it is left out");
        // An object has few fields: to look at each is quicker than to look the name up first.
        self.fields().iter().find(|(own, _)| own.text() == name).map(|(_, value)| value)
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Self> {
        debug_assert!(is_read(name), "`{name}` is not among the names of what is read, so it is left out");
        let Self::Object(fields) = self else { return None };
        let at = fields.iter().position(|(own, _)| own.text() == name)?;
        Some(fields.swap_remove(at).1)
    }

    /// Sets a field of an object.
    pub fn set(&mut self, name: &str, value: Self) {
        debug_assert!(is_read(name), "`{name}` is not among the names of what is read, so it is left out");
        if let (Self::Object(fields), Some(name)) = (self, Name::of(name)) {
            fields.retain(|(own, _)| *own != name);
            fields.push((name, value));
        }
    }

    /// The fields of an object.
    pub(crate) fn fields(&self) -> &[(Name, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The text that it is.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number that it is.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it says yes or no.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(*is),
            _ => None,
        }
    }

    /// The members of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(members) => Some(members),
            _ => None,
        }
    }

    /// The members of a field that is a list, or an object of Stripe's that has one in its `data`.
    #[must_use]
    pub fn members(&self, name: &str) -> &[Self] {
        field::members(self, name)
    }

    /// Whether it is an object, and not its id.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The kind of an object, in Stripe's word.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.get("object").and_then(Self::as_str).unwrap_or_default()
    }
}

fn is_read(name: &str) -> bool {
    Name::of(name).is_some()
}

fn is_a(kind: &str, object: &Value) -> bool {
    object.get("object").and_then(Value::as_str) == Some(kind)
}

/// Where one stands in what is read.
#[derive(Clone, Copy, Default)]
struct Reading {
    nulls: bool,
    by_currency: bool,
}

impl Reading {
    fn within(self, name: Name) -> Self {
        let name = name.text();
        Self { nulls: self.nulls || name == PREVIOUS, by_currency: name == BY_CURRENCY }
    }

    fn takes(self, value: &Gist) -> bool {
        self.nulls || !value.is_null()
    }

    fn of_members(self) -> Self {
        Self { by_currency: false, ..self }
    }
}

fn of_currency(currency: &str, mut amounts: Gist) -> Gist {
    amounts.set("currency", Gist::Text(currency.to_owned()));
    amounts
}

fn of_number(number: &Number) -> Gist {
    number.as_i64().map_or_else(|| Gist::Number(number.to_string()), Gist::Integer)
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Gist;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Gist, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Gist;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Gist, E> {
        Ok(Gist::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Gist, E> {
        Ok(Gist::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Gist, E> {
        Ok(Gist::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Gist, E> {
        Ok(of_number(&value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Gist, E> {
        Ok(Number::from_f64(value).map_or(Gist::Null, |number| of_number(&number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Gist, E> {
        Ok(Gist::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Gist, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_element_seed(self.of_members())? {
            members.push(member);
        }
        Ok(Gist::List(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Gist, A::Error> {
        if self.by_currency {
            let mut amounts = Vec::new();
            while let Some(currency) = from.next_key::<String>()? {
                amounts.push(of_currency(&currency, from.next_value_seed(self.of_members())?));
            }
            return Ok(Gist::List(amounts));
        }
        let mut fields: Vec<(Name, Gist)> = Vec::with_capacity(8);
        while let Some(name) = from.next_key_seed(Naming)? {
            let Some(name) = name else {
                from.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = from.next_value_seed(self.within(name))?;
            // Of a field that is there twice the last one counts, as everywhere.
            fields.retain(|(own, _)| *own != name);
            if self.takes(&value) {
                fields.push((name, value));
            }
        }
        Ok(Gist::Object(fields))
    }
}

/// Reads the name of a field, where anything reads it.
struct Naming;

impl<'de> DeserializeSeed<'de> for Naming {
    type Value = Option<Name>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Option<Name>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Naming {
    type Value = Option<Name>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<Name>, E> {
        Ok(Name::of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_in_order_and_each_is_there_once() {
        assert!(READ.is_sorted_by(|a, b| a < b));
        assert!(READ.len() <= 256, "a name is a byte");
    }

    #[test]
    fn what_nothing_reads_is_left_out_and_what_was_nothing_before_stays() {
        let event = json!({"id": "evt_1", "object": "event", "type": "customer.subscription.updated", "created": 5,
            "request": {"id": "req_1"}, "data": {"object": {"id": "sub_1", "object": "subscription", "status": "active",
            "latest_invoice": "in_1", "pause_collection": null, "items": {"data": [{"id": "si_1", "metadata": {"id": 7},
            "quantity": 2.5, "price": {"id": "price_1", "currency_options": {"eur": {"unit_amount": 5, "id_": null}}}}]}},
            "previous_attributes": {"trial_end": null, "latest_invoice": "in_0"}}});
        let gist = Gist::of_event(&event).unwrap();
        let data = gist.get("data").unwrap();
        let meant = json!({"object": {"id": "sub_1", "object": "subscription", "status": "active", "items": {"data":
            [{"id": "si_1", "quantity": 2.5, "price": {"id": "price_1", "currency_options": {"eur": {"unit_amount":
            5}}}}]}}, "previous_attributes": {"trial_end": null}});
        assert_eq!(*data, Gist::of(&meant));
        assert_eq!(data.get(PREVIOUS).unwrap().fields().len(), 1);
        assert_eq!(Gist::read(&event.to_string()).unwrap().get("data"), Some(data), "read as text or made of it");
        assert_eq!(Gist::from_bytes(&gist.to_bytes()), Some(gist));
    }

    #[test]
    fn an_event_that_says_no_more_than_its_object_is_not_kept() {
        let of = |object: Value| {
            Gist::of_event(
                &json!({"id": "evt_1", "object": "event", "type": "a.b", "created": 1, "data": {"object": object}}),
            )
        };
        assert_eq!(of(json!({"object": "invoice", "discounts": ["di_1"]})), None);
        assert!(of(json!({"object": "invoice", "discounts": [{"object": "discount", "id": "di_1"}]})).is_some());
        assert!(of(json!({"object": "discount", "id": "di_1"})).is_some());
        assert_eq!(of(json!({"object": "charge"})), None);
    }
}
