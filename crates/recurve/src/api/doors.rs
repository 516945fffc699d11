//! Logging in and out, and saying who may do what.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Json,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warehouse::kind::{KINDS, Kind};

use super::{
    access::{Caller, Door, address},
    company::instant,
    people::{Pass, PassKind, PeopleError, Person, Role},
    refusal::Refusal,
    route::{Route, Who},
    server::Server,
};
use crate::session::clock;

pub fn routes() -> Vec<Route> {
    vec![
        Route::other(
            Method::POST,
            "/setup",
            Who::Anyone,
            "Add the first owner, with the token that the server wrote",
            set_up,
        )
        .takes::<SetUp>()
        .gives::<LoggedIn>(),
        Route::other(Method::POST, "/login", Who::Anyone, "Log in", log_in).takes::<LogIn>().gives::<LoggedIn>(),
        Route::other(Method::POST, "/logout", Who::Anyone, "Log out", log_out).gives::<Done>(),
        Route::other(
            Method::POST,
            "/password",
            Who::Viewer,
            "Change one's own password; every login of it ends",
            change_own,
        )
        .takes::<NewPassword>()
        .gives::<LoggedIn>(),
        Route::other(Method::GET, "/users", Who::Owner, "Everybody", users).gives::<Users>(),
        Route::other(Method::POST, "/users", Who::Owner, "Add somebody", add_user).takes::<NewUser>().gives::<Made>(),
        Route::other(Method::POST, "/users/{id}", Who::Owner, "Change somebody; their logins end", change_user)
            .takes::<ChangedUser>()
            .gives::<Done>(),
        Route::other(Method::GET, "/shares", Who::Editor, "Links by which figures are looked at", shares)
            .gives::<Passes>(),
        Route::other(Method::POST, "/shares", Who::Editor, "Make a link", add_share).takes::<NewPass>().gives::<Made>(),
        Route::other(Method::DELETE, "/shares/{id}", Who::Editor, "Revoke a link", revoke_share).gives::<Done>(),
        Route::other(
            Method::POST,
            "/shares/open",
            Who::Anyone,
            "Open a link: figures can be looked at from then on",
            open_share,
        )
        .takes::<OpenShare>()
        .gives::<LoggedIn>(),
        Route::other(Method::GET, "/tokens", Who::Owner, "Tokens of programs", tokens).gives::<Passes>(),
        Route::other(Method::POST, "/tokens", Who::Owner, "Make a token; it is shown once", add_token)
            .takes::<NewPass>()
            .gives::<Made>(),
        Route::other(Method::DELETE, "/tokens/{id}", Who::Owner, "Revoke a token", revoke_token).gives::<Done>(),
        Route::other(Method::GET, "/audit", Who::Owner, "Who did what, the newest first", audit).gives::<Audit>(),
    ]
}

/// Who sets the server up.
#[derive(Deserialize, ToSchema)]
pub struct SetUp {
    /// What the server wrote when it started.
    token: String,
    name: String,
    password: String,
}

/// Who logs in.
#[derive(Deserialize, ToSchema)]
pub struct LogIn {
    name: String,
    password: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    user: User,
}

/// Somebody, as others see them.
#[derive(Serialize, ToSchema, Clone)]
pub struct User {
    pub name: String,
    pub role: &'static str,
}

/// It is done.
#[derive(Serialize, ToSchema)]
pub struct Done {
    done: bool,
}

/// A new password, with the one that holds.
#[derive(Deserialize, ToSchema)]
pub struct NewPassword {
    old: String,
    new: String,
}

/// Everybody.
#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<UserRow>,
    roles: Vec<&'static str>,
}

/// Somebody, as owners see them.
#[derive(Serialize, ToSchema)]
pub struct UserRow {
    id: i64,
    name: String,
    role: &'static str,
    created_at: String,
    is_disabled: bool,
}

/// Somebody new.
#[derive(Deserialize, ToSchema)]
pub struct NewUser {
    name: String,
    /// owner, editor or viewer.
    role: String,
    password: String,
}

/// What changes of somebody.
#[derive(Deserialize, ToSchema)]
pub struct ChangedUser {
    role: Option<String>,
    is_disabled: Option<bool>,
    password: Option<String>,
}

/// Links or tokens.
#[derive(Serialize, ToSchema)]
pub struct Passes {
    passes: Vec<PassRow>,
}

/// A link or a token.
#[derive(Serialize, ToSchema)]
pub struct PassRow {
    id: i64,
    /// share, ingest or read.
    kind: &'static str,
    label: String,
    created_by: String,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    /// When it was last used, to the hour.
    used_at: Option<String>,
    /// Of a token that imports: the kinds of facts that it may state; null where it may state all.
    facts: Option<Vec<String>>,
}

