//! Which column of a file is which column of the kind.
//!
//! What the user says wins. The rest is suggested from the header and a sample of the values, and the report names
//! it. What nothing asks for is kept as attributes: no column is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::habit::{DateHabit, DecimalHabit};
use super::issue::{Code, shown};
use super::value;
use crate::kind::{Column, Kind, Need, ValueKind, normalised};

/// What the user says about reading a kind of file; saved by name, it is the next import's too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instructions {
    /// Column of the kind → header of the file, which may end in `@habit` (`created@epoch`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Column of the kind → one value for all rows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Column of the kind → words of the file → ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// The preset for the export of a well-known system, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// How numbers are written: `point` or `comma`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// How dates are written: `iso`, `dmy`, `mdy`, `epoch` or `epoch_millis`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<String>,
    /// The encoding of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The delimiter of a CSV file: one character, or `tab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
}

/// Why a file's columns cannot be settled. Nothing is imported then.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The kind has no such column.
    #[error("{kind} have no column `{column}`. Their columns are: {known}")]
    UnknownColumn {
        /// The kind.
        kind: &'static str,
        /// What was named.
        column: String,
        /// The columns there are.
        known: String,
    },
    /// The file has no such header.
    #[error("`--map {column}={header}`: the file has no column `{header}`. Its columns are: {seen}")]
    UnknownHeader {
        /// The kind's column.
        column: String,
        /// What was named.
        header: String,
        /// The headers there are.
        seen: String,
    },
    /// The same column is mapped and set.
    #[error("`{column}` is given both by --map and by --set. Keep one of the two")]
    Twice {
        /// The column.
        column: String,
    },
    /// A constant that the column does not take.
    #[error("`--set {column}={value}`: {} Give {wanted}", code.words().means)]
    Constant {
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// Why not.
        code: Code,
        /// What the column takes.
        wanted: String,
    },
    /// A habit that there is not.
    #[error("`{name}` is no way to write {what}. Use one of: {known}")]
    Habit {
        /// Numbers or dates.
        what: &'static str,
        /// What was named.
        name: String,
        /// Those there are.
        known: String,
    },
    /// Columns that every row needs are not to be found.
    #[error("the file has no column for: {}. Its columns are: {seen}. Add {}{hint}", missing.join(", "), help.join(" "))]
    Missing {
        /// The kind's columns.
        missing: Vec<String>,
        /// The headers there are.
        seen: String,
        /// The option for each.
        help: Vec<String>,
        /// What the file looks like, where it is known.
        hint: String,
    },
    /// A preset that there is not.
    #[error("there is no preset `{name}` for {kind}. Use one of: {known}, or `none`")]
    UnknownPreset {
        /// What was named.
        name: String,
        /// The kind.
        kind: &'static str,
        /// Those for the kind.
        known: String,
    },
    /// A preset for another file.
    #[error(
        "the preset `{name}` does not fit the file: it looks for {wanted}, and the file begins with {seen}. \
         Check which export it is (docs/import.md lists the presets), or leave the preset out"
    )]
    PresetElsewhere {
        /// Its name.
        name: &'static str,
        /// What it asks for.
        wanted: String,
        /// How the file begins.
        seen: String,
    },
    /// Words given for a column that comes from nowhere.
    #[error("`--value {column}:...`: no column of the file is taken for {column}. Add `--map {column}=HEADER`")]
    Wordless {
        /// The column.
        column: String,
    },
    /// A delimiter that cannot be one.
    #[error(
        "`{given}` cannot be a delimiter. Use one character that is not a letter, a digit or a quotation mark, or `tab`"
    )]
    Delimiter {
        /// What was given.
        given: String,
    },
    /// A name that a saved mapping cannot have.
    #[error("`{name}` cannot name a mapping. Use letters, digits, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// A saved mapping that is not there or cannot be read or written.
    #[error("the mapping {}: {cause}. Save it with `--save-mapping`, or give --map and --set", path.display())]
    Saved {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A saved mapping that is damaged.
    #[error("the mapping {} cannot be understood: {cause}. Correct it or save it again", path.display())]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// What the parser says.
        cause: String,
    },
}

impl Instructions {
    /// These instructions, completed from saved ones: what is said here wins.
    #[must_use]
    pub fn over(self, saved: Instructions) -> Instructions {
        let mut map = saved.map;
        let mut set = saved.set;
        // Naming a column in one way takes back that it was named in the other.
        map.retain(|column, _| !self.set.contains_key(column));
        set.retain(|column, _| !self.map.contains_key(column));
        map.extend(self.map);
        set.extend(self.set);
        let mut values = saved.values;
        for (column, words) in self.values {
            values.entry(column).or_default().extend(words);
        }
        Instructions {
            map,
            set,
            values,
            preset: self.preset.or(saved.preset),
            decimal: self.decimal.or(saved.decimal),
            dates: self.dates.or(saved.dates),
            encoding: self.encoding.or(saved.encoding),
            delimiter: self.delimiter.or(saved.delimiter),
        }
    }

