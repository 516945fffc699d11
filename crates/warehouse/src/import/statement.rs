//! Facts stated row by row, of several kinds together: the road of the HTTP API and of sources that are asked again and
//! again. They are read as lines of a JSON-lines file are, and become one import and one snapshot.
//!
//! ```text
//! statements ─▶ rows (the kind's columns, by their own names) ─▶ said before? ─▶ one file a table ─▶ one commit
//!                 └─▶ refused: quarantine                          └─▶ unchanged: nothing is written
//! ```
//!
//! A fact is known by its source and the values of its kind's key. The same content again changes nothing; other content
//! is a newer version; a withdrawal takes the fact back until it is stated again. So whoever does not know whether a
//! batch arrived sends it again. An answer is given once everything is on the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use super::known::{Known, Said};
use super::withdrawal::{Identity, contents, fault, identities, withdrawn};
use super::{ImportError, refused_row};
use crate::kind::{Column, KINDS, Kind};
use crate::lake::{Among, Committed, ImportRequest, Lake, RefusedRow, SnapshotId};
use crate::source::habit::{DateHabit, DecimalHabit};
use crate::source::issue::{Code, Issue, shown};
use crate::source::limits;
use crate::source::lines::{self, Entries};
use crate::source::mapping::{Instructions, Mapping};
use crate::source::rows::{Habits, RowReader, Rows, push_json};
use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use serde::de::IgnoredAny;

/// What an import of several kinds, sources or origins is called in the list of imports.
pub const SEVERAL: &str = "several";

/// One thing that a source says.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The kind of fact; none where it does not say one that there is, and it is refused.
    pub kind: Option<&'static Kind>,
    /// Whose fact it is: facts of one source correct each other.
    pub source: Arc<str>,
    /// Where it came from, for whoever asks later: `api`, a token's name, the id of an event.
    pub origin: Arc<str>,
    /// What is said.
    pub says: Says,
}

/// What a statement says of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// The fact: a JSON object of the kind's columns. Other names in it are kept as attributes.
    Row(String),
    /// That the fact holds no more: a JSON object with the columns of the kind's key.
    Withdrawal(String),
    /// What cannot be told: it is refused, and the others of the batch stand.
    Unclear {
        /// What was sent.
        text: String,
        /// What is wrong with it.
        code: Code,
        /// The same in words.
        words: String,
    },
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A fact that was not known, or was withdrawn.
    Stated,
    /// A newer version of a fact that was known with other content.
    Restated,
    /// Exactly what was known already: nothing was written.
    Unchanged,
    /// A fact that was known holds no more.
    Withdrawn,
    /// It cannot be read, for these reasons; it is kept in the quarantine.
    Refused(Vec<Issue>),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// One answer a statement, in their order.
    pub answers: Vec<Answer>,
    /// Names that the kind of a statement does not have, by the statement's place: they are kept as attributes.
    pub attributes: BTreeMap<usize, Vec<String>>,
    /// The import that it became; none when nothing had to be written.
    pub committed: Option<Committed>,
}

