//! What people keep: notes, which are facts, targets, which are settings of the folder, and views.

use std::sync::{Arc, atomic::AtomicBool};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{Method, StatusCode},
};
use revenue::calendar::Day;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use warehouse::{
    import::{Export, ImportRequest, export, preview},
    kind::{KINDS, Kind},
};

use super::{
    access::Caller,
    company::instant,
    doors,
    imports::{import_now, writable},
    people::secret,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{
    command::{CommandError, Outcome, target},
    listing::{Cell, Sheet},
    session::{Session, clock},
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::list("/notes", "Notes at a day: annotations, interviews, plans", &["customer"], notes).for_shared(),
        Route::other(Method::POST, "/notes", Who::Editor, "Keep a note, as a fact", add_note)
            .takes::<NewNote>()
            .gives::<Added>(),
        Route::other(Method::DELETE, "/notes/{id}", Who::Editor, "Withdraw a note that was kept here", remove_note)
            .gives::<Added>(),
        Route::list(
            "/targets",
            "Targets, where they should be by now, and the chance of being met",
            &["period"],
            target::answer,
        )
        .for_shared(),
        Route::other(Method::POST, "/targets", Who::Editor, "Keep a target", add_target)
            .takes::<NewTarget>()
            .gives::<Added>(),
        Route::other(Method::DELETE, "/targets/{id}", Who::Editor, "Forget a target", remove_target).gives::<Added>(),
        Route::other(Method::GET, "/views", Who::Viewer, "Views that were saved", views).gives::<Views>(),
        Route::other(Method::POST, "/views", Who::Editor, "Save a view", add_view)
            .takes::<SavedView>()
            .gives::<Added>(),
        Route::other(Method::DELETE, "/views/{id}", Who::Editor, "Forget a view", remove_view).gives::<Added>(),
    ]
}

/// What facts that were written here come from.
const SOURCE: &str = "dashboard";

/// The kind of fact that notes are.
fn kind() -> Result<&'static Kind, Refusal> {
    KINDS.iter().find(|kind| kind.table == "note").ok_or_else(Refusal::failed)
}

/// Which notes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OfNotes {
    /// Only those about this customer
    #[arg(long)]
    customer: Option<String>,
}

/// The columns of notes with the cells of each.
fn all(rows: Export) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let columns = rows.columns().iter().map(|column| column.name.clone()).collect();
    (columns, rows.collect())
}

/// Lists them, by day.
pub fn notes(session: &Session, asked: &OfNotes, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin(["id", "day", "kind", "title", "words", "customer", "author"])?;
    let Some(kind) = KINDS.iter().find(|kind| kind.table == "note") else { return Ok(Outcome::Done) };
    let (columns, mut rows) = all(export(&session.lake, kind, None, session.view(None)?.as_known_at)?);
    let place = |name: &str| columns.iter().position(|column| column == name);
    let (note, day, what, title, body, customer, author) =
        (place("note"), place("day"), place("kind"), place("title"), place("body"), place("customer"), place("author"));
    let text = |row: &[Option<String>], at: Option<usize>| at.and_then(|at| row.get(at)?.clone()).unwrap_or_default();
    rows.retain(|row| asked.customer.as_ref().is_none_or(|wanted| text(row, customer) == *wanted));
    rows.sort_by_key(|row| (text(row, day), text(row, note)));
    for row in &rows {
        let (title, body) = (text(row, title), text(row, body));
        let words = match (title.is_empty(), body.is_empty()) {
            (false, false) => format!("{title}: {body}"),
            _ => format!("{title}{body}"),
        };
        let what = text(row, what);
        sheet.row(&[
            Cell::text(text(row, note)),
            Cell::text(text(row, day)),
            Cell::text(if what.is_empty() { "annotation".to_owned() } else { what }),
            Cell::text(title),
            Cell::text(words),
            Cell::text(text(row, customer)),
            Cell::text(text(row, author)),
        ])?;
    }
    Ok(Outcome::Done)
}

/// A note.
#[derive(Deserialize, ToSchema)]
pub struct NewNote {
    /// The day that it is about.
    day: String,
    words: String,
    title: Option<String>,
    /// annotation, interview, competitor or plan; annotation unless set.
    kind: Option<String>,
    customer: Option<String>,
}

/// What was added, or removed.
#[derive(Serialize, ToSchema)]
pub struct Added {
    pub id: String,
}

fn wrong(words: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "not_kept", words)
}

fn day(text: &str) -> Result<Day, Refusal> {
    Day::parse(text).ok_or_else(|| wrong(format!("`{text}` is no day; write it as 2024-01-31")))
}

