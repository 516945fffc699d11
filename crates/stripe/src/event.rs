//! Events: what an object became, and by `previous_attributes` what it was before.

use serde_json::Value;

use crate::field::{integer, path, text};

/// An event of any type.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id; the same event can come more than once.
    pub id: String,
    /// Its type, such as `customer.subscription.updated`.
    pub kind: String,
    /// When it was created, in seconds. Several can have the same second.
    pub created: i64,
    /// The version of the API that its object is rendered in.
    pub api_version: String,
    /// The object after the change.
    pub object: Value,
    /// What the changed fields were before, for updates.
    pub previous: Option<Value>,
}

/// Beginnings of the types of events whose objects [`crate::Evidence`] takes.
const OF_HISTORY: &[&str] = &[
    "charge.",
    "coupon.",
    "customer.",
    "invoice.",
    "invoice_payment.",
    "invoiceitem.",
    "plan.",
    "price.",
    "subscription_schedule.",
];

/// Whether an event of a type says anything about the history of subscriptions. Most do not: with each payment come some of
/// its intent and its method.
#[must_use]
pub fn is_of_history(kind: &str) -> bool {
    OF_HISTORY.iter().any(|beginning| kind.starts_with(beginning))
}

/// Reads an event; `None` where id, type, time or object are missing.
#[must_use]
pub fn read(mut event: Value) -> Option<Event> {
    path(&event, &["data", "object"])?;
    let mut taken = |name: &str| event.get_mut("data")?.get_mut(name).map(Value::take).filter(|found| !found.is_null());
    let (object, previous) = (taken("object")?, taken("previous_attributes"));
    Some(Event {
        id: text(&event, "id")?.to_owned(),
        kind: text(&event, "type")?.to_owned(),
        created: integer(&event, "created")?,
        api_version: text(&event, "api_version").unwrap_or_default().to_owned(),
        object,
        previous,
    })
}

/// An object as it was before: fields of objects are put back one by one, everything else whole.
#[must_use]
pub fn before(object: &Value, previous: &Value) -> Value {
    match (object, previous) {
        (Value::Object(now), Value::Object(then)) => {
            let mut merged = now.clone();
            for (name, old) in then {
                let restored = now.get(name).map_or_else(|| old.clone(), |new| before(new, old));
                merged.insert(name.clone(), restored);
            }
            Value::Object(merged)
        }
        _ => previous.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_of_no_type_of_history_is_no_evidence() {
        let kinds = ["payment_intent", "payment_method", "setup_intent", "checkout.session", "payout", "refund"];
        for kind in kinds {
            assert!(!is_of_history(&format!("{kind}.updated")), "{kind}");
        }
        let kinds = [
            ("subscription", "customer.subscription"),
            ("discount", "customer.discount"),
            ("invoice", "invoice"),
            ("invoiceitem", "invoiceitem"),
            ("invoice_payment", "invoice_payment"),
            ("subscription_schedule", "subscription_schedule"),
            ("charge", "charge"),
            ("price", "price"),
            ("plan", "plan"),
            ("coupon", "coupon"),
        ];
        for (object, kind) in kinds {
            assert!(is_of_history(&format!("{kind}.updated")), "{object}");
        }
    }

    #[test]
    fn previous_attributes_give_the_object_before() {
        let now = json!({"status": "active", "items": {"data": [{"id": "si_1", "quantity": 5}], "has_more": false},
            "pause_collection": {"behavior": "void", "resumes_at": null}});
        let then = json!({"items": {"data": [{"id": "si_1", "quantity": 3}]}, "pause_collection": null});
        assert_eq!(
            before(&now, &then),
            json!({"status": "active", "items": {"data": [{"id": "si_1", "quantity": 3}], "has_more": false},
                "pause_collection": null})
        );
    }
}
