//! Records as a preset wants them: computed columns in front of those of the file, several records of one, and lines
//! that are no facts passed over and counted.
//!
//! What comes out are records like any others, so everything after this (columns, values, rules, refusals) does not
//! know of presets. Their raw text stays that of the line that they come from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use revenue::calendar::Moment;
use revenue::money::print_scaled;

use super::block::{Block, Record, Span};
use super::habit::{DateHabit, DecimalHabit};
use super::issue::Code;
use super::mapping::Instructions;
use super::preset::{self, End, Fact, Preset, Source, Test, Word};
use super::statement::{self, At, Layout, Line};
use super::value;
use crate::kind::DECIMAL_SCALE;

/// Lines of a block that are no facts: why, and where.
pub type Passed = Vec<(String, u64)>;

/// Turns the records of one file into those that a preset, or words of the user's, make of them.
#[derive(Debug, Clone)]
pub struct Reshape {
    preset: Option<&'static Preset>,
    /// The user's words, by column of the kind.
    values: BTreeMap<String, BTreeMap<String, String>>,
    above: Vec<Vec<String>>,
    dates: DateHabit,
    decimal: DecimalHabit,
    /// The file's columns.
    own: Vec<String>,
    /// The computed columns: of the kind, and what they are called.
    outputs: Vec<(String, String)>,
    /// For each fact of a line: when, and the plan of each output.
    facts: Vec<(Vec<PlannedTest>, Vec<Plan>)>,
    passes: Vec<(PlannedTest, String)>,
    statement: Option<StatementPlan>,
}

#[derive(Debug, Clone)]
struct StatementPlan {
    layout: &'static Layout,
    periods: Vec<Option<statement::Span>>,
    headings: Vec<String>,
}

/// How the value of an output is found.
#[derive(Debug, Clone)]
enum Plan {
    Nothing,
    Constant(String),
    Field(usize),
    FirstOf(Vec<usize>),
    /// Texts and fields in turn; nothing when a field is empty.
    Text(Vec<Piece>),
    After {
        moment: usize,
        plus: usize,
        micros: i64,
    },
    Number {
        number: usize,
        divide: i64,
    },
    Reworded(Box<Plan>, Words),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Field(usize),
}

/// Words of a source in ours: the user's, then the preset's.
#[derive(Debug, Clone)]
struct Words {
    own: Vec<(String, String)>,
    preset: &'static [Word],
}

impl Words {
    fn of(&self, text: &str) -> Option<&str> {
        let lower = text.trim().to_lowercase();
        let own = self.own.iter().find(|(from, _)| *from == lower).map(|(_, to)| to.as_str());
        own.or_else(|| self.preset.iter().find(|word| word.fits(&lower)).map(|word| word.word.as_str()))
    }
}

/// A test with its column found; a column that the file does not have is empty.
#[derive(Debug, Clone)]
struct PlannedTest {
    field: Option<usize>,
    test: Test,
}

impl PlannedTest {
    fn new(test: &Test, names: &[String]) -> Self {
        let field = match &test.column {
            Some(header) => preset::find(names, header),
            None => Some(0),
        };
        Self { field, test: test.clone() }
    }

    /// Whether it holds for a record, of which `text` gives the fields.
    fn holds<'a>(&self, text: impl Fn(usize) -> &'a str) -> bool {
        let text = self.field.map_or("", text);
        let one_of = |texts: &Vec<String>| texts.iter().any(|known| known.eq_ignore_ascii_case(text));
        let begins = |start: &String| text.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start));
        let test = &self.test;
        test.is.as_ref().is_none_or(one_of)
            && !test.not.as_ref().is_some_and(one_of)
            && test.begins.as_ref().is_none_or(|texts| texts.iter().any(begins))
            && test.given.is_none_or(|given| given != text.is_empty())
            && test.above_zero.is_none_or(|above| {
                above == value::decimal(text, DecimalHabit::Mixed).is_ok_and(|number| number.scaled > 0)
            })
    }
}