impl Statement {
    /// A fact out of its columns and their texts.
    #[must_use]
    pub fn row<'a>(
        kind: &'static Kind,
        source: &Arc<str>,
        origin: &Arc<str>,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let says = Says::Row(object(values));
        Self { kind: Some(kind), source: Arc::clone(source), origin: Arc::clone(origin), says }
    }

    /// The withdrawal of the fact with this key.
    #[must_use]
    pub fn withdrawal<'a>(
        kind: &'static Kind,
        source: &Arc<str>,
        origin: &Arc<str>,
        key: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let says = Says::Withdrawal(object(key));
        Self { kind: Some(kind), source: Arc::clone(source), origin: Arc::clone(origin), says }
    }

    /// The statement as it is kept when it is refused, so that it can be read again.
    fn text(&self) -> String {
        let mut text = String::from("{\"source\":");
        push_json(&mut text, &self.source);
        let kind = self.kind.map_or("", |kind| kind.name);
        let (key, said) = match &self.says {
            Says::Row(values) => ("values", values),
            Says::Withdrawal(values) => ("withdraw", values),
            Says::Unclear { text, .. } => (AS_SENT, text),
        };
        if key != AS_SENT {
            text.push_str(",\"kind\":");
            push_json(&mut text, kind);
        }
        text.push_str(",\"");
        text.push_str(key);
        text.push_str("\":");
        if key == AS_SENT && serde_json::from_str::<IgnoredAny>(said).is_err() {
            push_json(&mut text, said);
        } else {
            text.push_str(said);
        }
        text.push('}');
        let mut end = text.len().min(limits::RAW_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text
    }

    /// Reads a statement as a program sends it: a JSON object with the `kind` of fact and beside it the columns of the
    /// fact, or in `values` the columns, or in `withdraw` the key of the fact that holds no more: an object, or its one
    /// value where one suffices.
    ///
    /// What is no such object is unclear, and is refused when it is stated. Whether the values can be read is settled
    /// then too.
    #[must_use]
    pub fn read(text: &str, source: &Arc<str>, origin: &Arc<str>) -> Self {
        let (kind, says) = match said(text) {
            Ok((kind, says)) => (Some(kind), says),
            Err((kind, code, words)) => (kind, Says::Unclear { text: text.to_owned(), code, words }),
        };
        Self { kind, source: Arc::clone(source), origin: Arc::clone(origin), says }
    }

    /// Reads a statement that was refused; none where its text is not whole.
    pub(super) fn kept(text: &str, origin: &Arc<str>) -> Option<Self> {
        let (mut source, mut as_sent) = (None, None);
        let mut statement = String::from("{");
        let entries: Entries<'_> = serde_json::from_str(text).ok()?;
        for (key, value) in entries.0 {
            match &*key {
                "source" => source = serde_json::from_str::<String>(value.get()).ok(),
                AS_SENT => as_sent = Some(value.get()),
                _ => {
                    if statement.len() > 1 {
                        statement.push(',');
                    }
                    push_json(&mut statement, &key);
                    statement.push(':');
                    statement.push_str(value.get());
                }
            }
        }
        statement.push('}');
        Some(Self::read(as_sent.unwrap_or(&statement), &source?.into(), origin))
    }
}

/// Under what name a statement is kept of which it cannot be told what it says.
const AS_SENT: &str = "as_sent";

/// Why a statement is unclear, with its kind as far as that can be told.
type Unclear = (Option<&'static Kind>, Code, String);

/// The kind of a statement and what it says of the fact.
fn said(text: &str) -> Result<(&'static Kind, Says), Unclear> {
    let wrong = |code, words: &str| (None, code, words.to_owned());
    let entries: Entries<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => wrong(Code::JsonUnreadable, "the row is no JSON object"),
        _ => (None, Code::JsonUnreadable, format!("the row is no JSON: {error}")),
    })?;
    let mut name: Option<String> = None;
    let (mut values, mut withdraw) = (None, None);
    let mut columns = String::from("{");
    for (key, value) in entries.0 {
        let known = match &*key {
            "kind" if name.is_none() => {
                let named = serde_json::from_str(value.get());
                name = Some(named.map_err(|_| wrong(Code::KindUnknown, "the `kind` of the row is no text"))?);
                continue;
            }
            "kind" => {
                let words = "the row names `kind` twice; state a column of that name within `values`";
                return Err(wrong(Code::JsonKeyTwice, words));
            }
            "values" => &mut values,
            "withdraw" => &mut withdraw,
            _ => {
                if columns.len() > 1 {
                    columns.push(',');
                }
                push_json(&mut columns, &key);
                columns.push(':');
                columns.push_str(value.get());
                continue;
            }
        };
        if known.replace(value.get()).is_some() {
            return Err((None, Code::JsonKeyTwice, format!("the row names `{key}` twice")));
        }
    }
    columns.push('}');
    let name = name.ok_or_else(|| wrong(Code::KindUnknown, "the row does not say its `kind`"))?;
    let kind = Kind::parse(&name).ok_or_else(|| {
        let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        (None, Code::KindUnknown, format!("there is no kind of facts `{}`; it is one of {known}", shown(&name)))
    })?;
    let unclear = |words: String| (Some(kind), Code::StatementUnclear, words);
    let is_object = |text: &str| text.starts_with('{');
    let says = match (values, withdraw) {
        (None, None) => Says::Row(columns),
        _ if columns.len() > 2 || (values.is_some() && withdraw.is_some()) => {
            return Err(unclear(
                "the row has columns beside `values` or `withdraw`; write one of the three".to_owned(),
            ));
        }
        (Some(values), _) if is_object(values) => Says::Row(values.to_owned()),
        (None, Some(key)) if is_object(key) => Says::Withdrawal(key.to_owned()),
        (None, Some(key)) if !key.starts_with('[') && key != "null" => match kind.key {
            [column] => {
                let mut object = String::from("{");
                push_json(&mut object, column);
                object.push(':');
                object.push_str(key);
                object.push('}');
                Says::Withdrawal(object)
            }
            columns => {
                let columns = columns.join(", ");
                let words = format!("a fact of {} is known by {columns}; withdraw an object of them", kind.name);
                return Err(unclear(words));
            }
        },
        _ => return Err(unclear("the `values` or `withdraw` of the row is no object".to_owned())),
    };
    Ok((kind, says))
}

