//! Why a request is not answered: a status, a code for programs, and words for people.

mod words;

use std::sync::Arc;

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use outlook::wording::Language;
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{books::BooksError, engine::EngineError, import::ImportError, lake::LakeError};

use super::{query, route::BODY_BYTES, server::Server};
use crate::command::CommandError;

/// What a refused request gets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refused {
    /// What is wrong.
    pub error: Reason,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reason {
    /// For programs: it stays as it is.
    pub code: String,
    /// For people: what happened, to which thing. In the language of the request: the parameter `lang`, else the header
    /// `Accept-Language`, else the language of the data folder.
    pub message: String,
    /// How to go on.
    pub help: String,
}

/// A refusal on its way out.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The reason.
    pub reason: Reason,
    /// All that is said, in English.
    pub words: String,
    /// After how many seconds it is worth trying again.
    pub retry_after_seconds: Option<u32>,
}

impl Reason {
    fn of(code: &str, words: &str) -> Self {
        let (message, help) = parted(words);
        Self { code: code.to_owned(), message: message.to_owned(), help: help.to_owned() }
    }

    /// The same in another language.
    pub fn said(self, language: Language) -> Self {
        let words = if self.help.is_empty() { self.message } else { format!("{}; {}", self.message, self.help) };
        Self::of(&self.code, &words::say(&words, language))
    }
}

/// What happened, and the advice after it, as each language parts them.
fn parted(words: &str) -> (&str, &str) {
    let split = words.split_once("; ").or_else(|| words.split_once('；'));
    split.map_or((words, ""), |(message, help)| (message.trim_end(), help))
}

impl Refusal {
    /// A refusal; the words are split where the advice begins, after the first semicolon.
    pub fn new(status: StatusCode, code: &str, words: impl Into<String>) -> Self {
        let words: String = words.into();
        Self { status, reason: Reason::of(code, &words), words, retry_after_seconds: None }
    }

    /// The same in another language.
    fn said(self, language: Language) -> Self {
        Self { reason: Reason::of(&self.reason.code, &words::say(&self.words, language)), ..self }
    }

