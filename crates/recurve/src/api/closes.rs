//! Closing months over the web, and opening them again.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::Method,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    access::Caller,
    doors,
    notes::{Added, change},
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::{closes, command::close};

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