fn object<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("{");
    for (name, value) in values {
        if text.len() > 1 {
            text.push(',');
        }
        push_json(&mut text, name);
        text.push(':');
        push_json(&mut text, value);
    }
    text.push('}');
    text
}

/// States a batch in a lake: see [`Statements::state`]. Whoever states often keeps a [`Statements`] open instead.
///
/// # Errors
/// As there.
pub fn state(lake: &Lake, batch: &[Statement], now_micros: i64) -> Result<Stated, ImportError> {
    Statements::open(lake)?.state(batch, now_micros)
}

/// The means to state facts in one lake: the lake and what was last said of each fact.
pub struct Statements {
    lake: Lake,
    known: Known,
    unnoted: Option<Unnoted>,
}

/// What a commit brought that the index has not taken in yet.
struct Unnoted {
    said: Vec<(&'static Kind, Identity, Said)>,
    snapshot: SnapshotId,
    recorded_at_micros: i64,
}

/// The statements of one kind and source.
struct Group<'a> {
    kind: &'static Kind,
    source: &'a str,
    rows: Vec<(u64, String)>,
    withdrawals: Vec<(u64, String)>,
}

/// The newest version of a fact while a batch is gone through.
#[derive(Clone, Copy)]
enum Version {
    /// In the lake.
    Kept(Said),
    /// In this batch: the hash of its content, and its row among those of the group.
    Here(Identity, usize),
    /// Withdrawn by this batch: the hash of nothing that can be stated.
    Gone,
}

/// A row or a withdrawal as it is met in the batch.
struct Step {
    line: u64,
    identity: Identity,
    /// The row among those of the group and the hash of its content; none for a withdrawal.
    row: Option<(usize, Identity)>,
}

/// A fact to be withdrawn.
struct Leaving {
    line: u64,
    identity: Identity,
    version: Version,
}

impl Statements {
    /// Removes the index of what was said: it is made again from the facts.
    pub fn forget(folder: &std::path::Path) {
        Known::remove(folder);
    }

    /// The lake.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Opens what is needed to state facts in a lake that was opened for writing.
    ///
    /// # Errors
    /// When the index of what was said cannot be opened.
    pub fn open(lake: &Lake) -> Result<Self, ImportError> {
        Ok(Self { lake: lake.clone(), known: Known::open(lake.folder())?, unnoted: None })
    }

    /// States a batch: all of it in one import and one snapshot, or nothing of it. When it returns, what is said to be
    /// stated is on the disk.
    ///
    /// # Errors
    /// When the lake does not take it; then nothing of the batch is visible, now or later. Statements that cannot be
    /// read are no error: they are refused, each by itself.
    pub fn state(&mut self, batch: &[Statement], now_micros: i64) -> Result<Stated, ImportError> {
        let stated = self.state_first(batch, now_micros);
        self.note();
        stated
    }

    /// As [`Statements::state`], for whoever has somebody waiting for the answer: call [`Statements::note`] once that is given.
    ///
    /// # Errors
    /// As there.
    pub fn state_first(&mut self, batch: &[Statement], now_micros: i64) -> Result<Stated, ImportError> {
        self.take(batch, true, now_micros)
    }

