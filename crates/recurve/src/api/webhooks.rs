//! `POST /webhooks/stripe`: an event is answered when it is on the disk, and not before. Requests that wait while the disk
//! works are put in together, in one transaction.
//!
//! ```text
//! body, bounded ─▶ signature ─▶ queue, bounded ─▶ one thread: many events, one transaction ─▶ 200 to each
//! ```

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use ::stripe::signature::{SignatureError, TOLERANCE_SECONDS, verify};
use axum::{
    Json,
    body::BodyDataStream,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{log, refusal::Refusal, server::Server, statements::let_pass};
use crate::{
    session::clock,
    stripe::{
        arrival::Arrival,
        secrets::{Current, SecretsError},
        store::{Put, Road, Store, StoreError},
    },
};

/// Where Stripe sends its events.
pub const PATH: &str = "/webhooks/stripe";

/// The largest body. Events of Stripe have some kilobytes; one of ten megabytes is still kept.
const LARGEST_BYTES: usize = 16 << 20;
/// How much may wait in memory, in kilobytes: what is beyond is refused, and sent again by Stripe.
const WAITING_KILOBYTES: usize = 64 << 10;
/// How many events may wait for the disk.
const WAITING: usize = 4_096;
/// How many events are put in with one transaction.
const TOGETHER: usize = 512;
/// How long it is waited for more of them where several came together just before: what a transaction costs the disk and
/// the processor is then shared by more.
const GATHERING: Duration = Duration::from_millis(4);
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a body that is refused may take to arrive.
const PASSING: Duration = Duration::from_secs(5);
/// A body beyond this is looked at where nobody else waits for it.
const LARGE_BYTES: usize = 64 << 10;

/// An event that waits for the disk.
struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Result<Put, Failure>>,
    _room: OwnedSemaphorePermit,
}

/// Why an event is not on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    DiskFull,
    Busy,
    Broken,
    Other,
}

/// The way of events into the store.
pub struct Webhooks {
    secrets: Current,
    queue: SyncSender<Waiting>,
    room: Arc<Semaphore>,
    /// Whether a write failed in a way after which nothing is known of the disk: then nothing is taken until a restart.
    is_broken: Arc<AtomicBool>,
    /// Rings when events were put in; whoever makes facts of them takes it.
    arrived: Mutex<Option<Receiver<()>>>,
    tally: Arc<Tally>,
}

/// What came, since the server began.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events that were put in.
    pub kept: AtomicU64,
    /// Events that were there.
    pub known: AtomicU64,
    /// Events that were there and said something else.
    pub conflicts: AtomicU64,
    /// Bodies of which nothing can be made.
    pub quarantined: AtomicU64,
    /// Requests whose signature was not believed.
    pub not_believed: AtomicU64,
    /// Requests that were to come again later.
    pub put_off: AtomicU64,
    /// When an event was last put in or found there, in microseconds since 1970; 0 where none was.
    pub last_at: AtomicI64,
}

impl Webhooks {
    /// What came, since the server began.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Webhooks {
    /// Makes the way; the store is opened when the first event comes.
    pub fn open(data: PathBuf) -> Result<Self, SecretsError> {
        let secrets = Current::open(&data)?;
        let (queue, waiting) = sync_channel(WAITING);
        let (is_broken, tally) = <(Arc<AtomicBool>, Arc<Tally>)>::default();
        let (bell, arrived) = sync_channel(1);
        let writer = Writer { data, store: None, is_broken: Arc::clone(&is_broken), bell, tally: Arc::clone(&tally) };
        std::thread::Builder::new().name("stripe-events".to_owned()).spawn(move || writer.run(&waiting))?;
        let room = Arc::new(Semaphore::new(WAITING_KILOBYTES));
        Ok(Self { secrets, queue, room, is_broken, arrived: Mutex::new(Some(arrived)), tally })
    }

    /// What rings when events were put in: for the first who asks.
    pub fn arrived(&self) -> Option<Receiver<()>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing is known of the disk any more: nothing is taken until a restart.
    pub fn stop(&self) {
        self.is_broken.store(true, Ordering::Release);
    }

