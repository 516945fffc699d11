//! Fields of Stripe's JSON, read tolerantly: what is absent, null or of another type is simply not there.

use crate::gist::Gist;

/// A field that is there and not null.
pub(crate) fn part<'v>(value: &'v Gist, name: &str) -> Option<&'v Gist> {
    value.get(name).filter(|found| !found.is_null())
}

/// A field at the end of a path of fields.
pub(crate) fn path<'v>(value: &'v Gist, names: &[&str]) -> Option<&'v Gist> {
    names.iter().try_fold(value, |at, name| part(at, name))
}

/// A text that is not empty.
pub(crate) fn text<'v>(value: &'v Gist, name: &str) -> Option<&'v str> {
    part(value, name).and_then(Gist::as_str).filter(|found| !found.is_empty())
}

/// A whole number; Stripe writes instants as seconds since 1970-01-01 and amounts in minor units.
pub(crate) fn integer(value: &Gist, name: &str) -> Option<i64> {
    part(value, name).and_then(Gist::as_i64)
}

/// Whether a field says yes.
pub(crate) fn flag(value: &Gist, name: &str) -> bool {
    part(value, name).and_then(Gist::as_bool).unwrap_or(false)
}

/// The id of another object: the id itself, or the object where it was expanded.
pub(crate) fn id<'v>(value: &'v Gist, name: &str) -> Option<&'v str> {
    part(value, name).and_then(id_of)
}

/// The id that a value is, or has.
pub(crate) fn id_of(value: &Gist) -> Option<&str> {
    value.as_str().or_else(|| text(value, "id")).filter(|found| !found.is_empty())
}

/// The members of an array, or of a list object (`{"object": "list", "data": [...]}`).
pub(crate) fn members<'v>(value: &'v Gist, name: &str) -> &'v [Gist] {
    let found = part(value, name);
    let data = found.and_then(Gist::as_list).or_else(|| found.and_then(|list| list.get("data")?.as_list()));
    data.unwrap_or_default()
}

/// A decimal, written as a text or as a number, exactly as it is written.
pub(crate) fn decimal(value: &Gist, name: &str) -> Option<String> {
    match part(value, name)? {
        Gist::Text(text) | Gist::Number(text) => Some(text.clone()),
        Gist::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}
