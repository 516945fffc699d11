//! Months that were closed: the figures that were reported, kept as they were, and what they would be now.
//!
//! A close is what somebody stood up for on a day. Facts may be corrected afterwards; the close stays, and the difference
//! has a cause that can be listed (`recurve restatements`). Reopening takes the close away, and is written down.

use std::collections::BTreeMap;

use revenue::{
    calendar::{Day, Grain},
    money::{parse_scaled, print_scaled},
};
use serde::{Deserialize, Serialize};
use warehouse::{
    books::Books,
    catalogue::Unit,
    engine::{self, Figure, Question},
    playbook::metric_of,
};

use crate::{
    command::CommandError,
    notes,
    session::{Session, clock},
};

/// Under this prefix closes are kept among the settings of the data folder, by month.
pub const PREFIX: &str = "close/";

/// What is reported of a month, in the order in which it is read.
pub const REPORTED: &[&str] = &[
    "mrr",
    "mrr_net_new",
    "mrr_new",
    "mrr_expansion",
    "mrr_reactivation",
    "mrr_contraction",
    "mrr_churned",
    "arr.run_rate",
    "customers",
    "customers_new",
    "customers_churned",
    "customer_churn.opening",
    "nrr.t12m",
    "grr.t12m",
    "revenue_churn.gross",
    "arpa",
    "quick_ratio",
    "ltv.arpa/churn",
    "cac.total",
    "ltv_cac",
    "cac_payback",
    "trial_conversion.cohort",
    "nps.score",
    "revenue_recognised",
    "revenue_cash",
    "deferred_revenue",
    "gross_margin",
    "costs",
    "burn.net",
    "cash",
    "runway.days",
];

/// A closed month, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Who closed it.
    pub by: String,
    /// When, as an instant.
    pub at: String,
    /// Up to which instant facts were known.
    pub as_known_at: String,
    /// The version of the data.
    pub data_version: String,
    /// The policy under which the figures are.
    pub policy: String,
    /// The currency of those that are money.
    pub currency: String,
    /// The figures.
    pub figures: Vec<Reported>,
    /// What was written to the questions of the month by then.
    #[serde(default)]
    pub notes: Vec<Answered>,
}

/// What was written to a question of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The question, as the section of the review is called.
    pub question: String,
    /// What was written.
    pub words: String,
    /// Who wrote it.
    pub author: String,
}

/// What is written to the questions of a month, in the order in which they are asked.
pub fn answered(session: &Session, month: Day) -> Result<Vec<Answered>, CommandError> {
    let written = notes::of_month(&session.lake, month, session.view(None)?.as_known_at)?;
    let answered = written.into_iter().map(|(question, note)| Answered {
        question: question.to_owned(),
        words: note.words(),
        author: note.of("author").to_owned(),
    });
    Ok(answered.collect())
}

/// A figure that was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The metric, with its variant after a dot.
    pub metric: String,
    /// The exact value; nothing where there was none.
    pub value: Option<String>,
    /// The currency of money, else what the number is of.
    pub unit: String,
}

/// What a month was reported with beside what it would be now.
pub struct Compared {
    /// The metric, with its variant after a dot.
    pub metric: String,
    /// What was reported; nothing where the month is open or there was no value.
    pub reported: Option<String>,
    /// What it is now.
    pub now: Option<String>,
    /// Now less reported, where both are numbers of one unit.
    pub difference: Option<String>,
    /// The unit of now.
    pub unit: String,
}

impl Compared {
    /// Whether it is another figure now.
    pub fn is_restated(&self) -> bool {
        self.reported != self.now
    }
}

/// An instant as a text.
fn instant(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |instant| instant.to_string())
}

/// The first day of a month that is over; what is not over cannot be closed.
pub fn month(session: &Session, text: &str) -> Result<Day, CommandError> {
    let month = crate::session::day(text, "month")?.first_of(Grain::Month);
    if month.plus_months(1) > session.today() {
        return Err(CommandError::Usage(format!(
            "{} is not over: a month is closed after its last day",
            name_of(month)
        )));
    }
    Ok(month)
}

/// A month as people name it: 2026-10.
pub fn name_of(month: Day) -> String {
    month.to_string().chars().take(7).collect()
}

/// Every closed month, the latest first.
pub fn all(session: &Session) -> Result<Vec<(Day, Close)>, CommandError> {
    let mut closes = Vec::new();
    for (key, text) in session.lake.settings(PREFIX)? {
        let name = key.strip_prefix(PREFIX).unwrap_or(&key);
        let read = Day::parse(&format!("{name}-01")).zip(serde_json::from_str(&text).ok());
        closes.push(read.ok_or_else(|| {
            CommandError::Usage(format!(
                "the close of {name} cannot be read: remove it with `recurve close {name} --reopen`"
            ))
        })?);
    }
    closes.reverse();
    Ok(closes)
}

/// The close of a month, where it is closed.
pub fn of(session: &Session, month: Day) -> Result<Option<Close>, CommandError> {
    Ok(all(session)?.into_iter().find(|(other, _)| *other == month).map(|(_, close)| close))
}

