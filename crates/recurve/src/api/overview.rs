//! The overview: everything that its page shows, in one answer.
//!
//! Each part has the shape that its own route answers with, so that a page reads it no differently. What takes long to
//! judge, the forecast, is asked for by itself.

use outlook::wording::Words;
use revenue::{
    calendar::{Day, Grain},
    money::print_micros,
};
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{
    books::Books,
    catalogue::ResolvedMetric,
    engine::{self, Question, health::Model, standing::Standings},
};

use super::{
    company::{KnownKind, instant, known_kinds, newest_import},
    figures::Said,
    lists::Page,
    notes,
    route::Route,
};
use crate::{
    command::{CommandError, Outcome, cohorts, target, verdict},
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
    /// How many months back the figures go, the running one included; 12 unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=120), conflicts_with = "from")]
    months: Option<u16>,
    /// The first day of the figures
    #[arg(long, value_name = "D", requires = "to")]
    from: Option<String>,
    /// The first day no more
    #[arg(long, value_name = "D", requires = "from")]
    to: Option<String>,
    /// How long a period is: day, week, month, quarter or year; month unless set
    #[arg(long, value_parser = session::grain)]
    grain: Option<Grain>,
    /// The first day of what the last period is compared with, such as the same days of the month before
    #[arg(long, value_name = "D", requires = "before_to")]
    before_from: Option<String>,
    /// The first day no more of that
    #[arg(long, value_name = "D", requires = "before_from")]
    before_to: Option<String>,
}

/// What the page shows first.
const CARDS: &[&str] = &["mrr", "mrr_net_new", "customers", "nrr.t12m", "customer_churn.opening", "quick_ratio"];

/// The movements of MRR, with their sum and what they end at.
const MOVEMENTS: &[&str] = &[
    "mrr_new",
    "mrr_expansion",
    "mrr_reactivation",
    "mrr_contraction",
    "mrr_churned",
    "mrr_fx",
    "mrr_transferred_in",
    "mrr_transferred_out",
    "mrr_change",
];

/// How many months of cohorts are shown.
const COHORTS_MONTHS: i32 = 11;
/// How many customers at risk are shown.
const AT_RISK: usize = 10;

const NAMES_NOBODY: Words = Words::fixed(
    "A shared link does not name customers.",
    "共享链接不显示客户名称。",
    "Un lien partagé ne nomme pas les clients.",
);
const NEEDS_EVENTS: Words = Words::fixed(
    "No data: health needs product events (product_event).",
    "没有数据：健康度需要产品事件（product_event）。",
    "Pas de données : la santé demande des événements produit (product_event).",
);
const OF_THE_WHOLE: Words =
    Words::fixed("The verdict is on the whole.", "结论针对整体业务。", "Le verdict porte sur l’ensemble.");

/// Rows as their own route lists them.
type Rows = Vec<serde_json::Map<String, serde_json::Value>>;

/// Everything that the overview shows.
#[derive(Serialize, ToSchema)]
pub struct Overview {
    currency: String,
    currency_decimals: u32,
    policy: String,
    time_zone: String,
    today: String,
    data_as_of: Option<String>,
    /// The first day that the figures are of.
    from: String,
    /// The first day no more.
    to: String,
    grain: &'static str,
    /// The numbers of the page and the movements of MRR by period, as `/figures` answers; a running period is partial.
    figures: Vec<Said>,
    /// The numbers of the page in what the last period is compared with.
    before: Vec<Said>,
    /// What is left of the MRR of each month's new customers, as `/cohorts` lists it.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    cohorts: Rows,
    /// Paying customers at risk, those who pay most first; null while health is not known.
    at_risk: Option<Vec<AtRisk>>,
    /// Why nobody is known to be at risk.
    at_risk_note: Option<String>,
    freshness: Vec<KnownKind>,
    /// The verdict on the last full month, rule by rule, as `/verdict` lists it; of the whole alone.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    verdict: Rows,
    /// Why there is no verdict.
    verdict_note: Option<String>,
    /// Targets and how they stand, as `/targets` lists them.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    targets: Rows,
    /// Notes at a day, as `/notes` lists them: annotations alone.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Option<serde_json::Value>>>)]
    annotations: Rows,
}

