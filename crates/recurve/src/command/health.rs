//! `recurve health`: how customers are doing, the least healthy first, and why; how that went day by day; and what the index
//! is made of.

use revenue::{calendar::Day, money::print_micros};
use warehouse::{
    books::Books,
    engine::{
        health::{EARLIER_DAYS, LEAVING_DAYS, Model, RECENT_DAYS, Way},
        standing::{Place, Standings},
        survival::customers_by,
    },
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
    /// Only so many customers, the least healthy
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Look only at this, such as country=FR
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
    /// List instead what the index is made of: what was tried, what was chosen, and how well it tells who leaves
    #[arg(long, conflicts_with_all = ["at", "limit", "filters"])]
    model: bool,
    /// List instead the index of so many days up to that one, a day a row, of the customers that are named
    #[arg(long, value_name = "N", requires = "customers", conflicts_with_all = ["limit", "filters", "model"],
        value_parser = clap::value_parser!(u16).range(1..=366))]
    days: Option<u16>,
    /// Whose, by id
    #[arg(long = "customer", value_name = "ID", requires = "days")]
    customers: Vec<String>,
}

/// So many customers are looked at day by day at once.
const MOST_AT_ONCE: usize = 200;

/// Lists paying customers, or the model.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Paying customers, or the model.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let books = session.books()?;
    match (arguments.model, arguments.days) {
        (true, _) => model(sheet, &books),
        (false, Some(days)) => by_day(sheet, &books, arguments, i32::from(days)),
        (false, None) => customers(session, sheet, &books, arguments),
    }
}

/// The index of some customers day by day: what they had done by the end of each day, under the weights of now. A day on
/// which nothing was known of them has no index.
fn by_day(sheet: &mut dyn Sheet, books: &Books, arguments: &Arguments, days: i32) -> Result<Outcome, CommandError> {
    if arguments.customers.len() > MOST_AT_ONCE {
        return Err(CommandError::Usage(format!("{MOST_AT_ONCE} customers at the most are looked at day by day")));
    }
    let Some(model) = Model::of(books)? else { return Err(no_events()) };
    let end = end(arguments, books)?;
    sheet.begin(["customer", "day", "health"])?;
    for id in &arguments.customers {
        let Some(customer) = books.customer_of_id(id) else {
            return Err(CommandError::Usage(format!("there is no customer `{id}`")));
        };
        for day in (0..days).rev().map(|before| end.plus_days(-1 - before)) {
            let health = model.health(customer, day.plus_days(1));
            let points = health.map_or(Cell::Empty, |health| Cell::Number(format!("{:.1}", health.index)));
            sheet.row(&[Cell::text(id.as_str()), Cell::Day(day), points])?;
        }
    }
    Ok(Outcome::Done)
}

/// The first day that is not looked at any more.
fn end(arguments: &Arguments, books: &Books) -> Result<Day, CommandError> {
    Ok(match &arguments.at {
        Some(text) => session::day(text, "at")?.plus_days(1),
        None => books.first_day_to_come(),
    })
}

fn no_events() -> CommandError {
    CommandError::Usage(
        "health is judged by what customers do in the product, and no product events are known; import them with \
         `recurve import events FILE`"
            .to_owned(),
    )
}

fn customers(
    session: &Session,
    sheet: &mut dyn Sheet,
    books: &Books,
    arguments: &Arguments,
) -> Result<Outcome, CommandError> {
    let end = end(arguments, books)?;
    let segmentation = customers_by(books, &session.assumptions()?, &[], &session::filters(&arguments.filters)?)?;
    let standings = Standings::new(books)?;
    let Some(model) = &standings.model else { return Err(no_events()) };
    let mut places = standings.before(end);
    places.retain(|place| place.known.mrr_micros > 0 && segmentation.has_customer(place.customer as usize));
    // The least healthy come first, of equals those who pay most; of whom nothing is known come last.
    let order = |place: &Place| (place.known.health.unwrap_or(f64::INFINITY), place.known.mrr_micros);
    places.sort_by(|one, other| {
        let ((one_health, one_mrr), (other_health, other_mrr)) = (order(one), order(other));
        one_health.total_cmp(&other_health).then(other_mrr.cmp(&one_mrr)).then(one.customer.cmp(&other.customer))
    });
    places.truncate(arguments.limit.unwrap_or(usize::MAX));
    let columns = ["customer", "health", "change", "segment", "at_risk", "mrr", "currency", "reasons"];
    sheet.begin(columns)?;
    for place in places {
        let points = |points: f64| Cell::Number(format!("{points:.1}"));
        let known = place.known;
        let change = known.health.zip(known.health_before).map(|(now, before)| now - before);
        let reasons = match model.judge(place.customer, end) {
            None => format!("not seen in the {} days before", RECENT_DAYS + EARLIER_DAYS),
            Some(judgement) => {
                let words = judgement.reasons.iter().map(|(event, points)| format!("{event} {points:+.1}"));
                words.collect::<Vec<_>>().join(", ")
            }
        };
        sheet.row(&[
            Cell::text(books.customer_id(place.customer)),
            known.health.map_or(Cell::Empty, points),
            change.map_or(Cell::Empty, points),
            Cell::text(place.standing.segment.name()),
            Cell::text(if place.standing.is_at_risk { "yes" } else { "no" }),
            Cell::Number(print_micros(known.mrr_micros.into(), books.reporting.decimals())),
            Cell::text(books.reporting.code()),
            Cell::text(reasons),
        ])?;
    }
    Ok(Outcome::Done)
}

