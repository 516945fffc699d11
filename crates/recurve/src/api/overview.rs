//! The overview: everything that its page shows, in one answer.

use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
};
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{
    books::Books,
    catalogue::{Unit, Value},
    engine::{self, Figure, Question, standing::Standings},
};

use super::{
    company::{KnownKind, imports, instant, known_kinds},
    figures::is_partial,
    lists::Page,
    notes,
    route::Route,
};
use crate::{
    command::{CommandError, Outcome, cohorts, verdict},
    listing::Sheet,
    session::{self, Range, Session},
};

const WORDS: &str = "Everything that the overview shows, in one answer. While facts keep coming it may be of a version some \
    seconds old, which `data_version` names; the newest is being made then";

/// Where it is asked for.
pub const PATH: &str = "/overview";

pub fn routes() -> Vec<Route> {
    vec![Route::question(PATH, WORDS, &[], answer).for_shared()]
}

/// What the overview is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Query {
    /// Look only at this, such as plan=team; several values of one dimension are alternatives
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
    /// How many months back the series go; 24 unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=120))]
    months: Option<u16>,
}

/// What the page shows first.
const CARDS: &[&str] =
    &["mrr", "arr", "mrr_net_new", "customers", "nrr", "grr", "customer_churn", "revenue_churn", "quick_ratio", "arpa"];

/// The movements, by the name of their column.
const MOVEMENTS: &[(&str, &str)] = &[
    ("new", "mrr_new"),
    ("expansion", "mrr_expansion"),
    ("reactivation", "mrr_reactivation"),
    ("contraction", "mrr_contraction"),
    ("churn", "mrr_churned"),
    ("fx", "mrr_fx"),
    ("transferred_in", "mrr_transferred_in"),
    ("transferred_out", "mrr_transferred_out"),
    ("net", "mrr_change"),
    ("closing", "mrr"),
];

/// How many months of cohorts are shown.
const COHORTS_MONTHS: i32 = 12;
/// How many customers at risk are shown.
const AT_RISK: usize = 10;

