//! What people keep: notes, which are facts, targets, which are settings of the folder, and views.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::{Method, StatusCode},
};
use revenue::calendar::Day;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use warehouse::import::{Answer, Statement};

use super::{
    access::Caller,
    company::instant,
    doors,
    imports::writable,
    ingest::Reply,
    people::secret,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{
    command::{CommandError, Outcome, target},
    listing::{Cell, Sheet},
    notes::{ANNOTATION, DASHBOARD, Note, all, kind},
    session::{Session, clock},
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::list("/notes", "Notes at a day: annotations, interviews, plans", &["customer"], notes).for_shared(),
        Route::other(Method::POST, "/notes", Who::Editor, "Keep a note, as a fact", add_note)
            .takes::<NewNote>()
            .gives::<Added>(),
        Route::other(
            Method::PUT,
            "/notes/{id}",
            Who::Editor,
            "Say a note anew, as a newer version of the fact; what is not said stays as it is",
            change_note,
        )
        .takes::<ChangedNote>()
        .gives::<Added>()
        .asks::<OfSource>(),
        Route::other(
            Method::DELETE,
            "/notes/{id}",
            Who::Editor,
            "Withdraw a note: what was known before keeps it",
            remove_note,
        )
        .gives::<Added>()
        .asks::<OfSource>(),
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

/// Which notes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OfNotes {
    /// Only those about this customer
    #[arg(long)]
    customer: Option<String>,
}

/// Lists them, by day. Who may not be told who the customers are is told what happened to the business, and no more.
pub fn notes(session: &Session, asked: &OfNotes, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin(["id", "day", "kind", "title", "body", "words", "customer", "author", "question", "source"])?;
    let is_shown = |note: &Note| match session.hides_customers {
        true => note.kind() == ANNOTATION && note.of("customer").is_empty(),
        false => asked.customer.as_ref().is_none_or(|wanted| note.of("customer") == wanted),
    };
    for note in all(&session.lake, session.view(None)?.as_known_at)?.iter().filter(|note| is_shown(note)) {
        sheet.row(&[
            Cell::text(note.of("note")),
            Cell::text(note.of("day")),
            Cell::text(note.kind()),
            Cell::text(note.of("title")),
            Cell::text(note.of("body")),
            Cell::text(note.words()),
            Cell::text(note.of("customer")),
            Cell::text(note.of("author")),
            Cell::text(note.of("question")),
            Cell::text(&note.source),
        ])?;
    }
    Ok(Outcome::Done)
}

/// A note.
#[derive(Deserialize, ToSchema)]
pub struct NewNote {
    /// The day that it is about.
    day: String,
    /// What is said; of a note with a title, below it.
    words: String,
    /// What it is about; a note without a title is its title.
    title: Option<String>,
    /// annotation, interview, competitor or plan; annotation unless set.
    kind: Option<String>,
    customer: Option<String>,
}

/// What a note says now. What is not said stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct ChangedNote {
    /// The day that it is about.
    day: Option<String>,
    /// What is said; of a note with a title, below it.
    words: Option<String>,
    /// What it is about, where words are said too; a note without a title is its title.
    title: Option<String>,
    /// annotation, interview, competitor or plan.
    kind: Option<String>,
    /// The customer that it is about; empty for none.
    customer: Option<String>,
}

/// Which of the notes of an id.
#[derive(Deserialize, clap::Args)]
pub struct OfSource {
    /// Whose note it is, where several sources have one of this id
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
}

/// What was added, or removed.
#[derive(Serialize, ToSchema)]
pub struct Added {
    pub id: String,
}

/// What cannot be kept as it was said.
pub fn wrong(words: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "not_kept", words)
}

/// A day that is said.
pub fn day(text: &str) -> Result<Day, Refusal> {
    Day::parse(text).ok_or_else(|| wrong(format!("`{text}` is no day; write it as 2024-01-31")))
}

/// What may be said of a note in words, and how: without a title they are the title.
fn titled<'a>(words: &'a str, title: Option<&'a str>) -> Result<(&'a str, &'a str), Refusal> {
    if words.trim().is_empty() || words.len() > 20_000 {
        return Err(wrong("a note has from 1 to 20000 bytes of words"));
    }
    Ok(match title.map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => (title, words),
        None => (words, ""),
    })
}

/// Has a note stated, or withdrawn, by the road of all facts, and waits until it is served.
async fn state(server: &Arc<Server>, caller: &Caller, note: &Note, is_withdrawn: bool) -> Result<(), Refusal> {
    let kind = kind().ok_or_else(Refusal::failed)?;
    let (source, origin): (Arc<str>, Arc<str>) =
        (note.source.as_str().into(), format!("{DASHBOARD} ({})", caller.name).into());
    let statement = match is_withdrawn {
        true => Statement::withdrawal(kind, &source, &origin, [("note", note.of("note"))]),
        false => Statement::row(kind, &source, &origin, note.stated()),
    };
    settle(server, statement).await
}

