//! Why a request is not answered: a status, a code for programs, and words for people.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use warehouse::{books::BooksError, engine::EngineError, import::ImportError, lake::LakeError};

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
    /// For people: what happened, to which thing.
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
    /// After how many seconds it is worth trying again.
    pub retry_after_seconds: Option<u32>,
}

impl Refusal {
    /// A refusal; the words are split where the advice begins, after the first semicolon.
    pub fn new(status: StatusCode, code: &str, words: impl Into<String>) -> Self {
        let words: String = words.into();
        let (message, help) = words.split_once("; ").map_or((words.as_str(), ""), |(message, help)| (message, help));
        let reason = Reason { code: code.to_owned(), message: message.to_owned(), help: help.to_owned() };
        Self { status, reason, retry_after_seconds: None }
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
        let mut response = (self.status, Json(Refused { error: self.reason })).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        response
    }
}
