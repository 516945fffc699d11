//! Facts stated over HTTP: many rows of several kinds in one request, each with its answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, BodyDataStream, to_bytes},
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use utoipa::{
    ToSchema,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Schema, Type},
    },
};
use warehouse::import::{Answer, Statement};

use super::{
    access::Caller,
    ingest::{COMMITTED_AT_ONCE, Key, Reply, Settled, full},
    query,
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};

pub fn routes() -> Vec<Route> {
    let words = "State facts of any kinds, row by row: answered once they are on the disk, each row by itself. \
                 Also as lines (application/x-ndjson), one row a line";
    let mut route =
        Route::other(Method::POST, "/facts", Who::Ingest, words, state).takes::<Facts>().of_any_size().gives::<Told>();
    route.parameters = vec![
        parameter(
            "source",
            ParameterIn::Query,
            Type::String,
            "Whose facts they are, where the body does not say it; api unless set. Facts of one source correct each other",
        ),
        parameter("wait", ParameterIn::Query, Type::Boolean, "Answer only when the figures show the facts too"),
        parameter(
            "Idempotency-Key",
            ParameterIn::Header,
            Type::String,
            "Any text up to 255 characters: the same request again within a day gets the answer that it got",
        ),
    ];
    vec![route]
}

fn parameter(name: &str, place: ParameterIn, of_type: Type, words: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(Schema::Object(ObjectBuilder::new().schema_type(of_type).build())))
        .build()
}

/// The largest request.
const BODY_BYTES: usize = 8 << 20;
/// Bytes of requests that are worked on at a time, in KiB: what they take in memory is a few times that.
pub const KIB_AT_ONCE: usize = 64 << 10;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);
/// The longest key.
const KEY_CHARACTERS: usize = 255;
/// The longest name of a source.
const SOURCE_CHARACTERS: usize = 100;
/// Bodies longer than this are read aside, so that nobody waits for them.
const SHORT_BYTES: usize = 32 << 10;

/// Facts to be stated.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body, which is read row by row")]
pub struct Facts {
    /// Whose facts they are: facts of one source correct each other. api unless set.
    source: Option<String>,
    /// At most 10,000. Each names its `kind` and has the columns of that kind beside it (or all of them in `values`), or
    /// `withdraw`: the id of a fact that holds no more, or an object of the columns of its key. A row that cannot be read, or
    /// of which it cannot be told what it is, is refused by itself, and the others stand.
    facts: Vec<Fact>,
}

/// A fact, or the withdrawal of one. Further properties are the columns of its kind.
#[derive(ToSchema)]
#[schema(as = StatedFact)]
#[expect(dead_code, reason = "it describes the body, which is read row by row")]
pub struct Fact {
    /// The kind of fact: customers, subscriptions, payments and so on.
    kind: String,
    /// The columns, instead of beside `kind`; needed to state a column that is itself called kind.
    values: Option<serde_json::Value>,
    /// The fact that holds no more: its id, or an object of the columns of its key.
    withdraw: Option<serde_json::Value>,
}

/// What became of the facts.
#[derive(Serialize, ToSchema)]
#[schema(as = FactsTold)]
pub struct Told {
    /// Facts that were not known before, or not any more.
    stated: u64,
    /// Newer versions of facts that were known with other content.
    restated: u64,
    /// Facts that were known exactly so: nothing was written.
    unchanged: u64,
    /// Facts that hold no more.
    withdrawn: u64,
    /// Rows that cannot be read; they are kept in the quarantine.
    refused: u64,
    /// The import in which they are; null when nothing had to be written.
    import: Option<i64>,
    /// The snapshot from which they are visible.
    snapshot: Option<i64>,
    /// One answer a row, in their order.
    answers: Vec<Row>,
}