/// A field of CSV.
fn field(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Imports lines of CSV as notes of the dashboard.
async fn import(server: &Arc<Server>, lines: String, replace: bool) -> Result<(), Refusal> {
    let folder = server.options.data.join("uploads").join(secret()?);
    let file = folder.join("notes.csv");
    let written = async {
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::write(&file, lines).await
    };
    written.await.map_err(CommandError::Output)?;
    let request = ImportRequest { source: SOURCE.to_owned(), replace, ..ImportRequest::new(kind()?, &file, clock()) };
    let outcome = match looked_at(server, &request).await {
        Ok(()) => import_now(server, request).await,
        refused => refused,
    };
    // It was a way to the importer, nothing else.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    outcome
}

/// Refuses what an import would refuse, before anything is written.
async fn looked_at(server: &Arc<Server>, request: &ImportRequest) -> Result<(), Refusal> {
    let (of, request) = (Arc::clone(server), request.clone());
    let looked = tokio::task::spawn_blocking(move || {
        preview(&of.options.data, &request, &mut |_| {}, &AtomicBool::new(false)).map_err(CommandError::Import)
    });
    let report = looked.await.map_err(|_| Refusal::failed())??;
    match report.issues.first() {
        None => Ok(()),
        Some(issue) => Err(wrong(format!("{}; {}", issue.message, issue.help()))),
    }
}

async fn add_note(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewNote>,
) -> Result<Json<Added>, Refusal> {
    let at = day(&asked.day)?;
    if asked.words.trim().is_empty() || asked.words.len() > 20_000 {
        return Err(wrong("a note has from 1 to 20000 bytes of words"));
    }
    let id = format!("n-{}", &secret()?[..16]);
    // A note without a title is its title.
    let (title, body) = match asked.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => (title, asked.words.as_str()),
        None => (asked.words.as_str(), ""),
    };
    let cells = [
        id.as_str(),
        &at.to_string(),
        asked.kind.as_deref().unwrap_or("annotation"),
        title,
        body,
        asked.customer.as_deref().unwrap_or_default(),
        &caller.name,
    ];
    let line = cells.map(field).join(",");
    import(&server, format!("note,day,kind,title,body,customer,author\n{line}\n"), false).await?;
    doors::note(&server, &caller.name, "noted", &id).await?;
    Ok(Json(Added { id }))
}

/// Withdraws a note: the notes of the dashboard without it are the whole truth from now on.
async fn remove_note(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Added>, Refusal> {
    let (of, wanted) = (Arc::clone(&server), id.clone());
    let rest = tokio::task::spawn_blocking(move || -> Result<Option<String>, Refusal> {
        let rows = export(&of.lake, kind()?, Some(SOURCE), None).map_err(CommandError::Import)?;
        let (columns, rows) = all(rows);
        let Some(place) = columns.iter().position(|column| column == "note") else { return Ok(None) };
        let before = rows.len();
        let rows: Vec<_> = rows.into_iter().filter(|row| row[place].as_deref() != Some(wanted.as_str())).collect();
        if rows.len() == before {
            return Ok(None);
        }
        let mut lines = columns.join(",");
        for row in &rows {
            let cells: Vec<String> = row.iter().map(|cell| field(cell.as_deref().unwrap_or_default())).collect();
            lines.push('\n');
            lines.push_str(&cells.join(","));
        }
        lines.push('\n');
        Ok(Some(lines))
    })
    .await
    .map_err(|_| Refusal::failed())??;
    let Some(lines) = rest else {
        return Err(Refusal::missing(
            "there is no such note that was kept here; notes of files are corrected by files",
        ));
    };
    import(&server, lines, true).await?;
    doors::note(&server, &caller.name, "withdrew", &id).await?;
    Ok(Json(Added { id }))
}

/// A target of a metric.
#[derive(Deserialize, ToSchema)]
pub struct NewTarget {
    /// The metric, such as mrr or customer_churn.midpoint.
    metric: String,
    /// What should be reached, such as 15000 or 5%.
    wanted: String,
    /// The month at whose end it should be reached.
    by: String,
    /// The month from which the way is measured; the last full one unless set.
    from: Option<String>,
    /// Whose it is.
    owner: Option<String>,
}

/// Changes settings of the folder, and waits until the change is served.
pub async fn change<T: Send + 'static>(
    server: &Arc<Server>,
    work: impl FnOnce(&Session) -> Result<T, CommandError> + Send + 'static,
) -> Result<T, Refusal> {
    let of = Arc::clone(server);
    let changed = tokio::task::spawn_blocking(move || {
        let _turn = of.imports.turn();
        let lake = writable(&of)?;
        let known = of.version.borrow().known;
        let session = Session::of_kept(of.options.clone(), lake, Arc::clone(&of.shelf), known)?;
        work(&session)
    });
    let changed = changed.await.map_err(|_| Refusal::failed())??;
    server.catch_up_with_settings().await;
    Ok(changed)
}