    /// The request cannot be read.
    pub fn bad(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "usage", words)
    }

    /// There is no such thing.
    pub fn missing(words: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", words)
    }

    /// Something went wrong on our side; what, stands in the log.
    pub fn failed() -> Self {
        let words = "the answer could not be made; what went wrong stands in the log of the server";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", words)
    }

    /// More is asked than is worked on at a time.
    pub fn busy() -> Self {
        let words = "more is asked than can be answered at a time; ask again in a second";
        Self { retry_after_seconds: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", words) }
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let words = error.to_string();
        let books = |error: &BooksError| match error {
            BooksError::SeveralCurrencies { .. } => Some("several_currencies"),
            BooksError::MissingRates { .. } => Some("missing_rates"),
            _ => None,
        };
        let lake = |error: &LakeError| match error {
            LakeError::Missing { .. } => Some((StatusCode::SERVICE_UNAVAILABLE, "no_data_folder")),
            LakeError::Locked { .. } => Some((StatusCode::LOCKED, "locked")),
            LakeError::DiskFull { .. } => Some((StatusCode::INSUFFICIENT_STORAGE, "disk_full")),
            _ => None,
        };
        let known = match &error {
            CommandError::Usage(_) => Some((StatusCode::BAD_REQUEST, "usage")),
            CommandError::Missing(_) => Some((StatusCode::NOT_FOUND, "not_found")),
            CommandError::Lookup(_) => Some((StatusCode::NOT_FOUND, "unknown_metric")),
            CommandError::Policy(_) => Some((StatusCode::BAD_REQUEST, "unknown_policy")),
            CommandError::Catalogue(_) | CommandError::LeadRules(_) => Some((StatusCode::CONFLICT, "own_definitions")),
            CommandError::Engine(EngineError::UnknownDimension { .. }) => {
                Some((StatusCode::BAD_REQUEST, "unknown_dimension"))
            }
            CommandError::Engine(EngineError::TooMany { .. }) => Some((StatusCode::BAD_REQUEST, "too_many")),
            CommandError::Engine(EngineError::Books(error)) | CommandError::Books(error) => {
                books(error).map(|code| (StatusCode::CONFLICT, code))
            }
            CommandError::Import(ImportError::Lake(error)) | CommandError::Lake(error) => lake(error),
            CommandError::Import(_) => Some((StatusCode::UNPROCESSABLE_ENTITY, "not_importable")),
            _ => None,
        };
        match known {
            Some((status, code)) => {
                let retry_after_seconds = (status == StatusCode::LOCKED).then_some(2);
                Self { retry_after_seconds, ..Self::new(status, code, words) }
            }
            None => {
                super::log::note("error", &[("words", &words)]);
                Self::failed()
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let retry = self.retry_after_seconds.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok());
        let mut response = (self.status, Json(Refused { error: self.reason.clone() })).into_response();
        response.extensions_mut().insert(self);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        response
    }
}

/// The language that a request is answered in: the one that it names, else the first that its reader understands, else that
/// of the data folder.
pub fn language_of(server: &Server, uri: &Uri, headers: &HeaderMap) -> Language {
    let pairs = query::pairs(uri.query()).unwrap_or_default();
    let named = pairs.iter().find(|(name, _)| name == "lang").and_then(|(_, tag)| Language::parse(tag));
    let accepted = || {
        let header = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        understood(header)
    };
    let of_folder = || server.session().and_then(|session| session.language()).unwrap_or_default();
    named.or_else(accepted).unwrap_or_else(of_folder)
}

/// The first language of the header `Accept-Language` that there is, by how much it is wanted.
fn understood(header: &str) -> Option<Language> {
    let mut wanted: Vec<(f32, Language)> = header
        .split(',')
        .filter_map(|choice| {
            let (tag, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()).unwrap_or(1.0);
            Some((weight, Language::parse(tag.trim())?)).filter(|(weight, _)| *weight > 0.0)
        })
        .collect();
    // A stable sort keeps the order of those that are wanted alike.
    wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    wanted.first().map(|(_, language)| *language)
}

/// Has every refusal of the API speak the language of the request, in the one shape that refusals have: also those that come
/// from reading the request.
pub async fn in_language(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let response = next.run(request).await;
    let is_refused = response.status().is_client_error() || response.status().is_server_error();
    if !is_refused || !uri.path().starts_with("/api/") {
        return response;
    }
    let refusal = match response.extensions().get::<Refusal>() {
        Some(refusal) => refusal.clone(),
        None => match unread(response).await {
            Ok(refusal) => refusal,
            Err(other) => return *other,
        },
    };
    let of = Arc::clone(&server);
    let language = tokio::task::spawn_blocking(move || language_of(&of, &uri, &headers)).await.unwrap_or_default();
    refusal.said(language).into_response()
}

/// Why a request was not read, out of what the reader of requests says; the answer itself where that is not so.
async fn unread(response: Response) -> Result<Refusal, Box<Response>> {
    /// So much is said of what cannot be read.
    const LONGEST: usize = 8 << 10;
    let is_text =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/plain"));
    if !is_text {
        return Err(Box::new(response));
    }
    let (head, body) = response.into_parts();
    let status = head.status;
    let said = to_bytes(body, LONGEST).await.unwrap_or_default();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let words = format!("a request of this kind has at most {} KiB; send less at a time", BODY_BYTES >> 10);
        return Ok(Refusal::new(status, "too_large", words));
    }
    let said = String::from_utf8_lossy(&said).replace("; ", ", ");
    let words = format!("the request cannot be read: {said}; send it as /api/v1/openapi.json describes it");
    Ok(Refusal::new(status, "usage", words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_first_that_the_reader_understands() {
        for (header, expected) in [
            ("fr-CA,fr;q=0.9,en;q=0.8", Some(Language::French)),
            ("de-DE, zh-TW;q=0.7, en;q=0.3", Some(Language::Chinese)),
            ("en;q=0.2,fr;q=0.9", Some(Language::French)),
            ("fr;q=0, en", Some(Language::English)),
            ("de, *;q=0.5", None),
            ("", None),
        ] {
            assert_eq!(understood(header), expected, "{header}");
        }
    }

    #[test]
    fn what_happened_and_the_advice_are_parted_in_every_language() {
        assert_eq!(parted("it is so; do that; or this"), ("it is so", "do that; or this"));
        assert_eq!(parted("是这样；请那样做"), ("是这样", "请那样做"));
        assert_eq!(parted("c’est ainsi ; faites cela"), ("c’est ainsi", "faites cela"));
        assert_eq!(parted("nothing to do"), ("nothing to do", ""));
    }

    #[test]
    fn a_code_stays_as_it_is_in_every_language() {
        let refusal = Refusal::missing("there is no such user");
        let french = refusal.clone().said(Language::French);
        assert_eq!((french.reason.code.as_str(), french.status), ("not_found", StatusCode::NOT_FOUND));
        assert_ne!(french.reason.message, refusal.reason.message);
    }
}
