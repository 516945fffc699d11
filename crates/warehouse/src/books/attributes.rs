//! What is known of customers besides what they pay: country, channel and any further column of their files.

use std::collections::{BTreeMap, HashMap};

use super::{
    Books, BooksError, Key,
    columns::{Moments, Texts, is_true},
};

/// One attribute of every customer.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// The values, in order of their text.
    pub values: Vec<String>,
    /// For each customer the index of its value; `None` when it is not known.
    pub of_customer: Vec<Option<u32>>,
}

/// Reads the named attributes. The newest version of a customer holds; an attribute that it does not state is unknown.
pub fn load(books: &Books, names: &[String]) -> Result<BTreeMap<String, Attributes>, BooksError> {
    // A question that names no attribute need not read every customer.
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut stated: BTreeMap<&str, HashMap<String, u32>> =
        names.iter().map(|name| (name.as_str(), HashMap::new())).collect();
    // The newest version of each customer: its place in the order of recording and its values.
    let mut newest: Vec<(Key, Vec<Option<u32>>)> = Vec::new();
    let Some(lake) = books.lake() else { return Ok(BTreeMap::new()) };
    if lake.table_schema("customer")?.is_some() {
        for batch in lake.read("customer", &[], books.view.as_known_at)? {
            let batch = batch?;
            let ids = Texts::of(&batch, "customer")?;
            let json = Texts::of(&batch, "attributes")?;
            let columns = names.iter().map(|name| Texts::of(&batch, name).ok()).collect::<Vec<_>>();
            let moments = names.iter().map(|name| Moments::of(&batch, name).ok()).collect::<Vec<_>>();
            for row in 0..batch.num_rows() {
                let Some(key) = ids.get(row).and_then(|id| books.facts.customer_ids.key(id)) else { continue };
                let withdrawn = is_true(&batch, "withdrawn", row);
                let mut further: Option<serde_json::Map<String, serde_json::Value>> = None;
                let values = names.iter().enumerate().map(|(index, name)| {
                    if withdrawn {
                        return None;
                    }
                    let stated_text =
                        columns[index].as_ref().and_then(|texts| texts.get(row)).map(str::to_owned).or_else(|| {
                            moments[index].as_ref().and_then(|m| m.get(row)).map(|moment| moment.to_string())
                        });
                    let text = stated_text.or_else(|| {
                        let json = json.get(row)?;
                        let further = further.get_or_insert_with(|| serde_json::from_str(json).unwrap_or_default());
                        match further.get(name)? {
                            serde_json::Value::Null => None,
                            serde_json::Value::String(text) => Some(text.clone()),
                            other => Some(other.to_string()),
                        }
                    })?;
                    if text.is_empty() {
                        return None;
                    }
                    let known = stated.get_mut(name.as_str())?;
                    let next = known.len() as u32;
                    Some(*known.entry(text).or_insert(next))
                });
                let values = values.collect();
                newest.push((key, values));
            }
        }
    }
    // A stable sort keeps the order of recording, so the last of equal keys is the newest.
    newest.sort_by_key(|(key, _)| *key);
    let mut attributes = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let mut texts: Vec<(String, u32)> = stated.remove(name.as_str()).unwrap_or_default().into_iter().collect();
        texts.sort_unstable();
        let mut rank = vec![0u32; texts.len()];
        for (sorted, (_, number)) in texts.iter().enumerate() {
            rank[*number as usize] = sorted as u32;
        }
        let mut of_customer = vec![None; books.customers.len()];
        let mut place = 0;
        for (key, values) in &newest {
            while place < books.customers.len() && books.customers[place] < *key {
                place += 1;
            }
            if books.customers.get(place) == Some(key) {
                of_customer[place] = values[index].map(|number| rank[number as usize]);
            }
        }
        let values = texts.into_iter().map(|(text, _)| text).collect();
        attributes.insert(name.clone(), Attributes { values, of_customer });
    }
    Ok(attributes)
}