/// The figures of some months as they are now, month by month in the order of what is reported.
fn figures(
    session: &Session,
    books: &Books,
    from: Day,
    through: Day,
) -> Result<BTreeMap<Day, Vec<Reported>>, CommandError> {
    let catalogue = session.catalogue()?;
    let question = Question {
        metrics: REPORTED.iter().map(|metric| metric_of(&catalogue, metric)).collect::<Result<_, _>>()?,
        grain: Grain::Month,
        from,
        to: through.plus_months(1),
        by: Vec::new(),
        filters: Vec::new(),
        assumptions: session.assumptions()?,
    };
    let answers = engine::answer(books, &question)?;
    let reported = |name: &str, figure: &Figure| {
        let text = figure.text(books.reporting.decimals());
        let unit = figure.metric.variant.unit;
        Reported {
            metric: name.to_owned(),
            value: (!text.is_empty()).then_some(text),
            unit: if unit == Unit::Money { books.reporting.code().to_owned() } else { unit.name().to_owned() },
        }
    };
    let mut months: BTreeMap<Day, Vec<Reported>> = BTreeMap::new();
    let each = (answers.len() / REPORTED.len()).max(1);
    for (name, series) in REPORTED.iter().zip(answers.chunks(each)) {
        for figure in series {
            months.entry(figure.period.label).or_default().push(reported(name, figure));
        }
    }
    Ok(months)
}

/// What is reported of a month beside what it is now; of an open month only the latter.
pub fn compared(session: &Session, months: &[(Day, Option<&Close>)]) -> Result<Vec<Vec<Compared>>, CommandError> {
    let days = || months.iter().map(|(month, _)| *month);
    let (Some(from), Some(through)) = (days().min(), days().max()) else { return Ok(Vec::new()) };
    let now = figures(session, &*session.books()?, from, through)?;
    let difference = |one: &Reported, other: &Reported| {
        if one.unit != other.unit {
            return None;
        }
        let number = |value: &Option<String>| parse_scaled(value.as_deref()?, 12);
        let difference = number(&other.value)? - number(&one.value)?;
        // As many decimals as the figures have.
        let places = |value: &Option<String>| value.as_deref()?.split_once('.').map(|(_, places)| places.len() as u32);
        let least = places(&one.value).into_iter().chain(places(&other.value)).min().unwrap_or(0);
        Some(print_scaled(difference, 12, least.min(12)))
    };
    let of_month = |(month, close): &(Day, Option<&Close>)| {
        let figures = now.get(month).map_or(&[][..], Vec::as_slice);
        let compare = |figure: &Reported| {
            let reported = close.and_then(|close| close.figures.iter().find(|one| one.metric == figure.metric));
            Compared {
                metric: figure.metric.clone(),
                reported: reported.and_then(|one| one.value.clone()),
                now: figure.value.clone(),
                difference: reported.and_then(|one| difference(one, figure)),
                unit: figure.unit.clone(),
            }
        };
        figures.iter().map(compare).collect()
    };
    Ok(months.iter().map(of_month).collect())
}

/// Closes a month. The folder has to be open for writing.
pub fn close(session: &Session, month: Day, by: &str) -> Result<(), CommandError> {
    let name = name_of(month);
    if let Some(close) = of(session, month)? {
        return Err(CommandError::Usage(format!(
            "{name} was closed by {} at {}; `recurve close {name} --reopen` takes that back",
            close.by, close.at
        )));
    }
    let books = session.books()?;
    let figures = figures(session, &books, month, month)?.remove(&month).unwrap_or_default();
    let (snapshot, known_at) = session.lake.newest_snapshot()?;
    let close = Close {
        by: by.to_owned(),
        at: instant(clock()),
        as_known_at: instant(books.view.as_known_at.map_or(known_at, |asked| asked.min(known_at))),
        data_version: snapshot.0.to_string(),
        policy: books.view.policy_name.clone(),
        currency: books.reporting.code().to_owned(),
        figures,
        notes: answered(session, month)?,
    };
    let text = serde_json::to_string(&close).map_err(std::io::Error::from)?;
    session.lake.set_setting(&format!("{PREFIX}{name}"), &text)?;
    Ok(())
}

/// Opens a month again, and gives what is to be written down of it. The folder has to be open for writing.
pub fn reopen(session: &Session, month: Day) -> Result<String, CommandError> {
    let name = name_of(month);
    let close = of(session, month)?;
    if !session.lake.remove_setting(&format!("{PREFIX}{name}"))? {
        return Err(CommandError::Usage(format!("{name} is not closed, so there is nothing to reopen")));
    }
    Ok(close.map_or_else(
        || name.clone(),
        |close| {
            let mrr = close.figures.iter().find(|figure| figure.metric == "mrr").and_then(|mrr| mrr.value.clone());
            let mrr = mrr.unwrap_or_else(|| "not known".to_owned());
            format!("{name}, closed by {} at {} with MRR {mrr} {}", close.by, close.at, close.currency)
        },
    ))
}
