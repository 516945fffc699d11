//! Ids as numbers that sort as the ids do.
//!
//! Ten million rows are sorted by customer and subscription. Most systems give ids that differ in at most sixteen
//! characters after a common beginning (`cus_`…): such an id is its own 128-bit key, and the texts need not be kept.
//! Other ids are numbered by rank.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use hashbrown::HashTable;

use super::BooksError;

/// A key: sixteen bytes in two halves, so that it needs no alignment of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(u64, u64);

impl From<u128> for Key {
    fn from(value: u128) -> Self {
        Key((value >> 64) as u64, value as u64)
    }
}

impl From<Key> for u128 {
    fn from(key: Key) -> Self {
        u128::from(key.0) << 64 | u128::from(key.1)
    }
}

/// Ids of one kind, by key.
#[derive(Debug, Clone)]
pub enum Ids {
    /// Keys hold the characters after a common beginning, padded with zero bytes.
    Spelled {
        /// What all ids begin with.
        beginning: String,
    },
    /// Keys are ranks in the sorted list of ids.
    Ranked {
        /// The ids, sorted.
        sorted: Texts,
    },
}

/// Texts one after the other in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<u64>,
}

impl Texts {
    /// Appends a text and returns its index.
    pub fn push(&mut self, text: &str) -> usize {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u64);
        self.ends.len() - 1
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of an index; empty when there is none.
    pub fn get(&self, index: usize) -> &str {
        let end = self.ends.get(index).copied().unwrap_or_default() as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default() as usize;
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// Characters of an id that fit a key.
const KEY_BYTES: usize = 16;

impl Ids {
    /// Makes keys of columns of ids and gives them back with what reads them. The columns are consumed as they are
    /// read, so that texts and keys are not held at the same time.
    pub fn of(columns: Vec<ArrayRef>) -> Result<(Self, Vec<Key>), BooksError> {
        let rows = columns.iter().map(|column| column.len()).sum();
        match common_beginning(&columns)? {
            Some(beginning) => {
                let mut keys = Vec::with_capacity(rows);
                for column in columns {
                    let texts = texts_of(&column)?;
                    keys.extend(texts.iter().map(|text| spelled_key(text.unwrap_or_default(), beginning.len())));
                }
                Ok((Ids::Spelled { beginning }, keys))
            }
            None => ranked(columns, rows),
        }
    }

    /// The id of a key.
    pub fn text(&self, key: Key) -> String {
        match self {
            Ids::Spelled { beginning } => {
                let bytes = u128::from(key).to_be_bytes();
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                // Keys are made of whole ids, so the bytes are the text that they came from.
                format!("{beginning}{}", String::from_utf8_lossy(&bytes[..end]))
            }
            Ids::Ranked { sorted } => sorted.get(usize::try_from(u128::from(key)).unwrap_or(usize::MAX)).to_owned(),
        }
    }

    /// The key of an id, if an id like it can have one.
    pub fn key(&self, text: &str) -> Option<Key> {
        match self {
            Ids::Spelled { beginning } => {
                let rest = text.strip_prefix(beginning.as_str())?;
                (rest.len() <= KEY_BYTES && !rest.contains('\0')).then(|| spelled_key(text, beginning.len()))
            }
            Ids::Ranked { sorted } => {
                let (mut low, mut high) = (0, sorted.len());
                while low < high {
                    let middle = low + (high - low) / 2;
                    match sorted.get(middle).cmp(text) {
                        std::cmp::Ordering::Less => low = middle + 1,
                        std::cmp::Ordering::Greater => high = middle,
                        std::cmp::Ordering::Equal => return Some(Key(0, middle as u64)),
                    }
                }
                None
            }
        }
    }
}

fn spelled_key(text: &str, beginning: usize) -> Key {
    let rest = text.as_bytes().get(beginning..).unwrap_or_default();
    let mut bytes = [0; KEY_BYTES];
    let length = rest.len().min(KEY_BYTES);
    bytes[..length].copy_from_slice(&rest[..length]);
    u128::from_be_bytes(bytes).into()
}

/// What all ids begin with, when what follows fits a key in each of them.
fn common_beginning(columns: &[ArrayRef]) -> Result<Option<String>, BooksError> {
    let mut beginning: Option<&str> = None;
    let mut longest = 0;
    for column in columns {
        let texts = texts_of(column)?;
        // A zero byte would read as padding.
        if texts.value_data().contains(&0) {
            return Ok(None);
        }
        for text in texts.iter() {
            let text = text.unwrap_or_default();
            longest = longest.max(text.len());
            beginning = Some(match beginning {
                None => text,
                Some(found) if text.as_bytes().starts_with(found.as_bytes()) => found,
                Some(found) => {
                    let same = found.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
                    let same = (0..=same).rev().find(|end| found.is_char_boundary(*end)).unwrap_or(0);
                    &found[..same]
                }
            });
        }
    }
    let beginning = beginning.unwrap_or_default();
    Ok((longest - beginning.len() <= KEY_BYTES).then(|| beginning.to_owned()))
}

fn ranked(columns: Vec<ArrayRef>, rows: usize) -> Result<(Ids, Vec<Key>), BooksError> {
    let hasher = hashbrown::DefaultHashBuilder::default();
    let hash = |text: &str| std::hash::BuildHasher::hash_one(&hasher, text);
    let mut texts = Texts::default();
    let mut table: HashTable<u32> = HashTable::new();
    let mut numbers: Vec<u32> = Vec::with_capacity(rows);
    for column in columns {
        for text in texts_of(&column)?.iter() {
            let text = text.unwrap_or_default();
            let entry = table.entry(
                hash(text),
                |number| texts.get(*number as usize) == text,
                |number| hash(texts.get(*number as usize)),
            );
            let number = match entry {
                hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
                hashbrown::hash_table::Entry::Vacant(free) => {
                    let number = u32::try_from(texts.len()).map_err(|_| BooksError::TooMany { what: "ids" })?;
                    free.insert(number);
                    texts.push(text);
                    number
                }
            };
            numbers.push(number);
        }
    }
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    order.sort_unstable_by(|a, b| texts.get(*a as usize).cmp(texts.get(*b as usize)));
    let mut sorted = Texts::default();
    let mut ranks = vec![0u32; order.len()];
    for (rank, number) in order.iter().enumerate() {
        sorted.push(texts.get(*number as usize));
        ranks[*number as usize] = rank as u32;
    }
    let keys = numbers.into_iter().map(|number| Key(0, u64::from(ranks[number as usize]))).collect();
    Ok((Ids::Ranked { sorted }, keys))
}

fn texts_of(column: &ArrayRef) -> Result<&StringArray, BooksError> {
    column.as_string_opt::<i32>().ok_or_else(|| BooksError::WrongColumn {
        column: "id".to_owned(),
        found: column.data_type().to_string(),
        wanted: "text".to_owned(),
    })
}

/// Ids with a second part in each row (a subscription's item), or that come from several sources. The parts are
/// joined by [`JOINT`], which no id has and which sorts before what ids have.
pub fn joined(first: &ArrayRef, second: impl Fn(usize) -> Option<String>) -> Result<ArrayRef, BooksError> {
    let texts = texts_of(first)?;
    let joined: StringArray = (0..texts.len())
        .map(|row| {
            let id = if texts.is_valid(row) { texts.value(row) } else { "" };
            Some(second(row).map_or_else(|| id.to_owned(), |part| format!("{id}{JOINT}{part}")))
        })
        .collect();
    Ok(Arc::new(joined))
}

/// What stands between the parts of a joined id.
pub const JOINT: char = '\u{1f}';

#[cfg(test)]
mod tests {
    use super::*;

    fn column(texts: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn keys_sort_as_ids_do_and_read_back() {
        for texts in [
            vec!["cus_9", "cus_10", "cus_1", "cus_"],
            vec!["客户甲", "客户乙", "客", "a"],
            vec!["a-very-long-identifier-of-one-kind", "b-very-long-identifier-of-another-kind", "a"],
            vec!["a\u{0}", "a", "a\u{0}b"],
            vec![""],
        ] {
            let (ids, keys) = Ids::of(vec![column(&texts)]).unwrap();
            let read: Vec<String> = keys.iter().map(|key| ids.text(*key)).collect();
            assert_eq!(read, texts);
            let mut by_text = texts.clone();
            by_text.sort_unstable();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            assert_eq!(sorted.iter().map(|key| ids.text(*key)).collect::<Vec<_>>(), by_text);
            for (text, key) in texts.iter().zip(&keys) {
                assert_eq!(ids.key(text), Some(*key));
            }
        }
    }
}
