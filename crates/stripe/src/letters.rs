//! What JSON says to the letter, whatever the order of its fields: as a digest, to tell whether two say the same.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Adds a text to a digest, such that it cannot run into the next one.
pub fn add_text(said: &mut Sha256, text: &str) {
    said.update((text.len() as u64).to_le_bytes());
    said.update(text.as_bytes());
}

/// Adds a value. What is nested too deeply for this was not read in the first place.
pub fn add(said: &mut Sha256, value: &Value) {
    match value {
        Value::Null => said.update(b"n"),
        Value::Bool(is) => said.update(if *is { b"t" } else { b"f" }),
        Value::Number(number) => {
            said.update(b"#");
            add_text(said, &number.to_string());
        }
        Value::String(text) => {
            said.update(b"s");
            add_text(said, text);
        }
        Value::Array(members) => {
            said.update(b"[");
            members.iter().for_each(|member| add(said, member));
            said.update(b"]");
        }
        Value::Object(fields) => {
            said.update(b"{");
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in fields {
                add_text(said, name);
                add(said, value);
            }
            said.update(b"}");
        }
    }
}

/// What stands for an object to the letter.
pub(crate) fn letters(object: &Value) -> String {
    let mut said = Sha256::new();
    add(&mut said, object);
    hex(&said.finalize()[..16])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
