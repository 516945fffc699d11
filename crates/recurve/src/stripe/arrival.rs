//! An event as it arrived: what can be read of it before anything is made of it, and whether it can be read at all.

use ::stripe::{
    letters::{add, add_text},
    poison,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Its id; for a body without one, a name made of its bytes.
    pub id: String,
    /// Its type, as far as it says one.
    pub kind: String,
    /// The second at which Stripe made it.
    pub created: i64,
    /// The version of the API that it is written in.
    pub api_version: String,
    /// The customer that it is about, where it says so itself.
    pub customer: Option<String>,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// A digest of what it says, the same in every delivery.
    pub digest: [u8; 32],
    /// Why nothing can be made of it.
    pub fault: Option<Fault>,
}

/// Why nothing can be made of an event. Each is kept with its words, and can be read again by a later version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no text.
    #[error("the body is no UTF-8 text")]
    Bytes,
    /// It is no JSON, or nested deeper than 128 levels.
    #[error("the body is no JSON that can be read: {0}")]
    Json(String),
    /// It is JSON and no event.
    #[error("the body has no {0} as an event of Stripe has")]
    Lacking(&'static str),
    /// It says what no event says.
    #[error("{0}")]
    Poison(String),
}

/// The largest time that is believed: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

impl Arrival {
    /// Reads what can be read of a body.
    pub fn of(body: Vec<u8>) -> Self {
        let fault = match std::str::from_utf8(&body) {
            Err(_) => Fault::Bytes,
            Ok(text) => match serde_json::from_str::<Value>(text) {
                // The words of the error name a place, never what stands there.
                Err(error) => Fault::Json(error.to_string()),
                Ok(event) => match Self::read(&event) {
                    Ok(read) => return Self { body, ..read },
                    Err(missing) => Fault::Lacking(missing),
                },
            },
        };
        let digest: [u8; 32] = Sha256::digest(&body).into();
        let name: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: format!("body_{name}"),
            kind: String::new(),
            created: 0,
            api_version: String::new(),
            customer: None,
            digest,
            fault: Some(fault),
            body,
        }
    }

    /// An event that was fetched.
    pub fn of_event(event: &Value) -> Self {
        Self::of(event.to_string().into_bytes())
    }

    fn read(event: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("id").filter(|id| id.len() <= 255).ok_or("id")?;
        let kind = text("type").ok_or("type")?;
        let created = event.get("created").and_then(Value::as_i64);
        let created = created.filter(|created| (0..=LAST_SECOND).contains(created)).ok_or("time of its creation")?;
        let object = event.pointer("/data/object").filter(|object| object.is_object()).ok_or("object in its data")?;
        let customer = match object.get("object").and_then(Value::as_str) {
            Some("customer") => object.get("id").and_then(Value::as_str),
            // A customer can stand there in full.
            _ => object.get("customer").and_then(|found| found.as_str().or_else(|| found.get("id")?.as_str())),
        };
        Ok(Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            created,
            api_version: text("api_version").unwrap_or_default().to_owned(),
            customer: customer.map(str::to_owned),
            body: Vec::new(),
            digest: digest(event),
            fault: poison::fault(event).map(Fault::Poison),
        })
    }
}

/// What an event says, whatever the order of its fields. How many deliveries are still open says nothing of it.
fn digest(event: &Value) -> [u8; 32] {
    let mut said = Sha256::new();
    if let Value::Object(fields) = event {
        let mut names: Vec<&String> = fields.keys().filter(|name| *name != "pending_webhooks").collect();
        names.sort_unstable();
        for name in names {
            add_text(&mut said, name);
            if let Some(value) = fields.get(name) {
                add(&mut said, value);
            }
        }
    }
    said.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Arrival {
        Arrival::of(text.as_bytes().to_vec())
    }

    #[test]
    fn an_event_says_who_it_is_about() {
        for (object, customer) in [
            (r#"{"object":"customer","id":"cus_1"}"#, Some("cus_1")),
            (r#"{"object":"subscription","id":"sub_1","customer":"cus_2"}"#, Some("cus_2")),
            (r#"{"object":"subscription","id":"sub_1","customer":{"id":"cus_3"}}"#, Some("cus_3")),
            (r#"{"object":"price","id":"price_1"}"#, None),
        ] {
            let read = of(&format!(r#"{{"id":"evt_1","type":"a.b","created":1,"data":{{"object":{object}}}}}"#));
            assert_eq!((read.customer.as_deref(), read.fault), (customer, None), "{object}");
        }
    }

    #[test]
    fn what_no_event_says_is_put_aside_under_its_own_id() {
        let read =
            of(r#"{"id":"evt_1","type":"a.b","created":1,"data":{"object":{"object":"invoice","currency":"xxq"}}}"#);
        assert_eq!(read.id, "evt_1");
        assert_eq!(read.fault.unwrap().to_string(), "object.currency is no currency of ISO 4217");
    }

    #[test]
    fn deliveries_of_one_event_say_the_same() {
        let event = |fields: &str| of(&format!(r#"{{"id":"evt_1","type":"a.b","created":1,{fields}}}"#)).digest;
        let first = event(r#""pending_webhooks":2,"data":{"object":{"a":1,"b":[1,2]}}"#);
        assert_eq!(first, event(r#""data":{"object":{"b":[1,2],"a":1}},"pending_webhooks":1"#));
        assert_ne!(first, event(r#""data":{"object":{"b":[2,1],"a":1}}"#));
        assert_ne!(first, event(r#""data":{"object":{"b":[1,2],"a":"1"}}"#));
    }

    #[test]
    fn what_cannot_be_read_says_why_and_has_a_name() {
        let deep = "[".repeat(100_000);
        for (body, words) in [
            (&b"\xff\xfe"[..], "no UTF-8"),
            (b"", "no JSON"),
            (b"{", "no JSON"),
            (deep.as_bytes(), "no JSON"),
            (b"[]", "no id"),
            (br#"{"id":"evt_1"}"#, "no type"),
            (br#"{"id":"evt_1","type":"a.b"}"#, "no time"),
            (br#"{"id":"evt_1","type":"a.b","created":-1}"#, "no time"),
            (br#"{"id":"evt_1","type":"a.b","created":9223372036854775807}"#, "no time"),
            (br#"{"id":"evt_1","type":"a.b","created":1,"data":{"object":[]}}"#, "no object"),
        ] {
            let read = Arrival::of(body.to_vec());
            let said = read.fault.expect("it is at fault").to_string();
            assert!(said.contains(words), "{said}");
            assert!(read.id.starts_with("body_") && read.id.len() == 29, "{}", read.id);
            assert_eq!(read.body, body);
        }
    }
}
