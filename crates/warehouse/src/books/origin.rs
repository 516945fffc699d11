//! Where a fact came from: the import, the file, and the row in it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::{
    Books, BooksError, FactFile,
    columns::open,
    oddity::Place,
    pages::{Buffers, Raw, Source},
    subscriptions::{Before, Choice, Part, StatedBy, import_of_rows, parts_of, unreadable_file},
};
use crate::{import::printed, lake::ImportRecord};

/// Where each subscription fact came from.
pub struct Origins {
    imports: HashMap<i64, ImportRecord>,
    of_fact: Vec<Place>,
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
    /// Where the facts of some books came from: read once, and kept as long as the books are.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn kept(books: &Books) -> Result<Arc<Self>, BooksError> {
        if let Some(origins) = books.origins.get() {
            return Ok(Arc::clone(origins));
        }
        let origins = Arc::new(Self::load(books)?);
        Ok(Arc::clone(books.origins.get_or_init(|| origins)))
    }

    /// Reads where the facts of the books came from.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn load(books: &Books) -> Result<Self, BooksError> {
        let imports: HashMap<i64, ImportRecord> = match books.lake() {
            Some(lake) => lake.imports(books.view.as_known_at)?.into_iter().map(|import| (import.id, import)).collect(),
            None => HashMap::new(),
        };
        // The books passed over the rows of imports that were not known, and so do we.
        let known: HashSet<i64> = imports.keys().copied().collect();
        let choice = Choice { is_known: &|import| known.contains(&import), is_wanted: None };
        Self::of_files(&books.files, &choice, imports)
    }

    /// Reads where the facts of some files came from, those that `choice` leaves.
    pub(super) fn of_files(
        files: &[FactFile],
        choice: &Choice<'_>,
        imports: HashMap<i64, ImportRecord>,
    ) -> Result<Self, BooksError> {
        let sources = files.iter().map(|file| Source::open(&file.path)).collect::<Result<Vec<_>, _>>()?;
        let several_sources = StatedBy::of(&sources)? == StatedBy::Several;
        let parts = parts_of(files, &sources, several_sources, choice, Before::default())?.parts;
        let of_part = |part: &Part| {
            let source = &sources[part.source];
            let mut rows = vec![0u32; source.rows(part.group)];
            if let Some(chunk) = source.chunk(part.group, "row")? {
                let row = |raw: Raw<'_>| Ok(u32::try_from(raw.number()).unwrap_or(u32::MAX));
                chunk.read(0, &mut Buffers::default(), &mut rows, &mut { row })?;
            }
            let imports = match files[part.source].import {
                Some(import) => vec![import; rows.len()],
                None => import_of_rows(source, part.group)?,
            };
            let counts = |row: usize| part.known.as_ref().is_none_or(|known| known[row]);
            let own = imports.into_iter().zip(rows).enumerate().filter(|(row, _)| counts(*row));
            Ok(own.map(|(_, (import, row))| Place { import, row }).collect::<Vec<_>>())
        };
        let of_parts = parts.par_iter().map(of_part).collect::<Result<Vec<_>, BooksError>>()?;
        Ok(Self { imports, of_fact: of_parts.into_iter().flatten().collect() })
    }

    /// Where a fact stands.
    pub(super) fn place_of(&self, fact: u32) -> Option<Place> {
        self.of_fact.get(fact as usize).copied()
    }

    /// The imports by their numbers.
    #[must_use]
    pub fn imports(&self) -> &HashMap<i64, ImportRecord> {
        &self.imports
    }

    /// The file of an import.
    #[must_use]
    pub fn file(&self, import: i64) -> Option<&str> {
        self.imports.get(&import).map(|import| import.file_name.as_str())
    }

    /// Where a fact came from.
    #[must_use]
    pub fn of(&self, fact: u32) -> Option<Origin<'_>> {
        let Place { import, row } = self.place_of(fact)?;
        Some(Origin { import: self.imports.get(&import)?, row })
    }
}

impl Origin<'_> {
    /// What a list says of it: `subscriptions.csv:17`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.import.origin(self.row.into()), self.row)
    }
}

/// The text of one fact as it is kept: each column that has a value, in order.
///
/// # Errors
/// When the facts cannot be read.
pub fn stated(books: &Books, fact: u32) -> Result<Vec<(String, String)>, BooksError> {
    let file = books.file_firsts.partition_point(|first| *first <= fact).saturating_sub(1);
    let (Some(file), Some(first)) = (books.files.get(file), books.file_firsts.get(file)) else {
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
