//! Figures by period and segment: what `recurve metric` prints.

use std::collections::BTreeMap;

use outlook::wording::Language;
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{books::Books, catalogue::Unit, engine::Figure};

use super::route::Route;
use crate::{
    command::{CommandError, metric},
    session::Session,
};

pub fn routes() -> Vec<Route> {
    let allowed = ["metric", "all", "variant", "grain", "from", "to", "by", "where"];
    vec![Route::question("/figures", "Metrics by period and segment", &allowed, figures).for_shared()]
}

/// Figures, metric by metric in the order asked for, then by period and segment.
#[derive(Serialize, ToSchema)]
pub struct Figures {
    /// The currency of those that are money.
    currency: String,
    /// The dimensions of their segments.
    dimensions: Vec<String>,
    /// The figures.
    figures: Vec<Said>,
}

/// A figure.
#[derive(Serialize, ToSchema)]
pub struct Said {
    metric: String,
    /// The variant; empty where there is only one.
    variant: String,
    /// The first day of the period.
    period: String,
    /// Whether the period is not over, or only a part of it was asked for: then it is compared with nothing.
    partial: bool,
    /// The value in each dimension asked for.
    segment: BTreeMap<String, String>,
    /// The exact value as a decimal, or a date; null where there is none, and the note says why.
    value: Option<String>,
    /// The currency of money, else what the number is of.
    unit: String,
    /// The lower end of the interval of an estimate.
    lower: Option<String>,
    /// The upper end of the interval of an estimate.
    upper: Option<String>,
    /// Why there is no value, where there is none.
    why: Option<String>,
    /// What is to be known besides.
    note: Option<String>,
}

impl Said {
    /// A figure as it is said, in the dimensions `by`.
    pub fn of(books: &Books, figure: &Figure, by: &[String], language: Language) -> Self {
        let decimals = books.reporting.decimals();
        let unit = figure.metric.variant.unit;
        let text = |text: String| (!text.is_empty()).then_some(text);
        let segment = by.iter().cloned().zip(figure.segment.iter().cloned()).filter(|(_, value)| !value.is_empty());
        let interval = figure.interval.as_ref();
        Self {
            metric: figure.metric.metric.id.clone(),
            variant: figure.metric.variant.name.clone(),
            period: figure.period.label.to_string(),
            partial: is_partial(books, figure),
            segment: segment.collect(),
            value: text(figure.text(decimals)),
            unit: if unit == Unit::Money { books.reporting.code().to_owned() } else { unit.name().to_owned() },
            lower: interval.map(|interval| figure.print(&interval.lower, decimals)),
            upper: interval.map(|interval| figure.print(&interval.upper, decimals)),
            why: figure.value.note(language),
            note: figure.note.as_ref().map(|note| note.say(language).to_owned()),
        }
    }
}

/// Whether the period of a figure is not over or not whole.
pub fn is_partial(books: &Books, figure: &Figure) -> bool {
    !figure.period.whole || figure.period.end >= books.first_day_to_come()
}

fn figures(session: &Session, asked: &metric::Arguments) -> Result<Figures, CommandError> {
    let metric::Answer { books, columns, figures } = metric::answer(session, asked)?;
    let language = session.language()?;
    let figures = figures.iter().map(|figure| Said::of(&books, figure, &columns, language)).collect();
    Ok(Figures { currency: books.reporting.code().to_owned(), dimensions: columns, figures })
}
