//! What there is: who asks, which facts are known, which metrics and dimensions they can be looked at by.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
    http::{HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use outlook::wording::{Language, Words};
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{
    catalogue::{Kind, Unit},
    engine::segment::{self, Dimension},
    kind::{self, KINDS},
    lake::ImportRecord,
    source::issue::ISSUES,
};

use super::{
    access::Caller,
    doors::User,
    people::Role,
    query::{self, Reader},
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{command::CommandError, session::Session};

pub fn routes() -> Vec<Route> {
    vec![
        Route::other(Method::GET, "/session", Who::Shared, "Who asks, the company, and which facts are known", session)
            .gives::<Asking>(),
        Route::question("/catalogue", "Every metric and dimension, in a language", &[], catalogue).for_shared(),
        Route::question("/dimensions/{dimension}", "The values of a dimension", &[], values),
        Route::question(
            "/issues",
            "Everything for which a row may be refused, and how to mend it, in a language",
            &[],
            issues,
        ),
        Route::question("/sources", "The imports: which file brought which facts, and when", &[], sources),
    ]
}

/// Everything for which a row may be refused.
#[derive(Serialize, ToSchema)]
pub struct Issues {
    issues: Vec<IssueWords>,
}

/// Why a row may be refused.
#[derive(Serialize, ToSchema)]
pub struct IssueWords {
    /// Its name in the quarantine.
    code: &'static str,
    /// What it means, as the messages say it that are kept with refused rows: in English.
    kept: &'static str,
    /// The same in the language asked for.
    means: &'static str,
    /// How to mend it; what is to be typed stands between backquotes.
    mend: &'static str,
}

fn issues(session: &Session, _: &Plain) -> Result<Issues, CommandError> {
    let language = session.language()?;
    let issues = ISSUES.iter().map(|issue| IssueWords {
        code: issue.name,
        kept: issue.means.say(Language::English),
        means: issue.means.say(language),
        mend: issue.mend.say(language),
    });
    Ok(Issues { issues: issues.collect() })
}

/// A question without options of its own.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Plain {}

/// Who asks, and what there is.
#[derive(Serialize, ToSchema)]
pub struct Asking {
    /// The version of the data: equal as long as every answer is.
    data_version: String,
    /// Who is logged in; null where nobody has to be.
    user: Option<User>,
    /// What who asks may do: shared, viewer, editor or owner.
    role: &'static str,
    /// The roles that people have.
    roles: Vec<&'static str>,
    /// Whether nobody has chosen a password yet.
    needs_setup: bool,
    #[serde(flatten)]
    about: About,
}

async fn session(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let pairs = query::pairs(query.as_deref())?;
    let asking = tokio::task::spawn_blocking(move || -> Result<Asking, Refusal> {
        let asked = Reader::of::<Plain>(&["-"]).read::<Plain>(&pairs, true)?;
        let session = server.session()?;
        let session = session.again(asked.view.over(&session.options))?;
        Ok(Asking {
            data_version: session.known().map(|known| known.version()).unwrap_or_default(),
            user: caller.person.as_ref().map(|person| User { name: person.name.clone(), role: person.role.name() }),
            role: caller.role.name(),
            roles: Role::OF_PEOPLE.iter().map(|(_, name)| *name).collect(),
            needs_setup: server.people.is_empty()?,
            about: about(&session)?,
        })
    });
    let asking = asking.await.map_err(|_| Refusal::failed())??;
    let mut response = Json(asking).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The company and the view of it.
#[derive(Serialize, ToSchema)]
pub struct About {
    /// The version of the program.
    version: &'static str,
    /// The language of names and sentences: en, zh or fr.
    language: &'static str,
    /// The currency that figures are in; none while facts are in several and nobody chose.
    currency: Option<String>,
    /// Decimals of the currency.
    currency_decimals: u32,
    /// The business time zone.
    time_zone: String,
    /// The policy by which facts become MRR.
    policy: String,
    /// When the newest facts became known.
    data_as_of: Option<String>,
    /// Whether there is any fact.
    has_data: bool,
    /// The day that is today.
    today: String,
    /// Now.
    now: String,
    /// The kinds of facts that are known.
    kinds: Vec<KnownKind>,
    /// The policies that can be chosen.
    policies: Vec<String>,
    /// Why there are no books yet, where they cannot be opened.
    trouble: Option<String>,
}

/// A kind of fact and what is known of it.
#[derive(Serialize, ToSchema)]
pub struct KnownKind {
    /// Its name, as imports take it.
    kind: &'static str,
    /// How many rows became facts of it.
    facts: u64,
    /// How many imports brought them.
    imports: u64,
    /// When the last one was done.
    last_import_at: Option<String>,
}

/// An instant as RFC 3339.
pub fn instant(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |instant| instant.to_string())
}

/// What is known of each kind of fact, in the order of the kinds.
pub fn known_kinds(session: &Session) -> Result<Vec<KnownKind>, CommandError> {
    let recorded = session.lake.recorded(session.known().map(|known| known.at_micros))?;
    let of_kind = |kind: &'static kind::Kind| {
        let of = recorded.iter().find(|of| of.table == kind.table)?;
        Some(KnownKind {
            kind: kind.name,
            facts: of.rows,
            imports: of.imports,
            last_import_at: Some(instant(of.last_recorded_at_micros)),
        })
    };
    Ok(KINDS.iter().filter_map(of_kind).collect())
}

/// The imports that were known at the version that is looked at.
pub fn imports(session: &Session) -> Result<Vec<ImportRecord>, CommandError> {
    Ok(session.lake.imports(session.known().map(|known| known.at_micros))?)
}

/// The newest of them.
pub fn newest_import(session: &Session) -> Result<Option<ImportRecord>, CommandError> {
    Ok(session.lake.newest_import(session.known().map(|known| known.at_micros))?)
}

fn about(session: &Session) -> Result<About, CommandError> {
    let newest = newest_import(session)?;
    let view = session.view(None)?;
    let (books, trouble) = match session.books() {
        Ok(books) => (Some(books), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let currency = books.as_ref().map(|books| books.reporting);
    Ok(About {
        version: env!("CARGO_PKG_VERSION"),
        language: session.language()?.tag(),
        currency: currency.map(|currency| currency.code().to_owned()),
        currency_decimals: currency.map_or(2, |currency| currency.decimals()),
        time_zone: session.zone.name().to_owned(),
        policy: view.policy_name,
        data_as_of: newest.as_ref().map(|import| instant(import.recorded_at_micros)),
        has_data: newest.is_some(),
        today: session.today().to_string(),
        now: instant(session.now),
        kinds: known_kinds(session)?,
        policies: crate::policies::known(&session.options.data),
        trouble,
    })
}

/// Every metric and dimension.
#[derive(Serialize, ToSchema)]
pub struct Dictionary {
    /// The sections that metrics stand in, in order.
    sections: Vec<NamedSection>,
    /// The metrics, in the order of the catalogue.
    metrics: Vec<Entry>,
    /// What figures can be split and filtered by.
    dimensions: Vec<NamedDimension>,
}

/// A section.
#[derive(Serialize, ToSchema)]
pub struct NamedSection {
    id: &'static str,
    name: String,
}

/// A metric.
#[derive(Serialize, ToSchema)]
pub struct Entry {
    id: String,
    name: String,
    /// What it says, in sentences.
    definition: String,
    formula: String,
    /// money, count, ratio, percent, ...
    unit: &'static str,
    /// Which direction is good news: up, down or none.
    better: &'static str,
    section: &'static str,
    /// How it is worked out: measure, ratio, ...
    kind: &'static str,
    /// The kinds of facts that it cannot be worked out without.
    needs: Vec<&'static str>,
    /// Which of them are not known.
    lacks: Vec<&'static str>,
    variants: Vec<NamedVariant>,
    /// What it is split by unless something else is asked for.
    dimensions: Vec<String>,
}

/// A variant of a metric.
#[derive(Serialize, ToSchema)]
pub struct NamedVariant {
    id: String,
    name: String,
    formula: Option<String>,
    unit: &'static str,
    is_default: bool,
}

/// A dimension.
#[derive(Serialize, ToSchema)]
pub struct NamedDimension {
    id: String,
    name: String,
}

/// What people call the dimensions that the product knows.
const DIMENSIONS: &[(&str, Words)] = &[
    ("plan", Words::fixed("Plan", "套餐", "Forfait")),
    ("product", Words::fixed("Product", "产品", "Produit")),
    ("interval", Words::fixed("Billing interval", "计费周期", "Période de facturation")),
    ("currency", Words::fixed("Currency", "货币", "Devise")),
    ("country", Words::fixed("Country", "国家/地区", "Pays")),
    ("channel", Words::fixed("Channel", "渠道", "Canal")),
    ("cohort", Words::fixed("Cohort", "同期群", "Cohorte")),
    ("segment", Words::fixed("Segment", "客户分层", "Segment")),
    ("customer", Words::fixed("Customer", "客户", "Client")),
];

fn catalogue(session: &Session, _: &Plain) -> Result<Dictionary, CommandError> {
    let language = session.language()?;
    let catalogue = session.catalogue()?;
    let books = session.books().ok();
    let mut sections: Vec<NamedSection> = Vec::new();
    let mut metrics = Vec::new();
    for metric in catalogue.metrics() {
        let id = metric.section.id;
        if !sections.iter().any(|section| section.id == id) {
            sections.push(NamedSection { id, name: metric.section.words.say(language).to_owned() });
        }
        let resolved = catalogue.resolve(&metric.id, None)?;
        let needs: Vec<&'static str> = resolved.needs.iter().copied().collect();
        let mut lacks = Vec::new();
        for need in &needs {
            let there = match &books {
                Some(books) => warehouse::engine::has_needed(books, need)?,
                None => false,
            };
            lacks.extend((!there).then_some(*need));
        }
        let variants = metric.variants.iter().filter(|variant| !variant.name.is_empty()).map(|variant| NamedVariant {
            id: variant.name.clone(),
            name: variant.words.as_ref().map_or_else(|| variant.name.clone(), |words| words.say(language).to_owned()),
            formula: variant.formula.clone(),
            unit: variant.unit.name(),
            is_default: variant.default,
        });
        metrics.push(Entry {
            id: metric.id.clone(),
            name: metric.name.say(language).to_owned(),
            definition: metric.definition.say(language).to_owned(),
            formula: metric.formula.clone(),
            unit: unit(metric.unit),
            better: metric.better.name(),
            section: id,
            kind: Kind::name(metric.kind),
            needs,
            lacks,
            variants: variants.collect(),
            dimensions: resolved.variant.by.clone(),
        });
    }
    let mut known = vec![];
    if let Some(books) = &books {
        known = segment::dimensions(books)?;
    }
    let dimensions = known.into_iter().map(|Dimension { name: id }| NamedDimension {
        name: DIMENSIONS
            .iter()
            .find(|(known, _)| *known == id)
            .map_or_else(|| id.clone(), |(_, words)| words.say(language).to_owned()),
        id,
    });
    Ok(Dictionary { sections, metrics, dimensions: dimensions.collect() })
}

fn unit(unit: Unit) -> &'static str {
    unit.name()
}

/// Which dimension.
#[derive(Debug, Clone, clap::Args)]
pub struct OfDimension {
    /// The dimension
    #[arg(long)]
    dimension: String,
}

/// The values of a dimension.
#[derive(Serialize, ToSchema)]
pub struct Values {
    /// The values, sorted.
    values: Vec<String>,
    /// How many more there are than are listed.
    left_off: usize,
}

fn values(session: &Session, asked: &OfDimension) -> Result<Values, CommandError> {
    const SHOWN: usize = 1_000;
    let books = session.books()?;
    let by = [asked.dimension.clone()];
    let segmentation = segment::Segmentation::new(&books, &by, &[])?;
    let mut values: Vec<String> = segmentation.labels.iter().filter_map(|label| label.first().cloned()).collect();
    values.sort();
    values.dedup();
    let left_off = values.len().saturating_sub(SHOWN);
    values.truncate(SHOWN);
    Ok(Values { values, left_off })
}

/// The imports.
#[derive(Serialize, ToSchema)]
pub struct Sources {
    /// The imports, the newest first. Those of facts that were stated row by row are one a day.
    rows: Vec<Imported>,
    /// The kinds of facts that are known.
    kinds: Vec<KnownKind>,
    /// Every kind of facts that there is.
    all_kinds: Vec<AnyKind>,
}

/// An import.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    id: i64,
    kind: &'static str,
    source: String,
    file: String,
    bytes: u64,
    /// When its facts became known.
    at: String,
    rows: u64,
    accepted: u64,
    refused: u64,
}

/// A kind of facts.
#[derive(Serialize, ToSchema)]
pub struct AnyKind {
    kind: &'static str,
    words: &'static str,
    columns: Vec<AnyColumn>,
}

/// A column of a kind.
#[derive(Serialize, ToSchema)]
pub struct AnyColumn {
    name: &'static str,
    words: &'static str,
    is_required: bool,
}

fn sources(session: &Session, _: &Plain) -> Result<Sources, CommandError> {
    let imports = imports(session)?;
    let kinds = known_kinds(session)?;
    let kind_name = |table: &str| KINDS.iter().find(|kind| kind.table == table).map_or("several", |kind| kind.name);
    let all_kinds = KINDS.iter().map(|kind| AnyKind {
        kind: kind.name,
        words: kind.words,
        columns: kind
            .columns
            .iter()
            .map(|column| AnyColumn {
                name: column.name,
                words: column.words,
                is_required: column.need == warehouse::kind::Need::Required,
            })
            .collect(),
    });
    let mut rows: Vec<Imported> = Vec::new();
    let mut days: HashMap<(i64, &str, &str, &str), usize> = HashMap::new();
    for import in imports.iter().rev() {
        let one = Imported {
            id: import.id,
            kind: kind_name(&import.kind),
            source: import.source.clone(),
            file: import.file_name.clone(),
            bytes: import.file_bytes,
            at: instant(import.recorded_at_micros),
            rows: import.rows_read,
            accepted: import.rows_accepted,
            refused: import.rows_refused,
        };
        if !import.is_of_statements() {
            rows.push(one);
            continue;
        }
        // What is stated row by row comes many times a second: all of a day is one line, under its newest import.
        let day = import.recorded_at_micros.div_euclid(86_400_000_000);
        let place = *days.entry((day, &import.kind, &import.source, &import.file_name)).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(of_day) => {
                of_day.bytes += one.bytes;
                of_day.rows += one.rows;
                of_day.accepted += one.accepted;
                of_day.refused += one.refused;
            }
            None => rows.push(one),
        }
    }
    Ok(Sources { rows, kinds, all_kinds: all_kinds.collect() })
}
