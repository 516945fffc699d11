//! `recurve metric`: figures by period and segment.

use std::sync::Arc;

use revenue::calendar::Grain;
use warehouse::{
    books::Books,
    catalogue::{Kind, ResolvedMetric, Unit},
    engine::{self, Figure, Question},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Format, Listing},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The metrics, such as mrr or nrr.month
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Every metric of the catalogue, in all variants
    #[arg(long)]
    pub all: bool,
    /// List the metrics instead, with their names, units, variants and needs
    #[arg(long)]
    pub list: bool,
    /// The variant of the metrics named
    #[arg(long, value_name = "V")]
    pub variant: Option<String>,
    /// How long a period is: day, week, month, quarter or year
    #[arg(long, value_parser = session::grain, default_value = "month")]
    pub grain: Grain,
    #[command(flatten)]
    pub range: Range,
    /// Split by dimensions: plan, product, interval, currency, country, cohort or any attribute of customers
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    pub by: Vec<String>,
    /// Look only at this; several values of one dimension are alternatives
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<String>,
}

/// Works the metrics out, or lists them.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    if arguments.list {
        return list(options);
    }
    if arguments.ids.is_empty() && !arguments.all {
        return Err(CommandError::Usage(
            "name a metric, such as `recurve metric mrr`; `recurve metric --list` shows them all".to_owned(),
        ));
    }
    let session = Session::open(options, Access::Read)?;
    let Answer { books, columns, figures } = answer(&session, arguments)?;
    let header = ["metric", "variant", "period"].into_iter().map(str::to_owned);
    // What reads JSON takes further keys; the columns of csv are a contract, and their note says the interval.
    let keyed = matches!(listing::format_of(options), Format::Json | Format::Jsonl);
    let ends: &[&str] = if keyed { &["lower", "upper"] } else { &[] };
    let tail = ["value", "unit", "note"].iter().chain(ends).map(|name| (*name).to_owned());
    let mut listing = Listing::begin(options, header.chain(columns).chain(tail))?;
    let (currency, language) = (books.reporting, session.language()?);
    for figure in &figures {
        let unit = figure.metric.variant.unit;
        let mut row = vec![
            Cell::text(figure.metric.metric.id.as_str()),
            Cell::text(figure.metric.variant.name.as_str()),
            Cell::Day(figure.period.label),
        ];
        row.extend(figure.segment.iter().map(|value| Cell::text(value.as_str())));
        let value = figure.text(currency.decimals());
        row.push(match unit {
            _ if value.is_empty() => Cell::Empty,
            Unit::Date => Cell::text(value),
            _ => Cell::Number(value),
        });
        row.push(Cell::text(if unit == Unit::Money { currency.code() } else { unit.name() }));
        row.push(figure.note.as_ref().map_or(Cell::Empty, |note| Cell::text(note.say(language))));
        if keyed {
            let interval = figure.interval.as_ref();
            let end =
                |end: Option<&_>| end.map_or(Cell::Empty, |end| Cell::Number(figure.print(end, currency.decimals())));
            row.push(end(interval.map(|interval| &interval.lower)));
            row.push(end(interval.map(|interval| &interval.upper)));
        }
        listing.row(&row)?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}

/// Figures, and what they are in.
pub struct Answer {
    /// The books that they come from.
    pub books: Arc<Books>,
    /// The dimensions of their segments.
    pub columns: Vec<String>,
    /// The figures, metric by metric in the order asked for.
    pub figures: Vec<Figure>,
}

/// Works the metrics out.
pub fn answer(session: &Session, asked: &Arguments) -> Result<Answer, CommandError> {
    let catalogue = session.catalogue()?;
    let mut metrics: Vec<Arc<ResolvedMetric>> = Vec::new();
    if asked.all {
        for metric in catalogue.metrics() {
            metrics.extend_from_slice(catalogue.resolve_variants(&metric.id)?);
        }
    }
    for id in &asked.ids {
        let (id, variant) = match id.split_once('.') {
            Some((id, variant)) => (id, Some(variant)),
            None => (id.as_str(), asked.variant.as_deref()),
        };
        metrics.push(catalogue.resolve(id, variant)?);
    }
    let books = session.books()?;
    let (from, to) = session.range(&asked.range, asked.grain)?;
    let filters = session::filters(&asked.filters)?;
    let assumptions = session.assumptions()?;

    // Metrics that are split by nature are asked apart, so that the others keep the dimensions asked for.
    let mut figures: Vec<Figure> = Vec::new();
    let mut columns: Vec<String> = asked.by.clone();
    if asked.by.is_empty() {
        for metric in &metrics {
            for dimension in own_dimensions(metric) {
                if !columns.contains(&dimension) {
                    columns.push(dimension);
                }
            }
        }
    }
    let mut groups: Vec<(Question, Vec<usize>)> = Vec::new();
    for (place, metric) in metrics.iter().enumerate() {
        let by = if asked.by.is_empty() { own_dimensions(metric) } else { asked.by.clone() };
        match groups.iter_mut().find(|(question, _)| question.by == by) {
            Some((question, places)) => {
                question.metrics.push(Arc::clone(metric));
                places.push(place);
            }
            None => {
                let question = Question {
                    metrics: vec![Arc::clone(metric)],
                    grain: asked.grain,
                    from,
                    to,
                    by,
                    filters: filters.clone(),
                    assumptions: assumptions.clone(),
                };
                groups.push((question, vec![place]));
            }
        }
    }
    // Each kind of fact is read once for all of them.
    engine::prepare(&books, groups.iter().map(|(question, _)| question))?;
    let mut placed: Vec<(usize, Figure)> = Vec::new();
    for (question, places) in &groups {
        let columns: Vec<Option<usize>> =
            columns.iter().map(|column| question.by.iter().position(|name| name == column)).collect();
        let answers = engine::answer(&books, question)?;
        // Every metric of a question has as many figures.
        let each = (answers.len() / places.len()).max(1);
        placed.extend(answers.into_iter().enumerate().map(|(index, mut figure)| {
            figure.segment = columns
                .iter()
                .map(|place| place.and_then(|place| figure.segment.get(place)).cloned().unwrap_or_default())
                .collect();
            (places.get(index / each).copied().unwrap_or_default(), figure)
        }));
    }
    placed.sort_by_key(|(place, _)| *place);
    figures.extend(placed.into_iter().map(|(_, figure)| figure));
    Ok(Answer { books, columns, figures })
}