/// A customer at risk.
#[derive(Serialize, ToSchema)]
pub struct AtRisk {
    customer: String,
    /// What people call it.
    customer_name: Option<String>,
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
#[schema(as = HealthReason)]
pub struct Reason {
    event: String,
    points: String,
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
    let months = i32::from(asked.months.unwrap_or(12));
    let day = |text: &Option<String>, option, usual: Day| match text {
        Some(text) => session::day(text, option),
        None => Ok(usual),
    };
    let grain = asked.grain.unwrap_or(Grain::Month);
    let from = day(&asked.from, "from", running.plus_months(1 - months))?;
    let to = day(&asked.to, "to", running.plus_months(1))?;
    // As long as the running month has gone on, and no longer.
    let month_before = running.plus_months(-1);
    let same_day = running.plus_days(-1).min(month_before.plus_days(today.0 - running.0)).plus_days(1);
    let before_from = day(&asked.before_from, "before-from", month_before)?;
    let before_to = day(&asked.before_to, "before-to", same_day)?;
    let resolve = |ids: &mut dyn Iterator<Item = &&str>| -> Result<Vec<std::sync::Arc<ResolvedMetric>>, CommandError> {
        let resolved = ids.map(|id| match id.split_once('.') {
            Some((id, variant)) => Ok(catalogue.resolve(id, Some(variant))?),
            None => Ok(catalogue.resolve(id, None)?),
        });
        resolved.collect()
    };
    let question = |metrics: Vec<std::sync::Arc<ResolvedMetric>>, from: Day, to: Day| Question {
        metrics,
        grain,
        from,
        to,
        by: Vec::new(),
        filters: filters.clone(),
        assumptions: assumptions.clone(),
    };
    let whole = question(resolve(&mut CARDS.iter().chain(MOVEMENTS))?, from, to);
    let before = question(resolve(&mut CARDS.iter())?, before_from, before_to);
    engine::prepare(&books, [&whole, &before].into_iter())?;
    let said = |question: &Question| -> Result<Vec<Said>, CommandError> {
        let figures = engine::answer(&books, question)?;
        Ok(figures.iter().map(|figure| Said::of(&books, figure, &[], language)).collect())
    };
    let (figures, before) = (said(&whole)?, said(&before)?);
    let (at_risk, at_risk_note) = match session.hides_customers {
        true => (None, Some(NAMES_NOBODY)),
        false => at_risk(session, &books, &asked.filters)?,
    };
    let (verdict, verdict_note) = match asked.filters.is_empty() {
        false => (Vec::new(), Some(OF_THE_WHOLE.say(language).to_owned())),
        // What is wrong with a playbook of the user's own keeps nobody from the figures.
        true => match rows(|sheet| verdict::answer(session, &verdict::Arguments::default(), sheet)) {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
    };
    let targets = rows(|sheet| target::answer(session, &target::AsOf::default(), sheet)).unwrap_or_default();
    let mut annotations = rows(|sheet| notes::notes(session, &notes::OfNotes::default(), sheet))?;
    annotations.retain(|note| {
        note.get("kind").is_some_and(|kind| kind == "annotation")
            && (!session.hides_customers || note["customer"].is_null())
    });
    let of_cohorts = cohorts::Arguments {
        measure: cohorts::Measure::Revenue,
        start: cohorts::Start::FirstPayment,
        grain: Grain::Month,
        range: Range { from: Some(running.plus_months(-COHORTS_MONTHS).to_string()), to: None },
        by: Vec::new(),
        filters: asked.filters.clone(),
        against: cohorts::Against::Start,
        together: false,
        age: None,
        cohort: None,
        part: Vec::new(),
    };
    let currency = books.reporting;
    Ok(Overview {
        currency: currency.code().to_owned(),
        currency_decimals: currency.decimals(),
        policy: books.view.policy_name.clone(),
        time_zone: session.zone.name().to_owned(),
        today: today.to_string(),
        data_as_of: newest_import(session)?.map(|import| instant(import.recorded_at_micros)),
        from: from.to_string(),
        to: to.to_string(),
        grain: grain.name(),
        figures,
        before,
        cohorts: rows(|sheet| cohorts::list(session, &of_cohorts, sheet))?,
        at_risk,
        at_risk_note: at_risk_note.map(|words| words.say(language).to_owned()),
        freshness: known_kinds(session)?,
        verdict,
        verdict_note,
        targets,
        annotations,
    })
}

/// The rows of a short list.
fn rows(list: impl FnOnce(&mut dyn Sheet) -> Result<Outcome, CommandError>) -> Result<Rows, CommandError> {
    let mut page = Page::whole();
    list(&mut page)?;
    Ok(page.end().rows)
}

/// Paying customers at risk, or why none are known.
fn at_risk(
    session: &Session,
    books: &Books,
    filters: &[String],
) -> Result<(Option<Vec<AtRisk>>, Option<Words>), CommandError> {
    // Who is known is looked for only where somebody may be at risk.
    let Some(model) = Model::of(books)? else {
        return Ok((None, Some(NEEDS_EVENTS)));
    };
    let standings = Standings::new(books)?;
    let filters = session::filters(filters)?;
    let segmentation = engine::survival::customers_by(books, &session.assumptions()?, &[], &filters)?;
    let end = books.first_day_to_come();
    let places = standings.paying_at_risk(end)?;
    let places = places.iter().filter(|place| segmentation.has_customer(place.customer as usize));
    let points = |points: f64| format!("{points:.1}");
    let shown: Vec<_> = places.take(AT_RISK).map(|place| (place, books.customer_id(place.customer))).collect();
    let mut names = session.names(shown.iter().map(|(_, id)| id.as_str()))?;
    let listed = shown.into_iter().map(|(place, customer)| {
        let known = place.known;
        let judgement = model.judge(place.customer, end);
        let reasons = judgement.iter().flat_map(|judgement| &judgement.reasons);
        AtRisk {
            customer_name: names.remove(&customer),
            customer,
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
