//! `recurve explain`: a figure opened: formula, policy, opening, the customers and movements that make it, and the facts
//! under each; of what is counted from other facts, each fact and what it adds.

mod facts;
mod words;

use std::{collections::BTreeSet, io::Write, sync::Arc};

use outlook::wording::Words;
use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
    movement::Kind,
};
use warehouse::{
    books::{Books, Origins, origin::stated},
    catalogue::{Language, ResolvedMetric, Unit, Value, Window},
    engine::{
        self, Figure, Question, collection,
        contribution::{Opened, contributions, is_of_facts, is_of_movements},
        segment::Segmentation,
    },
    lake::Access,
};

use super::{
    CommandError, Outcome,
    movements::{self, Listed},
};
use crate::{
    listing::{Format, Listing, format_of},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The metric, such as mrr or nrr.month
    #[arg(value_name = "METRIC")]
    pub metric: String,
    /// The period: a day in it, or 2024-03, 2024-Q1, 2024
    #[arg(long, value_name = "P")]
    pub period: String,
    /// The variant of the metric
    #[arg(long, value_name = "V")]
    pub variant: Option<String>,
    /// How long the period is; what its way of writing says unless set
    #[arg(long, value_parser = session::grain)]
    pub grain: Option<Grain>,
    /// Show the figure split by dimensions as well
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    pub by: Vec<String>,
    /// Look only at this
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<String>,
    /// Show at most so many customers on a terminal; all of them in other formats
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// `2024-03-15`, `2024-03`, `2024-Q1`, `2024`: the first day and how long the period is.
fn period(text: &str) -> Result<(Day, Grain), CommandError> {
    let wrong = || {
        CommandError::Usage(format!(
            "--period {text} is no period; write 2024-03, 2024-Q1, 2024, or a day with --grain"
        ))
    };
    if let Some((year, quarter)) = text.split_once("-Q") {
        let year: i32 = year.parse().map_err(|_| wrong())?;
        let quarter: u32 = quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter)).ok_or_else(wrong)?;
        return Ok((Day::from_civil(year, quarter * 3 - 2, 1).ok_or_else(wrong)?, Grain::Quarter));
    }
    let grain = match text.len() {
        4 => Grain::Year,
        _ => Grain::Month,
    };
    Ok((session::day(text, "period")?, grain))
}

/// The kinds of movement that a metric looks at; all of them for stocks.
fn kinds_of(metric: &ResolvedMetric) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for input in metric.inputs.iter().filter(|input| is_of_movements(input.measure)) {
        let id = input.measure.id;
        let of_words: &[(&str, Kind)] = &[
            ("new", Kind::New),
            ("expansion", Kind::Expansion),
            ("reactivation", Kind::Reactivation),
            ("contraction", Kind::Contraction),
            ("churn", Kind::Churn),
            ("fx", Kind::Fx),
        ];
        let named: Vec<Kind> = of_words.iter().filter(|(word, _)| id.contains(word)).map(|(_, kind)| *kind).collect();
        if named.is_empty() {
            kinds.extend(Kind::ALL.iter().map(|(kind, _)| *kind));
        }
        kinds.extend(named);
    }
    if kinds.is_empty() {
        kinds.extend(Kind::ALL.iter().map(|(kind, _)| *kind));
    }
    kinds
}

/// A figure with what it is made of.
pub struct Explained {
    /// The books that it comes from.
    pub books: Arc<Books>,
    /// The metric.
    pub metric: Arc<ResolvedMetric>,
    /// What was asked, of the whole.
    pub question: Question,
    /// The first day that the metric looks at.
    pub start: Day,
    /// The first day that it does not look at any more, because the period ends or it has not come.
    pub end: Day,
    /// The figure.
    pub whole: Vec<Figure>,
    /// The figure by the dimensions asked for.
    pub split: Vec<Figure>,
    /// Whether it is counted from other facts than those of the ledger.
    pub of_facts: bool,
    /// Whether it is counted from the ledger.
    pub of_ledger: bool,
    /// The other facts, by measure.
    pub found: Vec<Opened>,
    /// The kinds of movement that it looks at.
    pub kinds: BTreeSet<Kind>,
    /// The movements.
    pub rows: Vec<Listed>,
    /// MRR before the first day.
    pub opening: i128,
    /// MRR after the last.
    pub closing: i128,
}

impl Explained {
    /// The two sums of a figure that is a ratio.
    pub fn parts(&self, figure: &Figure) -> Result<Option<(String, String)>, CommandError> {
        parts(figure, &self.books, &self.question)
    }
}