/// A new link or token.
#[derive(Deserialize, ToSchema)]
pub struct NewPass {
    label: String,
    /// Of a token: ingest (imports only) or read.
    kind: Option<String>,
    /// Of a token that imports: the only kinds of facts that it may state, such as customers; all unless set.
    facts: Option<Vec<String>>,
    /// After how many days it ends; never unless set.
    days: Option<u16>,
}

/// What was made.
#[derive(Serialize, ToSchema)]
pub struct Made {
    id: i64,
    /// Shown once: only its hash is kept.
    secret: Option<String>,
    /// Of a link: where it leads, below the address of the server.
    path: Option<String>,
}

/// The secret of a link.
#[derive(Deserialize, ToSchema)]
pub struct OpenShare {
    secret: String,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub struct Audit {
    deeds: Vec<DeedRow>,
}

/// Something that somebody did.
#[derive(Serialize, ToSchema)]
pub struct DeedRow {
    at: String,
    who: String,
    action: String,
    object: String,
}

type Answer<T> = Result<Json<T>, Refusal>;
type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

impl From<PeopleError> for Refusal {
    fn from(error: PeopleError) -> Self {
        let words = error.to_string();
        match error {
            PeopleError::Password(_) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "password", words),
            PeopleError::Taken => Refusal::new(StatusCode::CONFLICT, "taken", words),
            PeopleError::LastOwner => Refusal::new(StatusCode::CONFLICT, "last_owner", words),
            PeopleError::Store(_) | PeopleError::Version { .. } | PeopleError::Chance(_) => {
                super::log::note("error", &[("words", &words)]);
                Refusal::failed()
            }
        }
    }
}

/// Does what takes time (a password to hash, a disk to sync) beside the requests.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PeopleError> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::failed())?.map_err(Refusal::from)
}

/// A name that can be told apart in a list.
fn name(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "name", "a name has from 1 to 200 characters"));
    }
    Ok(name.to_owned())
}

fn role(text: &str) -> Result<Role, Refusal> {
    Role::parse(text).ok_or_else(|| {
        let words = format!("there is no role `{text}`; it is one of owner, editor, viewer");
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "role", words)
    })
}

/// Begins a login, in a new cookie.
async fn welcome(server: &Arc<Server>, person: Person) -> Result<Response, Refusal> {
    let user = User { name: person.name.clone(), role: person.role.name() };
    let of = Arc::clone(server);
    let secret = aside(move || of.people.log_in(person.id, clock())).await?;
    with_cookie(server, Door::Login, Some(&secret), Json(LoggedIn { user }).into_response())
}

fn with_cookie(server: &Server, of: Door, secret: Option<&str>, mut response: Response) -> Result<Response, Refusal> {
    let cookie = HeaderValue::from_str(&server.gate.set_cookie(of, secret)).map_err(|_| Refusal::failed())?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn set_up(State(server): State<Arc<Server>>, Json(asked): Json<SetUp>) -> Result<Response, Refusal> {
    let known = server.gate.setup_token();
    // Whoever compares secrets byte by byte must not tell by the time how many were right.
    let is_right = known.is_some_and(|token| same(token.as_bytes(), asked.token.as_bytes()));
    if !is_right {
        let words = "this is not the token that the server wrote when it started; take the newest";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "setup_token", words));
    }
    let called = name(&asked.name)?;
    let _turn = server.gate.hashing.acquire().await;
    let of = Arc::clone(&server);
    let added = aside(move || {
        let is_first = of.people.add_first(&called, &asked.password, clock())?;
        if is_first {
            of.people.note(&called, "set up", &called, clock())?;
        }
        Ok(if is_first { of.people.all()?.into_iter().find(|person| person.name == called) } else { None })
    })
    .await?;
    let Some(person) = added else {
        return Err(Refusal::new(StatusCode::CONFLICT, "set_up", "somebody is set up already; log in"));
    };
    server.gate.forget_setup_token();
    welcome(&server, person).await
}

/// Whether two texts are the same, in a time that depends on their length alone.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (one, other)| sum | (one ^ other)) == 0
}

async fn log_in(
    State(server): State<Arc<Server>>,
    peer: Peer,
    headers: HeaderMap,
    Json(asked): Json<LogIn>,
) -> Result<Response, Refusal> {
    let from = address(&server, &headers, peer.as_ref().map(|Extension(peer)| peer));
    if let Some(seconds) = server.gate.attempts.wait_seconds(&asked.name, &from) {
        let words = format!("too many attempts failed; wait {} minutes", seconds.div_ceil(60));
        return Err(Refusal {
            retry_after_seconds: Some(seconds),
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", words)
        });
    }
    let _turn = server.gate.hashing.acquire().await;
    let (of, called) = (Arc::clone(&server), asked.name.clone());
    let person = aside(move || of.people.check(&called, &asked.password)).await?;
    let Some(person) = person else {
        server.gate.attempts.failed(&asked.name, &from);
        note(&server, "nobody", "failed to log in", &asked.name).await?;
        let words = "the name or the password is wrong; try again";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "wrong_login", words));
    };
    server.gate.attempts.succeeded(&asked.name, &from);
    note(&server, &person.name, "logged in", "").await?;
    // A login that was there before ends: nobody who planted one gains by it.
    if let Some(before) = server.gate.cookie(Door::Login, &headers) {
        let of = Arc::clone(&server);
        aside(move || of.people.log_out(&before)).await?;
    }
    welcome(&server, person).await
}

