//! Facts: of one customer, of a kind, and under a figure.

use std::collections::{BTreeMap, HashMap};

use revenue::{calendar::Day, money::print_micros, movement::Kind as MovementKind};
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{
    books::{Books, Origins},
    catalogue::Unit,
    engine::{contribution::value_text, segment::Segmentation, standing::Standings},
    import::{Export, export, export_of},
    kind::{KINDS, Kind, ValueKind},
    lake::ImportRecord,
};

use super::{
    company::imports,
    figures::{Said, is_partial},
    route::Route,
};
use crate::{
    command::{
        CommandError, Outcome, explain,
        movements::{self, Listed},
    },
    listing::{Cell, Sheet},
    session::Session,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::question(
            "/customers/{customer}",
            "One customer: what it pays, its movements and its facts",
            &[],
            customer,
        ),
        Route::list(
            "/facts/{kind}",
            "The facts of a kind as they hold, with where each came from",
            &["kind", "customer"],
            facts,
        ),
        Route::question(
            "/explain",
            "A figure, opened: its formula, policy and sums, and what it is made of",
            &["metric", "period", "variant", "grain", "by", "where", "cursor", "limit"],
            open,
        ),
    ]
}

/// Kinds of which more rows than this are known are not searched for one customer.
const SEARCHED_ROWS: u64 = 500_000;
/// More rows than this are not listed one by one.
const LISTED_ROWS: u64 = 3_000_000;
/// Kinds that say something many times a day: of one customer their counts tell more than their rows.
const TOO_FINE: &[&str] = &["product_event", "visit"];

/// Which customer.
#[derive(Debug, Clone, clap::Args)]
pub struct OfCustomer {
    /// The customer
    #[arg(long)]
    customer: String,
}

/// One customer.
#[derive(Serialize, ToSchema)]
pub struct CustomerPage {
    customer: CustomerRow,
    /// What is known of it besides what it pays.
    attributes: BTreeMap<String, String>,
    /// Every movement of its MRR, the first first.
    movements: Vec<Moved>,
    /// The facts about it, the newest first.
    facts: Vec<Fact>,
    /// Kinds of facts that are too many to be searched for one customer.
    left_out: Vec<&'static str>,
}

/// What a customer pays and where it stands.
#[derive(Serialize, ToSchema)]
pub struct CustomerRow {
    customer: String,
    /// What people call it.
    customer_name: Option<String>,
    mrr: String,
    currency: String,
    first_paid: Option<String>,
    last_change: Option<String>,
    last_kind: Option<&'static str>,
    left: Option<String>,
    segment: Option<&'static str>,
    /// The health index, from 0 to 100.
    health: Option<String>,
}

/// A movement of MRR.
#[derive(Serialize, ToSchema)]
pub struct Moved {
    customer: String,
    /// What people call it.
    customer_name: Option<String>,
    day: String,
    subscription: String,
    plan: Option<String>,
    kind: &'static str,
    delta: String,
    currency: String,
    mrr_before: String,
    mrr_after: String,
    /// The file and row of the fact that made it.
    source: String,
    fact: String,
    confidence: &'static str,
    cause: &'static str,
}

/// A fact as a source stated it.
#[derive(Serialize, ToSchema)]
pub struct Fact {
    kind: &'static str,
    /// What the source calls it.
    id: String,
    /// The first day that it states; empty where it states none.
    day: String,
    /// What it states, in a line.
    words: String,
    /// Its amount, where it has one.
    value: Option<String>,
    unit: Option<String>,
    /// The file and row.
    source: String,
    import: i64,
    /// Everything that it states, by column.
    fields: BTreeMap<String, String>,
}

