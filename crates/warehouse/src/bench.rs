//! The work that other programs are compared with: the movement ledger of many subscription periods from Parquet,
//! written out in full, and the series and cohorts over it.

mod ledger_file;
pub mod live;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::Instant,
};

use arrow::{array::RecordBatch, error::ArrowError};
use revenue::{
    calendar::{Day, Grain, Moment, Zone},
    fact::{Tick, Ticks},
    fx::Rates,
    money::Currency,
    movement::{Context, Kind},
    policy::Policy,
};
use sha2::{Digest, Sha256};

use crate::{
    books::{
        self, Books, BooksError, Buffers, Choice, Coded, FactFile, Integers, Key, Keys, Moments, Source, Texts, View,
        beginning, distinct, flow::Flow,
    },
    catalogue::Catalogue,
    engine::{self, Assumptions, EngineError, Question},
};

/// What is done and timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Periods → movements, written to a file.
    Ledger,
    /// The ledger by month, plan and country.
    Series,
    /// The ledger by cohort and age.
    Cohorts,
    /// Questions over the books once they are open: the last 24 months of a metric by two dimensions.
    Questions,
}

impl Task {
    /// A task by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ledger" => Some(Task::Ledger),
            "series" => Some(Task::Series),
            "cohorts" => Some(Task::Cohorts),
            "questions" => Some(Task::Questions),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows written.
    pub rows: u64,
    /// A digest of them, where the task makes one.
    pub digest: Option<String>,
    /// How long single questions took.
    pub milliseconds: BTreeMap<String, f64>,
}

/// Does a task.
///
/// # Errors
/// When a file cannot be read or written.
pub fn run(task: Task, periods: &str, customers: &Path, out: &Path) -> Result<Done, EngineError> {
    match task {
        Task::Series => Ok(table(out, "series", &series(out, customers)?)?),
        Task::Cohorts => Ok(table(out, "cohorts", &cohorts(out)?)?),
        Task::Questions => questions(periods),
        Task::Ledger => {
            let rows = match ledger_as_it_is_made(periods, out)? {
                Some(rows) => rows,
                None => {
                    let books = open(periods)?;
                    let keys = (books.customers.as_slice(), books.subscriptions.as_slice());
                    ledger_file::write_ledger(&books.ledger, &books.facts, keys, out)?
                }
            };
            Ok(Done { rows, ..Done::default() })
        }
    }
}

/// How long each question takes once the books are open, the median of five.
fn questions(periods: &str) -> Result<Done, EngineError> {
    let books = open(periods)?;
    let catalogue = Catalogue::built_in()?;
    let last = books.ledger.day.iter().max().map_or(Day(0), |day| Day(*day));
    let to = last.first_of(Grain::Month);
    let mut done = Done { rows: books.ledger.rows() as u64, ..Done::default() };
    for id in ["mrr", "mrr_new", "customers", "customer_churn", "nrr", "arpa"] {
        let question = Question {
            metrics: vec![catalogue.resolve(id, None)?],
            grain: Grain::Month,
            from: to.plus_months(-24),
            to,
            by: vec!["plan".to_owned(), "interval".to_owned()],
            filters: Vec::new(),
            assumptions: Assumptions::default(),
        };
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            done.rows += engine::answer(&books, &question)?.len() as u64;
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        done.milliseconds.insert(id.to_owned(), times[times.len() / 2]);
    }
    Ok(done)
}

/// Writes the ledger without holding it; nothing where only whole books tell.
fn ledger_as_it_is_made(periods: &str, out: &Path) -> Result<Option<u64>, EngineError> {
    let (policy, rates) = (Policy::default(), Rates::default());
    let ticks = Ticks::new(&policy, Zone::utc());
    let flow = Flow::open(&fact_files(periods)?, &policy, &ticks, &Choice { is_known: &|_| true, is_wanted: None })?;
    let currencies = flow.facts().offers.iter().map(|offer| offer.currency);
    let context = Context {
        policy: &policy,
        ticks: &ticks,
        offers: &flow.facts().offers.clone(),
        terms: &[],
        rates: &rates,
        reporting: currencies.min().unwrap_or(Currency::USD),
        revalue_until: Tick::MIN,
    };
    Ok(ledger_file::write_flow(flow, &context, out)?)
}