/// Opens a figure.
pub fn open(session: &Session, arguments: &Arguments) -> Result<Explained, CommandError> {
    let catalogue = session.catalogue()?;
    let (id, variant) = match arguments.metric.split_once('.') {
        Some((id, variant)) => (id, Some(variant)),
        None => (arguments.metric.as_str(), arguments.variant.as_deref()),
    };
    let metric = catalogue.resolve(id, variant)?;
    let (day, written) = period(&arguments.period)?;
    let grain = arguments.grain.unwrap_or(written);
    let (from, to) = (day.first_of(grain), day.first_of(grain).next_of(grain));
    let books = session.books()?;
    let filters = session::filters(&arguments.filters)?;
    let question = Question {
        metrics: vec![metric.clone()],
        grain,
        from,
        to,
        by: Vec::new(),
        filters,
        assumptions: session.assumptions()?,
    };
    let by_segment = Question { by: arguments.by.clone(), ..question.clone() };
    let whole = engine::answer(&books, &question)?;
    let split = match arguments.by.as_slice() {
        [] => Vec::new(),
        _ => engine::answer(&books, &by_segment)?,
    };
    let of_facts = metric.inputs.iter().any(|input| is_of_facts(input.measure));
    let of_ledger = !of_facts || metric.inputs.iter().any(|input| is_of_movements(input.measure));
    let found = match of_facts {
        true => contributions(&books, &by_segment)?,
        false => Vec::new(),
    };
    let segmentation = Segmentation::of_any_facts(&books, &[], &question.filters)?;
    let end = to.min(books.first_day_to_come());
    // The widest window that the metric looks at is the one that is opened.
    let start = metric
        .inputs
        .iter()
        .filter(|input| is_of_movements(input.measure))
        .map(|input| match input.window {
            Window::Period | Window::PeriodBefore => from,
            other => engine::window_start(other, from, to, grain, &books),
        })
        .min()
        .unwrap_or(from);
    let kinds = kinds_of(&metric);
    let involuntary = |row: &Listed| collection::is_involuntary(row.movement.kind, row.movement.reason);
    let only_involuntary = metric.inputs.iter().all(|input| input.measure.id == "movement_churned_failed_payment");
    let mut rows: Vec<Listed> = Vec::new();
    let (mut opening, mut closing) = (0i128, 0i128);
    let customers = if of_ledger { books.customers.len() as u32 } else { 0 };
    for customer in 0..customers {
        if !segmentation.has_customer(customer as usize) {
            continue;
        }
        let mrr = |before: Day| -> i128 {
            let ledger = &books.ledger;
            ledger
                .of_customer(customer as usize)
                .take_while(|row| ledger.day[*row] < before.0)
                .filter(|row| segmentation.segment(customer as usize, ledger.offer[*row]) != engine::segment::OUTSIDE)
                .map(|row| i128::from(ledger.delta_micros[row]))
                .sum()
        };
        opening += mrr(start);
        closing += mrr(end);
        let found = movements::of_customer(&books, &segmentation, customer, start, end);
        let counts = |row: &Listed| kinds.contains(&row.movement.kind) && (!only_involuntary || involuntary(row));
        rows.extend(found.into_iter().filter(counts));
    }
    Ok(Explained {
        books,
        metric,
        question,
        start,
        end,
        whole,
        split,
        of_facts,
        of_ledger,
        found,
        kinds,
        rows,
        opening,
        closing,
    })
}

