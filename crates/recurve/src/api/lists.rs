//! Lists: what commands print row by row, a page at a time.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

use clap::{Args, FromArgMatches};
use revenue::money::parse_scaled;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    query::Reader,
    refusal::Refusal,
    route::{Route, Shape, Work, answer_body},
};
use crate::{
    command::{
        CommandError, Outcome, advice, anomalies, check, cohorts, compare_policies, customers, experiments, forecast,
        funnel, health, identities, leads, levers, movements, payback, prices, quarantine, recognition, reconcile,
        restatements, retention, review, signals, verdict,
    },
    listing::{Cell, Sheet},
    policies,
    session::Session,
};

/// The lists, each with the options of its command that can be asked for over the web: none that reads a file.
pub fn routes() -> Vec<Route> {
    let range = ["from", "to", "where"];
    vec![
        Route::list(
            "/cohorts",
            "What is left of the customers of each period",
            &["measure", "against", "start", "grain", "from", "to", "by", "where", "together"],
            cohorts::list,
        )
        .for_shared(),
        Route::list(
            "/cohorts/customers",
            "The customers of a cohort at an age, with what each adds to it",
            &["measure", "against", "start", "grain", "from", "to", "by", "where", "cohort", "age", "part"],
            cohort_customers,
        ),
        Route::list("/movements", "The movements of MRR, with the fact that made each", &range, movements::answer),
        Route::list("/customers", "Customers with what they pay", &["at", "paying", "where"], customers::answer),
        Route::list(
            "/health",
            "How customers are doing, the least healthy first, with the reasons",
            &["at", "where"],
            health::answer,
        ),
        Route::list(
            "/health/days",
            "How customers were doing day by day, by what they had done until then, under the weights of now",
            &["at", "days", "customer"],
            health::answer,
        ),
        Route::list("/health/model", "What the health index is made of", &["model"], health::answer),
        Route::list(
            "/leads",
            "Leads with their scores and what raised and lowered them",
            &["lead", "at", "stage", "where"],
            leads::answer,
        ),
        Route::list(
            "/funnel",
            "How many people took each of some steps",
            &["step", "window", "from", "to", "by", "where", "grain"],
            funnel::answer,
        )
        .for_shared(),
        Route::list(
            "/funnel/people",
            "Who reached a step of a funnel, when, and what they did next",
            &["step", "window", "from", "to", "where", "grain", "people", "period"],
            funnel_people,
        ),
        Route::list(
            "/identities",
            "Which visitors, leads and users could be joined to customers",
            &[],
            identities_apart,
        ),
        Route::list(
            "/retention",
            "How long customers stay, and how cohorts will go on",
            &["by", "where", "at", "horizon", "level", "fit"],
            retention::answer,
        )
        .for_shared(),
        Route::list(
            "/payback",
            "What the customers of each month have earned back of what winning them cost",
            &["from", "to", "where"],
            payback::answer,
        )
        .for_shared(),
        Route::list("/recognition", "In which month what was billed is earned", &["from", "to"], recognition::answer)
            .for_shared(),
        Route::list(
            "/reconcile",
            "MRR beside what was invoiced and collected",
            &["from", "to", "orphans"],
            reconcile::answer,
        ),
        Route::list("/check", "The laws of the ledger on these data, and the files that hold them", &[], check::answer),
        Route::list(
            "/restatements",
            "What was restated between two times, and by which import",
            &["between", "from", "to", "grain"],
            restatements::answer,
        ),
        Route::list(
            "/experiments",
            "Tests of prices and pages, with what can be said of each arm",
            &["name", "control", "shares", "measures", "window", "churn_window", "at"],
            experiments::answer,
        )
        .for_shared(),
        Route::list(
            "/verdict",
            "How the business does, rule by rule, on what evidence and since when",
            &["period", "only"],
            verdict::answer,
        )
        .for_shared(),
        Route::list(
            "/signals",
            "Signals of danger, and those to do more of something",
            &["period", "only"],
            signals::answer,
        ),
        Route::list("/advice", "What to do, in order; or whom to call", &["period", "calls"], advice::answer),
        Route::list(
            "/prices",
            "Customers on old prices beside those on the list price of their plan",
            &["at", "days", "customers"],
            prices::answer,
        ),
        Route::list(
            "/levers",
            "What moves revenue most, ranked, with what had to be assumed",
            &["months", "set", "assumptions", "at"],
            levers::answer,
        ),
        Route::list(
            "/anomalies",
            "What was off, how far, and which part drives it",
            &["metric", "by", "grain", "from", "to"],
            anomalies::answer,
        ),
        Route::list(
            "/forecast",
            "What comes next and how sure that is; how each model did on the past; drivers; cash",
            &["metric", "horizon", "level", "model", "backtest", "drivers", "set", "cash"],
            forecast::answer,
        )
        .for_shared(),
        Route::question(
            "/review",
            "What a day, week or month is reviewed by, as it is said now: headings, sentences and figures",
            &["of", "period"],
            review::answer,
        ),
        Route::list(
            "/policies/compare",
            "The customers that make the difference between two policies, and the settings that make it",
            &["first", "second", "at"],
            two_policies,
        ),
        Route::list(
            "/quarantine",
            "Refused rows, with the reason and how to mend it",
            &["import", "code", "settled"],
            quarantine::answer,
        ),
    ]
}