impl Fact {
    /// What a row of an export states.
    fn of(
        kind: &'static Kind,
        columns: &[String],
        cells: Vec<Option<String>>,
        file: &str,
        import: i64,
        row: i64,
    ) -> Self {
        let fields: BTreeMap<String, String> =
            columns.iter().cloned().zip(cells).filter_map(|(name, cell)| Some((name, cell?))).collect();
        let first = |wanted: &dyn Fn(&ValueKind) -> bool| {
            let fitting = kind.columns.iter().filter(|column| wanted(&column.value));
            fitting.filter_map(|column| fields.get(column.name)).next().cloned()
        };
        let day = first(&|value| matches!(value, ValueKind::Moment | ValueKind::Day)).unwrap_or_default();
        let id: Vec<&str> = kind.key.iter().filter_map(|key| fields.get(*key)).map(String::as_str).collect();
        let told = kind.columns.iter().filter(|column| !kind.key.contains(&column.name));
        let told = told.filter_map(|column| Some(format!("{} {}", column.name, fields.get(column.name)?)));
        Self {
            kind: kind.name,
            id: id.join(" "),
            day: day.chars().take(10).collect(),
            words: told.collect::<Vec<_>>().join(", "),
            value: first(&|value| matches!(value, ValueKind::Decimal)),
            unit: first(&|value| matches!(value, ValueKind::Currency)),
            source: format!("{file}:{row}"),
            import,
            fields,
        }
    }
}

/// Goes over the rows of an export as facts.
fn each(
    kind: &'static Kind,
    mut rows: Export,
    files: &Files,
    mut visit: impl FnMut(Fact) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let columns: Vec<String> = rows.columns().iter().map(|column| column.name.clone()).collect();
    while let Some((cells, import, row)) = rows.next_with_place() {
        let file = files.get(&import).map_or("?".into(), |import| import.origin(row.unsigned_abs()));
        visit(Fact::of(kind, &columns, cells, &file, import, row))?;
    }
    Ok(())
}

/// The file of each import.
type Files = HashMap<i64, ImportRecord>;
/// How many rows became facts of each table.
type Rows = HashMap<String, u64>;

/// The files of the imports, and how many rows became facts of each table.
fn files_and_rows(session: &Session) -> Result<(Files, Rows), CommandError> {
    let mut rows: HashMap<String, u64> = HashMap::new();
    let mut files = HashMap::new();
    for import in imports(session)? {
        files.insert(import.id, import);
    }
    for of in session.lake.recorded(session.known().map(|known| known.at_micros))? {
        rows.insert(of.table, of.rows);
    }
    Ok((files, rows))
}

fn moved(books: &Books, origins: &Origins, id: &str, name: Option<&str>, row: &Listed) -> Moved {
    let money = |micros| print_micros(micros, books.reporting.decimals());
    let origin = origins.of(row.movement.fact);
    Moved {
        customer: id.to_owned(),
        customer_name: name.map(str::to_owned),
        day: row.day.to_string(),
        subscription: row.subscription.clone(),
        plan: (!row.plan.is_empty()).then(|| row.plan.clone()),
        kind: row.movement.kind.name(),
        delta: money(row.delta_micros),
        currency: books.reporting.code().to_owned(),
        mrr_before: money(row.before_micros),
        mrr_after: money(row.after_micros),
        source: origin.map_or_else(String::new, |origin| origin.import.source.clone()),
        fact: origin.map_or_else(String::new, |origin| origin.place()),
        confidence: row.movement.confidence.name(),
        cause: row.movement.cause.name(),
    }
}