    /// Notes what was stated last, so that it need not be read from the lake when something is stated next.
    pub fn note(&mut self) {
        if let Some(Unnoted { said, snapshot, recorded_at_micros }) = self.unnoted.take() {
            // The facts are on the disk. What the index could not take in it reads before its next use; so it does what somebody
            // else has stated and noted meanwhile.
            let _ = self.known.take(&said, (snapshot, recorded_at_micros));
        }
    }

    /// States again what was refused; what is refused once more goes on waiting where it is.
    pub(super) fn state_again(&mut self, batch: &[Statement], now_micros: i64) -> Result<Stated, ImportError> {
        let stated = self.take(batch, false, now_micros);
        self.note();
        stated
    }

    fn take(&mut self, batch: &[Statement], keeps_refused: bool, now_micros: i64) -> Result<Stated, ImportError> {
        self.note();
        let mut stated =
            Stated { answers: vec![Answer::Unchanged; batch.len()], attributes: BTreeMap::new(), committed: None };
        let groups = groups(batch);
        let mut read = Vec::with_capacity(groups.len());
        for group in groups {
            let (rows, names) = group.read_rows().map_err(fault)?;
            stated.attributes.extend(names);
            let keys = group.read_withdrawals().map_err(fault)?;
            if rows.batch.num_rows() > 0 || keys.batch.num_rows() > 0 {
                self.lake.define_table(group.kind.table, &group.kind.schema())?;
            }
            read.push((group, rows, keys));
        }
        let wanted: HashSet<(&'static str, String)> =
            read.iter().map(|(group, ..)| (group.kind.name, group.source.to_owned())).collect();
        self.known.catch_up(&self.lake, &wanted)?;

        let mut tables: BTreeMap<&'static str, (&'static Kind, Vec<RecordBatch>)> = BTreeMap::new();
        let mut refused: BTreeMap<u64, Vec<Issue>> = unclear(batch);
        for (group, rows, keys) in read {
            for refusal in rows.refused.iter().chain(&keys.refused) {
                refused.insert(refusal.row, refusal.issues.clone());
            }
            let pieces = self.settle(&group, &rows.batch, &keys.batch, &mut stated.answers, &mut refused)?;
            tables.entry(group.kind.table).or_insert_with(|| (group.kind, Vec::new())).1.extend(pieces);
        }
        let mut kept = Vec::with_capacity(refused.len());
        for (line, issues) in refused {
            let Some((place, statement)) = place_of(line).and_then(|place| Some((place, batch.get(place)?))) else {
                continue;
            };
            let refusal = crate::source::rows::Refusal { row: line, raw: statement.text(), issues: issues.clone() };
            kept.push(refused_row(&statement.origin, refusal));
            if let Some(answer) = stated.answers.get_mut(place) {
                *answer = Answer::Refused(issues);
            }
        }
        if !keeps_refused {
            kept.clear();
        }
        let mut written = Vec::new();
        for (table, (kind, pieces)) in tables {
            if let Some(rows) = in_order(&pieces).map_err(fault)? {
                written.push((table, kind, rows));
            }
        }
        if !written.is_empty() || !kept.is_empty() {
            stated.committed = Some(self.commit(batch, &written, &kept, now_micros)?);
        }
        Ok(stated)
    }