/// Ids are numbered as facts are read, and the report counts the numbers: it must not see what others read.
fn identities_apart(
    session: &Session,
    asked: &identities::Arguments,
    sheet: &mut dyn Sheet,
) -> Result<Outcome, CommandError> {
    identities::answer(&session.apart()?, asked, sheet)
}

/// Whom a cell of `/cohorts` is made of: at the beginning, unless an age is asked for.
fn cohort_customers(
    session: &Session,
    asked: &cohorts::Arguments,
    sheet: &mut dyn Sheet,
) -> Result<Outcome, CommandError> {
    cohorts::customers(session, asked, asked.age.unwrap_or(0), sheet)
}

/// Whoever reached a step: the first, unless one is asked for.
fn funnel_people(session: &Session, asked: &funnel::Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    funnel::answer(session, &asked.of_people(), sheet)
}

/// Two policies by name.
#[derive(Debug, Clone, clap::Args)]
struct TwoPolicies {
    /// One policy
    #[arg(long, value_name = "NAME")]
    first: String,
    /// The other
    #[arg(long, value_name = "NAME")]
    second: String,
    /// At the end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
}

/// A policy over the web is one of those that are known: a path would have the server read any file.
fn two_policies(session: &Session, asked: &TwoPolicies, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let known = policies::known(&session.options.data);
    if let Some(name) = [&asked.first, &asked.second].into_iter().find(|name| !known.contains(name)) {
        return Err(CommandError::Usage(format!("there is no policy `{name}`; there are {}", known.join(", "))));
    }
    let asked =
        compare_policies::Arguments { first: asked.first.clone(), second: asked.second.clone(), at: asked.at.clone() };
    compare_policies::answer(session, &asked, sheet)
}

/// What a list answers.
#[derive(Serialize, ToSchema)]
pub struct Listed {
    /// Its columns, in order. Beside `customer` stands `customer_name`, what people call it, which commands do not print; a
    /// shared link is not told.
    columns: Vec<Column>,
    /// The rows of this page, by column. Exact decimals and days are texts, whole numbers are numbers; the values of the
    /// dimensions that were asked for stand in the object `segment`.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// How many rows there are in all.
    total: u64,
    /// Where the next page begins: the parameter `cursor` of the next question. Nothing on the last page.
    next: Option<String>,
    /// What is to be known of the list as a whole, such as what has no row in it and why.
    notes: Vec<String>,
}

/// A column of a list.
#[derive(Serialize, ToSchema)]
pub struct Column {
    name: String,
    /// number, whole, day or text; text where the page has no value in it.
    kind: &'static str,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Paging {
    /// Where the page begins: `next` of the page before
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    cursor: usize,
    /// How many rows a page has, up to 10000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Sort by a column, with a minus before it from the greatest down
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Only rows in which this stands somewhere, or in the name of their customer, whatever its case
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    search: Option<String>,
}

/// The longest page.
const LONGEST: usize = 10_000;
/// How deep a sorted list can be paged through: so many rows are held.
const DEEPEST: usize = 100_000;

/// A row with what it is sorted by.
struct Sorted {
    key: Key,
    number: u64,
    cells: Vec<Cell>,
}

/// What a row is sorted by: nothing comes last in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Number(i128),
    Text(String),
    Nothing,
}

