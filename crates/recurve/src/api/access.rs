//! Who is asking, and whether they may: logins, tokens, links, and where a request has to come from.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;
use warehouse::kind::Kind;

use super::{
    people::{LONGEST, People, Person, Role},
    refusal::Refusal,
    route::Who,
    server::Server,
};
use crate::session::clock;

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What they may do.
    pub role: Role,
    /// Who it is, where it is a person.
    pub person: Option<Person>,
    /// What they are called in the audit log.
    pub name: String,
    /// The only kinds of facts that they may state; all where it does not say.
    pub facts: Option<Vec<String>>,
}

impl Caller {
    /// Whether they may state facts of a kind.
    ///
    /// # Errors
    /// When their token is for other kinds.
    pub fn may_state(&self, kind: &Kind) -> Result<(), Refusal> {
        match &self.facts {
            Some(facts) if !facts.iter().any(|name| name == kind.name) => {
                let words = format!(
                    "this token states {}, and not {}; take one that may, or have one made",
                    facts.join(", "),
                    kind.name
                );
                Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", words))
            }
            _ => Ok(()),
        }
    }
}

/// How requests get in.
pub struct Gate {
    /// What everybody may do who reaches the server, where it was opened.
    pub open: Option<Role>,
    /// What the first owner has to know, while there is none.
    pub setup: Mutex<Option<String>>,
    /// Whether a proxy in front speaks TLS.
    pub is_behind_proxy: bool,
    /// Names under which the server is reached, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether it listens to this machine alone.
    pub is_local: bool,
    /// Hashing a password takes 19 MiB: so many at a time.
    pub hashing: Semaphore,
    /// Who tried to log in in vain.
    pub attempts: Attempts,
}

/// How long a request may take, but for those that go on: uploads and streams.
const PATIENCE: Duration = Duration::from_secs(75);

impl Gate {
    /// The cookie of a login, or of a link.
    fn cookie_name(&self, of: Door) -> String {
        let name = match of {
            Door::Login => "recurve",
            Door::Share => "recurve_share",
        };
        // With this prefix a browser takes it only over TLS, and from no other host.
        if self.is_behind_proxy { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// The header that sets a cookie; one without a secret takes it back.
    pub fn set_cookie(&self, of: Door, secret: Option<&str>) -> String {
        let age = if secret.is_some() { LONGEST / 1_000_000 } else { 0 };
        let secure = if self.is_behind_proxy { "; Secure" } else { "" };
        format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}",
            self.cookie_name(of),
            secret.unwrap_or_default()
        )
    }

    /// The secret of a cookie.
    pub fn cookie(&self, of: Door, headers: &HeaderMap) -> Option<String> {
        let name = self.cookie_name(of);
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, secret)| secret.to_owned())
            .filter(|secret| !secret.is_empty())
    }

    /// What the first owner has to know.
    pub fn setup_token(&self) -> Option<String> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Once there is an owner nobody is the first any more.
    pub fn forget_setup_token(&self) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Who asks.
    pub fn caller(&self, people: &People, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let now = clock();
        let failed = |error: super::people::PeopleError| {
            super::log::note("error", &[("words", &error.to_string())]);
            Refusal::failed()
        };
        if let Some(token) = bearer(headers) {
            let pass =
                people.pass(token, now).map_err(failed)?.filter(|pass| pass.kind != super::people::PassKind::Share);
            let Some(pass) = pass else {
                let words = "this token does not hold (any more); make a new one in the settings";
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "token_unknown", words));
            };
            return Ok(Caller {
                role: pass.kind.role(),
                person: None,
                name: format!("token {}", pass.label),
                facts: pass.facts,
            });
        }
        if let Some(secret) = self.cookie(Door::Login, headers)
            && let Some(person) = people.who(&secret, now).map_err(failed)?
        {
            return Ok(Caller { role: person.role, name: person.name.clone(), person: Some(person), facts: None });
        }
        if let Some(role) = self.open {
            return Ok(Caller { role, person: None, name: "anybody on this machine".to_owned(), facts: None });
        }
        if let Some(secret) = self.cookie(Door::Share, headers)
            && let Some(pass) = people.pass(&secret, now).map_err(failed)?
        {
            return Ok(Caller {
                role: pass.kind.role(),
                person: None,
                name: format!("link {}", pass.label),
                facts: None,
            });
        }
        Ok(Caller { role: Role::Nobody, person: None, name: "nobody".to_owned(), facts: None })
    }

    /// Whether a request names this server, and not a name that somebody else pointed at it.
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let name = host_name(host);
        if name.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return true;
        }
        // Nobody can point an address elsewhere.
        name.parse::<IpAddr>().is_ok_and(|address| !self.is_local || address.is_loopback())
    }
}

/// Which door a cookie opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A login.
    Login,
    /// A shared link.
    Share,
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a browser says that the request comes from our own pages. Programs that are no browser say nothing.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, origin)| origin == host),
        (Some(_), None) => false,
    }
}