fn customer(session: &Session, asked: &OfCustomer) -> Result<CustomerPage, CommandError> {
    let books = session.books()?;
    let id = asked.customer.as_str();
    let (files, rows_of) = files_and_rows(session)?;
    let as_known_at = books.view.as_known_at;
    let (mut facts, mut left_out, mut attributes) = (Vec::new(), Vec::new(), BTreeMap::new());
    for kind in KINDS.iter().filter(|kind| kind.position("customer").is_some()) {
        let rows = rows_of.get(kind.table).copied().unwrap_or_default();
        if rows == 0 {
            continue;
        }
        if rows > SEARCHED_ROWS || TOO_FINE.contains(&kind.table) {
            left_out.push(kind.name);
            continue;
        }
        let found = export_of(&session.lake, kind, ("customer", id), as_known_at)?;
        each(kind, found, &files, |fact| {
            if kind.table == "customer" {
                attributes.extend(fact.fields.iter().map(|(name, text)| (name.clone(), text.clone())));
            }
            facts.push(fact);
            Ok(())
        })?;
    }
    facts.sort_by(|one: &Fact, other| (&other.day, other.kind, &other.id).cmp(&(&one.day, one.kind, &one.id)));
    let number = books.customer_of_id(id);
    if number.is_none() && facts.is_empty() {
        return Err(CommandError::Missing(format!("no fact is about a customer `{id}`")));
    }
    let segmentation = Segmentation::new(&books, &[], &[])?;
    let end = books.first_day_to_come();
    let listed = number
        .map_or_else(Vec::new, |number| movements::of_customer(&books, &segmentation, number, Day::EARLIEST, end));
    let origins = Origins::kept(&books)?;
    let place = number.map(|number| {
        Standings::new(&books).map(|standings| standings.before(end).into_iter().find(|place| place.customer == number))
    });
    let place = place.transpose()?.flatten();
    let pays = |row: &&Listed| {
        matches!(row.movement.kind, MovementKind::New | MovementKind::Reactivation | MovementKind::Churn)
    };
    let last = listed.last();
    let left = listed.iter().rfind(pays).filter(|row| row.movement.kind == MovementKind::Churn);
    let mrr = last.map_or(0, |row| row.after_micros);
    let name = session.names([id])?.remove(id);
    let movements = listed.iter().map(|row| moved(&books, &origins, id, name.as_deref(), row)).collect();
    let row = CustomerRow {
        customer: id.to_owned(),
        customer_name: name,
        mrr: print_micros(mrr, books.reporting.decimals()),
        currency: books.reporting.code().to_owned(),
        first_paid: listed.first().map(|row| row.day.to_string()),
        last_change: last.map(|row| row.day.to_string()),
        last_kind: last.map(|row| row.movement.kind.name()),
        left: left.map(|row| row.day.to_string()),
        segment: place.as_ref().map(|place| place.standing.segment.name()),
        health: place.and_then(|place| place.known.health).map(|points| format!("{points:.1}")),
    };
    Ok(CustomerPage { customer: row, attributes, movements, facts, left_out })
}

/// Which facts.
#[derive(Debug, Clone, clap::Args)]
pub struct OfKind {
    /// The kind of facts
    #[arg(long, value_parser = crate::command::import::kind_of)]
    kind: &'static Kind,
    /// Only those about this customer
    #[arg(long)]
    customer: Option<String>,
}

/// Lists the facts of a kind.
fn facts(session: &Session, asked: &OfKind, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let kind = asked.kind;
    let (files, rows_of) = files_and_rows(session)?;
    let as_known_at = session.view(None)?.as_known_at;
    let rows = match &asked.customer {
        Some(id) if kind.position("customer").is_some() => {
            export_of(&session.lake, kind, ("customer", id), as_known_at)?
        }
        Some(_) => return Err(CommandError::Usage(format!("{} name no customer; leave `customer` out", kind.name))),
        None if rows_of.get(kind.table).copied().unwrap_or_default() > LISTED_ROWS => {
            return Err(CommandError::Usage(format!(
                "there are too many {} to list them all over the web; ask for those of one customer, or use \
                 `recurve export {}`",
                kind.name, kind.name
            )));
        }
        None => export(&session.lake, kind, None, as_known_at)?,
    };
    let columns = rows.columns().iter().map(|column| column.name.clone());
    let head = ["kind", "id", "day", "words", "value", "unit", "source", "import"].map(str::to_owned);
    // What a fact states stands under its own name, unless that is one of ours.
    let columns: Vec<String> = columns.filter(|name| !head.contains(name)).collect();
    sheet.begin(head.into_iter().chain(columns.iter().cloned()))?;
    each(kind, rows, &files, |mut fact| {
        let text = |text: Option<String>| text.map_or(Cell::Empty, Cell::text);
        let mut cells = vec![
            Cell::text(fact.kind),
            Cell::text(fact.id),
            Cell::text(fact.day),
            Cell::text(fact.words),
            fact.value.map_or(Cell::Empty, Cell::Number),
            text(fact.unit),
            Cell::text(fact.source),
            Cell::Whole(fact.import),
        ];
        cells.extend(columns.iter().map(|name| text(fact.fields.remove(name))));
        sheet.row(&cells)
    })?;
    Ok(Outcome::Done)
}