    /// Whether nothing is taken any more until a restart.
    pub fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }
}

/// The thread that puts events in.
struct Writer {
    data: PathBuf,
    store: Option<Store>,
    is_broken: Arc<AtomicBool>,
    bell: SyncSender<()>,
    tally: Arc<Tally>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Waiting>) {
        let mut is_alone = true;
        while let Ok(first) = queue.recv() {
            let until = Instant::now() + GATHERING;
            let mut together = vec![first];
            while together.len() < TOGETHER {
                let wait = if is_alone { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
                let Ok(next) = queue.recv_timeout(wait) else { break };
                together.push(next);
            }
            // Whoever sends one after the other is answered at once.
            is_alone = together.len() == 1;
            let (arrivals, answers): (Vec<Arrival>, Vec<_>) =
                together.into_iter().map(|waiting| (waiting.arrival, (waiting.answer, waiting._room))).unzip();
            match self.put(&arrivals) {
                Ok(puts) => {
                    self.count(&arrivals, &puts);
                    for ((answer, _), put) in answers.into_iter().zip(puts) {
                        // Whoever did not wait sends it again, and it is known.
                        let _ = answer.send(Ok(put));
                    }
                    // One that rings already need not ring twice.
                    let _ = self.bell.try_send(());
                }
                Err(failure) => {
                    for (answer, _) in answers {
                        // Whoever did not wait was not answered either.
                        let _ = answer.send(Err(failure));
                    }
                }
            }
        }
    }

    fn put(&mut self, arrivals: &[Arrival]) -> Result<Vec<Put>, Failure> {
        if self.is_broken.load(Ordering::Acquire) {
            return Err(Failure::Broken);
        }
        let put = match &mut self.store {
            Some(store) => store.put(arrivals, Road::Webhook, clock()),
            None => {
                Store::open(&self.data).and_then(|store| self.store.insert(store).put(arrivals, Road::Webhook, clock()))
            }
        };
        put.map_err(|error| {
            log::note("error", &[("route", PATH), ("words", &error.to_string())]);
            match error {
                StoreError::DiskFull => Failure::DiskFull,
                StoreError::Busy => Failure::Busy,
                StoreError::Broken(_) => {
                    self.is_broken.store(true, Ordering::Release);
                    Failure::Broken
                }
                StoreError::Version { .. } | StoreError::Store(_) => Failure::Other,
            }
        })
    }

    fn count(&self, arrivals: &[Arrival], puts: &[Put]) {
        self.tally.last_at.store(clock(), Ordering::Relaxed);
        for (arrival, put) in arrivals.iter().zip(puts) {
            let (counter, what) = match put {
                Put::Kept => (&self.tally.kept, None),
                Put::Known => (&self.tally.known, None),
                Put::Conflict => (&self.tally.conflicts, Some("conflict")),
                Put::Quarantined => (&self.tally.quarantined, Some("quarantined")),
            };
            counter.fetch_add(1, Ordering::Relaxed);
            if let Some(what) = what {
                log::note("webhook", &[("what", what), ("id", &arrival.id)]);
            }
        }
    }
}

fn put_off(status: StatusCode, code: &str, seconds: Option<u32>, words: &str) -> Refusal {
    Refusal { retry_after_seconds: seconds, ..Refusal::new(status, code, words) }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::DiskFull => {
                let words = "the disk is full, so the event was not kept; make room, and Stripe sends it again";
                put_off(StatusCode::INSUFFICIENT_STORAGE, "disk_full", Some(60), words)
            }
            Failure::Busy => {
                let words = "another program writes, so the event was not kept; Stripe sends it again";
                put_off(StatusCode::SERVICE_UNAVAILABLE, "locked", Some(2), words)
            }
            Failure::Broken => {
                let words = "the disk did not take what was written, so nothing is taken any more; look after the disk, \
                             then start Recurve again";
                put_off(StatusCode::SERVICE_UNAVAILABLE, "disk_broken", None, words)
            }
            Failure::Other => Refusal::failed(),
        }
    }
}