/// The dimensions that a metric is split by unless others are asked for.
fn own_dimensions(metric: &ResolvedMetric) -> Vec<String> {
    match (metric.variant.kind, metric.variant.by.as_slice()) {
        (Kind::Cohort, []) => vec!["cohort".to_owned()],
        // What the engine has no method for yet says what it needs, once.
        (Kind::Custom, _) => Vec::new(),
        (_, by) => by.to_vec(),
    }
}

fn list(options: &Options) -> Result<Outcome, CommandError> {
    let language = session::language(options)?;
    let catalogue = session::catalogue(&options.data)?;
    let mut listing = Listing::begin(options, ["metric", "name", "unit", "better", "variants", "needs", "formula"])?;
    for metric in catalogue.metrics() {
        let variants: Vec<String> = metric
            .variants
            .iter()
            .filter(|variant| !variant.name.is_empty())
            .map(|variant| if variant.default { format!("{}*", variant.name) } else { variant.name.clone() })
            .collect();
        let resolved = catalogue.resolve(&metric.id, None)?;
        listing.row(&[
            Cell::text(metric.id.as_str()),
            Cell::text(metric.name.say(language)),
            Cell::text(metric.unit.name()),
            Cell::text(metric.better.name()),
            Cell::text(variants.join(" ")),
            Cell::text(resolved.needs.iter().copied().collect::<Vec<_>>().join(" ")),
            Cell::text(metric.formula.as_str()),
        ])?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}

/// Shows the last full month and the one before it, side by side.
pub fn show_last_month(options: &Options, ids: &[&str]) -> Result<(), CommandError> {
    let session = Session::open(options, Access::Read)?;
    let language = session.language()?;
    let catalogue = session.catalogue()?;
    let books = session.books()?;
    let to = session.today().first_of(Grain::Month);
    let metrics = ids.iter().map(|id| catalogue.resolve(id, None)).collect::<Result<Vec<_>, _>>()?;
    let question = Question {
        metrics,
        grain: Grain::Month,
        from: to.plus_months(-2),
        to,
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: session.assumptions()?,
    };
    let figures = engine::answer(&books, &question)?;
    let months = [to.plus_months(-2).to_string(), to.plus_months(-1).to_string()];
    let header = ["metric".to_owned(), "name".to_owned()].into_iter().chain(months).chain(["unit".to_owned()]);
    let mut listing = Listing::begin(options, header)?;
    for pair in figures.chunks(2) {
        let [before, last] = pair else { continue };
        let value = |figure: &Figure| match for_reading(figure, books.reporting.decimals()) {
            text if text.is_empty() => figure.note.as_ref().map_or(Cell::Empty, |note| Cell::text(note.say(language))),
            text => Cell::Number(text),
        };
        let unit = last.metric.variant.unit;
        listing.row(&[
            Cell::text(last.metric.metric.id.as_str()),
            Cell::text(last.metric.metric.name.say(language)),
            value(before),
            value(last),
            Cell::text(if unit == Unit::Money { books.reporting.code() } else { unit.name() }),
        ])?;
    }
    listing.end()
}

/// A figure rounded for people: money to the currency's decimals, shares as percent.
fn for_reading(figure: &Figure, currency_decimals: u32) -> String {
    let Some(number) = figure.value.number() else { return String::new() };
    match figure.metric.variant.unit {
        Unit::Money => engine::decimal(number, currency_decimals, currency_decimals),
        Unit::Percent => format!("{} %", engine::decimal(&(number * engine::fraction(100, 1)), 1, 1)),
        Unit::Count => engine::decimal(number, 0, 0),
        Unit::Date => figure.text(currency_decimals),
        _ => engine::decimal(number, 2, 2),
    }
}