/// Opens the figure and tells.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let explained = open(&session, arguments)?;
    let Explained { books, metric, question, start, end, whole, split, found, kinds, rows, .. } = &explained;
    let Explained { of_facts, of_ledger, opening, closing, .. } = explained;
    let (grain, from, to, start, end) = (question.grain, question.from, question.to, *start, *end);
    if of_facts && format_of(options) != Format::Table {
        facts::list(options, books, &arguments.by, found, rows)?;
        return Ok(Outcome::Done);
    }
    let origins = Origins::load(books)?;
    if format_of(options) != Format::Table {
        let mut listing = Listing::begin(options, movements::COLUMNS.iter().copied())?;
        for row in rows {
            listing.row(&movements::cells(books, &origins, &books.customer_id(row.customer), row))?;
        }
        listing.end()?;
        return Ok(Outcome::Done);
    }

    let mut out = std::io::stdout().lock();
    let decimals = books.reporting.decimals();
    let money = |micros: i128| format!("{} {}", print_micros(micros, decimals), books.reporting.code());
    let entry = &metric.metric;
    let language = session.language()?;
    let variant = if metric.variant.name.is_empty() { String::new() } else { format!(" ({})", metric.variant.name) };
    writeln!(out, "{}{variant}: {}", entry.id, entry.name.say(language))?;
    writeln!(out, "  {}", entry.definition.say(language))?;
    let label = |words: &Words| words::label(words, language);
    let days = |from: Day, to: Day| words::days(from, to).say(language).to_owned();
    writeln!(out, "  {}{}", label(&words::FORMULA), metric.variant.formula.as_deref().unwrap_or(&entry.formula))?;
    let written = format!("{} ({}), {}", days(from, to), grain.name(), books.view.zone.name());
    writeln!(out, "  {}{written}", label(&words::PERIOD))?;
    if start != from {
        writeln!(out, "  {}{}", label(&words::LOOKS_AT), days(start, end))?;
    }
    writeln!(out, "  {}{}", label(&words::POLICY), books.view.policy_name)?;
    for (name, value) in books.view.policy.settings() {
        writeln!(out, "    {name:<24} {value}")?;
    }
    for figure in whole {
        writeln!(out, "  {}{}", label(&words::FIGURE), figure_words(figure, books, language))?;
        if let Some((above, below)) = explained.parts(figure)? {
            writeln!(out, "             = {above} ÷ {below}")?;
        }
    }
    for figure in split {
        writeln!(out, "    {:<24} {}", figure.segment.join(", "), figure_words(figure, books, language))?;
    }
    facts::write(&mut out, books, found, arguments.limit, language)?;
    if !of_ledger {
        return Ok(Outcome::Done);
    }
    let moved: i128 = rows.iter().map(|row| row.delta_micros).sum();
    let before = words::BEFORE.with("{money}", || money(opening)).with("{day}", || start.to_string());
    writeln!(out, "  {}{}", label(&words::OPENING), before.say(language))?;
    let kinds_named = || kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let in_rows = words::IN_ROWS
        .with("{money}", || money(moved))
        .with("{rows}", || rows.len().to_string())
        .with("{kinds}", kinds_named);
    writeln!(out, "  {}{}", label(&words::MOVEMENTS), in_rows.say(language))?;
    let after = words::AFTER.with("{money}", || money(closing)).with("{day}", || end.plus_days(-1).to_string());
    writeln!(out, "  {}{}", label(&words::CLOSING), after.say(language))?;
    if opening + moved != closing && kinds.len() == Kind::ALL.len() {
        writeln!(out, "  {}", words::DO_NOT_ADD_UP.say(language))?;
    }

    // The customers that moved it most come first.
    let mut by_customer: Vec<(i128, u32)> = Vec::new();
    for row in rows {
        match by_customer.last_mut() {
            Some((sum, customer)) if *customer == row.customer => *sum += row.delta_micros,
            _ => by_customer.push((row.delta_micros, row.customer)),
        }
    }
    by_customer.sort_by_key(|(sum, customer)| (std::cmp::Reverse(sum.abs()), *customer));
    writeln!(out)?;
    for (sum, customer) in by_customer.iter().take(arguments.limit) {
        writeln!(out, "{}  {}", books.customer_id(*customer), money(*sum))?;
        for row in rows.iter().filter(|row| row.customer == *customer) {
            writeln!(
                out,
                "  {}  {:<12} {:>16}  {} {}  ({} → {})  {}, {}",
                row.day,
                row.movement.kind.name(),
                print_micros(row.delta_micros, decimals),
                row.subscription,
                row.plan,
                print_micros(row.before_micros, decimals),
                print_micros(row.after_micros, decimals),
                row.movement.cause.name(),
                row.movement.confidence.name(),
            )?;
            if let Some(origin) = origins.of(row.movement.fact) {
                let known: Vec<String> = stated(books, row.movement.fact)?
                    .into_iter()
                    .filter(|(column, _)| {
                        !["source", "import", "withdrawn", "subscription", "customer"].contains(&column.as_str())
                    })
                    .map(|(column, value)| format!("{column}={value}"))
                    .collect();
                writeln!(out, "      {} (import {}): {}", origin.place(), origin.import.id, known.join(" "))?;
            }
        }
    }
    if by_customer.len() > arguments.limit {
        let more = words::MORE_CUSTOMERS.with("{count}", || (by_customer.len() - arguments.limit).to_string());
        writeln!(out, "... {}", more.say(language))?;
    }
    Ok(Outcome::Done)
}

fn figure_words(figure: &Figure, books: &Books, language: Language) -> String {
    let text = figure.text(books.reporting.decimals());
    let unit = match figure.metric.variant.unit {
        Unit::Money => books.reporting.code(),
        other => other.name(),
    };
    match (&figure.value, figure.note.as_ref().map(|note| note.say(language))) {
        (Value::Number(_), None) => format!("{text} {unit}"),
        (Value::Number(_), Some(note)) => format!("{text} {unit} ({note})"),
        (_, note) => note.unwrap_or_default().to_owned(),
    }
}

/// The two sums of a ratio.
fn parts(figure: &Figure, books: &Books, question: &Question) -> Result<Option<(String, String)>, CommandError> {
    Ok(engine::parts(books, question, figure)?.map(|(above, below)| {
        let print = |value: &Value| {
            value
                .number()
                .map_or("nothing".to_owned(), |number| engine::decimal(number, 12, books.reporting.decimals()))
        };
        (print(&above), print(&below))
    }))
}