    /// Decides for each row and withdrawal of a group whether it changes what is known, in the order of the batch. The
    /// rows to be written.
    fn settle(
        &self,
        group: &Group<'_>,
        rows: &RecordBatch,
        keys: &RecordBatch,
        answers: &mut [Answer],
        refused: &mut BTreeMap<u64, Vec<Issue>>,
    ) -> Result<Vec<RecordBatch>, ImportError> {
        let kind = group.kind;
        let identities_of_rows = identities(kind, rows).map_err(fault)?;
        let contents_of_rows = contents(kind, rows).map_err(fault)?;
        let mut steps: Vec<Step> = lines_of(rows)?
            .zip(identities_of_rows.into_iter().zip(contents_of_rows))
            .enumerate()
            .map(|(row, (line, (identity, content)))| Step { line, identity, row: Some((row, content)) })
            .collect();
        let identities_of_keys = identities(key_of(kind), keys).map_err(fault)?;
        steps.extend(lines_of(keys)?.zip(identities_of_keys).map(|(line, identity)| Step {
            line,
            identity,
            row: None,
        }));
        steps.sort_by_key(|step| step.line);

        let mut newest: HashMap<Identity, Version> = HashMap::new();
        let mut standing: Vec<u32> = Vec::new();
        let mut leaving: Vec<Leaving> = Vec::new();
        for Step { line, identity, row } in steps {
            let before = match newest.get(&identity) {
                Some(version) => Some(*version),
                None => self.known.of(kind, &identity)?.map(Version::Kept),
            };
            let answer = match (row, before) {
                (Some((_, content)), Some(Version::Kept(said))) if said.content == content => Answer::Unchanged,
                (Some((_, content)), Some(Version::Here(said, _))) if said == content => Answer::Unchanged,
                (Some((row, content)), before) => {
                    newest.insert(identity, Version::Here(content, row));
                    standing.push(u32::try_from(row).unwrap_or(u32::MAX));
                    match before {
                        None | Some(Version::Gone) => Answer::Stated,
                        Some(Version::Kept(said)) if said.is_withdrawn => Answer::Stated,
                        Some(Version::Kept(_) | Version::Here(..)) => Answer::Restated,
                    }
                }
                (None, None) => {
                    let message = format!("the source {} has stated no such fact of {}", group.source, kind.name);
                    refused.insert(line, vec![Issue { code: Code::FactUnknown, row: line, column: None, message }]);
                    continue;
                }
                (None, Some(Version::Gone)) => Answer::Unchanged,
                (None, Some(Version::Kept(said))) if said.is_withdrawn => Answer::Unchanged,
                (None, Some(version)) => {
                    leaving.push(Leaving { line, identity, version });
                    newest.insert(identity, Version::Gone);
                    Answer::Withdrawn
                }
            };
            if let Some(place) = place_of(line).and_then(|place| answers.get_mut(place)) {
                *place = answer;
            }
        }
        let mut pieces = self.withdrawn(kind, rows, &leaving)?;
        if !standing.is_empty() {
            pieces.push(take_record_batch(rows, &UInt32Array::from(standing)).map_err(fault)?);
        }
        Ok(pieces)
    }

    /// The withdrawn versions of facts: copies of what was last said of them, so that whoever reads the lake sees whose
    /// fact was taken back.
    fn withdrawn(
        &self,
        kind: &'static Kind,
        rows: &RecordBatch,
        leaving: &[Leaving],
    ) -> Result<Vec<RecordBatch>, ImportError> {
        let mut pieces = Vec::new();
        let line_of = |leaving: &Leaving| i64::try_from(leaving.line).unwrap_or(i64::MAX);
        let mut kept: HashMap<Identity, (i64, i64)> = HashMap::new();
        for fact in leaving {
            match fact.version {
                Version::Here(_, row) => {
                    let copy = withdrawn(&rows.slice(row, 1), 0, vec![line_of(fact)]);
                    pieces.push(copy.map_err(fault)?);
                }
                Version::Kept(said) => {
                    kept.insert(fact.identity, (said.import, line_of(fact)));
                }
                Version::Gone => {}
            }
        }
        if kept.is_empty() {
            return Ok(pieces);
        }
        let mut snapshots = Vec::new();
        for import in kept.values().map(|(import, _)| *import).collect::<BTreeSet<i64>>() {
            snapshots.extend(self.lake.snapshot_of(import)?);
        }
        let among = Among { snapshots: Some(&snapshots), ..Among::default() };
        let schema = kind.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        for batch in self.lake.read_among(kind.table, &names, None, &among)? {
            // The table may hold its columns in another order than the kind now does.
            let batch = RecordBatch::try_new(Arc::clone(&schema), batch?.columns().to_vec()).map_err(fault)?;
            let imports = batch
                .column_by_name("import")
                .and_then(|array| array.as_primitive_opt::<Int64Type>())
                .ok_or_else(|| fault(ArrowError::SchemaError("the column import is absent".to_owned())))?;
            if !kept.values().any(|(import, _)| imports.values().contains(import)) {
                continue;
            }
            let (mut found, mut lines) = (Vec::new(), Vec::new());
            for (row, identity) in identities(kind, &batch).map_err(fault)?.iter().enumerate() {
                // An import may state a fact several times: its last version is met last.
                if let Some((_, line)) = kept.get(identity).filter(|(import, _)| *import == imports.value(row)) {
                    if let Some(before) = lines.iter().position(|known| known == line) {
                        found.remove(before);
                        lines.remove(before);
                    }
                    found.push(u32::try_from(row).unwrap_or(u32::MAX));
                    lines.push(*line);
                }
            }
            if !found.is_empty() {
                let copies = take_record_batch(&batch, &UInt32Array::from(found)).map_err(fault)?;
                pieces.push(withdrawn(&copies, 0, lines).map_err(fault)?);
            }
        }
        Ok(pieces)
    }