/// One line of the model: what it is about, a number and its error, and words.
struct Line {
    item: &'static str,
    event: String,
    look: &'static str,
    value: Cell,
    error: Cell,
    note: String,
}

impl Line {
    fn new(item: &'static str, value: Cell, note: impl Into<String>) -> Self {
        Self { item, event: String::new(), look: "", value, error: Cell::Empty, note: note.into() }
    }
}

fn count(number: usize) -> Cell {
    Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

fn model(sheet: &mut dyn Sheet, books: &Books) -> Result<Outcome, CommandError> {
    let Some(model) = Model::of(books)? else { return Err(no_events()) };
    sheet.begin(["item", "event", "look", "value", "error", "note"])?;
    for line in lines(&model) {
        sheet.row(&[
            Cell::text(line.item),
            Cell::text(line.event),
            Cell::text(line.look),
            line.value,
            line.error,
            Cell::text(line.note),
        ])?;
    }
    Ok(Outcome::Done)
}

fn lines(model: &Model) -> Vec<Line> {
    let share = |number: f64| Cell::Number(format!("{number:.3}"));
    let (way, evidence) = match &model.way {
        Way::Learnt(evidence) => ("learnt", Some(evidence)),
        Way::ByHand => ("by_hand", None),
        Way::TooFew { .. } => ("most_used", None),
        Way::NothingSeparates(evidence) => ("most_used", Some(evidence)),
    };
    let mut lines = vec![Line::new("weights", Cell::text(way), model.says().en)];
    if let [latest, .., earliest] | [latest @ earliest] = model.ground.snapshots.as_slice() {
        lines.push(Line::new(
            "days_looked_back_to",
            count(model.ground.snapshots.len()),
            format!("{earliest} to {latest}, and for each who left within {LEAVING_DAYS} days"),
        ));
        lines.push(Line::new(
            "left_out_for_payment",
            count(model.ground.lost_to_payment),
            "samples whose payments failed or were disputed: use does not announce it",
        ));
        lines.push(Line::new(
            "left_out_unseen",
            count(model.ground.never_seen),
            format!("samples of customers not seen in the {} days before", RECENT_DAYS + EARLIER_DAYS),
        ));
    }
    if let Some(evidence) = evidence {
        lines.push(Line::new(
            "samples",
            count(evidence.samples),
            format!("paying customers at these days, of whom {} then left", evidence.churned),
        ));
        lines.push(Line::new("customers_left", count(evidence.customers_left), "customers among them who left"));
        lines.push(Line::new("customers_stayed", count(evidence.customers_stayed), "customers among them who stayed"));
        lines.push(Line {
            error: share(evidence.standard_error),
            ..Line::new(
                "separation",
                share(evidence.separation),
                "how often, of one who left and one who stayed, the one who left has the lower index, judged by weights \
                 that had seen neither; 0.5 is a coin",
            )
        });
    }
    for weight in model.weights() {
        let (value, note) = match weight.usual {
            Some((usual, deviation)) => (
                Cell::Number(format!("{:.1}", weight.weight)),
                format!("points for one deviation ({deviation:.2}) above the usual ({usual:.2})"),
            ),
            None if weight.users == 0 => (share(weight.weight), "share of the index; nobody ever did it".to_owned()),
            None => (share(weight.weight), format!("share of the index; done by {} customers", weight.users)),
        };
        let look = weight.shape.map_or("kept", |shape| shape.name());
        lines.push(Line { event: weight.event, look, ..Line::new("weight", value, note) });
    }
    for tried in evidence.map_or(&[][..], |evidence| evidence.tried.as_slice()) {
        let Some(feature) = model.features.get(tried.feature) else { continue };
        let note = if tried.is_chosen { "chosen" } else { "" };
        lines.push(Line {
            event: feature.event.clone(),
            look: feature.shape.name(),
            ..Line::new("tried", share(tried.separation), note)
        });
    }
    lines
}