/// What is opened, and which part of what lies under it.
#[derive(Debug, clap::Args)]
pub struct OpenedBy {
    #[command(flatten)]
    figure: explain::Arguments,
    /// Where the contributions begin: `next` of the answer before
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    cursor: usize,
}

/// A figure, opened.
#[derive(Serialize, ToSchema)]
pub struct Explanation {
    metric: String,
    variant: String,
    period: OpenedPeriod,
    name: String,
    definition: String,
    formula: String,
    policy: String,
    /// What the policy says.
    settings: Vec<Setting>,
    /// The exact value; null where there is none, and the note says why.
    value: Option<String>,
    unit: String,
    note: Option<String>,
    /// MRR before the first day that the metric looks at; null where it is not counted from MRR.
    opening: Option<String>,
    /// What the movements below add up to.
    moved: Option<String>,
    /// MRR after the last day.
    closing: Option<String>,
    /// The sum above the line, where the figure is a ratio.
    numerator: Option<String>,
    /// The sum below it.
    denominator: Option<String>,
    /// The figure by the dimensions asked for.
    split: Vec<Said>,
    /// What it is made of: movements of MRR, those of the customers that moved it most first, and other facts, those that
    /// add most first.
    contributions: Vec<Contributed>,
    /// How many there are in all.
    count: usize,
    /// Where the next ones begin: `cursor` of the next question.
    next: Option<String>,
    /// The measures that are counted from other facts than movements, with what their facts add up to.
    measures: Vec<OfMeasure>,
}

/// A measure and the facts under it.
#[derive(Serialize, ToSchema)]
pub struct OfMeasure {
    measure: &'static str,
    words: String,
    /// The first day that is looked at.
    from: String,
    /// The last day that is looked at.
    to: String,
    /// part, where the facts add up to the measure, or basis, where it is worked out from them.
    role: &'static str,
    facts: usize,
    /// What the facts add up to.
    sum: String,
    unit: String,
}

/// The period that was opened.
#[derive(Serialize, ToSchema)]
pub struct OpenedPeriod {
    from: String,
    /// The last day of the period.
    to: String,
    grain: &'static str,
    partial: bool,
    /// The first day that the metric looks at.
    looks_from: String,
    /// The last day that the metric looks at.
    looks_to: String,
}

/// A setting of the policy.
#[derive(Serialize, ToSchema)]
pub struct Setting {
    name: &'static str,
    value: String,
}

/// A movement or a fact under a figure.
#[derive(Serialize, ToSchema)]
pub struct Contributed {
    /// The measure that it adds to.
    measure: &'static str,
    /// Whom it is about.
    customer: String,
    /// What people call it.
    customer_name: Option<String>,
    day: Option<String>,
    /// What it is: of a movement the subscription and plan, of a fact what the source calls it.
    words: String,
    /// The kind of movement, or of fact.
    kind: Option<String>,
    /// What it adds.
    value: Option<String>,
    unit: String,
    /// The file and row.
    source: String,
    confidence: Option<&'static str>,
    mrr_before: Option<String>,
    mrr_after: Option<String>,
}

