//! Notes as they hold: annotations, interviews, plans, and what was written to the questions of a month.
//!
//! A note is a fact. To change one is to state it anew, to take one back is to withdraw it, and each stays in what was known
//! before. Facts of one source correct each other, so that a note is changed under the source that stated it.

use revenue::calendar::Day;
use warehouse::{
    import::{ImportError, export},
    kind::Kind,
    lake::Lake,
};

use crate::closes::name_of;

/// The table of notes.
const TABLE: &str = "note";

/// What notes are that were written here.
pub const DASHBOARD: &str = "dashboard";

/// The kind of a note that does not say it.
pub const ANNOTATION: &str = "annotation";

/// The kind of a note that was written to a question of a month.
pub const REVIEW: &str = "review";

/// What is asked of each month, as the sections of its review are called.
pub const QUESTIONS: &[&str] = &["targets", "churn", "risk", "growth", "changes", "decisions"];

/// The kind of fact that notes are.
pub fn kind() -> Option<&'static Kind> {
    Kind::parse(TABLE)
}

/// A note as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whose fact it is.
    pub source: String,
    /// What it states, by column: those of the kind, then what else the source says.
    pub cells: Vec<(String, String)>,
}

impl Note {
    /// What it states in a column; nothing where it does not say.
    pub fn of(&self, column: &str) -> &str {
        self.cells.iter().find(|(name, _)| name == column).map_or("", |(_, text)| text)
    }

    /// What it is.
    pub fn kind(&self) -> &str {
        Some(self.of("kind")).filter(|kind| !kind.is_empty()).unwrap_or(ANNOTATION)
    }

    /// All that it says.
    pub fn words(&self) -> String {
        match (self.of("title"), self.of("body")) {
            (title, "") => title.to_owned(),
            ("", body) => body.to_owned(),
            (title, body) => format!("{title}: {body}"),
        }
    }

    /// The same with other texts in some columns.
    pub fn with(mut self, changed: &[(&str, &str)]) -> Self {
        for (name, text) in changed {
            match self.cells.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => (*text).clone_into(known),
                None => self.cells.push(((*name).to_owned(), (*text).to_owned())),
            }
        }
        self
    }

    /// What is stated, column by column, without what is empty.
    pub fn stated(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cells.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// The notes that hold, by day, as known at a time (now when none is given).
pub fn all(lake: &Lake, as_known_at: Option<i64>) -> Result<Vec<Note>, ImportError> {
    let Some(kind) = kind() else { return Ok(Vec::new()) };
    let mut rows = export(lake, kind, None, as_known_at)?;
    let columns: Vec<String> = rows.columns().iter().map(|column| column.name.clone()).collect();
    let mut notes = Vec::new();
    while let Some((cells, source)) = rows.next_with_source() {
        let cells = columns.iter().cloned().zip(cells.into_iter().map(Option::unwrap_or_default)).collect();
        notes.push(Note { source, cells });
    }
    notes.sort_by(|one, other| (one.of("day"), one.of("note")).cmp(&(other.of("day"), other.of("note"))));
    Ok(notes)
}

/// What was written to a question of a month is one note, and this is its id.
pub fn id_of_answer(month: Day, question: &str) -> String {
    format!("month-{}-{question}", name_of(month))
}

/// What was written to the questions of a month, in the order in which they are asked: what was written here, else what a
/// file says of a day of the month.
pub fn of_month(lake: &Lake, month: Day, as_known_at: Option<i64>) -> Result<Vec<(&'static str, Note)>, ImportError> {
    let mut written = all(lake, as_known_at)?;
    let name = name_of(month);
    written.retain(|note| note.kind() == REVIEW && note.of("day").starts_with(&name));
    let to = |question: &'static str| {
        let mut answers = written.iter().filter(|note| note.of("question") == question);
        let found = answers.clone().find(|note| note.source == DASHBOARD).or_else(|| answers.next_back())?;
        Some((question, found.clone()))
    };
    Ok(QUESTIONS.iter().copied().filter_map(to).collect())
}

#[cfg(test)]
mod tests {
    use warehouse::kind::ValueKind;

    use super::*;

    #[test]
    fn the_questions_are_those_that_a_note_may_answer() {
        let column = kind().unwrap().columns.iter().find(|column| column.name == "question").unwrap();
        let ValueKind::Choice(choices) = column.value else { panic!("a question is one of some") };
        assert_eq!(choices.iter().map(|choice| choice.canonical).collect::<Vec<_>>(), QUESTIONS);
    }

    #[test]
    fn a_changed_note_keeps_what_was_not_said() {
        let cells = [("note", "n1"), ("title", "Launch"), ("colour", "red")];
        let note = Note { source: "file".to_owned(), cells: Vec::new() }
            .with(&cells)
            .with(&[("title", "Start"), ("body", "")]);
        assert_eq!((note.words(), note.kind()), ("Start".to_owned(), ANNOTATION));
        assert_eq!(note.stated().collect::<Vec<_>>(), [("note", "n1"), ("title", "Start"), ("colour", "red")]);
    }
}