/// What became of one row.
#[derive(Serialize, ToSchema)]
#[schema(as = FactAnswer)]
pub struct Row {
    /// stated, restated, unchanged, withdrawn or refused.
    status: &'static str,
    /// Names that the kind does not have: they are kept as attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    issues: Vec<Why>,
}

/// Why a row was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = FactIssue)]
pub struct Why {
    code: &'static str,
    column: Option<&'static str>,
    message: String,
    /// How to mend it.
    help: &'static str,
}

impl Told {
    fn of(settled: &Settled) -> Self {
        let mut told = Self {
            stated: 0,
            restated: 0,
            unchanged: 0,
            withdrawn: 0,
            refused: 0,
            import: settled.committed.map(|(import, _)| import),
            snapshot: settled.committed.map(|(_, snapshot)| snapshot.0),
            answers: Vec::with_capacity(settled.answers.len()),
        };
        for (place, answer) in settled.answers.iter().enumerate() {
            let mut issues = Vec::new();
            let (status, count) = match answer {
                Answer::Stated => ("stated", &mut told.stated),
                Answer::Restated => ("restated", &mut told.restated),
                Answer::Unchanged => ("unchanged", &mut told.unchanged),
                Answer::Withdrawn => ("withdrawn", &mut told.withdrawn),
                Answer::Refused(why) => {
                    issues.extend(why.iter().map(|issue| Why {
                        code: issue.code.name(),
                        column: issue.column,
                        message: issue.message.clone(),
                        help: issue.help(),
                    }));
                    ("refused", &mut told.refused)
                }
            };
            *count += 1;
            let attributes = settled.attributes.get(&place).cloned().unwrap_or_default();
            told.answers.push(Row { status, attributes, issues });
        }
        told
    }
}

fn body_of(settled: &Settled) -> Vec<u8> {
    // Texts and numbers always become JSON.
    serde_json::to_vec(&Told::of(settled)).unwrap_or_default()
}

fn too_large(words: &str) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words)
}

/// What a request says beside its body.
struct Asked {
    source: Option<String>,
    waits: bool,
    is_lines: bool,
    key: Option<String>,
}

fn asked(query: Option<&str>, headers: &HeaderMap) -> Result<Asked, Refusal> {
    let (mut source, mut waits) = (None, false);
    for (name, value) in query::pairs(query)? {
        match (name.as_str(), value.as_str()) {
            ("source", _) => source = Some(value),
            ("wait", "true" | "1") => waits = true,
            ("wait", "false" | "0") => waits = false,
            ("wait", _) => return Err(Refusal::bad(format!("`wait` is true or false, not `{value}`"))),
            _ => return Err(Refusal::bad(format!("there is no parameter `{name}`; there are source, wait"))),
        }
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let media = text(header::CONTENT_TYPE).unwrap_or("application/json");
    let is_lines = match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => false,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => true,
        other => {
            let words = format!("a body of {other} cannot be read; send application/json or application/x-ndjson");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", words));
        }
    };
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(key) => match key.to_str() {
            Ok(key) if !key.is_empty() && key.len() <= KEY_CHARACTERS => Some(key.to_owned()),
            _ => return Err(Refusal::bad("the Idempotency-Key is no text of 1 to 255 characters; take a random one")),
        },
    };
    Ok(Asked { source, waits, is_lines, key })
}