async fn log_out(State(server): State<Arc<Server>>, headers: HeaderMap) -> Result<Response, Refusal> {
    if let Some(secret) = server.gate.cookie(Door::Login, &headers) {
        let of = Arc::clone(&server);
        aside(move || of.people.log_out(&secret)).await?;
    }
    let response = with_cookie(&server, Door::Login, None, Json(Done { done: true }).into_response())?;
    with_cookie(&server, Door::Share, None, response)
}

async fn change_own(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewPassword>,
) -> Result<Response, Refusal> {
    let Some(person) = caller.person else {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", "only who is logged in has a password; log in"));
    };
    let _turn = server.gate.hashing.acquire().await;
    let (of, who) = (Arc::clone(&server), person.clone());
    let is_right = aside(move || {
        let is_right = of.people.check(&who.name, &asked.old)?.is_some();
        if is_right {
            of.people.change(who.id, None, None, Some(&asked.new), clock())?;
            of.people.note(&who.name, "changed the password", "", clock())?;
        }
        Ok(is_right)
    })
    .await?;
    match is_right {
        true => welcome(&server, person).await,
        false => Err(Refusal::new(StatusCode::FORBIDDEN, "wrong_login", "the old password is wrong; try again")),
    }
}

/// Writes down what somebody did.
pub async fn note(server: &Arc<Server>, who: &str, action: &'static str, object: &str) -> Result<(), Refusal> {
    let (of, who, object) = (Arc::clone(server), who.to_owned(), object.to_owned());
    aside(move || of.people.note(&who, action, &object, clock())).await
}

async fn users(State(server): State<Arc<Server>>) -> Answer<Users> {
    let of = Arc::clone(&server);
    let users = aside(move || of.people.all()).await?.into_iter().map(|person| UserRow {
        id: person.id,
        name: person.name,
        role: person.role.name(),
        created_at: instant(person.created_at),
        is_disabled: person.is_disabled,
    });
    let roles = Role::OF_PEOPLE.iter().map(|(_, name)| *name).collect();
    Ok(Json(Users { users: users.collect(), roles }))
}

async fn add_user(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewUser>,
) -> Answer<Made> {
    let (called, role) = (name(&asked.name)?, role(&asked.role)?);
    let _turn = server.gate.hashing.acquire().await;
    let of = Arc::clone(&server);
    let id = aside(move || {
        let id = of.people.add(&called, role, &asked.password, clock())?;
        of.people.note(&caller.name, "added", &format!("{called} as {}", role.name()), clock())?;
        Ok(id)
    })
    .await?;
    Ok(Json(Made { id, secret: None, path: None }))
}

async fn change_user(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
    Json(asked): Json<ChangedUser>,
) -> Answer<Done> {
    let role = asked.role.as_deref().map(role).transpose()?;
    let _turn = server.gate.hashing.acquire().await;
    let of = Arc::clone(&server);
    let is_there = aside(move || {
        let is_there = of.people.change(id, role, asked.is_disabled, asked.password.as_deref(), clock())?;
        of.people.note(&caller.name, "changed", &format!("user {id}"), clock())?;
        Ok(is_there)
    })
    .await?;
    done(is_there, "there is no such user")
}

fn done(is_there: bool, words: &str) -> Answer<Done> {
    if is_there { Ok(Json(Done { done: true })) } else { Err(Refusal::missing(words)) }
}

async fn listed(server: &Arc<Server>, kinds: &'static [PassKind]) -> Answer<Passes> {
    let of = Arc::clone(server);
    let row = |pass: Pass| PassRow {
        id: pass.id,
        kind: pass.kind.name(),
        label: pass.label,
        created_by: pass.created_by,
        created_at: instant(pass.created_at),
        expires_at: pass.expires_at.map(instant),
        revoked_at: pass.revoked_at.map(instant),
        used_at: pass.used_at.map(instant),
        facts: pass.facts,
    };
    let passes = aside(move || of.people.passes(kinds)).await?;
    Ok(Json(Passes { passes: passes.into_iter().map(row).collect() }))
}