/// Everything that the overview shows.
#[derive(Serialize, ToSchema)]
pub struct Overview {
    currency: String,
    currency_decimals: u32,
    policy: String,
    time_zone: String,
    today: String,
    /// The first day of the last full month, which the figures are of.
    month: String,
    data_as_of: Option<String>,
    figures: Vec<Card>,
    /// The movements of MRR by month, oldest first; the running month is partial.
    movements: Vec<Month>,
    /// From the MRR before the last full month to that after it.
    bridge: Vec<Step>,
    /// What is left of the customers of each month.
    cohorts: Vec<CohortRow>,
    /// Paying customers at risk, those who pay most first; null while health is not known.
    at_risk: Option<Vec<AtRisk>>,
    /// Why nobody is known to be at risk.
    at_risk_note: Option<String>,
    freshness: Vec<KnownKind>,
    /// The verdict on the last full month, rule by rule, as `/verdict` lists it; of the whole alone.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    verdict: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Why there is no verdict.
    verdict_note: Option<String>,
    /// Notes at days of the months that are shown, as `/notes` lists them.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    annotations: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A figure of the last full month with what it is compared with.
#[derive(Serialize, ToSchema)]
pub struct Card {
    metric: String,
    variant: String,
    name: String,
    definition: String,
    unit: String,
    better: &'static str,
    /// The last full month.
    current: Point,
    /// The month before.
    previous: Point,
    /// The same month of the year before.
    last_year: Point,
    /// The running month up to today.
    to_date: Point,
    /// The month before up to the same day, which alone the running month is compared with.
    previous_to_date: Point,
    /// By month, oldest first, without the running one.
    series: Vec<Point>,
}

/// A value of a period.
#[derive(Serialize, ToSchema, Clone)]
pub struct Point {
    /// The first day of the period.
    period: String,
    /// The last day that is counted.
    through: String,
    partial: bool,
    /// The exact value; null where there is none, and the note says why.
    value: Option<String>,
    note: Option<String>,
}

/// The movements of a month, as decimals.
#[derive(Serialize, ToSchema)]
pub struct Month {
    period: String,
    partial: bool,
    opening: Option<String>,
    new: Option<String>,
    expansion: Option<String>,
    reactivation: Option<String>,
    contraction: Option<String>,
    churn: Option<String>,
    fx: Option<String>,
    /// What came from and went to parts that are not looked at; zero for the whole.
    transferred: Option<String>,
    net: Option<String>,
    closing: Option<String>,
}

/// A step of the bridge.
#[derive(Serialize, ToSchema)]
pub struct Step {
    /// opening, a kind of movement, or closing.
    step: &'static str,
    value: Option<String>,
}

/// A cohort and what is left of it.
#[derive(Serialize, ToSchema)]
pub struct CohortRow {
    cohort: String,
    size: String,
    /// What is left at the end of its own month and of each month after it.
    left: Vec<CohortCell>,
}

/// What is left of a cohort.
#[derive(Serialize, ToSchema)]
pub struct CohortCell {
    age: u32,
    value: String,
    ratio: Option<String>,
}

/// A customer at risk.
#[derive(Serialize, ToSchema)]
pub struct AtRisk {
    customer: String,
    mrr: String,
    /// The health index, from 0 to 100.
    health: Option<String>,
    /// Its change over the last 28 days, in points.
    change: Option<String>,
    segment: &'static str,
    reasons: Vec<Reason>,
}

/// What raised or lowered the health of a customer.
#[derive(Serialize, ToSchema)]
pub struct Reason {
    event: String,
    points: String,
}

fn point(books: &Books, figure: &Figure) -> Point {
    let text = figure.text(books.reporting.decimals());
    let end = figure.period.end.min(books.first_day_to_come());
    Point {
        period: figure.period.label.to_string(),
        through: end.plus_days(-1).to_string(),
        partial: is_partial(books, figure),
        value: (!text.is_empty()).then_some(text),
        note: figure.note.clone(),
    }
}

/// Makes it.
pub fn answer(session: &Session, asked: &Query) -> Result<Overview, CommandError> {
    let books = session.books()?;
    let catalogue = session.catalogue()?;
    let language = session.language()?;
    let filters = session::filters(&asked.filters)?;
    let assumptions = session.assumptions()?;
    let today = session.today();
    let running = today.first_of(Grain::Month);
    let month = running.plus_months(-1);
    let months = i32::from(asked.months.unwrap_or(24));
    let mut ids: Vec<&str> = CARDS.to_vec();
    ids.extend(MOVEMENTS.iter().map(|(_, id)| *id).filter(|id| !CARDS.contains(id)));
    let metrics = ids.iter().map(|id| catalogue.resolve(id, None)).collect::<Result<Vec<_>, _>>()?;
    let question = |from: Day, to: Day| Question {
        metrics: metrics.clone(),
        grain: Grain::Month,
        from,
        to,
        by: Vec::new(),
        filters: filters.clone(),
        assumptions: assumptions.clone(),
    };
    // One question for the months, and one for each part of a month that is compared with the other.
    let whole = question(running.plus_months(-months), today.plus_days(1));
    let same_day = running.plus_days(-1).min(month.plus_days(today.0 - running.0)).plus_days(1);
    let before = question(month, same_day);
    engine::prepare(&books, [&whole, &before].into_iter())?;
    let figures = engine::answer(&books, &whole)?;
    let figures_before = engine::answer(&books, &before)?;
    let of = |id: &str| -> Vec<&Figure> { figures.iter().filter(|figure| figure.metric.metric.id == id).collect() };
    let at =
        |id: &str, day: Day| figures.iter().find(|figure| figure.metric.metric.id == id && figure.period.label == day);
    let none = |period: Day, note: &str| Point {
        period: period.to_string(),
        through: period.next_of(Grain::Month).plus_days(-1).to_string(),
        partial: false,
        value: None,
        note: Some(note.to_owned()),
    };
    let currency = books.reporting;
    let mut cards = Vec::new();
    for metric in metrics.iter().take(CARDS.len()) {
        let (entry, variant) = (&metric.metric, &metric.variant);
        let month_of =
            |day: Day| at(&entry.id, day).map_or_else(|| none(day, "not asked for"), |figure| point(&books, figure));
        let unit = variant.unit;
        let previous_to_date = figures_before.iter().find(|figure| figure.metric.metric.id == entry.id);
        cards.push(Card {
            metric: entry.id.clone(),
            variant: variant.name.clone(),
            name: entry.name.say(language).to_owned(),
            definition: entry.definition.say(language).to_owned(),
            unit: if unit == Unit::Money { currency.code().to_owned() } else { unit.name().to_owned() },
            better: entry.better.name(),
            current: month_of(month),
            previous: month_of(month.plus_months(-1)),
            last_year: month_of(month.plus_months(-12)),
            to_date: month_of(running),
            previous_to_date: previous_to_date
                .map_or_else(|| none(month, "not asked for"), |figure| point(&books, figure)),
            series: of(&entry.id)
                .into_iter()
                .filter(|figure| figure.period.label < running)
                .map(|figure| point(&books, figure))
                .collect(),
        });
    }
    let money = |id: &str, day: Day| {
        let text = at(id, day)?.text(currency.decimals());
        (!text.is_empty()).then_some(text)
    };
    let opening = |day: Day| {
        let number = |id: &str| match &at(id, day)?.value {
            Value::Number(number) => Some(number.clone()),
            _ => None,
        };
        let opening = number("mrr")? - number("mrr_change")?;
        Some(engine::decimal(&opening, 6, currency.decimals()))
    };
    let transferred = |day: Day| {
        let number = |id: &str| at(id, day)?.value.number().cloned();
        let sum = number("mrr_transferred_in")? + number("mrr_transferred_out")?;
        Some(engine::decimal(&sum, 6, currency.decimals()))
    };
    let movements = of("mrr").into_iter().map(|figure| {
        let day = figure.period.label;
        Month {
            period: day.to_string(),
            partial: is_partial(&books, figure),
            opening: opening(day),
            new: money("mrr_new", day),
            expansion: money("mrr_expansion", day),
            reactivation: money("mrr_reactivation", day),
            contraction: money("mrr_contraction", day),
            churn: money("mrr_churned", day),
            fx: money("mrr_fx", day),
            transferred: transferred(day),
            net: money("mrr_change", day),
            closing: money("mrr", day),
        }
    });
    let mut bridge = vec![Step { step: "opening", value: opening(month) }];
    bridge.extend(MOVEMENTS[..6].iter().map(|(step, id)| Step { step, value: money(id, month) }));
    bridge.push(Step { step: "transferred", value: transferred(month) });
    bridge.push(Step { step: "closing", value: money("mrr", month) });
    let (at_risk, at_risk_note) = match session.hides_customers {
        true => (None, Some("a shared link does not name customers".to_owned())),
        false => at_risk(session, &books, &asked.filters)?,
    };
    let imports = imports(session)?;
    let first = running.plus_months(-months).to_string();
    let (verdict, verdict_note) = match asked.filters.is_empty() {
        false => (Vec::new(), Some("the verdict is on the whole".to_owned())),
        // What is wrong with a playbook of the user's own keeps nobody from the figures.
        true => match rows(|sheet| verdict::answer(session, &verdict::Arguments::default(), sheet)) {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
    };
    let mut annotations = rows(|sheet| notes::notes(session, &notes::OfNotes::default(), sheet))?;
    annotations.retain(|note| {
        let day = note.get("day").and_then(serde_json::Value::as_str).unwrap_or_default();
        note.get("kind").is_some_and(|kind| kind == "annotation")
            && (!session.hides_customers || note["customer"].is_null())
            && day >= first.as_str()
    });
    Ok(Overview {
        currency: currency.code().to_owned(),
        currency_decimals: currency.decimals(),
        policy: books.view.policy_name.clone(),
        time_zone: session.zone.name().to_owned(),
        today: today.to_string(),
        month: month.to_string(),
        data_as_of: imports.iter().map(|import| import.recorded_at_micros).max().map(instant),
        figures: cards,
        movements: movements.collect(),
        bridge,
        cohorts: cohort_rows(session, &asked.filters, running)?,
        at_risk,
        at_risk_note,
        freshness: known_kinds(session)?,
        verdict,
        verdict_note,
        annotations,
    })
}

/// The rows of a short list.
fn rows(
    list: impl FnOnce(&mut dyn Sheet) -> Result<Outcome, CommandError>,
) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, CommandError> {
    let mut page = Page::whole();
    list(&mut page)?;
    Ok(page.end().rows)
}

fn cohort_rows(session: &Session, filters: &[String], running: Day) -> Result<Vec<CohortRow>, CommandError> {
    let asked = cohorts::Arguments {
        measure: cohorts::Measure::Customers,
        start: cohorts::Start::FirstPayment,
        grain: Grain::Month,
        range: Range { from: Some(running.plus_months(-COHORTS_MONTHS).to_string()), to: None },
        by: Vec::new(),
        filters: filters.to_vec(),
    };
    let mut rows: Vec<CohortRow> = Vec::new();
    for left in cohorts::answer(session, &asked)? {
        let cohort = left.cohort.to_string();
        if rows.last().is_none_or(|row| row.cohort != cohort) {
            rows.push(CohortRow { cohort, size: left.size, left: Vec::new() });
        }
        if let Some(row) = rows.last_mut() {
            row.left.push(CohortCell { age: left.age, value: left.value, ratio: left.ratio });
        }
    }
    Ok(rows)
}

/// Paying customers at risk, or why none are known.
fn at_risk(
    session: &Session,
    books: &Books,
    filters: &[String],
) -> Result<(Option<Vec<AtRisk>>, Option<String>), CommandError> {
    let standings = Standings::new(books)?;
    let Some(model) = &standings.model else {
        return Ok((None, Some("no data: needs product_event".to_owned())));
    };
    let filters = session::filters(filters)?;
    let segmentation = engine::survival::customers_by(books, &session.assumptions()?, &[], &filters)?;
    let end = books.first_day_to_come();
    let mut places = standings.before(end);
    places.retain(|place| {
        place.standing.is_at_risk && place.known.mrr_micros > 0 && segmentation.has_customer(place.customer as usize)
    });
    places.sort_by_key(|place| (std::cmp::Reverse(place.known.mrr_micros), place.customer));
    let points = |points: f64| format!("{points:.1}");
    let listed = places.iter().take(AT_RISK).map(|place| {
        let known = place.known;
        let judgement = model.judge(place.customer, end);
        let reasons = judgement.iter().flat_map(|judgement| &judgement.reasons);
        AtRisk {
            customer: books.customer_id(place.customer),
            mrr: print_micros(known.mrr_micros.into(), books.reporting.decimals()),
            health: known.health.map(points),
            change: known.health.zip(known.health_before).map(|(now, before)| points(now - before)),
            segment: place.standing.segment.name(),
            reasons: reasons
                .map(|(event, points)| Reason { event: event.to_string(), points: format!("{points:+.1}") })
                .collect(),
        }
    });
    Ok((Some(listed.collect()), None))
}
