//! What is no question about the data: the web app, headers of every answer, and paths that there are not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};

use super::{refusal::Refusal, server::Server, telemetry::LOOK_FAILS};

/// Answers whatever has no route: the app, or that there is nothing.
pub async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path() == "/api" || uri.path().starts_with("/api/") {
        let words = "there is no such route; /api/v1/openapi.json describes those that there are";
        return Refusal::missing(words).into_response();
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let given = ui::answer(&ui::Asked {
        method: method.as_str(),
        path: uri.path(),
        accept: text(header::ACCEPT),
        accept_encoding: text(header::ACCEPT_ENCODING),
        if_none_match: text(header::IF_NONE_MATCH),
    });
    let mut response = Response::new(Body::from(given.body.into_owned()));
    *response.status_mut() = StatusCode::from_u16(given.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in given.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Whether questions are answered at once, by what the folder says now: the books are open, new data can be looked for
/// and taken, and the server does not stop.
pub async fn ready(State(server): State<Arc<Server>>) -> Response {
    let words = if *server.stopping.borrow() {
        "stopping\n"
    } else if !server.version.borrow().is_warm {
        "opening the books\n"
    } else if !server.ingest.is_taking() || server.webhooks.is_broken() {
        "a write to the disk failed: nothing is taken until a restart\n"
    } else if server.telemetry.gauge(&LOOK_FAILS).is_some_and(|fails| fails > 0.0) {
        "new data cannot be looked for; the log says why\n"
    } else {
        return "ready\n".into_response();
    };
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

/// A route that there is, and a method that it does not know.
pub async fn not_allowed(method: Method) -> Response {
    let words = format!("this route does not know the method {method}; the header `allow` names those that it knows");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words).into_response()
}

/// Says that the connection ends where a request was answered before its body was read: it is closed then, and who keeps connections
/// would find out at the next request only.
pub async fn close_where_unread(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let is_read = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_read);
    let end = stream::poll_fn(move |_| {
        told.store(true, Ordering::Release);
        Poll::Ready(None)
    });
    let body = Body::from_stream(body.into_data_stream().chain(end));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if !is_read.load(Ordering::Acquire) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Adds the headers of every answer.
pub async fn with_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in ui::SECURITY_HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
