//! Fields of Stripe's JSON, read tolerantly: what is absent, null or of another type is simply not there.

use serde_json::Value;

/// A field that is there and not null.
pub(crate) fn part<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|found| !found.is_null())
}

/// A field at the end of a path of fields.
pub(crate) fn path<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().try_fold(value, |at, name| part(at, name))
}

/// A text that is not empty.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    part(value, name).and_then(Value::as_str).filter(|found| !found.is_empty())
}

/// A whole number; Stripe writes instants as seconds since 1970-01-01 and amounts in minor units.
pub(crate) fn integer(value: &Value, name: &str) -> Option<i64> {
    part(value, name).and_then(Value::as_i64)
}

/// Whether a field says yes.
pub(crate) fn flag(value: &Value, name: &str) -> bool {
    part(value, name).and_then(Value::as_bool).unwrap_or(false)
}

/// The id of another object: the id itself, or the object where it was expanded.
pub(crate) fn id<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    part(value, name).and_then(id_of)
}

/// The id that a value is, or has.
pub(crate) fn id_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| text(value, "id")).filter(|found| !found.is_empty())
}

/// The members of an array, or of a list object (`{"object": "list", "data": [...]}`).
pub(crate) fn members<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    let found = part(value, name);
    let data = found.and_then(Value::as_array).or_else(|| found.and_then(|list| list.get("data")?.as_array()));
    data.map_or(&[], Vec::as_slice)
}

/// A decimal, written as a text or as a number, exactly as it is written.
pub(crate) fn decimal(value: &Value, name: &str) -> Option<String> {
    match part(value, name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