    /// The delimiter as a byte.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn delimiter_byte(&self) -> Result<Option<u8>, MappingError> {
        let Some(given) = self.delimiter.as_deref() else { return Ok(None) };
        match given.as_bytes() {
            _ if given == "tab" || given == "\\t" => Ok(Some(b'\t')),
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => {
                Ok(Some(*byte))
            }
            _ => Err(MappingError::Delimiter { given: given.to_owned() }),
        }
    }

    /// How the user says that numbers are written.
    ///
    /// # Errors
    /// When there is no such way.
    pub fn decimal_habit(&self) -> Result<Option<DecimalHabit>, MappingError> {
        let Some(name) = self.decimal.as_deref() else { return Ok(None) };
        DecimalHabit::parse(name).map(Some).ok_or_else(|| MappingError::Habit {
            what: "numbers",
            name: name.to_owned(),
            known: names_of(DecimalHabit::NAMES),
        })
    }

    /// How the user says that dates are written.
    ///
    /// # Errors
    /// When there is no such way.
    pub fn date_habit(&self) -> Result<Option<DateHabit>, MappingError> {
        let Some(name) = self.dates.as_deref() else { return Ok(None) };
        DateHabit::parse(name).map(Some).ok_or_else(|| MappingError::Habit {
            what: "dates",
            name: name.to_owned(),
            known: names_of(DateHabit::NAMES),
        })
    }

    /// Saves them as `DATA/mappings/NAME.toml`.
    ///
    /// # Errors
    /// When the name or the disk does not take it.
    pub fn save(&self, data: &Path, name: &str) -> Result<PathBuf, MappingError> {
        let path = mapping_file(data, name)?;
        let failed = |cause| MappingError::Saved { path: path.clone(), cause };
        let text = toml::to_string_pretty(self)
            .map_err(|error| MappingError::Damaged { path: path.clone(), cause: error.to_string() })?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        Ok(path)
    }

    /// Reads saved ones.
    ///
    /// # Errors
    /// When there are none of that name or they cannot be read.
    pub fn saved(data: &Path, name: &str) -> Result<Self, MappingError> {
        let path = mapping_file(data, name)?;
        let text = fs::read_to_string(&path).map_err(|cause| MappingError::Saved { path: path.clone(), cause })?;
        toml::from_str(&text).map_err(|error| MappingError::Damaged { path, cause: error.to_string() })
    }
}

fn mapping_file(data: &Path, name: &str) -> Result<PathBuf, MappingError> {
    let plain = !name.is_empty()
        && name.len() <= 80
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'));
    if !plain {
        return Err(MappingError::Name { name: name.to_owned() });
    }
    Ok(data.join("mappings").join(format!("{name}.toml")))
}

