//! Who looks after which customer, until when a customer is left alone, and what is to be known about it. Each is a fact, as
//! notes are: the newest of a customer holds, and who knew what at a time can be asked later.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::Method};
use serde::Deserialize;
use utoipa::ToSchema;
use warehouse::{
    import::{Statement, export},
    kind::Kind,
};

use super::{
    access::Caller,
    doors,
    notes::{Added, day, settle, wrong},
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{
    command::{CommandError, Outcome},
    listing::{Cell, Sheet},
    notes::DASHBOARD,
    session::Session,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::list(
            "/follow-ups",
            "Who looks after which customer, and until when it is left alone",
            &["customer"],
            follow_ups,
        ),
        Route::other(Method::POST, "/follow-ups", Who::Editor, "Say who looks after a customer, as a fact", follow_up)
            .takes::<FollowUp>()
            .gives::<Added>(),
    ]
}

/// The kind of fact that follow-ups are.
fn kind() -> Option<&'static Kind> {
    Kind::parse("follow_up")
}

/// Which follow-ups.
#[derive(Debug, Clone, Default, clap::Args)]
struct OfFollowUps {
    /// Only that of this customer
    #[arg(long)]
    customer: Option<String>,
}

const COLUMNS: [&str; 5] = ["customer", "owner", "snoozed_until", "words", "author"];

/// Lists them by customer. One that says nothing any more is none.
fn follow_ups(session: &Session, asked: &OfFollowUps, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin(COLUMNS)?;
    let Some(kind) = kind() else { return Ok(Outcome::Done) };
    let rows = export(&session.lake, kind, None, session.view(None)?.as_known_at)?;
    let columns: Vec<String> = rows.columns().iter().map(|column| column.name.clone()).collect();
    let places = COLUMNS.map(|name| columns.iter().position(|column| column == name));
    let mut rows: Vec<[String; 5]> =
        rows.map(|row| places.map(|at| at.and_then(|at| row.get(at)?.clone()).unwrap_or_default())).collect();
    rows.retain(|[customer, owner, snoozed_until, words, _]| {
        let says = !(owner.is_empty() && snoozed_until.is_empty() && words.is_empty());
        says && asked.customer.as_ref().is_none_or(|wanted| wanted == customer)
    });
    rows.sort_unstable();
    for row in rows {
        sheet.row(&row.map(Cell::text))?;
    }
    Ok(Outcome::Done)
}

/// What holds of a customer from now on; what is not said does not hold any more.
#[derive(Deserialize, ToSchema)]
struct FollowUp {
    customer: String,
    /// Who looks after them.
    owner: Option<String>,
    /// The day from which they are looked at again.
    snoozed_until: Option<String>,
    /// What is to be known.
    words: Option<String>,
}

async fn follow_up(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<FollowUp>,
) -> Result<Json<Added>, Refusal> {
    let said = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_owned();
    let (owner, until, words) = (said(&asked.owner), said(&asked.snoozed_until), said(&asked.words));
    let customer = asked.customer.trim().to_owned();
    if customer.is_empty() || customer.len() > 400 || owner.len() > 400 || words.len() > 20_000 {
        return Err(wrong(
            "a follow-up names a customer, an owner in up to 400 bytes, and has up to 20000 bytes of words",
        ));
    }
    if !until.is_empty() {
        day(&until)?;
    }
    let kind = kind().ok_or_else(Refusal::failed)?;
    let cells = [&customer, &owner, &until, &words, &caller.name];
    let said = COLUMNS.into_iter().zip(cells.map(String::as_str)).filter(|(_, text)| !text.is_empty());
    let (source, origin): (Arc<str>, Arc<str>) = (DASHBOARD.into(), format!("{DASHBOARD} ({})", caller.name).into());
    settle(&server, Statement::row(kind, &source, &origin, said)).await?;
    let deed = match (until.is_empty(), owner.is_empty()) {
        (false, _) => "snoozed",
        (true, false) => "assigned",
        (true, true) => "followed up",
    };
    doors::note(&server, &caller.name, deed, &customer).await?;
    Ok(Json(Added { id: customer }))
}