fn fact_files(periods: &str) -> Result<Vec<FactFile>, BooksError> {
    Ok(files(periods)?.into_iter().map(|path| FactFile { path, import: Some(0), first_row: 0 }).collect())
}

fn open(periods: &str) -> Result<Books, EngineError> {
    let files = fact_files(periods)?;
    let view = View {
        policy: Policy::default(),
        policy_name: "default".to_owned(),
        zone: Zone::utc(),
        currency: None,
        as_known_at: None,
        now: i64::MAX / 4,
        health_weights: Vec::new(),
    };
    Ok(Books::of_files(files, &|_| true, (Rates::default(), None), None, view)?)
}

/// The files that a pattern names: a path, or one whose name holds one `*`.
fn files(pattern: &str) -> Result<Vec<PathBuf>, BooksError> {
    let path = Path::new(pattern);
    let Some((before, after)) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('*'))
    else {
        return Ok(vec![path.to_path_buf()]);
    };
    let failed = |error: std::io::Error| BooksError::Unreadable { file: pattern.to_owned(), words: error.to_string() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after) {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a table beside the ledger, with the digest of its sorted lines.
fn table(ledger: &Path, name: &str, (header, lines): &(&str, Vec<String>)) -> Result<Done, BooksError> {
    let out = ledger.with_extension(format!("{name}.csv"));
    let mut text = String::from(*header);
    text.push('\n');
    let mut sorted: Vec<&String> = lines.iter().collect();
    sorted.sort_unstable();
    let mut digest = Sha256::new();
    for line in &sorted {
        digest.update(line.as_bytes());
        digest.update(b"\n");
        text.push_str(line);
        text.push('\n');
    }
    std::fs::write(&out, text)
        .map_err(|error| BooksError::Unreadable { file: out.display().to_string(), words: error.to_string() })?;
    let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Done { rows: lines.len() as u64, digest: Some(digest), ..Done::default() })
}

/// The first day of the month of a day, and how many months after January 1970 it is.
fn month_of(day: i32) -> i32 {
    let (year, month, _) = Day(day).civil();
    (year - 1970) * 12 + month as i32 - 1
}