/// Has one fact stated, and waits until it is served.
pub async fn settle(server: &Arc<Server>, statement: Statement) -> Result<(), Refusal> {
    let reply = server.ingest.hand_over(vec![statement], None)?.await.map_err(|_| Refusal::failed())??;
    let Reply::Settled(settled) = reply else { return Err(Refusal::failed()) };
    if let Some(Answer::Refused(issues)) = settled.answers.first() {
        let why = issues.first().map(|issue| format!("{}; {}", issue.message, issue.help()));
        return Err(wrong(why.unwrap_or_default()));
    }
    if let Some((_, snapshot)) = settled.committed {
        server.catch_up(snapshot.0).await;
    }
    Ok(())
}

/// Has a note stated that was written here.
pub async fn write_down(server: &Arc<Server>, caller: &Caller, cells: &[(&str, &str)]) -> Result<(), Refusal> {
    let note = Note { source: DASHBOARD.to_owned(), cells: Vec::new() }.with(cells);
    state(server, caller, &note, false).await
}

/// Has a note withdrawn that was written here; nothing happens where there is none.
pub async fn take_back(server: &Arc<Server>, caller: &Caller, id: &str) -> Result<(), Refusal> {
    let note = Note { source: DASHBOARD.to_owned(), cells: Vec::new() }.with(&[("note", id)]);
    state(server, caller, &note, true).await
}

async fn add_note(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewNote>,
) -> Result<Json<Added>, Refusal> {
    let at = day(&asked.day)?;
    let (title, body) = titled(&asked.words, asked.title.as_deref())?;
    let id = format!("n-{}", &secret()?[..16]);
    let cells = [
        ("note", id.as_str()),
        ("day", &at.to_string()),
        ("kind", asked.kind.as_deref().unwrap_or(ANNOTATION)),
        ("title", title),
        ("body", body),
        ("customer", asked.customer.as_deref().unwrap_or_default()),
        ("author", &caller.name),
    ];
    write_down(&server, &caller, &cells).await?;
    doors::note(&server, &caller.name, "noted", &id).await?;
    Ok(Json(Added { id }))
}

/// The note of an id, of the source that is named; else the one that was written here, or the only one.
async fn find(server: &Arc<Server>, id: &str, source: Option<String>) -> Result<Note, Refusal> {
    let of = Arc::clone(server);
    let known = tokio::task::spawn_blocking(move || all(&of.lake, None).map_err(CommandError::Import));
    let mut known = known.await.map_err(|_| Refusal::failed())??;
    known.retain(|note| note.of("note") == id && source.as_ref().is_none_or(|source| note.source == *source));
    match known.iter().position(|note| note.source == DASHBOARD) {
        Some(place) => Ok(known.swap_remove(place)),
        None if known.len() > 1 => {
            let sources = known.iter().map(|note| note.source.as_str()).collect::<Vec<_>>().join(", ");
            let words = format!("several sources have a note of this id ({sources}); say which with `source`");
            Err(Refusal::new(StatusCode::CONFLICT, "several_sources", words))
        }
        None => known.pop().ok_or_else(|| Refusal::missing("there is no such note; it may have been withdrawn")),
    }
}

/// States a note anew under its own source, so that it is a newer version of the same fact.
async fn change_note(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(of): Query<OfSource>,
    Json(asked): Json<ChangedNote>,
) -> Result<Json<Added>, Refusal> {
    let mut note = find(&server, &id, of.source).await?;
    if let Some(text) = &asked.day {
        note = note.with(&[("day", &day(text)?.to_string())]);
    }
    match (&asked.words, &asked.title) {
        (Some(words), title) => {
            let (title, body) = titled(words, title.as_deref())?;
            note = note.with(&[("title", title), ("body", body)]);
        }
        (None, Some(_)) => return Err(wrong("a title is said with the words below it; send `words` too")),
        (None, None) => {}
    }
    for (column, text) in [("kind", &asked.kind), ("customer", &asked.customer)] {
        if let Some(text) = text {
            note = note.with(&[(column, text)]);
        }
    }
    state(&server, &caller, &note, false).await?;
    doors::note(&server, &caller.name, "changed a note", &id).await?;
    Ok(Json(Added { id }))
}

/// Withdraws a note: it holds no more, and stays in what was known before.
async fn remove_note(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(of): Query<OfSource>,
) -> Result<Json<Added>, Refusal> {
    let note = find(&server, &id, of.source).await?;
    state(&server, &caller, &note, true).await?;
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