    fn commit(
        &mut self,
        batch: &[Statement],
        written: &[(&'static str, &'static Kind, RecordBatch)],
        refused: &[RefusedRow],
        now_micros: i64,
    ) -> Result<Committed, ImportError> {
        let tables: Vec<(&str, RecordBatch)> = written.iter().map(|(table, _, rows)| (*table, rows.clone())).collect();
        let request = request_of(batch, now_micros);
        let committed = self.lake.import_at_once(&request, &tables, batch.len() as u64, refused, now_micros)?;
        let mut said = Vec::new();
        for (_, kind, rows) in written {
            let withdrawn = rows.column_by_name("withdrawn").and_then(|array| array.as_boolean_opt());
            let identities = identities(kind, rows).map_err(fault)?;
            for (row, (identity, content)) in
                identities.into_iter().zip(contents(kind, rows).map_err(fault)?).enumerate()
            {
                let is_withdrawn = withdrawn.is_some_and(|withdrawn| withdrawn.value(row));
                said.push((*kind, identity, Said { content, import: committed.import, is_withdrawn }));
            }
        }
        let Committed { snapshot, recorded_at_micros, .. } = committed;
        self.unnoted = Some(Unnoted { said, snapshot, recorded_at_micros });
        Ok(committed)
    }
}

impl Group<'_> {
    /// The rows as the kind has them, and the names that it does not have.
    fn read_rows(&self) -> Result<(Rows, BTreeMap<usize, Vec<String>>), ArrowError> {
        let columns: Vec<String> = self.kind.columns.iter().map(|column| column.name.to_owned()).collect();
        let (block, names) = lines::block_of(&self.rows, &columns);
        let mut attributes = BTreeMap::new();
        if names.len() > columns.len() {
            for record in &block.records {
                let given = |at: &usize| !block.field(record, *at).is_empty();
                let unknown: Vec<String> =
                    (columns.len()..names.len()).filter(given).filter_map(|at| names.get(at).cloned()).collect();
                if let Some(place) = place_of(record.line).filter(|_| !unknown.is_empty()) {
                    attributes.insert(place, unknown);
                }
            }
        }
        Ok((reader(self.kind, &names, self.source)?.read(block)?, attributes))
    }

    /// The keys of the facts to be withdrawn.
    fn read_withdrawals(&self) -> Result<Rows, ArrowError> {
        let kind = key_of(self.kind);
        let columns: Vec<String> = kind.columns.iter().map(|column| column.name.to_owned()).collect();
        let (block, names) = lines::block_of(&self.withdrawals, &columns);
        reader(kind, &names, self.source)?.read(block)
    }
}

/// A reader of JSON objects that name the columns of a kind as the kind does. The names begin with those of the kind.
fn reader(kind: &'static Kind, names: &[String], source: &str) -> Result<RowReader, ArrowError> {
    let map = kind.columns.iter().map(|column| (column.name.to_owned(), column.name.to_owned())).collect();
    let instructions = Instructions { map, ..Instructions::default() };
    // Nothing but those names is taken for a column: what else a batch holds must not change how a row is read.
    let mapping = Mapping::settle(kind, names, true, &instructions, Some(0), &|_| Vec::new())
        .map_err(|error| ArrowError::SchemaError(error.to_string()))?;
    let habits = Habits { decimal: DecimalHabit::AssumedPoint, dates: DateHabit::Unsettled, spreadsheet: false };
    Ok(RowReader::new(None, mapping, habits, source, 0))
}