fn names_of<T>(names: &[(&'static str, T)]) -> String {
    names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Where a column of the kind comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// From nowhere: it stays empty.
    Absent,
    /// From a column of the file.
    Field {
        /// Its position.
        index: usize,
        /// How its dates are written, where that is said for this column alone.
        dates: Option<DateHabit>,
        /// How its numbers are written, where that is said for this column alone.
        decimal: Option<DecimalHabit>,
    },
    /// From a name that has not been seen yet (JSON lines).
    Awaited(String),
    /// One value for all rows.
    Constant(String),
}

/// The settled columns of a file.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The kind.
    pub kind: &'static Kind,
    /// Where each of its columns comes from, in order.
    pub origins: Vec<Origin>,
    /// Positions of the file's columns that are kept as attributes, sorted by name.
    pub attributes: Vec<usize>,
    /// The names of the file's columns, after those that a preset computes.
    pub names: Vec<String>,
    /// How many columns a preset computes.
    pub computed: usize,
    /// Whether columns are taken only where a preset or the user says so.
    closed: bool,
}

impl Mapping {
    /// Settles the columns of a file. `sample` gives some values of a column; `open` says that more names may come;
    /// `computed` says how many of them, at the beginning, a preset made: it then knows the file, and nothing else is
    /// looked for.
    ///
    /// # Errors
    /// When the instructions do not fit the file or the kind, or a column that every row needs is not there.
    pub fn settle(
        kind: &'static Kind,
        names: &[String],
        open: bool,
        instructions: &Instructions,
        computed: Option<usize>,
        sample: &dyn Fn(usize) -> Vec<String>,
    ) -> Result<Self, MappingError> {
        let unknown = |column: &str| MappingError::UnknownColumn {
            kind: kind.name,
            column: column.to_owned(),
            known: kind.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", "),
        };
        let mut origins = vec![Origin::Absent; kind.columns.len()];
        for (name, text) in &instructions.set {
            let at = kind.position(name).ok_or_else(|| unknown(name))?;
            if instructions.map.contains_key(name) {
                return Err(MappingError::Twice { column: name.clone() });
            }
            if let (Some(origin), Some(column)) = (origins.get_mut(at), kind.columns.get(at)) {
                check_constant(column, text)?;
                *origin = Origin::Constant(text.clone());
            }
        }
        for (name, header) in &instructions.map {
            let at = kind.position(name).ok_or_else(|| unknown(name))?;
            let (header, habit) = split_habit(names, header);
            let index = find_header(names, header);
            let origin = match index {
                Some(index) => with_habit(index, habit)?,
                // The habit of a name that is still to come is settled when it comes.
                None if open => Origin::Awaited(instructions.map.get(name).cloned().unwrap_or_default()),
                None => {
                    return Err(MappingError::UnknownHeader {
                        column: name.clone(),
                        header: header.to_owned(),
                        seen: listed(names),
                    });
                }
            };
            if let Some(place) = origins.get_mut(at) {
                *place = origin;
            }
        }
        let mut mapping = Self {
            kind,
            origins,
            attributes: Vec::new(),
            names: Vec::new(),
            computed: computed.unwrap_or(0),
            closed: computed.is_some(),
        };
        mapping.suggest(names, 0, sample);
        mapping.attributes_of(names);
        let missing: Vec<&Column> = kind
            .columns
            .iter()
            .zip(&mapping.origins)
            .filter(|(column, origin)| column.need == Need::Required && matches!(origin, Origin::Absent))
            .map(|(column, _)| column)
            .collect();
        if !missing.is_empty() {
            return Err(MappingError::Missing {
                missing: missing.iter().map(|column| format!("{} ({})", column.name, column.value.words())).collect(),
                seen: listed(names),
                help: missing.iter().map(|column| option_for(column)).collect(),
                hint: String::new(),
            });
        }
        Ok(mapping)
    }

    /// Says how many columns, at the beginning, are computed: they are never attributes.
    pub fn hide(&mut self, computed: usize) {
        self.computed = computed;
        let names = std::mem::take(&mut self.names);
        self.attributes_of(&names);
    }

    /// Takes in names that appeared later.
    pub fn extend(&mut self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let known = self.names.len();
        let mut all = self.names.clone();
        all.extend_from_slice(names);
        self.suggest(&all, known, &|_| Vec::new());
        self.attributes_of(&all);
    }

    /// Fills columns that come from nowhere yet with names from `from` on: its own name first, then synonyms.
    fn suggest(&mut self, names: &[String], from: usize, sample: &dyn Fn(usize) -> Vec<String>) {
        for origin in &mut self.origins {
            if let Origin::Awaited(header) = origin {
                let (header, habit) = split_habit(names, header);
                if let Some(index) = find_header(names, header) {
                    *origin = with_habit(index, habit).unwrap_or(Origin::Field { index, dates: None, decimal: None });
                }
            }
        }
        if self.closed {
            return;
        }
        let words: Vec<String> = names.iter().map(|name| normalised(name)).collect();
        let mut taken: Vec<bool> = vec![false; names.len()];
        for origin in &self.origins {
            if let Origin::Field { index, .. } = origin
                && let Some(taken) = taken.get_mut(*index)
            {
                *taken = true;
            }
        }
        for own_name in [true, false] {
            for (column, origin) in self.kind.columns.iter().zip(&mut self.origins) {
                if *origin != Origin::Absent {
                    continue;
                }
                let own = [column.name];
                let wanted: &[&str] = if own_name { &own } else { column.synonyms };
                let found = wanted.iter().find_map(|wanted| {
                    (from..names.len()).find(|index| {
                        words.get(*index).is_some_and(|word| word == wanted)
                            && taken.get(*index) == Some(&false)
                            && (own_name || fits(column.value, &sample(*index)))
                    })
                });
                if let Some(index) = found {
                    *origin = Origin::Field { index, dates: None, decimal: None };
                    if let Some(taken) = taken.get_mut(index) {
                        *taken = true;
                    }
                }
            }
        }
    }

    /// Everything that no column of the kind takes.
    fn attributes_of(&mut self, names: &[String]) {
        self.names = names.to_vec();
        let taken = |index: usize| {
            self.origins.iter().any(|origin| matches!(origin, Origin::Field { index: taken, .. } if *taken == index))
        };
        self.attributes = (self.computed..names.len()).filter(|index| !taken(*index)).collect();
        self.attributes.sort_by(|a, b| names.get(*a).cmp(&names.get(*b)));
    }

    /// The name of the file's column that a column of the kind comes from.
    #[must_use]
    pub fn header_of(&self, column: usize) -> Option<&str> {
        match self.origins.get(column)? {
            Origin::Field { index, .. } => self.names.get(*index).map(String::as_str),
            Origin::Absent | Origin::Awaited(_) | Origin::Constant(_) => None,
        }
    }
}