/// A view: a name for an address of the app.
#[derive(Serialize, Deserialize, ToSchema, Clone)]
pub struct SavedView {
    name: String,
    /// The path and query of the app.
    address: String,
}

/// A view that is kept.
#[derive(Serialize, ToSchema)]
pub struct KeptView {
    id: String,
    #[serde(flatten)]
    view: SavedView,
    created_by: String,
    created_at: String,
}

/// Views.
#[derive(Serialize, ToSchema)]
pub struct Views {
    rows: Vec<KeptView>,
}

/// What is kept of a kind, as it was said.
async fn kept<T: DeserializeOwned + Send + 'static>(
    server: &Arc<Server>,
    kind: &'static str,
) -> Result<Vec<(String, T, String, String)>, Refusal> {
    let of = Arc::clone(server);
    let kept = tokio::task::spawn_blocking(move || of.people.kept(kind)).await.map_err(|_| Refusal::failed())??;
    // What a newer program kept in another shape is not shown.
    let read = kept.into_iter().filter_map(|kept| {
        let content = serde_json::from_str(&kept.content).ok()?;
        Some((kept.id.to_string(), content, kept.created_by, instant(kept.created_at)))
    });
    Ok(read.collect())
}

async fn keep<T: Serialize>(
    server: &Arc<Server>,
    kind: &'static str,
    caller: &Caller,
    what: &T,
) -> Result<Json<Added>, Refusal> {
    let content = serde_json::to_string(what).map_err(|_| Refusal::failed())?;
    let (of, who) = (Arc::clone(server), caller.name.clone());
    let id = tokio::task::spawn_blocking(move || {
        let id = of.people.keep(kind, &content, &who, clock())?;
        of.people.note(&who, "kept", &format!("{kind} {id}"), clock())?;
        Ok::<i64, super::people::PeopleError>(id)
    });
    let id = id.await.map_err(|_| Refusal::failed())??;
    Ok(Json(Added { id: id.to_string() }))
}

async fn forget(server: &Arc<Server>, kind: &'static str, caller: &Caller, id: i64) -> Result<Json<Added>, Refusal> {
    let (of, who) = (Arc::clone(server), caller.name.clone());
    let was_there = tokio::task::spawn_blocking(move || {
        let was_there = of.people.forget(kind, id)?;
        if was_there {
            of.people.note(&who, "forgot", &format!("{kind} {id}"), clock())?;
        }
        Ok::<bool, super::people::PeopleError>(was_there)
    });
    match was_there.await.map_err(|_| Refusal::failed())?? {
        true => Ok(Json(Added { id: id.to_string() })),
        false => Err(Refusal::missing("there is no such thing to forget")),
    }
}

const VIEW: &str = "view";

async fn add_target(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewTarget>,
) -> Result<Json<Added>, Refusal> {
    let id = change(&server, move |session| {
        let owner = asked.owner.as_deref().unwrap_or_default();
        let from = asked.from.as_deref();
        target::add(
            session,
            &target::Wanted { metric: &asked.metric, wanted: &asked.wanted, by: &asked.by, from, owner },
        )
    })
    .await?;
    doors::note(&server, &caller.name, "set a target", &id).await?;
    Ok(Json(Added { id }))
}

async fn remove_target(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Added>, Refusal> {
    let name = id.clone();
    change(&server, move |session| target::remove(session, &name)).await?;
    doors::note(&server, &caller.name, "took a target away", &id).await?;
    Ok(Json(Added { id }))
}

async fn views(State(server): State<Arc<Server>>) -> Result<Json<Views>, Refusal> {
    let rows = kept::<SavedView>(&server, VIEW).await?.into_iter();
    let rows = rows.map(|(id, view, created_by, created_at)| KeptView { id, view, created_by, created_at });
    Ok(Json(Views { rows: rows.collect() }))
}

async fn add_view(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<SavedView>,
) -> Result<Json<Added>, Refusal> {
    let is_ours = asked.address.starts_with('/') && !asked.address.starts_with("//");
    if asked.name.trim().is_empty() || asked.name.len() > 400 || asked.address.len() > 8_000 || !is_ours {
        return Err(wrong("a view has a name and an address of this app that begins with one slash"));
    }
    keep(&server, VIEW, &caller, &asked).await
}

async fn remove_view(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<Json<Added>, Refusal> {
    forget(&server, VIEW, &caller, id).await
}