/// Lets a request through to a route, or says why not.
pub async fn guard(State((server, who)): State<(Arc<Server>, Who)>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let caller = match server.gate.caller(&server.people, headers) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_reading && bearer(headers).is_none() && !is_ours(headers) {
        let words = "this request comes from a page of somebody else; use the pages of this server, or a token";
        return Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", words).into_response();
    }
    if !who.admits(caller.role) {
        return refuse(&server, &caller, who).into_response();
    }
    request.extensions_mut().insert(caller);
    let takes_long = matches!(who, Who::Ingest) || request.uri().path().ends_with("/stream");
    let answered = next.run(request);
    if takes_long {
        return answered.await;
    }
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| {
        let words = "the request took too long; send it again";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", words).into_response()
    })
}

/// Why somebody may not use a route.
fn refuse(server: &Server, caller: &Caller, who: Who) -> Refusal {
    if caller.role != Role::Nobody {
        let words = format!("this needs the role {}, and yours is {}; ask an owner", who.name(), caller.role.name());
        return Refusal::new(StatusCode::FORBIDDEN, "forbidden", words);
    }
    if server.people.is_empty().unwrap_or_default() {
        let words =
            "nobody is set up yet; open the address that the server wrote when it started, and choose a password";
        return Refusal::new(StatusCode::UNAUTHORIZED, "setup_needed", words);
    }
    Refusal::new(StatusCode::UNAUTHORIZED, "login_needed", "this needs a login; log in with POST /api/v1/login")
}

/// Refuses requests under a name that is not ours: a page elsewhere may have had its name point here.
pub async fn only_our_hosts(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    if server.gate.knows_host(request.headers()) {
        return next.run(request).await;
    }
    let words = "this server is not reached under that name; use its address, or start it with --host NAME";
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", words).into_response()
}

/// The address that a request comes from, as far as it is known.
pub fn address(server: &Server, request: &HeaderMap, peer: Option<&ConnectInfo<SocketAddr>>) -> String {
    // Only the last one was written by the proxy in front of us.
    let forwarded = request.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    match forwarded.and_then(|list| list.rsplit(',').next()) {
        Some(address) if server.gate.is_behind_proxy => address.trim().to_owned(),
        _ => peer.map_or_else(String::new, |ConnectInfo(peer)| peer.ip().to_string()),
    }
}

/// Attempts to log in that failed, by name and address and by address, so that nobody tries all passwords.
#[derive(Default)]
pub struct Attempts {
    failed: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Attempts {
    /// How long failures count.
    const WINDOW: Duration = Duration::from_secs(15 * 60);
    /// How often one address may fail with one name.
    const OF_NAME: u32 = 5;
    /// How often one address may fail at all.
    const OF_ADDRESS: u32 = 30;

    fn keys(name: &str, address: &str) -> [(String, u32); 2] {
        [(format!("{address} {}", name.to_lowercase()), Self::OF_NAME), (address.to_owned(), Self::OF_ADDRESS)]
    }

    /// After how many seconds an address may try a name again; nothing where it may now.
    pub fn wait_seconds(&self, name: &str, address: &str) -> Option<u32> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = Self::keys(name, address).into_iter().filter_map(|(key, allowed)| {
            let (count, since) = failed.get(&key)?;
            let left = Self::WINDOW.checked_sub(since.elapsed())?;
            (*count >= allowed).then(|| u32::try_from(left.as_secs() + 1).unwrap_or(u32::MAX))
        });
        waits.max()
    }

    /// Remembers a failure.
    pub fn failed(&self, name: &str, address: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        // What is over is forgotten, so that many names fill no memory.
        failed.retain(|_, (_, since)| since.elapsed() < Self::WINDOW);
        for (key, _) in Self::keys(name, address) {
            failed.entry(key).or_insert((0, Instant::now())).0 += 1;
        }
    }

    /// Forgets the failures of who got in.
    pub fn succeeded(&self, name: &str, address: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let [(key, _), _] = Self::keys(name, address);
        failed.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), axum::http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_page_of_somebody_else_is_not_ours() {
        for (pairs, expected) in [
            (&[("host", "localhost:8080")][..], true),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:9090")], false),
            (&[("host", "localhost:8080"), ("origin", "https://evil.example")], false),
            (&[("host", "localhost:8080"), ("origin", "null")], false),
            (&[("host", "a"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "a"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "a"), ("sec-fetch-site", "same-origin"), ("origin", "http://a")], true),
        ] {
            assert_eq!(is_ours(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_port_is_no_part_of_a_name() {
        for (host, name) in
            [("a.example:80", "a.example"), ("[::1]:8080", "::1"), ("[::1]", "::1"), ("127.0.0.1", "127.0.0.1")]
        {
            assert_eq!(host_name(host), name);
        }
    }

    #[test]
    fn who_fails_too_often_waits() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            assert_eq!(attempts.wait_seconds("Ada", "10.0.0.1"), None);
            attempts.failed("Ada", "10.0.0.1");
        }
        assert!(attempts.wait_seconds("ada", "10.0.0.1").is_some());
        assert_eq!(attempts.wait_seconds("Ada", "10.0.0.2"), None, "another address is not kept out");
        assert_eq!(attempts.wait_seconds("Bob", "10.0.0.1"), None);
        attempts.succeeded("Ada", "10.0.0.1");
        assert_eq!(attempts.wait_seconds("Ada", "10.0.0.1"), None);
    }
}