/// The option that mends a missing column.
fn option_for(column: &Column) -> String {
    match column.value {
        ValueKind::Currency => format!("`--map {0}=HEADER` or `--set {0}=USD`", column.name),
        ValueKind::Choice(choices) => {
            format!("`--map {0}=HEADER` or `--set {0}={1}`", column.name, choices.first().map_or("", |c| c.canonical))
        }
        _ => format!("`--map {}=HEADER`", column.name),
    }
}

pub(crate) fn listed(names: &[String]) -> String {
    const NAMES: usize = 60;
    let mut listed = names.iter().take(NAMES).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES {
        listed.push_str(&format!(" and {} more", names.len() - NAMES));
    }
    listed
}

/// `created@epoch` names a header and a habit, unless a header is called so itself.
fn split_habit<'a>(names: &[String], header: &'a str) -> (&'a str, Option<&'a str>) {
    if find_header(names, header).is_some() {
        return (header, None);
    }
    header.rsplit_once('@').map_or((header, None), |(header, habit)| (header, Some(habit)))
}

fn with_habit(index: usize, habit: Option<&str>) -> Result<Origin, MappingError> {
    let Some(name) = habit else { return Ok(Origin::Field { index, dates: None, decimal: None }) };
    let (dates, decimal) = (DateHabit::parse(name), DecimalHabit::parse(name));
    if dates.is_none() && decimal.is_none() {
        return Err(MappingError::Habit {
            what: "numbers or dates",
            name: name.to_owned(),
            known: format!("{}, {}", names_of(DecimalHabit::NAMES), names_of(DateHabit::NAMES)),
        });
    }
    Ok(Origin::Field { index, dates, decimal })
}

/// A header as it is written, or else the only one that reads the same without case and punctuation.
fn find_header(names: &[String], header: &str) -> Option<usize> {
    if let Some(exact) = names.iter().position(|name| name == header) {
        return Some(exact);
    }
    let word = normalised(header);
    let mut alike = names.iter().enumerate().filter(|(_, name)| !word.is_empty() && normalised(name) == word);
    match (alike.next(), alike.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

/// Whether most values of a sample could be this column's.
fn fits(value: ValueKind, sample: &[String]) -> bool {
    let (mut fit, mut all) = (0, 0);
    for text in sample {
        let text = text.trim();
        if text.is_empty() || is_null_word(text) {
            continue;
        }
        all += 1;
        let fits = match check(value, text) {
            Ok(()) => true,
            // Whether the habit is known does not matter here.
            Err(code) => matches!(
                code,
                Code::NumberAmbiguous
                    | Code::NumberHabit
                    | Code::DateAmbiguous
                    | Code::DateHabit
                    | Code::EpochUnmapped
                    | Code::DateHasTime
            ),
        };
        fit += usize::from(fits);
    }
    fit * 2 >= all
}

/// Whether a text is a value of this kind, whatever the file's habits.
pub(crate) fn check(value: ValueKind, text: &str) -> Result<(), Code> {
    match value {
        ValueKind::Text | ValueKind::Id => Ok(()),
        ValueKind::Currency => value::currency(text).map(|_| ()),
        ValueKind::Decimal => value::decimal(text, DecimalHabit::Mixed).map(|_| ()),
        ValueKind::Integer => value::integer(text, DecimalHabit::Mixed).map(|_| ()),
        ValueKind::Percent => value::percent(text, DecimalHabit::Mixed).map(|_| ()),
        ValueKind::Moment => value::moment(text, DateHabit::Unsettled).map(|_| ()),
        ValueKind::Day => value::day(text, DateHabit::Unsettled).map(|_| ()),
        ValueKind::Boolean => value::boolean(text).map(|_| ()),
        ValueKind::Choice(choices) => value::word(text, choices).map(|_| ()),
        ValueKind::ChoiceOrMonths(choices) => {
            value::word(text, choices).map(|_| ()).or_else(|code| match value::integer(text, DecimalHabit::Point) {
                Ok(1..) => Ok(()),
                _ => Err(code),
            })
        }
        ValueKind::Tiers => value::tiers(text),
    }
}

/// How databases write that there is nothing. In a column of free text it is a word like any other.
pub(crate) fn is_null_word(text: &str) -> bool {
    matches!(text, "NULL" | "null" | "\\N")
}

fn check_constant(column: &Column, text: &str) -> Result<(), MappingError> {
    check(column.value, text.trim()).map_err(|code| MappingError::Constant {
        column: column.name.to_owned(),
        value: text.to_owned(),
        code,
        wanted: column.value.words(),
    })
}