impl Key {
    fn of(cell: Option<&Cell>) -> Self {
        match cell {
            None | Some(Cell::Empty) => Key::Nothing,
            Some(Cell::Whole(number)) => Key::Number(i128::from(*number).saturating_mul(1_000_000_000_000)),
            Some(Cell::Number(text)) => parse_scaled(text, 12).map_or_else(|| Key::Text(text.clone()), Key::Number),
            Some(Cell::Text(text)) => Key::Text(text.to_lowercase()),
            Some(Cell::Day(day)) => Key::Text(day.to_string()),
        }
    }

    fn compare(&self, other: &Self, is_descending: bool) -> Ordering {
        let turned = |order: Ordering| if is_descending { order.reverse() } else { order };
        match (self, other) {
            (Key::Nothing, Key::Nothing) => Ordering::Equal,
            (Key::Nothing, _) => Ordering::Greater,
            (_, Key::Nothing) => Ordering::Less,
            (Key::Number(one), Key::Number(other)) => turned(one.cmp(other)),
            (Key::Text(one), Key::Text(other)) => turned(one.cmp(other)),
            (Key::Number(_), Key::Text(_)) => turned(Ordering::Less),
            (Key::Text(_), Key::Number(_)) => turned(Ordering::Greater),
        }
    }
}

/// A row in the heap of those that are kept: the one that leaves first is the greatest.
struct Candidate {
    row: Sorted,
    is_descending: bool,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.row.key.compare(&other.row.key, self.is_descending).then(self.row.number.cmp(&other.row.number))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// The column of lists that names a customer by id, and the one that says what people call it.
const CUSTOMER: &str = "customer";
const CUSTOMER_NAME: &str = "customer_name";

/// Finds the customers in whose name a text is.
type Called<'a> = Box<dyn Fn(&str) -> Result<HashSet<String>, CommandError> + 'a>;

/// One page of a list that is being listed: rows beyond it are counted, not held.
pub struct Page<'a> {
    paging: Paging,
    sort: Option<(String, bool)>,
    /// The dimensions that the list is split by: their columns make the object `segment`.
    by: Vec<String>,
    columns: Vec<String>,
    sorted_by: usize,
    /// Which column names customers.
    customer: Option<usize>,
    /// How customers are found by name, where they may be.
    called: Option<Called<'a>>,
    /// Those who are called as was searched for.
    found: HashSet<String>,
    /// What customers are called, of those on the page; nothing where they are not named.
    names: Option<HashMap<String, String>>,
    rows: Vec<Vec<Cell>>,
    candidates: BinaryHeap<Candidate>,
    total: u64,
    notes: Vec<String>,
}

impl<'a> Page<'a> {
    /// All of a short list.
    pub fn whole() -> Self {
        Self {
            paging: Paging { limit: LONGEST, ..Paging::default() },
            sort: None,
            by: Vec::new(),
            columns: Vec::new(),
            sorted_by: 0,
            customer: None,
            called: None,
            found: HashSet::new(),
            names: None,
            rows: Vec::new(),
            candidates: BinaryHeap::new(),
            total: 0,
            notes: Vec::new(),
        }
    }

    /// A page that is asked for.
    pub fn new(paging: Paging, by: Vec<String>) -> Result<Self, Refusal> {
        if !(1..=LONGEST).contains(&paging.limit) {
            return Err(Refusal::bad(format!("`limit` is from 1 to {LONGEST}")));
        }
        let sort = paging.sort.as_deref().map(|text| match text.strip_prefix('-') {
            Some(column) => (column.to_owned(), true),
            None => (text.to_owned(), false),
        });
        if sort.is_some() && paging.cursor.saturating_add(paging.limit) > DEEPEST {
            return Err(Refusal::bad(format!("a sorted list is paged through up to row {DEEPEST}; filter it")));
        }
        let paging = Paging { search: paging.search.map(|text| text.to_lowercase()), ..paging };
        Ok(Self { paging, sort, by, ..Self::whole() })
    }

    /// Has a search find customers by what they are called too.
    pub fn finding(self, called: impl Fn(&str) -> Result<HashSet<String>, CommandError> + 'a) -> Self {
        Self { called: Some(Box::new(called)), ..self }
    }

