//! What an open page is told: that the data changed, what that did to the ledger, and that the server is still there.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, Method},
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures_util::stream;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use utoipa::ToSchema;
use warehouse::books::names_of;

use super::{
    access::Caller,
    company::instant,
    movements::{LedgerChange, Next, Published},
    overviews::Overviewed,
    people::Role,
    refusal::Refusal,
    route::{Route, Who},
    server::{Live, Server},
};
use crate::{session::clock, shelf::Known};

/// How often a page hears that nothing happened.
const HEARTBEAT: Duration = Duration::from_secs(15);

const WORDS: &str = "Server-sent events. `movements`: a commit changed the ledger, with the customers, their MRR before and \
    after, their new movements and the MRR of all; what people call them stands there where it is found at once. `data_version`: the version of the data that is served from now on. \
    `overview`: the version that overviews are answered from now on, where making them takes long. `heartbeat`: every 15 seconds. `reset`: events were missed that are kept no more, so ask anew for what is shown. Events \
    carry ids: who comes back with `Last-Event-ID`, as browsers do, is told the movements since (the last 1,024 events, 8 MB \
    at the most). A listener that takes nothing for a minute is cut off.";

pub fn routes() -> Vec<Route> {
    vec![Route::other(Method::GET, "/stream", Who::Shared, WORDS, listen).gives::<Told>()]
}

/// What an event says: all of them the version, those of movements also what became of the ledger.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the variants describe the events, some of which are written when they are published")]
pub enum Told {
    /// Of `data_version`, `overview` and `heartbeat`.
    Version(Served),
    /// Of `movements`.
    Movements(LedgerChange),
    /// Of `reset`.
    Reset(Missed),
}

/// The version of the data that is served.
#[derive(Serialize, ToSchema)]
pub struct Served {
    /// The version of the data that is served.
    data_version: String,
    /// When its newest facts became known.
    data_as_of: String,
    /// Seconds since then.
    age_seconds: i64,
}

/// Events were missed.
#[derive(Serialize, ToSchema)]
pub struct Missed {
    /// Why, and what to do.
    message: &'static str,
}

const MISSED: &str = "events were missed that are kept no more; ask anew for what is shown";

/// So long an event waits for what people call its customers.
const NAMES: Duration = Duration::from_millis(25);

/// Has an event say what people call its customers, where that is found out soon.
async fn name(server: &Arc<Server>, published: &Arc<Published>) {
    if published.is_named() || !server.name_turns.take() {
        return;
    }
    let (of, event) = (Arc::clone(server), Arc::clone(published));
    let looked_up = tokio::task::spawn_blocking(move || {
        let begun = std::time::Instant::now();
        // Who cannot be looked up is told by id.
        let _ = event.name(|ids| names_of(&of.lake, None, ids.iter().copied()));
        of.name_turns.give_back(begun.elapsed());
    });
    // What comes too late is there for those who listen next.
    let _ = tokio::time::timeout(NAMES, looked_up).await;
}

/// A page that listens.
struct Listener {
    server: Arc<Server>,
    version: watch::Receiver<Live>,
    movements: watch::Receiver<u64>,
    overviews: watch::Receiver<Option<Overviewed>>,
    beat: Instant,
    /// The version that was told last.
    told: Option<String>,
    /// The version that overviews were told to be of last.
    told_overview: Option<String>,
    /// The number of the next event about movements.
    next: u64,
    hides_customers: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The version, as of everything that was told before.
    fn version(&mut self, name: &str) -> Event {
        let known = self.version.borrow_and_update().known;
        self.told = Some(known.version());
        self.event(name, known)
    }

    fn event(&self, name: &str, known: Known) -> Event {
        let age_seconds = (clock() - known.at_micros).max(0) / 1_000_000;
        let told = Served { data_version: known.version(), data_as_of: instant(known.at_micros), age_seconds };
        let event = Event::default().event(name).id(self.server.movements.id(self.next));
        event.json_data(told).unwrap_or_default()
    }

    /// What there is to tell at once. Events are taken from where all listeners have them, one at a time and as fast as
    /// they are read, so that a page which reads slowly makes nothing pile up.
    async fn news(&mut self) -> Option<Event> {
        self.movements.borrow_and_update();
        match self.server.movements.next(self.next) {
            Next::Event(number, published) => {
                self.next = number + 1;
                if !self.hides_customers {
                    name(&self.server, &published).await;
                }
                let event = Event::default().event("movements").id(self.server.movements.id(self.next));
                return Some(event.data(published.body(self.hides_customers)));
            }
            Next::Gone(end) => {
                self.next = end;
                let event = Event::default().event("reset").id(self.server.movements.id(end));
                return Some(event.json_data(Missed { message: MISSED }).unwrap_or_default());
            }
            Next::Nothing => {}
        }
        // The same version is served anew once it is ready to answer at once: that is no news.
        let version = self.version.borrow_and_update().known.version();
        if self.told.as_deref() != Some(version.as_str()) {
            return Some(self.version("data_version"));
        }
        let made = self.overviews.borrow_and_update().clone()?;
        let version = made.live.known.version();
        let is_news = self.told_overview.as_deref() != Some(version.as_str()) && self.server.overviews.lags(&made);
        is_news.then(|| {
            self.told_overview = Some(version);
            self.event("overview", made.live.known)
        })
    }

    /// The next event; none once the server stops.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut stopping = self.server.stopping.subscribe();
        loop {
            if let Some(event) = self.news().await {
                return Some((Ok(event), self));
            }
            tokio::select! {
                changed = self.version.changed() => changed.ok()?,
                moved = self.movements.changed() => moved.ok()?,
                made = self.overviews.changed() => made.ok()?,
                () = tokio::time::sleep_until(self.beat) => {
                    self.beat = Instant::now() + HEARTBEAT;
                    let event = self.version("heartbeat");
                    return Some((Ok(event), self));
                }
                _ = stopping.wait_for(|is_stopping| *is_stopping) => return None,
            }
        }
    }
}

async fn listen(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&server.listeners).try_acquire_owned() else {
        return Refusal::busy().into_response();
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let next = match last {
        None => server.movements.end(),
        // What another run of the server told is kept no more: a number beyond all that are makes it say so.
        Some(id) => server.movements.number(id).unwrap_or(u64::MAX),
    };
    let overviews = server.overviews.subscribe();
    // What an overview is of, whoever asks learns from it: only the next one is news.
    let told_overview = overviews.borrow().as_ref().map(|made| made.live.known.version());
    let listener = Listener {
        version: server.version.subscribe(),
        movements: server.movements.subscribe(),
        overviews,
        told_overview,
        server,
        beat: Instant::now() + HEARTBEAT,
        told: None,
        next,
        hides_customers: caller.role == Role::Shared,
        _place: place,
    };
    Sse::new(stream::unfold(listener, Listener::next)).into_response()
}