fn open(session: &Session, asked: &OpenedBy) -> Result<Explanation, CommandError> {
    let opened = explain::open(session, &asked.figure)?;
    let language = session.language()?;
    let books = &opened.books;
    let origins = Origins::kept(books)?;
    let decimals = books.reporting.decimals();
    let code = books.reporting.code();
    let money = |micros: i128| print_micros(micros, decimals);
    let unit_text = |unit: Unit| if unit == Unit::Money { code.to_owned() } else { unit.name().to_owned() };
    let of_ledger = |text: String| opened.of_ledger.then_some(text);
    // The customers that moved it most come first, each with its movements in order.
    let mut of_customer: HashMap<u32, i128> = HashMap::new();
    for row in &opened.rows {
        *of_customer.entry(row.customer).or_default() += row.delta_micros;
    }
    let mut rows: Vec<&Listed> = opened.rows.iter().collect();
    rows.sort_by_key(|row| {
        (std::cmp::Reverse(of_customer.get(&row.customer).map_or(0, |sum| sum.abs())), row.customer)
    });
    let facts: Vec<_> =
        opened.found.iter().flat_map(|of| of.largest().into_iter().map(move |fact| (of, fact))).collect();
    let count = rows.len() + facts.len();
    let limit = asked.figure.limit.clamp(1, 1_000);
    let end = asked.cursor.saturating_add(limit).min(count);
    let mut contributions = Vec::new();
    for place in asked.cursor..end {
        if let Some(row) = rows.get(place) {
            let origin = origins.of(row.movement.fact);
            contributions.push(Contributed {
                measure: "mrr",
                customer: books.customer_id(row.customer),
                customer_name: None,
                day: Some(row.day.to_string()),
                words: format!("{} {}", row.subscription, row.plan).trim().to_owned(),
                kind: Some(row.movement.kind.name().to_owned()),
                value: Some(money(row.delta_micros)),
                unit: code.to_owned(),
                source: origin.map_or_else(String::new, |origin| origin.place()),
                confidence: Some(row.movement.confidence.name()),
                mrr_before: Some(money(row.before_micros)),
                mrr_after: Some(money(row.after_micros)),
            });
        } else if let Some((of, fact)) = facts.get(place - rows.len()) {
            contributions.push(Contributed {
                measure: of.measure.id,
                customer: fact.who.clone(),
                customer_name: None,
                day: Some(fact.day.to_string()),
                words: fact.fact.clone(),
                kind: Some(fact.kind.to_owned()),
                value: Some(value_text(&fact.value, of.unit, decimals)),
                unit: unit_text(of.unit),
                source: format!("{}:{}", origins.file(fact.import).unwrap_or_default(), fact.row),
                confidence: None,
                mrr_before: None,
                mrr_after: None,
            });
        }
    }
    let names = session.names(contributions.iter().map(|line: &Contributed| line.customer.as_str()))?;
    for line in &mut contributions {
        line.customer_name = names.get(&line.customer).cloned();
    }
    let question = &opened.question;
    let (entry, variant) = (&opened.metric.metric, &opened.metric.variant);
    let whole = opened.whole.first();
    let parts = whole.map(|figure| opened.parts(figure)).transpose()?.flatten();
    let (numerator, denominator) = parts.map_or((None, None), |(above, below)| (Some(above), Some(below)));
    let value = whole.map(|figure| figure.text(decimals)).filter(|text| !text.is_empty());
    let policy = &books.view.policy;
    Ok(Explanation {
        metric: entry.id.clone(),
        variant: variant.name.clone(),
        period: OpenedPeriod {
            from: question.from.to_string(),
            to: question.to.plus_days(-1).to_string(),
            grain: question.grain.name(),
            partial: whole.is_some_and(|figure| is_partial(books, figure)),
            looks_from: opened.start.to_string(),
            looks_to: opened.end.plus_days(-1).to_string(),
        },
        name: entry.name.say(language).to_owned(),
        definition: entry.definition.say(language).to_owned(),
        formula: variant.formula.clone().unwrap_or_else(|| entry.formula.clone()),
        policy: books.view.policy_name.clone(),
        settings: policy.settings().into_iter().map(|(name, value)| Setting { name, value }).collect(),
        value,
        unit: unit_text(variant.unit),
        note: whole.and_then(|figure| Some(figure.note.as_ref()?.say(language).to_owned())),
        opening: of_ledger(money(opened.opening)),
        moved: of_ledger(money(opened.rows.iter().map(|row| row.delta_micros).sum())),
        closing: of_ledger(money(opened.closing)),
        numerator,
        denominator,
        split: opened.split.iter().map(|figure| Said::of(books, figure, &asked.figure.by, language)).collect(),
        contributions,
        count,
        next: (end < count).then(|| end.to_string()),
        measures: opened
            .found
            .iter()
            .map(|of| OfMeasure {
                measure: of.measure.id,
                words: of.measure.words.say(language).to_owned(),
                from: of.from.to_string(),
                to: of.to.plus_days(-1).to_string(),
                role: of.role.name(),
                facts: of.facts.len(),
                sum: value_text(&of.sum(), of.unit, decimals),
                unit: unit_text(of.unit),
            })
            .collect(),
    })
}