    /// Puts the rows of a sorted page in order, once all were seen.
    fn settle(&mut self) {
        if self.sort.is_some() {
            let sorted = std::mem::take(&mut self.candidates).into_sorted_vec();
            self.rows.extend(sorted.into_iter().skip(self.paging.cursor).map(|candidate| candidate.row.cells));
        }
    }

    /// Says what the customers on the page are called, in a column of its own.
    pub fn name_customers(&mut self, session: &Session) -> Result<(), CommandError> {
        self.settle();
        let Some(column) = self.customer else { return Ok(()) };
        if session.hides_customers || self.by.iter().any(|by| by == CUSTOMER) {
            return Ok(());
        }
        let ids = self.rows.iter().filter_map(|row| match row.get(column) {
            Some(Cell::Text(id)) if !id.is_empty() => Some(id.as_str()),
            _ => None,
        });
        let ids: Vec<&str> = ids.collect();
        self.names = Some(if ids.is_empty() { HashMap::new() } else { session.names(ids)? });
        Ok(())
    }

    /// The page.
    pub fn end(mut self) -> Listed {
        self.settle();
        let kind = |index: usize| {
            let first = self.rows.iter().filter_map(|row| row.get(index)).find(|cell| **cell != Cell::Empty);
            match first {
                Some(Cell::Number(_)) => "number",
                Some(Cell::Whole(_)) => "whole",
                Some(Cell::Day(_)) => "day",
                _ => "text",
            }
        };
        let mut columns: Vec<Column> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, name)| Column { name: name.clone(), kind: kind(index) })
            .collect();
        if let (Some(column), Some(_)) = (self.customer, &self.names) {
            columns.insert(column + 1, Column { name: CUSTOMER_NAME.to_owned(), kind: "text" });
        }
        let object = |row: &Vec<Cell>| {
            let mut object = serde_json::Map::new();
            let mut segment = serde_json::Map::new();
            for (name, cell) in self.columns.iter().zip(row) {
                let of = if self.by.contains(name) { &mut segment } else { &mut object };
                of.insert(name.clone(), cell.json());
            }
            if !self.by.is_empty() {
                object.insert("segment".to_owned(), segment.into());
            }
            if let (Some(column), Some(names)) = (self.customer, &self.names) {
                let name = row.get(column).and_then(|cell| names.get(&cell.print()));
                object.insert(CUSTOMER_NAME.to_owned(), name.map(String::as_str).into());
            }
            object
        };
        let end = self.paging.cursor.saturating_add(self.rows.len());
        Listed {
            columns,
            rows: self.rows.iter().map(object).collect(),
            total: self.total,
            notes: std::mem::take(&mut self.notes),
            next: ((end as u64) < self.total && !self.rows.is_empty()).then(|| end.to_string()),
        }
    }
}

impl Sheet for Page<'_> {
    fn head(&mut self, columns: Vec<String>) -> Result<(), CommandError> {
        if let Some((name, _)) = &self.sort {
            let place = columns.iter().position(|column| column == name);
            self.sorted_by = place.ok_or_else(|| {
                CommandError::Usage(format!("there is no column `{name}`; there are {}", columns.join(", ")))
            })?;
        }
        self.customer = columns.iter().position(|column| column == CUSTOMER);
        if let (Some(_), Some(text), Some(called)) = (self.customer, &self.paging.search, &self.called) {
            self.found = called(text)?;
        }
        self.columns = columns;
        Ok(())
    }

    fn note(&mut self, words: &str) {
        self.notes.push(words.to_owned());
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), CommandError> {
        if let Some(text) = &self.paging.search
            && !cells.iter().any(|cell| cell.print().to_lowercase().contains(text))
            && !self.customer.and_then(|column| cells.get(column)).is_some_and(|id| self.found.contains(&id.print()))
        {
            return Ok(());
        }
        let number = self.total;
        self.total += 1;
        let end = self.paging.cursor.saturating_add(self.paging.limit);
        match &self.sort {
            None if number >= self.paging.cursor as u64 && number < end as u64 => self.rows.push(cells.to_vec()),
            None => {}
            Some((_, is_descending)) => {
                let key = Key::of(cells.get(self.sorted_by));
                let row = Sorted { key, number, cells: Vec::new() };
                let mut candidate = Candidate { row, is_descending: *is_descending };
                if self.candidates.len() >= end && self.candidates.peek().is_some_and(|last| candidate >= *last) {
                    return Ok(());
                }
                candidate.row.cells = cells.to_vec();
                self.candidates.push(candidate);
                if self.candidates.len() > end {
                    self.candidates.pop();
                }
            }
        }
        Ok(())
    }
}

