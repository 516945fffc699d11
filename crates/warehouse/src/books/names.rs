//! What people call customers: the name that the newest fact about each states.
//!
//! Lists show some rows of many, so names are looked up for those alone and kept with the books; who has none is kept too.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

use super::{
    BooksError,
    columns::{Texts, is_true},
};
use crate::lake::Lake;

/// Names that were looked up for earlier questions; none where a customer has no name.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<String, Option<String>>>);

impl Names {
    /// How many are kept.
    const KEPT: usize = 100_000;

    /// The names of customers. Who has none is not among them.
    pub(crate) fn of<'a>(
        &self,
        lake: &Lake,
        as_known_at: Option<i64>,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, BooksError> {
        let ids: HashSet<&str> = ids.into_iter().collect();
        let hold = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = HashMap::with_capacity(ids.len());
        let mut missing = HashSet::new();
        {
            let kept = hold();
            for id in ids {
                match kept.get(id) {
                    Some(Some(name)) => drop(names.insert(id.to_owned(), name.clone())),
                    Some(None) => {}
                    None => drop(missing.insert(id)),
                }
            }
        }
        if missing.is_empty() {
            return Ok(names);
        }
        let found = newest(lake, as_known_at, |id, _| missing.contains(id))?;
        let mut kept = hold();
        if kept.len() + missing.len() > Self::KEPT {
            kept.clear();
        }
        kept.extend(missing.iter().take(Self::KEPT).map(|id| ((*id).to_owned(), found.get(*id).cloned())));
        drop(kept);
        names.extend(found);
        Ok(names)
    }

    /// The same names for books before which no fact about customers came.
    pub(crate) fn carried(&self) -> Self {
        // What is being looked up right now is not waited for.
        Self(Mutex::new(self.0.try_lock().map(|kept| kept.clone()).unwrap_or_default()))
    }
}

/// The customers whose name has a text in it, whatever its case.
pub(crate) fn holding(lake: &Lake, as_known_at: Option<i64>, text: &str) -> Result<HashSet<String>, BooksError> {
    let text = text.to_lowercase();
    let has = |name: &str| name.to_lowercase().contains(&text);
    // Whoever was called so once may be called otherwise now.
    let once = newest(lake, as_known_at, |_, name| name.is_some_and(has))?;
    let now = newest(lake, as_known_at, |id, _| once.contains_key(id))?;
    Ok(now.into_iter().filter(|(_, name)| has(name)).map(|(id, _)| id).collect())
}

/// What one fact says of a customer.
struct Stated {
    customer: String,
    source: String,
    name: Option<String>,
}

/// The names that the wanted facts state: of each source the newest fact holds, and of these the last one that states a name.
/// A fact is seen with the id and the name that it states.
fn newest(
    lake: &Lake,
    as_known_at: Option<i64>,
    is_wanted: impl Fn(&str, Option<&str>) -> bool + Sync,
) -> Result<HashMap<String, String>, BooksError> {
    if lake.table_schema("customer")?.is_none() {
        return Ok(HashMap::new());
    }
    let parts = lake.parts("customer", &["customer", "name", "source", "withdrawn"], as_known_at)?;
    let stated = parts.par_iter().map(|part| {
        let mut stated: Vec<Stated> = Vec::new();
        for batch in part.rows()? {
            let batch = batch?;
            let (ids, names) = (Texts::of(&batch, "customer")?, Texts::of(&batch, "name")?);
            let sources = Texts::of(&batch, "source")?;
            for row in 0..batch.num_rows() {
                let Some(id) = ids.get(row) else { continue };
                let name = names.get(row).filter(|name| !name.is_empty() && !is_true(&batch, "withdrawn", row));
                if is_wanted(id, name) {
                    let source = sources.get(row).unwrap_or_default().to_owned();
                    stated.push(Stated { customer: id.to_owned(), source, name: name.map(str::to_owned) });
                }
            }
        }
        Ok(stated)
    });
    let stated = stated.collect::<Result<Vec<_>, BooksError>>()?;
    // Parts come in order of recording: the last fact of a source replaces those before, and goes behind those of others.
    let mut facts: HashMap<String, Vec<(String, Option<String>)>> = HashMap::new();
    for Stated { customer, source, name } in stated.into_iter().flatten() {
        let of_customer = facts.entry(customer).or_default();
        of_customer.retain(|(other, _)| *other != source);
        of_customer.push((source, name));
    }
    let named = facts.into_iter().filter_map(|(customer, facts)| {
        let name = facts.into_iter().rev().find_map(|(_, name)| name)?;
        Some((customer, name))
    });
    Ok(named.collect())
}