fn month_name(month: i32) -> String {
    format!("{:04}-{:02}-01", 1970 + month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// Reads the columns of the ledger that a table needs, batch by batch.
fn each_batch(
    file: &Path,
    columns: &[&str],
    few: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), BooksError>,
) -> Result<(), BooksError> {
    for batch in books::open_parquet(file, columns, few)? {
        let failed =
            |error: ArrowError| BooksError::Unreadable { file: file.display().to_string(), words: error.to_string() };
        take(&batch.map_err(failed)?)?;
    }
    Ok(())
}

/// What makes customers' keys, the number of the country of each customer in the order of keys, and the countries.
type Countries = (Keys, Vec<(Key, u32)>, Coded);

/// The country of each customer; 0 stands for none.
fn countries(customers: &Path) -> Result<Countries, BooksError> {
    let source = Source::open(customers)?;
    let mut keys = Keys::spelled(&beginning(std::slice::from_ref(&source), "customer")?);
    let mut countries = Coded::default();
    loop {
        let mut of_customer = Vec::new();
        let (mut ids, mut codes, mut buffers) = (Vec::new(), Vec::new(), Buffers::default());
        for group in 0..source.groups() {
            let Some(chunk) = source.chunk(group, "customer")? else { continue };
            chunk.read(Key::NONE, &mut buffers, &mut ids, &mut |raw| Ok(keys.of(raw.bytes()).unwrap_or(Key::NONE)))?;
            codes.clear();
            match source.chunk(group, "country")? {
                Some(chunk) => chunk.read(0, &mut buffers, &mut codes, &mut |raw| Ok(countries.number(raw.bytes())))?,
                None => codes.resize(ids.len(), 0),
            }
            of_customer.extend(ids.iter().copied().zip(codes.iter().copied()));
        }
        if of_customer.iter().any(|(key, _)| *key == Key::NONE) && matches!(keys, Keys::Spelled { .. }) {
            keys = Keys::ranked(&distinct(std::slice::from_ref(&source), "customer", false)?);
            continue;
        }
        of_customer.sort_unstable();
        return Ok((keys, of_customer, countries));
    }
}

/// MRR at the end of each month and what moved in it, by plan and country.
fn series(ledger: &Path, customers: &Path) -> Result<(&'static str, Vec<String>), BooksError> {
    let (keys, of_customer, countries) = countries(customers)?;
    let source = Source::open(ledger)?;
    let mut plans = Coded::default();
    // Customers come in order, so the next is looked for from the last on.
    let mut place = 0;
    let mut country_of = |id: &[u8]| {
        let Some(key) = keys.of(id) else { return 0 };
        if of_customer.get(place).is_none_or(|(known, _)| *known > key) {
            place = 0;
        }
        let mut step = 1;
        while of_customer.get(place + step).is_some_and(|(known, _)| *known <= key) {
            place += step;
            step *= 2;
        }
        let rest = of_customer.get(place..(place + step).min(of_customer.len())).unwrap_or_default();
        place += rest.partition_point(|(known, _)| *known < key);
        of_customer.get(place).filter(|(known, _)| *known == key).map_or(0, |(_, country)| *country)
    };
    // MRR and then each kind, by month, for each plan and country that occurs.
    let mut cells: HashMap<(u32, u32), BTreeMap<i32, [i64; 8]>> = HashMap::new();
    let (mut first, mut last) = (i32::MAX, i32::MIN);
    let mut buffers = Buffers::default();
    let (mut of_country, mut of_plan, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut months, mut deltas) = (Vec::new(), Vec::new());
    let mut known_months: HashMap<i64, i32> = HashMap::new();
    let mut last_day = (i64::MIN, 0);
    for group in 0..source.groups() {
        let column = |name: &str| {
            source.chunk(group, name)?.ok_or_else(|| BooksError::MissingColumn { column: name.to_owned() })
        };
        column("customer")?.read(0, &mut buffers, &mut of_country, &mut |raw| Ok(country_of(raw.bytes())))?;
        column("plan")?.read(0, &mut buffers, &mut of_plan, &mut |raw| Ok(plans.number(raw.bytes())))?;
        column("kind")?.read(0, &mut buffers, &mut kinds, &mut |raw| {
            let kind = Kind::ALL.iter().position(|(_, name)| name.as_bytes() == raw.bytes());
            Ok(kind.unwrap_or_default().min(6))
        })?;
        column("day")?.read(0, &mut buffers, &mut months, &mut |raw| {
            let day = raw.number() as i64;
            if day != last_day.0 {
                last_day = (day, *known_months.entry(day).or_insert_with(|| month_of(day as i32)));
            }
            Ok(last_day.1)
        })?;
        column("delta")?.read(0, &mut buffers, &mut deltas, &mut |raw| Ok(raw.number() as i64))?;
        let (Some(least), Some(greatest)) = (months.iter().min().copied(), months.iter().max().copied()) else {
            continue;
        };
        (first, last) = (first.min(least), last.max(greatest));
        // A group's sums lie side by side and are added to the whole once.
        let (width, height) = (countries.values().len() + 1, (greatest - least) as usize + 1);
        let mut sums = vec![[0i64; 8]; (plans.values().len() + 1) * width * height];
        let mut occurs = vec![false; sums.len()];
        for ((((country, plan), kind), month), delta) in
            of_country.iter().zip(&of_plan).zip(&kinds).zip(&months).zip(&deltas)
        {
            let cell = (*plan as usize * width + *country as usize) * height + (month - least) as usize;
            sums[cell][0] += delta;
            sums[cell][1 + kind] += delta;
            occurs[cell] = true;
        }
        for (cell, _) in occurs.iter().enumerate().filter(|(_, occurs)| **occurs) {
            let segment = cell / height;
            let key = ((segment / width) as u32, (segment % width) as u32);
            let whole = cells.entry(key).or_default().entry(least + (cell % height) as i32).or_default();
            for (whole, sum) in whole.iter_mut().zip(&sums[cell]) {
                *whole += sum;
            }
        }
    }
    let text = |coded: &Coded, number| String::from_utf8_lossy(coded.value(number).unwrap_or_default()).into_owned();
    let mut lines = Vec::new();
    for ((plan, country), months) in &cells {
        let (plan, country) = (text(&plans, *plan), text(&countries, *country));
        let mut mrr = 0;
        for month in first..=last {
            let sums = months.get(&month).copied().unwrap_or_default();
            mrr += sums[0];
            let kind = |kind: Kind| sums[1 + kind as usize];
            lines.push(format!(
                "{},{plan},{country},{mrr},{},{},{},{},{},{}",
                month_name(month),
                kind(Kind::New),
                kind(Kind::Reactivation),
                kind(Kind::Expansion),
                kind(Kind::Contraction),
                kind(Kind::Churn),
                kind(Kind::Transfer)
            ));
        }
    }
    Ok(("month,plan,country,mrr,new,reactivation,expansion,contraction,churn,transfer", lines))
}

/// Customers and MRR left of each month's new customers, at the end of each month.
fn cohorts(ledger: &Path) -> Result<(&'static str, Vec<String>), BooksError> {
    #[derive(Default)]
    struct Cohort {
        size: i64,
        /// What changed in a month: customers who pay, and MRR.
        steps: BTreeMap<i32, (i64, i64)>,
    }
    let mut cohorts: BTreeMap<i32, Cohort> = BTreeMap::new();
    let mut last = i32::MIN;
    let mut of = (String::new(), 0);
    let mut counted = i32::MIN;
    each_batch(ledger, &["customer", "day", "delta", "mrr_before", "mrr_after"], &[], |batch| {
        let (ids, days) = (Texts::of(batch, "customer")?, Moments::of(batch, "day")?);
        let (deltas, befores) = (Integers::of(batch, "delta")?, Integers::of(batch, "mrr_before")?);
        let afters = Integers::of(batch, "mrr_after")?;
        for row in 0..batch.num_rows() {
            let (Some(id), Some(Moment::Day(day)), Some(delta)) = (ids.get(row), days.get(row), deltas.get(row)) else {
                continue;
            };
            let month = month_of(day.0);
            last = last.max(month);
            if of.0 != id {
                of = (id.to_owned(), month);
                cohorts.entry(month).or_default().size += 1;
                counted = i32::MIN;
            }
            let Some(cohort) = cohorts.get_mut(&of.1) else { continue };
            let step = cohort.steps.entry(month).or_default();
            step.1 += delta;
            // A day may have several rows, which all say what the customer paid before and after it.
            if counted != day.0 {
                counted = day.0;
                let pays = |micros: Option<i64>| i64::from(micros.unwrap_or(0) > 0);
                step.0 += pays(afters.get(row)) - pays(befores.get(row));
            }
        }
        Ok(())
    })?;
    let mut lines = Vec::new();
    for (month, cohort) in &cohorts {
        let (mut customers, mut mrr) = (0, 0);
        for now in *month..=last {
            let step = cohort.steps.get(&now).copied().unwrap_or_default();
            customers += step.0;
            mrr += step.1;
            lines.push(format!("{},{},{},{customers},{mrr}", month_name(*month), cohort.size, now - month));
        }
    }
    Ok(("cohort,size,age,customers,mrr", lines))
}

/// CPU seconds that this process has used, user and system, all threads.
#[must_use]
pub fn cpu_seconds() -> f64 {
    // Fields 14 and 15 of the line are ticks of a hundredth of a second, on every Linux there is.
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        line.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
    fields.iter().skip(10).take(2).sum::<f64>() / 100.0
}

/// The most memory that this process has held.
#[must_use]
pub fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests;