/// What answers a list.
type List<Q> = fn(&Session, &Q, &mut dyn Sheet) -> Result<Outcome, CommandError>;

impl Route {
    /// A list, read by the options `allowed` of its command.
    pub fn list<Q>(path: &'static str, words: &'static str, allowed: &[&str], answer: List<Q>) -> Self
    where
        Q: Args + FromArgMatches + 'static,
    {
        // A list without options of its own names one that there is not, because naming none means all.
        let allowed = if allowed.is_empty() { &["-"][..] } else { allowed };
        let reader = Reader::of::<Q>(allowed);
        let paging = Reader::of::<Paging>(&[]);
        let of_paging = paging.own_parameters();
        let mut parameters = reader.parameters();
        parameters.extend(of_paging.iter().cloned());
        let names: Vec<String> = of_paging.into_iter().map(|parameter| parameter.name).collect();
        let work: Work = Arc::new(move |session, pairs, is_shared| {
            let (of_paging, of_question): (Vec<_>, Vec<_>) =
                pairs.iter().cloned().partition(|(name, _)| names.contains(name));
            let by = of_question.iter().filter(|(name, _)| name == "by").flat_map(|(_, names)| names.split(','));
            let by = by.map(|name| name.trim().to_owned()).collect();
            let page = Page::new(paging.read::<Paging>(&of_paging, true)?.question, by)?;
            let asked = reader.read::<Q>(&of_question, is_shared)?;
            let session = session.again(asked.view.over(&session.options))?;
            let mut page = page.finding(|text| session.called(text));
            answer(&session, &asked.question, &mut page)?;
            page.name_customers(&session)?;
            answer_body(&session, page.end())
        });
        Self::asked(path, words, parameters, Shape::versioned::<Listed>(), work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(paging: Paging) -> Listed {
        let mut page = Page::new(paging, Vec::new()).unwrap();
        page.head(vec!["name".to_owned(), "mrr".to_owned()]).unwrap();
        for (name, mrr) in [("ada", "9.50"), ("bob", "10.00"), ("Eve", ""), ("max", "-1.00")] {
            let mrr = if mrr.is_empty() { Cell::Empty } else { Cell::Number(mrr.to_owned()) };
            page.row(&[Cell::text(name), mrr]).unwrap();
        }
        page.end()
    }

    fn names(listed: &Listed) -> Vec<&str> {
        listed.rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
    }

    fn paging(limit: usize) -> Paging {
        Paging { limit, ..Paging::default() }
    }

    #[test]
    fn pages_follow_each_other() {
        let first = page(paging(3));
        assert_eq!((names(&first), first.total), (vec!["ada", "bob", "Eve"], 4));
        let cursor = first.next.unwrap().parse().unwrap();
        let second = page(Paging { cursor, ..paging(3) });
        assert_eq!((names(&second), second.next.as_deref()), (vec!["max"], None));
    }

    #[test]
    fn numbers_are_sorted_as_numbers_and_nothing_comes_last() {
        let sorted = |sort: &str| page(Paging { sort: Some(sort.to_owned()), ..paging(10) });
        assert_eq!(names(&sorted("mrr")), ["max", "ada", "bob", "Eve"]);
        assert_eq!(names(&sorted("-mrr")), ["bob", "ada", "max", "Eve"]);
        let second = page(Paging { sort: Some("-mrr".to_owned()), cursor: 1, ..paging(2) });
        assert_eq!((names(&second), second.next.as_deref()), (vec!["ada", "max"], Some("3")));
    }

    #[test]
    fn a_search_keeps_what_holds_the_text() {
        let found = page(Paging { search: Some("EV".to_owned()), ..paging(10) });
        assert_eq!((names(&found), found.total), (vec!["Eve"], 1));
    }

    #[test]
    fn a_column_that_there_is_not_is_named() {
        let mut page = Page::new(Paging { sort: Some("colour".to_owned()), ..paging(10) }, Vec::new()).unwrap();
        let error = page.head(vec!["name".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("colour") && error.contains("name"), "{error}");
    }
}
