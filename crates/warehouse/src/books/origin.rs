//! Where a fact came from: the import, the file, and the row in it.

use std::collections::HashMap;

use super::{
    Books, BooksError,
    columns::{Integers, open},
    subscriptions::unreadable_file,
};
use crate::{import::printed, lake::ImportRecord};

/// Where each subscription fact came from.
pub struct Origins {
    imports: HashMap<i64, ImportRecord>,
    /// For each fact the import and the row.
    of_fact: Vec<(i64, u32)>,
}

/// Where one fact came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The import.
    pub import: &'a ImportRecord,
    /// The row in its file: a line number, where the file has lines.
    pub row: u32,
}

impl Origins {
    /// Reads where the facts of the books came from.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn load(books: &Books) -> Result<Self, BooksError> {
        let imports: HashMap<i64, ImportRecord> = match books.lake() {
            Some(lake) => lake.imports(books.view.as_known_at)?.into_iter().map(|import| (import.id, import)).collect(),
            None => HashMap::new(),
        };
        let mut of_fact = Vec::new();
        for file in &books.files {
            for batch in open(&file.path, &["import", "row"], &[])? {
                let batch = batch.map_err(|error| unreadable_file(file, &error))?;
                let (import, row) = (Integers::of(&batch, "import")?, Integers::of(&batch, "row")?);
                for index in 0..batch.num_rows() {
                    let import = file.import.or(import.get(index)).unwrap_or_default();
                    // The books passed over the rows of imports that were not known, and so do we.
                    if file.import.is_some() || imports.contains_key(&import) {
                        of_fact.push((import, u32::try_from(row.get(index).unwrap_or_default()).unwrap_or(u32::MAX)));
                    }
                }
            }
        }
        Ok(Self { imports, of_fact })
    }

    /// The file of an import.
    #[must_use]
    pub fn file(&self, import: i64) -> Option<&str> {
        self.imports.get(&import).map(|import| import.file_name.as_str())
    }

    /// Where a fact came from.
    #[must_use]
    pub fn of(&self, fact: u32) -> Option<Origin<'_>> {
        let (import, row) = self.of_fact.get(fact as usize)?;
        Some(Origin { import: self.imports.get(import)?, row: *row })
    }
}

impl Origin<'_> {
    /// What a list says of it: `subscriptions.csv:17`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.import.file_name, self.row)
    }
}

/// The text of one fact as it is kept: each column that has a value, in order.
///
/// # Errors
/// When the facts cannot be read.
pub fn stated(books: &Books, fact: u32) -> Result<Vec<(String, String)>, BooksError> {
    let file = books.facts.file_firsts.partition_point(|first| *first <= fact).saturating_sub(1);
    let (Some(file), Some(first)) = (books.files.get(file), books.facts.file_firsts.get(file)) else {
        return Ok(Vec::new());
    };
    let mut left = (fact - first) as usize;
    for batch in open(&file.path, super::subscriptions::COLUMNS, &[])? {
        let batch = batch.map_err(|error| unreadable_file(file, &error))?;
        if left >= batch.num_rows() {
            left -= batch.num_rows();
            continue;
        }
        let row = batch.slice(left, 1);
        return row
            .schema()
            .fields()
            .iter()
            .zip(row.columns())
            .filter(|(_, column)| column.null_count() == 0)
            .map(|(field, column)| Ok((field.name().clone(), printed(column.as_ref(), 0).unwrap_or_default())))
            .collect();
    }
    Ok(Vec::new())
}
