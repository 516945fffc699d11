//! What an open page is told: that the data changed, and that the server is still there.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::Method,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures_util::stream;
use serde::Serialize;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use utoipa::ToSchema;

use super::{
    company::instant,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::session::clock;

/// How often a page hears that nothing happened.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub fn routes() -> Vec<Route> {
    let words = "Server-sent events: `data_version` when the data changed, `heartbeat` every 15 seconds";
    vec![Route::other(Method::GET, "/stream", Who::Shared, words, listen).gives::<Told>()]
}

/// What an event says.
#[derive(Serialize, ToSchema)]
pub struct Told {
    /// The version of the data that is served.
    data_version: String,
    /// When its newest facts became known.
    data_as_of: String,
    /// Seconds since then.
    age_seconds: i64,
}

/// A page that listens.
struct Listener {
    server: Arc<Server>,
    version: tokio::sync::watch::Receiver<super::server::Live>,
    beat: Instant,
    /// The version that was told last.
    told: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn told(&mut self, name: &str) -> Event {
        let known = self.version.borrow_and_update().known;
        let age_seconds = (clock() - known.at_micros) / 1_000_000;
        self.told = Some(known.version());
        let told = Told { data_version: known.version(), data_as_of: instant(known.at_micros), age_seconds };
        Event::default().event(name).json_data(told).unwrap_or_default()
    }

    /// The next event; none once the server stops. Only the newest version is ever told, so that a page which reads slowly
    /// makes nothing pile up.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut stopping = self.server.stopping.subscribe();
        loop {
            // The same version is served anew once it is ready to answer at once: that is no news.
            if self.told.as_deref() != Some(self.version.borrow_and_update().known.version().as_str()) {
                let event = self.told("data_version");
                return Some((Ok(event), self));
            }
            tokio::select! {
                changed = self.version.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.beat) => {
                    self.beat = Instant::now() + HEARTBEAT;
                    let event = self.told("heartbeat");
                    return Some((Ok(event), self));
                }
                _ = stopping.wait_for(|is_stopping| *is_stopping) => return None,
            }
        }
    }
}

async fn listen(State(server): State<Arc<Server>>) -> Response {
    let Ok(place) = Arc::clone(&server.listeners).try_acquire_owned() else {
        return Refusal::busy().into_response();
    };
    let listener = Listener {
        version: server.version.subscribe(),
        server,
        beat: Instant::now() + HEARTBEAT,
        told: None,
        _place: place,
    };
    Sse::new(stream::unfold(listener, Listener::next)).into_response()
}