impl Reshape {
    /// How a preset, and the user's words, change the records of a file with these columns and these lines above its
    /// header; nothing where neither says anything.
    #[must_use]
    pub fn new(
        preset: Option<&'static Preset>,
        instructions: &Instructions,
        names: &[String],
        above: &[Vec<String>],
    ) -> Option<Self> {
        if preset.is_none() && instructions.values.is_empty() {
            return None;
        }
        let mut reshape = Self {
            preset,
            values: instructions.values.clone(),
            above: above.to_vec(),
            dates: instructions.dates.as_deref().and_then(DateHabit::parse).unwrap_or(DateHabit::Unsettled),
            decimal: instructions
                .decimal
                .as_deref()
                .and_then(DecimalHabit::parse)
                .unwrap_or(DecimalHabit::AssumedPoint),
            own: Vec::new(),
            outputs: Vec::new(),
            facts: Vec::new(),
            passes: Vec::new(),
            statement: None,
        };
        if let Some(layout) = preset.and_then(|preset| preset.statement.as_ref()) {
            let periods = layout.periods(names, above);
            reshape.statement = Some(StatementPlan { layout, periods, headings: Vec::new() });
        }
        reshape.settle_outputs(instructions);
        reshape.extend(names);
        Some(reshape)
    }

    /// The columns that its records have: the computed ones and then, but for statements, the file's.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let outputs = self.outputs.iter().map(|(_, called)| called.clone());
        if self.statement.is_some() { outputs.collect() } else { outputs.chain(self.own.iter().cloned()).collect() }
    }

    /// How many of its columns are computed.
    #[must_use]
    pub fn computed(&self) -> usize {
        self.outputs.len()
    }

    /// Whether what a line means depends on the lines before it, so that it cannot be read alone.
    #[must_use]
    pub fn needs_the_whole_file(&self) -> bool {
        self.statement.is_some()
    }

    /// What the preset says about columns, habits and constants; what the user says wins.
    #[must_use]
    pub fn instructions(&self, given: Instructions) -> Instructions {
        let mut map: BTreeMap<String, String> = self.outputs.iter().cloned().collect();
        let mut set = BTreeMap::new();
        let (mut decimal, mut dates) = (None, None);
        if let Some(preset) = self.preset {
            for (column, source) in &preset.columns {
                if let (false, Source::Header(header)) = (map.contains_key(column), source)
                    && let Some(at) = preset::find(&self.own, header)
                {
                    map.insert(column.clone(), self.own.get(at).cloned().unwrap_or_default());
                }
            }
            set.extend(
                preset.set.iter().filter(|(column, _)| !map.contains_key(*column)).map(|(a, b)| (a.clone(), b.clone())),
            );
            (decimal, dates) = (preset.decimal.clone(), preset.dates.clone());
        }
        // Reworded columns take the place of the header that the user mapped.
        let mut given = given;
        given.map.retain(|column, _| !(given.values.contains_key(column) && map.contains_key(column)));
        given.over(Instructions { map, set, decimal, dates, ..Instructions::default() })
    }

    /// Decides which columns are computed and what they are called.
    fn settle_outputs(&mut self, instructions: &Instructions) {
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut add = |column: &str, called: String| {
            let names = columns.entry(column.to_owned()).or_default();
            if !names.contains(&called) {
                names.push(called);
            }
        };
        if let Some(preset) = self.preset {
            for (column, source) in &preset.columns {
                let reworded = preset.words.contains_key(column) || self.values.contains_key(column);
                match source {
                    Source::Header(header) if reworded => add(column, format!("{header}, in words of ours")),
                    Source::Header(_) => {}
                    source => add(column, source.words()),
                }
            }
            for fact in &preset.facts {
                for (column, source) in &fact.columns {
                    add(column, source.words());
                }
                for column in fact.set.keys() {
                    add(column, format!("which of the facts of a line it is ({column})"));
                }
            }
            if let Some(layout) = &preset.statement {
                add(&layout.amount, "the amounts".to_owned());
                add(&layout.account, "the account".to_owned());
                add("day", "the period".to_owned());
                if layout.at == At::Span {
                    add("until", "the end of the period".to_owned());
                }
                if let Some(id) = &layout.id {
                    add(id, "account and period".to_owned());
                }
                for column in layout.sections.iter().flat_map(|section| section.set.keys()) {
                    add(column, format!("the section and the account ({column})"));
                }
                for column in preset.words.keys() {
                    add(column, format!("the section and the account ({column})"));
                }
            }
        }
        for column in self.values.keys() {
            if let (false, Some(header)) = (columns.contains_key(column), instructions.map.get(column)) {
                columns.insert(column.clone(), vec![format!("{header}, in words of yours")]);
            }
        }
        const NAMED: usize = 3;
        self.outputs = columns
            .into_iter()
            .map(|(column, mut names)| {
                let more = names.len() > NAMED;
                names.truncate(NAMED);
                let more = if more { " or ..." } else { "" };
                (column, format!("{}{more}", names.join(" or ")))
            })
            .collect();
    }

    /// Takes in columns of the file that appeared later.
    pub fn extend(&mut self, names: &[String]) {
        self.own.extend_from_slice(names);
        if self.statement.is_some() {
            return;
        }
        let one = [Fact { when: Vec::new(), columns: BTreeMap::new(), set: BTreeMap::new() }];
        let facts: &[Fact] = match self.preset {
            Some(preset) if !preset.facts.is_empty() => &preset.facts,
            _ => &one,
        };
        self.facts = facts
            .iter()
            .map(|fact| {
                let when = fact.when.iter().map(|test| PlannedTest::new(test, &self.own)).collect();
                (when, self.outputs.iter().map(|(column, called)| self.plan(fact, column, called)).collect())
            })
            .collect();
        let passes = self.preset.map_or(&[][..], |preset| &preset.pass);
        self.passes = passes.iter().map(|pass| (PlannedTest::new(&pass.test, &self.own), pass.why.clone())).collect();
    }

    fn plan(&self, fact: &Fact, column: &str, called: &str) -> Plan {
        let preset = self.preset;
        if let Some(text) = fact.set.get(column) {
            return Plan::Constant(text.clone());
        }
        let source = fact.columns.get(column).or_else(|| preset.and_then(|preset| preset.columns.get(column)));
        let plan = match source {
            Some(source) => self.plan_of(source),
            None => match preset.and_then(|preset| preset.set.get(column)) {
                Some(text) => return Plan::Constant(text.clone()),
                // A column that the user maps and rewords, or one that other facts of the line have.
                None => called
                    .strip_suffix(", in words of yours")
                    .and_then(|header| preset::find(&self.own, header))
                    .map_or(Plan::Nothing, Plan::Field),
            },
        };
        let words = preset.and_then(|preset| preset.words.get(column)).map_or(&[][..], Vec::as_slice);
        let own: Vec<(String, String)> = self
            .values
            .get(column)
            .map(|values| values.iter().map(|(from, to)| (from.trim().to_lowercase(), to.clone())).collect())
            .unwrap_or_default();
        if words.is_empty() && own.is_empty() {
            return plan;
        }
        Plan::Reworded(Box::new(plan), Words { own, preset: words })
    }

    fn plan_of(&self, source: &Source) -> Plan {
        let find = |header: &str| preset::find(&self.own, header);
        match source {
            Source::Header(header) => find(header).map_or(Plan::Nothing, Plan::Field),
            Source::FirstOf(headers) => Plan::FirstOf(headers.iter().filter_map(|header| find(header)).collect()),
            Source::Text { text } => {
                let mut pieces = Vec::new();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once('{') {
                    let Some((header, after)) = after.split_once('}') else { break };
                    pieces.push(Piece::Text(before.to_owned()));
                    match find(header) {
                        Some(field) => pieces.push(Piece::Field(field)),
                        None => return Plan::Nothing,
                    }
                    rest = after;
                }
                pieces.push(Piece::Text(rest.to_owned()));
                Plan::Text(pieces)
            }
            Source::After { moment, plus, unit } => match (find(moment), find(plus)) {
                (Some(moment), Some(plus)) => Plan::After { moment, plus, micros: unit.micros() },
                _ => Plan::Nothing,
            },
            Source::Number { number, divide } => match find(number) {
                Some(number) if *divide != 0 => Plan::Number { number, divide: *divide },
                _ => Plan::Nothing,
            },
            Source::InHeader { in_header } => preset::find_with_parentheses(&self.own, in_header)
                .map_or(Plan::Nothing, |(_, inside)| Plan::Constant(inside.to_owned())),
            Source::Below { below } => preset::find_with_parentheses(&self.own, below)
                .map(|(at, _)| at)
                .or_else(|| find(below))
                .map_or(Plan::Nothing, Plan::Field),
            Source::Above { above } => self
                .above
                .iter()
                .find_map(|record| Some(record.join(",").trim().strip_prefix(above.as_str())?.trim().to_owned()))
                .map_or(Plan::Nothing, Plan::Constant),
            Source::Span { span } => self
                .above
                .iter()
                .find_map(|record| statement::span_within(&record.join(", ")))
                .map_or(Plan::Nothing, |found| {
                    let day = if *span == End::First { found.first } else { found.last };
                    Plan::Constant(day.to_string())
                }),
        }
    }

    /// The records of a block as they are wanted, and the lines that were passed over.
    pub fn apply(&mut self, mut block: Block) -> (Block, Passed) {
        if !block.names.is_empty() {
            let names = std::mem::take(&mut block.names);
            self.extend(&names);
            block.names = names;
        }
        let records = std::mem::take(&mut block.records);
        let own_fields = std::mem::take(&mut block.fields);
        block.fields.reserve(own_fields.len() + records.len() * self.outputs.len());
        let empty = self.preset.map_or(&[][..], |preset| &preset.empty);
        let mut passed = Vec::new();
        let mut written: HashMap<String, Span> = HashMap::new();
        for record in records {
            let spans = own_fields.get(record.first as usize..(record.first + record.count) as usize).unwrap_or(&[]);
            let spans = given_spans(empty, &block, spans);
            let spans = spans.as_ref();
            if self.statement.is_some() {
                self.statement_line(&mut block, &record, spans, &mut written, &mut passed);
            } else {
                self.line(&mut block, &record, spans, &mut written, &mut passed);
            }
        }
        (block, passed)
    }

    fn line(
        &self,
        block: &mut Block,
        record: &Record,
        spans: &[Span],
        written: &mut HashMap<String, Span>,
        passed: &mut Passed,
    ) {
        let miscounted = matches!(record.damage, Some(Code::FieldsMissing | Code::FieldsExtra));
        if record.damage.is_none() || miscounted {
            let why = self.passes.iter().find(|(test, _)| test.holds(|at| text_of(block, spans, at)));
            let why = why.map(|(_, why)| why.clone());
            if let Some(why) = why {
                passed.push((why, record.line));
                return;
            }
        }
        if record.damage.is_some() {
            let first = block.fields.len() as u32;
            block.fields.extend_from_slice(spans);
            block.records.push(Record { first, ..record.clone() });
            return;
        }
        let mut any = false;
        for (when, plans) in &self.facts {
            if !when.iter().all(|test| test.holds(|at| text_of(block, spans, at))) {
                continue;
            }
            any = true;
            let first = block.fields.len();
            for plan in plans {
                let span = self.value(plan, block, spans, written);
                block.fields.push(span);
            }
            block.fields.extend_from_slice(spans);
            let count = block.fields.len() - first;
            block.records.push(Record { first: first as u32, count: count as u32, ..record.clone() });
        }
        if !any {
            passed.push(("lines that hold none of these facts".to_owned(), record.line));
        }
    }

    fn value(&self, plan: &Plan, block: &mut Block, spans: &[Span], written: &mut HashMap<String, Span>) -> Span {
        let span = |field: usize| spans.get(field).copied().unwrap_or(Span::ABSENT);
        match plan {
            Plan::Nothing => Span::ABSENT,
            Plan::Constant(text) => write_once(block, written, text),
            Plan::Field(field) => span(*field),
            Plan::FirstOf(fields) => {
                let given = fields.iter().map(|field| span(*field)).find(|span| !block.slice(*span).trim().is_empty());
                given.unwrap_or(Span::ABSENT)
            }
            Plan::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Field(field) => {
                            let piece = block.slice(span(*field)).trim();
                            if piece.is_empty() {
                                return Span::ABSENT;
                            }
                            text.push_str(piece);
                        }
                    }
                }
                write(block, &text)
            }
            Plan::After { moment, plus, micros } => {
                let (moment, plus) = (block.slice(span(*moment)).trim(), block.slice(span(*plus)).trim());
                let text = match (value::moment(moment, self.dates), value::decimal(plus, DecimalHabit::Mixed)) {
                    (Ok(Some(Moment::Instant(at))), Ok(number)) => {
                        let later = number.scaled.saturating_mul(i128::from(*micros)) / 10i128.pow(DECIMAL_SCALE);
                        let later = i64::try_from(later).ok().and_then(|later| at.checked_add(later));
                        later.map(|later| Moment::Instant(later).to_string())
                    }
                    // Of a day without a time nothing within it is known; a time that cannot be read is refused.
                    (Ok(Some(Moment::Instant(_))), Err(_)) if !plus.is_empty() => Some(plus.to_owned()),
                    _ => None,
                };
                text.map_or(Span::ABSENT, |text| write(block, &text))
            }
            Plan::Number { number, divide } => {
                let text = block.slice(span(*number)).trim();
                if text.is_empty() {
                    return Span::ABSENT;
                }
                let divided = match value::decimal(text, self.decimal) {
                    // What is too fine to be kept stays as it is, and is refused where it does not fit.
                    Ok(value) if value.scaled % i128::from(*divide) == 0 => {
                        print_scaled(value.scaled / i128::from(*divide), DECIMAL_SCALE, 0)
                    }
                    _ => return write(block, &format!("{text} / {divide}")),
                };
                write(block, &divided)
            }
            Plan::Reworded(plan, words) => {
                let span = self.value(plan, block, spans, written);
                let text = block.slice(span).trim();
                if text.is_empty() {
                    return span;
                }
                match words.of(text).map(str::to_owned) {
                    Some(word) => write_once(block, written, &word),
                    None => span,
                }
            }
        }
    }

    fn statement_line(
        &mut self,
        block: &mut Block,
        record: &Record,
        spans: &[Span],
        written: &mut HashMap<String, Span>,
        passed: &mut Passed,
    ) {
        let Some(StatementPlan { layout, periods, headings }) = &mut self.statement else { return };
        let layout = *layout;
        let Some(preset) = self.preset else { return };
        let miscounted = matches!(record.damage, None | Some(Code::FieldsMissing | Code::FieldsExtra));
        if !miscounted {
            // It is refused with its reason, whatever it was.
            let first = block.fields.len() as u32;
            block.records.push(Record { first, count: 0, ..record.clone() });
            return;
        }
        let label = spans.first().map_or("", |span| block.slice(*span).trim()).to_owned();
        let amounts: Vec<(statement::Span, Span)> = periods
            .iter()
            .zip(spans)
            .filter_map(|(period, span)| Some(((*period)?, *span)))
            .filter(|(_, span)| !block.slice(*span).trim().is_empty())
            .collect();
        let has_amounts = spans.iter().skip(1).any(|span| !block.slice(*span).trim().is_empty());
        let section = match layout.line(headings, &label, has_amounts) {
            Line::Heading => return passed.push(("headings".to_owned(), record.line)),
            Line::Passed(why) => return passed.push((why, record.line)),
            Line::Account(at) => layout.sections.get(at),
        };
        let lower = label.to_lowercase();
        for (period, amount) in amounts {
            let first = block.fields.len();
            for (column, _) in &self.outputs {
                let own = self.values.get(column).and_then(|values| {
                    values.iter().find(|(from, _)| from.trim().to_lowercase() == lower).map(|(_, to)| to.clone())
                });
                let from_section = section.and_then(|section| section.set.get(column)).cloned();
                let from_words = || {
                    let words = preset.words.get(column)?;
                    words.iter().find(|word| word.fits(&lower)).map(|word| word.word.clone())
                };
                let span = if *column == layout.amount {
                    amount
                } else if *column == layout.account {
                    spans.first().copied().unwrap_or(Span::ABSENT)
                } else {
                    let text = match column.as_str() {
                        "day" => Some(if layout.at == At::Span { period.first } else { period.last }.to_string()),
                        "until" => Some(period.last.to_string()),
                        name if Some(name) == layout.id.as_deref() => Some(format!("{label} {}", period.first)),
                        _ => own.or(from_section).or_else(from_words),
                    };
                    text.map_or(Span::ABSENT, |text| write_once(block, written, &text))
                };
                block.fields.push(span);
            }
            let count = block.fields.len() - first;
            block.records.push(Record { first: first as u32, count: count as u32, damage: None, ..record.clone() });
        }
    }
}

/// The fields of a record, without those that say in the words of the export that there is nothing.
fn given_spans<'a>(empty: &[String], block: &Block, spans: &'a [Span]) -> Cow<'a, [Span]> {
    if empty.is_empty() {
        return Cow::Borrowed(spans);
    }
    let is_empty = |span: &Span| empty.iter().any(|word| word == block.slice(*span).trim());
    Cow::Owned(spans.iter().map(|span| if is_empty(span) { Span::ABSENT } else { *span }).collect())
}

fn text_of<'a>(block: &'a Block, spans: &[Span], at: usize) -> &'a str {
    spans.get(at).map_or("", |span| block.slice(*span).trim())
}

/// Appends a text to a block.
fn write(block: &mut Block, text: &str) -> Span {
    let start = block.text.len() as u32;
    block.text.push_str(text);
    Span { start, end: block.text.len() as u32 }
}

/// Appends a text that many records share.
fn write_once(block: &mut Block, written: &mut HashMap<String, Span>, text: &str) -> Span {
    if let Some(span) = written.get(text) {
        return *span;
    }
    let span = write(block, text);
    written.insert(text.to_owned(), span);
    span
}
