//! What no event of Stripe says. One that says it all the same is put aside whole, with the reason, before anything is made
//! of it: one figure that cannot be would spoil every sum that it is in.

use revenue::money::Currency;
use serde_json::Value;

/// More than any number of Stripe's means: amounts have at most twelve digits, seconds of this millennium eleven.
const LARGEST: u64 = 10_000_000_000_000;
/// The last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// Why nothing may be made of an event, where that is so; in words that say where, and hold nothing else of it.
#[must_use]
pub fn fault(event: &Value) -> Option<String> {
    let object = event.get("data")?.get("object")?;
    let mut at = Place { path: vec!["object"], kind: object.get("object").and_then(Value::as_str).unwrap_or_default() };
    let found = at.look(object);
    let previous = event.get("data").and_then(|data| data.get("previous_attributes"));
    found.or_else(|| {
        at.path = vec!["previous_attributes"];
        at.look(previous?)
    })
}

/// Where one looks.
struct Place<'v> {
    path: Vec<&'v str>,
    /// The kind of the object that the event is about.
    kind: &'v str,
}

impl<'v> Place<'v> {
    fn say(&self, words: &str) -> Option<String> {
        Some(format!("{} {words}", self.path.join(".")))
    }

    fn look(&mut self, value: &'v Value) -> Option<String> {
        match value {
            Value::Object(fields) => fields.iter().find_map(|(name, value)| {
                // What users write there is theirs.
                if name == "metadata" {
                    return None;
                }
                self.path.push(name);
                let found = self.look(value);
                self.path.pop();
                found
            }),
            Value::Array(values) => values.iter().find_map(|value| self.look(value)),
            Value::Number(number) => {
                let is_small = match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => whole.unsigned_abs() <= LARGEST,
                    #[allow(clippy::cast_precision_loss, reason = "a bound far below what a float holds exactly")]
                    (None, Some(float)) => float.abs() <= LARGEST as f64,
                    (None, None) => false,
                };
                if !is_small {
                    return self.say("is larger than any number that Stripe means");
                }
                let name = self.path.last().copied().unwrap_or_default();
                let is_second = is_time(name) && number.as_i64().is_some_and(|at| !(0..=LAST_SECOND).contains(&at));
                if is_second {
                    return self.say("is no second of the years 1970 to 9999");
                }
                let of_contract = matches!(self.kind, "subscription" | "subscription_schedule" | "price" | "plan");
                let is_never_negative = matches!(name, "quantity" | "unit_amount" | "flat_amount");
                if of_contract && is_never_negative && number.as_i64().is_some_and(i64::is_negative) {
                    return self.say("is negative, which it never is there");
                }
                None
            }
            Value::String(word) if self.path.last() == Some(&"currency") && Currency::parse(word).is_none() => {
                self.say("is no currency of ISO 4217")
            }
            _ => None,
        }
    }
}

/// Whether a field of this name is a second.
fn is_time(name: &str) -> bool {
    matches!(name, "created" | "start" | "end" | "billing_cycle_anchor" | "start_date" | "end_date" | "cancel_at")
        || name.ends_with("_at")
        || matches!(name, "trial_start" | "trial_end" | "current_period_start" | "current_period_end")
        || matches!(name, "period_start" | "period_end" | "next_payment_attempt" | "due_date")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_is_named_with_its_place() {
        let fault_of = |object: Value| fault(&json!({"data": {"object": object}}));
        for (object, words) in [
            (json!({"object": "invoice", "total": i64::MAX}), Some("object.total is larger")),
            (json!({"object": "invoice", "total": i64::MIN}), Some("object.total is larger")),
            (json!({"object": "invoice", "total": u64::MAX}), Some("object.total is larger")),
            (json!({"object": "invoice", "total": 1e300}), Some("object.total is larger")),
            (json!({"object": "invoice", "currency": "xxq"}), Some("object.currency is no currency")),
            (json!({"object": "invoice", "currency": "usd", "total": -500}), None),
            (json!({"object": "invoice", "lines": {"data": [{"amount": -500, "quantity": -1}]}}), None),
            (
                json!({"object": "subscription", "items": {"data": [{"quantity": -1}]}}),
                Some("object.items.data.quantity is negative"),
            ),
            (json!({"object": "price", "unit_amount": -1}), Some("object.unit_amount is negative")),
            (json!({"object": "subscription", "trial_end": -1}), Some("object.trial_end is no second")),
            (json!({"object": "subscription", "metadata": {"currency": "mine", "n": i64::MAX}}), None),
        ] {
            let found = fault_of(object.clone());
            assert_eq!(found.is_some(), words.is_some(), "{object}: {found:?}");
            assert!(found.unwrap_or_default().starts_with(words.unwrap_or_default()), "{object}");
        }
        let before = json!({"data": {"object": {"object": "plan"}, "previous_attributes": {"unit_amount": -3}}});
        assert_eq!(
            fault(&before).as_deref(),
            Some("previous_attributes.unit_amount is negative, which it never is there")
        );
    }
}