async fn make(server: &Arc<Server>, caller: Caller, kind: PassKind, asked: NewPass) -> Result<(i64, String), Refusal> {
    let (of, label) = (Arc::clone(server), name(&asked.label)?);
    let facts = match &asked.facts {
        None => None,
        Some(_) if kind != PassKind::Ingest => {
            let words = "only a token that imports is limited to kinds of facts; leave out `facts`, or choose ingest";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "facts", words));
        }
        Some(named) => Some(kinds_of(named)?),
    };
    aside(move || {
        let now = clock();
        let expires_at = asked.days.map(|days| now.saturating_add(i64::from(days) * 86_400_000_000));
        let made = of.people.make_pass(kind, &label, &caller.name, expires_at, facts.as_deref(), now)?;
        of.people.note(&caller.name, "made", &format!("{} {label}", kind.name()), now)?;
        Ok(made)
    })
    .await
}

/// The kinds of facts by their names.
fn kinds_of(named: &[String]) -> Result<Vec<&'static str>, Refusal> {
    let unknown = |name: &str| {
        let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        let words = format!("there is no kind of facts `{name}`; it is one of {known}");
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "facts", words)
    };
    if named.is_empty() {
        let words = "a token that may state no kind of facts is of no use; name one, or leave out `facts`";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "facts", words));
    }
    named.iter().map(|name| Kind::parse(name).map(|kind| kind.name).ok_or_else(|| unknown(name))).collect()
}

async fn revoke(server: &Arc<Server>, caller: Caller, kinds: &'static [PassKind], id: i64) -> Answer<Done> {
    let of = Arc::clone(server);
    let is_there = aside(move || {
        let known = of.people.passes(kinds)?;
        let Some(pass) = known.iter().find(|pass| pass.id == id) else { return Ok(false) };
        let is_revoked = of.people.revoke(id, clock())?;
        of.people.note(&caller.name, "revoked", &format!("{} {}", pass.kind.name(), pass.label), clock())?;
        Ok(is_revoked)
    })
    .await?;
    done(is_there, "there is nothing to revoke")
}

const SHARES: &[PassKind] = &[PassKind::Share];
const TOKENS: &[PassKind] = &[PassKind::Ingest, PassKind::Read];

async fn shares(State(server): State<Arc<Server>>) -> Answer<Passes> {
    listed(&server, SHARES).await
}

async fn tokens(State(server): State<Arc<Server>>) -> Answer<Passes> {
    listed(&server, TOKENS).await
}

async fn add_share(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewPass>,
) -> Answer<Made> {
    let (id, secret) = make(&server, caller, PassKind::Share, asked).await?;
    // Behind the hash a browser sends it to nobody, and no log has it.
    let path = Some(format!("/#share={secret}"));
    Ok(Json(Made { id, secret: Some(secret), path }))
}

async fn add_token(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<NewPass>,
) -> Answer<Made> {
    let kind = match asked.kind.as_deref().map_or(Some(PassKind::Ingest), PassKind::parse) {
        Some(kind) if kind != PassKind::Share => kind,
        _ => {
            let words = "a token is of the kind ingest or read; choose one of them";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "kind", words));
        }
    };
    let (id, secret) = make(&server, caller, kind, asked).await?;
    Ok(Json(Made { id, secret: Some(secret), path: None }))
}

async fn revoke_share(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Answer<Done> {
    revoke(&server, caller, SHARES, id).await
}

async fn revoke_token(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Answer<Done> {
    revoke(&server, caller, TOKENS, id).await
}

async fn open_share(
    State(server): State<Arc<Server>>,
    peer: Peer,
    headers: HeaderMap,
    Json(asked): Json<OpenShare>,
) -> Result<Response, Refusal> {
    let from = address(&server, &headers, peer.as_ref().map(|Extension(peer)| peer));
    let label = "link";
    if let Some(seconds) = server.gate.attempts.wait_seconds(label, &from) {
        return Err(Refusal { retry_after_seconds: Some(seconds), ..Refusal::busy() });
    }
    let (of, secret) = (Arc::clone(&server), asked.secret.clone());
    let pass = aside(move || of.people.pass(&secret, clock())).await?;
    let Some(pass) = pass.filter(|pass| pass.kind == PassKind::Share) else {
        server.gate.attempts.failed(label, &from);
        let words = "this link does not hold (any more); ask whoever sent it for a new one";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "link_unknown", words));
    };
    let user = User { name: pass.label, role: Role::Shared.name() };
    with_cookie(&server, Door::Share, Some(&asked.secret), Json(LoggedIn { user }).into_response())
}

async fn audit(State(server): State<Arc<Server>>) -> Answer<Audit> {
    const SHOWN: u32 = 500;
    let of = Arc::clone(&server);
    let deeds = aside(move || of.people.deeds(SHOWN)).await?.into_iter().map(|deed| DeedRow {
        at: instant(deed.at),
        who: deed.who,
        action: deed.action,
        object: deed.object,
    });
    Ok(Json(Audit { deeds: deeds.collect() }))
}