async fn state(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked = asked(query.as_deref(), &headers)?;
    let large =
        || too_large("a request has at most 8 MiB; send the facts in several requests, or import them as a file");
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let length = length.unwrap_or(BODY_BYTES);
    if length > BODY_BYTES {
        let_pass(&mut body.into_data_stream(), ARRIVAL).await;
        return Err(large());
    }
    // Room is taken before the body is: whatever is sent, the memory for it is bounded.
    let kib = u32::try_from(length.div_ceil(1_024).max(1)).unwrap_or(u32::MAX);
    let Ok(_room) = Arc::clone(&server.room_for_facts).try_acquire_many_owned(kib) else {
        let_pass(&mut body.into_data_stream(), ARRIVAL).await;
        return Err(full());
    };
    let arrived = tokio::time::timeout(ARRIVAL, to_bytes(body, BODY_BYTES)).await.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive within a minute; send it again")
    })?;
    let bytes = arrived.map_err(|error| {
        if error.to_string().contains("length limit") {
            large()
        } else {
            Refusal::bad("the body did not arrive whole; send it again")
        }
    })?;
    let digest = |bytes: &[u8]| {
        let mut hasher = Sha256::new();
        hasher.update(format!("{:?} {}\n", asked.source, asked.is_lines));
        hasher.update(bytes);
        hasher.finalize().into()
    };
    let key = asked.key.clone().map(|key| {
        (Key { caller: caller.name.clone(), key, digest: digest(&bytes) }, body_of as fn(&Settled) -> Vec<u8>)
    });
    let (source, is_lines) = (asked.source, asked.is_lines);
    let read = move || statements(&bytes, is_lines, source, &caller);
    let statements = if length <= SHORT_BYTES {
        read()?
    } else {
        tokio::task::spawn_blocking(read).await.map_err(|_| Refusal::failed())??
    };
    let reply = server.ingest.hand_over(statements, key)?.await.map_err(|_| Refusal::failed())??;
    let (body, is_kept) = match reply {
        Reply::Settled(settled) => {
            if let Some((_, snapshot)) = settled.committed.filter(|_| asked.waits) {
                server.catch_up(snapshot.0).await;
            }
            (body_of(&settled), false)
        }
        Reply::Kept(body) => (body, true),
    };
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_kept {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Reads a body that is refused, and keeps nothing of it: who is still sending would not hear the answer.
pub async fn let_pass(pieces: &mut BodyDataStream, patience: Duration) {
    const LONGEST_BYTES: usize = 4 * BODY_BYTES;
    let mut bytes = 0;
    let passing = async {
        while let Some(Ok(piece)) = pieces.next().await {
            bytes += piece.len();
            if bytes > LONGEST_BYTES {
                break;
            }
        }
    };
    // Who sends for longer has to do without the answer.
    let _ = tokio::time::timeout(patience, passing).await;
}

/// The statements of a body.
fn statements(
    bytes: &[u8],
    is_lines: bool,
    source: Option<String>,
    caller: &Caller,
) -> Result<Vec<Statement>, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sent<'a> {
        source: Option<String>,
        #[serde(borrow)]
        facts: Vec<&'a RawValue>,
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::bad("the body is no UTF-8; send it as UTF-8"))?;
    let (own_source, rows) = if is_lines {
        (None, text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>())
    } else {
        let sent: Sent<'_> = serde_json::from_str(text).map_err(|error| {
            Refusal::bad(format!("the body cannot be read: {error}; send {{\"facts\": [{{\"kind\": ...}}]}}"))
        })?;
        (sent.source, sent.facts.into_iter().map(RawValue::get).collect())
    };
    if rows.is_empty() {
        return Err(Refusal::bad("there is no fact in the body; send at least one"));
    }
    if rows.len() > COMMITTED_AT_ONCE {
        return Err(too_large("a request has at most 10,000 rows; send the facts in several requests"));
    }
    let source = own_source.or(source).unwrap_or_else(|| "api".to_owned());
    if source.is_empty() || source.chars().count() > SOURCE_CHARACTERS || source.chars().any(char::is_control) {
        return Err(Refusal::bad("the source is no text of 1 to 100 characters; name it like `crm`"));
    }
    let (source, origin): (Arc<str>, Arc<str>) = (source.into(), format!("api ({})", caller.name).into());
    let mut statements = Vec::with_capacity(rows.len());
    for row in rows {
        let statement = Statement::read(row, &source, &origin);
        statement.kind.map_or(Ok(()), |kind| caller.may_state(kind))?;
        statements.push(statement);
    }
    Ok(statements)
}