/// The bytes of a body, as far as there is room for them.
async fn read(webhooks: &Webhooks, chunks: &mut BodyDataStream) -> Result<(Vec<u8>, OwnedSemaphorePermit), Refusal> {
    let too_large = || {
        let words = format!("the body is larger than {} MiB; an event of Stripe never is", LARGEST_BYTES >> 20);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words)
    };
    let no_room = |_| Refusal::busy();
    let mut room = Arc::clone(&webhooks.room).try_acquire_owned().map_err(no_room)?;
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::bad("the body did not arrive whole; send it again"))?;
        if bytes.len() + chunk.len() > LARGEST_BYTES {
            return Err(too_large());
        }
        // Room is taken for what is there: who announces much and sends little takes none from others.
        let needed = (bytes.len() + chunk.len()).div_ceil(1 << 10).saturating_sub(room.num_permits());
        if needed > 0 {
            let more = u32::try_from(needed).unwrap_or(u32::MAX);
            room.merge(Arc::clone(&webhooks.room).try_acquire_many_owned(more).map_err(no_room)?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, room))
}

/// Whether Stripe sent it, and what it is.
fn believe(signature: &str, body: Vec<u8>, secrets: &[String], now_seconds: i64) -> Result<Arrival, SignatureError> {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    verify(signature, &body, &secrets, now_seconds, TOLERANCE_SECONDS)?;
    Ok(Arrival::of(body))
}

/// Takes an event.
pub async fn take(State(server): State<Arc<Server>>, request: Request) -> Response {
    let webhooks = &server.webhooks;
    match taken(webhooks, request).await {
        Ok(put) => {
            let what = match put {
                Put::Kept => "kept",
                Put::Known => "known",
                Put::Conflict => "conflict",
                Put::Quarantined => "quarantined",
            };
            Json(json!({"event": what})).into_response()
        }
        Err(refusal) => {
            if refusal.status.is_server_error() || refusal.status == StatusCode::TOO_MANY_REQUESTS {
                webhooks.tally.put_off.fetch_add(1, Ordering::Relaxed);
            }
            refusal.into_response()
        }
    }
}

async fn taken(webhooks: &Webhooks, request: Request) -> Result<Put, Refusal> {
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let read = if webhooks.is_broken() {
        Ok(Err(Failure::Broken.into()))
    } else if length.is_some_and(|length: usize| length > LARGEST_BYTES) {
        let words = "the body is larger than an event of Stripe ever is; nothing of it was read";
        Ok(Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words)))
    } else {
        tokio::time::timeout(PATIENCE, read(webhooks, &mut chunks)).await
    };
    let (body, room) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(refusal)) => {
            // Who is still sending would not hear the answer.
            let_pass(&mut chunks, PASSING).await;
            return Err(refusal);
        }
        Err(_) => {
            let words = "the body took too long to arrive; send it again";
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", words));
        }
    };
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (secrets, now_seconds) = (webhooks.secrets.secrets(), clock().div_euclid(1_000_000));
    let believed = if body.len() <= LARGE_BYTES {
        believe(signature, body, &secrets, now_seconds)
    } else {
        let signature = signature.to_owned();
        let looked = tokio::task::spawn_blocking(move || believe(&signature, body, &secrets, now_seconds));
        looked.await.map_err(|_| Refusal::failed())?
    };
    let arrival = believed.map_err(|error| {
        webhooks.tally.not_believed.fetch_add(1, Ordering::Relaxed);
        Refusal::new(StatusCode::BAD_REQUEST, "signature", error.to_string().replacen(": ", "; ", 1))
    })?;
    let (answer, answered) = oneshot::channel();
    webhooks.queue.try_send(Waiting { arrival, answer, _room: room }).map_err(|full| match full {
        TrySendError::Full(_) => Refusal::busy(),
        // The thread ended in a panic: nothing is known of what it wrote.
        TrySendError::Disconnected(_) => Failure::Broken.into(),
    })?;
    answered.await.map_err(|_| Refusal::from(Failure::Broken))?.map_err(Refusal::from)
}
