//! Closing months over the web, and opening them again.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::Method,
};
use revenue::calendar::Day;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    access::Caller,
    doors,
    notes::{Added, change, take_back, write_down, wrong},
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{
    closes,
    command::close,
    notes::{QUESTIONS, REVIEW, id_of_answer},
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::list(
            "/closes",
            "Months that were closed, and how many of their figures are others now",
            &[],
            close::list,
        ),
        Route::list(
            "/closes/figures",
            "What was reported of a month beside what it is now",
            &["month"],
            close::figures,
        ),
        Route::list(
            "/closes/notes",
            "What was written to the questions of a month, beside what its close kept",
            &["month"],
            close::notes,
        ),
        Route::other(
            Method::PUT,
            "/closes/{month}/notes/{question}",
            Who::Editor,
            "Write to a question of a month (targets, churn, risk, growth, changes or decisions), as a fact",
            answer,
        )
        .takes::<NewAnswer>()
        .gives::<Added>(),
        Route::other(
            Method::DELETE,
            "/closes/{month}/notes/{question}",
            Who::Editor,
            "Take back what was written to a question of a month",
            unanswer,
        )
        .gives::<Added>(),
        Route::other(Method::POST, "/closes", Who::Editor, "Close a month: what it says now is kept", add)
            .takes::<NewClose>()
            .gives::<Added>(),
        Route::other(Method::DELETE, "/closes/{month}", Who::Editor, "Open a month again", remove).gives::<Added>(),
    ]
}

/// A month that is closed.
#[derive(Deserialize, ToSchema)]
pub struct NewClose {
    /// The month, such as 2024-02.
    month: String,
}

async fn add(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewClose>,
) -> Result<Json<Added>, Refusal> {
    let by = caller.name.clone();
    let id = change(&server, move |session| {
        let month = closes::month(session, &asked.month)?;
        closes::close(session, month, &by)?;
        Ok(closes::name_of(month))
    })
    .await?;
    doors::note(&server, &caller.name, "closed a month", &id).await?;
    Ok(Json(Added { id }))
}

async fn remove(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(month): Path<String>,
) -> Result<Json<Added>, Refusal> {
    let id = change(&server, move |session| closes::reopen(session, closes::month(session, &month)?)).await?;
    doors::note(&server, &caller.name, "reopened a month", &id).await?;
    Ok(Json(Added { id }))
}

/// What is written to a question of a month.
#[derive(Deserialize, ToSchema)]
pub struct NewAnswer {
    /// The words; what was written before stays in what was known before.
    words: String,
}

/// How long an answer may be.
const WORDS_BYTES: usize = 20_000;

/// A month that is over, and one of its questions.
async fn asked(server: &Arc<Server>, month: String, question: &str) -> Result<(Day, &'static str), Refusal> {
    let Some(question) = QUESTIONS.iter().copied().find(|known| *known == question) else {
        let words = format!("a month is not asked `{question}`; its questions are {}", QUESTIONS.join(", "));
        return Err(Refusal::missing(words));
    };
    let of = Arc::clone(server);
    let read = tokio::task::spawn_blocking(move || closes::month(&of.session()?, &month));
    Ok((read.await.map_err(|_| Refusal::failed())??, question))
}

async fn answer(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path((month, question)): Path<(String, String)>,
    Json(said): Json<NewAnswer>,
) -> Result<Json<Added>, Refusal> {
    let (month, question) = asked(&server, month, &question).await?;
    let words = said.words.trim();
    if words.is_empty() || words.len() > WORDS_BYTES {
        return Err(wrong("an answer has from 1 to 20000 bytes of words; to take it back, delete it"));
    }
    let id = id_of_answer(month, question);
    // It is about the whole month, and was said at its end.
    let day = month.plus_months(1).plus_days(-1).to_string();
    let cells = [
        ("note", id.as_str()),
        ("day", &day),
        ("kind", REVIEW),
        ("title", words),
        ("author", &caller.name),
        ("question", question),
    ];
    write_down(&server, &caller, &cells).await?;
    doors::note(&server, &caller.name, "wrote to a question", &id).await?;
    Ok(Json(Added { id }))
}

async fn unanswer(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path((month, question)): Path<(String, String)>,
) -> Result<Json<Added>, Refusal> {
    let (month, question) = asked(&server, month, &question).await?;
    let id = id_of_answer(month, question);
    take_back(&server, &caller, &id).await?;
    doors::note(&server, &caller.name, "withdrew", &id).await?;
    Ok(Json(Added { id }))
}