/// The kind reduced to its key: what a withdrawal has to say.
fn key_of(kind: &'static Kind) -> &'static Kind {
    static KEYS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
        let key = |kind: &'static Kind| {
            let columns: Vec<Column> = kind
                .key
                .iter()
                .filter_map(|name| kind.columns.get(kind.position(name)?))
                .map(|column| Column { ..*column })
                .collect();
            Kind { columns: columns.leak(), rules: &[], ..*kind }
        };
        KINDS.iter().map(key).collect()
    });
    let at = KINDS.iter().position(|listed| listed.name == kind.name);
    at.and_then(|at| KEYS.get(at)).unwrap_or(kind)
}

/// Rows are counted from 1, places from 0.
fn place_of(line: u64) -> Option<usize> {
    usize::try_from(line).ok()?.checked_sub(1)
}

fn groups(batch: &[Statement]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<(&'static str, &str), usize> = HashMap::new();
    for (at, statement) in batch.iter().enumerate() {
        let line = at as u64 + 1;
        let Some(kind) = statement.kind else { continue };
        let place = *places.entry((kind.name, &statement.source)).or_insert_with(|| {
            groups.push(Group { kind, source: &statement.source, rows: Vec::new(), withdrawals: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            match &statement.says {
                Says::Row(text) => group.rows.push((line, text.clone())),
                Says::Withdrawal(text) => group.withdrawals.push((line, text.clone())),
                Says::Unclear { .. } => {}
            }
        }
    }
    groups
}

/// The statements of a batch of which it cannot be told what they say, by their lines.
fn unclear(batch: &[Statement]) -> BTreeMap<u64, Vec<Issue>> {
    let issues = batch.iter().zip(1..).filter_map(|(statement, row)| match &statement.says {
        Says::Unclear { code, words, .. } => {
            Some((row, vec![Issue { code: *code, row, column: None, message: words.clone() }]))
        }
        Says::Row(_) | Says::Withdrawal(_) => None,
    });
    issues.collect()
}

/// The lines of the rows of a batch.
fn lines_of(batch: &RecordBatch) -> Result<impl Iterator<Item = u64> + '_, ImportError> {
    let rows = batch
        .column_by_name("row")
        .and_then(|array| array.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| fault(ArrowError::SchemaError("the column row is absent".to_owned())))?;
    Ok(rows.values().iter().map(|line| line.cast_unsigned()))
}

/// The rows of several batches as one, in the order of the statements; none where there are none.
fn in_order(pieces: &[RecordBatch]) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(first) = pieces.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), pieces)?;
    let rows = all
        .column_by_name("row")
        .and_then(|array| array.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| ArrowError::SchemaError("the column row is absent".to_owned()))?;
    let mut order: Vec<u32> = (0..u32::try_from(all.num_rows()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|row| rows.value(*row as usize));
    Ok(Some(take_record_batch(&all, &UInt32Array::from(order))?))
}

/// What the list of imports says of a batch.
fn request_of(batch: &[Statement], now_micros: i64) -> ImportRequest {
    fn one<'a>(mut texts: impl Iterator<Item = &'a str>) -> &'a str {
        let first = texts.next().unwrap_or_default();
        if texts.all(|text| text == first) { first } else { SEVERAL }
    }
    let mut origins: Vec<(u64, &str)> = Vec::new();
    for (at, statement) in batch.iter().enumerate() {
        if origins.last().is_none_or(|(_, origin)| **origin != *statement.origin) {
            origins.push((at as u64 + 1, &statement.origin));
        }
    }
    let bytes = batch.iter().map(|statement| match &statement.says {
        Says::Row(text) | Says::Withdrawal(text) | Says::Unclear { text, .. } => text.len() as u64,
    });
    ImportRequest {
        kind: one(batch.iter().map(|statement| statement.kind.map_or(SEVERAL, |kind| kind.table))).to_owned(),
        source: one(batch.iter().map(|statement| &*statement.source)).to_owned(),
        file_name: one(batch.iter().map(|statement| &*statement.origin)).to_owned(),
        file_bytes: bytes.sum(),
        file_hash: None,
        options: serde_json::json!({ "origins": origins }).to_string(),
        started_at_micros: now_micros,
    }
}
