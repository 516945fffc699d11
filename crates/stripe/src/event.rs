//! Events: what an object became, and by `previous_attributes` what it was before.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    field::{integer, members, text},
    gist::Gist,
};

/// An event of any type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id; the same event can come more than once.
    pub id: String,
    /// Its type, such as `customer.subscription.updated`.
    pub kind: String,
    /// When it was created, in seconds. Several can have the same second.
    pub created: i64,
    /// The object after the change.
    pub object: Gist,
    /// What the changed fields were before, for updates.
    pub previous: Option<Gist>,
    /// What stands for the object to the letter, before and after, where parts of it were left out.
    pub(crate) letters: Option<Letters>,
}

/// What stands for an object to the letter: before an event, where that is known, and after it.
pub(crate) type Letters = (Option<String>, String);

impl Event {
    /// The object as it was before, where that is known.
    #[must_use]
    pub fn before(&self) -> Option<Gist> {
        Some(gist_before(&self.object, self.previous.as_ref()?))
    }
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
pub fn read(mut event: Gist) -> Option<Event> {
    let mut data = event.take("data")?;
    let mut taken = |name: &str| data.take(name).filter(|found| !found.is_null());
    let (object, previous) = (taken("object")?, taken("previous_attributes"));
    let letters = match members(&event, "letters") {
        [before, after] => after.as_str().map(|after| (before.as_str().map(str::to_owned), after.to_owned())),
        _ => None,
    };
    Some(Event {
        id: text(&event, "id")?.to_owned(),
        kind: text(&event, "type")?.to_owned(),
        created: integer(&event, "created")?,
        object,
        previous,
        letters,
    })
}

/// An object as it was before: fields of objects are put back one by one, everything else whole. Of all that is read of it
/// there is [`Event::before`].
#[must_use]
pub(crate) fn before(object: &Value, previous: &Value) -> Value {
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

fn gist_before(object: &Gist, previous: &Gist) -> Gist {
    match (object, previous) {
        (Gist::Object(now), Gist::Object(then)) => {
            let mut merged = now.clone();
            for (name, old) in then {
                match merged.iter_mut().find(|(own, _)| own == name) {
                    Some((_, new)) => *new = gist_before(new, old),
                    None => merged.push((*name, old.clone())),
                }
            }
            Gist::Object(merged)
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
