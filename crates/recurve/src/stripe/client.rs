//! Asking Stripe: politely, patiently, and for nothing but to read.
//!
//! Requests of all threads share one pace. A refusal for haste slows it down and is obeyed to the second; errors of
//! Stripe's own and of the way there are tried again, later each time, with a jitter so that nobody comes in step.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use ureq::http::StatusCode;

use super::key::Key;

/// Where Stripe is.
pub const BASE: &str = "https://api.stripe.com";
/// The variable that may say another place.
pub const BASE_VARIABLE: &str = "RECURVE_STRIPE_API_BASE";
/// The version of the API that everything is asked for in, whatever the account's own one is. Events come in the version
/// that they were made in.
pub const VERSION: &str = "2025-09-30.clover";
/// How often a request is tried.
const TRIES: u32 = 9;
/// The longest that is waited between two tries, unless Stripe asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest that Stripe may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(600);
/// The largest answer.
const LARGEST_BYTES: u64 = 256 << 20;

/// How requests are made.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Where to.
    pub base: String,
    /// Requests a second, at most.
    pub requests_a_second: f64,
    /// How long the first wait is after a failure; each further one is twice as long.
    pub first_wait: Duration,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            base: BASE.to_owned(),
            // A quarter of what Stripe lets a live account read; the same as it lets a test account.
            requests_a_second: 25.0,
            first_wait: Duration::from_millis(500),
            patience: Duration::from_secs(60),
        }
    }
}

/// Why there is no answer. No words of it hold anything of the key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The key is not known.
    #[error("Stripe does not know this key: it was rolled or deleted; make a new restricted key and give that")]
    Unauthorised,
    /// The key may not read this.
    #[error(
        "the key may not read {path}; give it that permission in Stripe (docs/stripe.md lists all that are needed)"
    )]
    Forbidden {
        /// What was asked for.
        path: String,
    },
    /// There is no such thing.
    #[error("Stripe has no {path}")]
    Gone {
        /// What was asked for.
        path: String,
    },
    /// Stripe does not understand.
    #[error(
        "Stripe refuses {path} with {status} ({code}); this version of Recurve asks in a way that Stripe no longer knows"
    )]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// Stripe's code.
        code: String,
    },
    /// It failed again and again.
    #[error(
        "Stripe could not be asked for {path}, {tries} times in a row ({cause}); what was read is kept, and the next sync goes on from there"
    )]
    Failing {
        /// What was asked for.
        path: String,
        /// How often it was tried.
        tries: u32,
        /// The last failure.
        cause: String,
    },
    /// It was told to stop.
    #[error("stopped; what was read is kept, and the next sync goes on from there")]
    Stopped,
    /// The address is none that a key is sent to.
    #[error("the key is sent over https alone, or to this machine: {base} is neither")]
    Address {
        /// The address.
        base: String,
    },
}

/// A connection to an account.
pub struct Client<'s> {
    agent: ureq::Agent,
    key: Key,
    manner: Manner,
    pace: Mutex<Pace>,
    requests: AtomicU64,
    waits: AtomicU64,
    stop: &'s AtomicBool,
}

struct Pace {
    a_second: f64,
    next: Instant,
}

impl<'s> Client<'s> {
    /// A client that ends when it is told to.
    pub fn new(key: Key, manner: Manner, stop: &'s AtomicBool) -> Result<Self, CallError> {
        let is_here = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|here| {
            manner.base.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        // Whatever stands before an @ is no address.
        if manner.base.contains('@') || !is_here && !manner.base.starts_with("https://") {
            return Err(CallError::Address { base: manner.base });
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!is_here)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(15).min(manner.patience)))
            .timeout_global(Some(manner.patience))
            .user_agent(concat!("recurve/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let pace = Pace { a_second: manner.requests_a_second.max(0.1), next: Instant::now() };
        let manner = Manner { base: manner.base.trim_end_matches('/').to_owned(), ..manner };
        let counts = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { agent, key, manner, pace: Mutex::new(pace), requests: counts.0, waits: counts.1, stop })
    }

    /// How many requests were made, and how many of them had to be made again.
    pub fn requests(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.waits.load(Ordering::Relaxed))
    }

    /// Whether it was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What stands at a path.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CallError> {
        let text = serde_urlencoded::to_string(query).unwrap_or_default();
        let url = format!("{}{path}{}{text}", self.manner.base, if text.is_empty() { "" } else { "?" });
        let (status, body) = self.call(path, |agent| {
            let request = agent.get(&url).header("stripe-version", VERSION);
            request.header("authorization", self.key.header()).call()
        })?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| CallError::Refused {
                path: path.to_owned(),
                status: status.as_u16(),
                code: "no JSON".to_owned(),
            });
        }
        Err(refusal(path, status, &body))
    }

    /// Whether the key may write a kind of thing, asked by a change to a thing that does not exist: whatever the answer,
    /// nothing can change.
    pub fn may_write(&self, list: &str) -> Result<bool, CallError> {
        let path = format!("{list}/recurve_asks_whether_it_may_write_and_hopes_not");
        let url = format!("{}{path}", self.manner.base);
        let (status, body) = self.call(&path, |agent| {
            let request = agent.post(&url).header("stripe-version", VERSION).header("authorization", self.key.header());
            request.header("content-type", "application/x-www-form-urlencoded").send("recurve_asks=whether")
        })?;
        match status {
            StatusCode::FORBIDDEN => Ok(false),
            StatusCode::UNAUTHORIZED => Err(refusal(&path, status, &body)),
            // A thing that is not there, or a field that is not known: whoever hears that was let in.
            _ => Ok(true),
        }
    }

    /// Makes a request until there is an answer that does not change by asking again.
    fn call(
        &self,
        path: &str,
        ask: impl Fn(&ureq::Agent) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(StatusCode, Vec<u8>), CallError> {
        let mut cause = String::new();
        for tried in 0..TRIES {
            self.wait_for_turn()?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let mut asked = None;
            match ask(&self.agent) {
                Ok(mut answer) => {
                    let status = answer.status();
                    asked = answer
                        .headers()
                        .get("retry-after")
                        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_ASKED));
                    let is_haste = status == StatusCode::TOO_MANY_REQUESTS;
                    match answer.body_mut().with_config().limit(LARGEST_BYTES).read_to_vec() {
                        // 409 stands for a lock that somebody else holds.
                        Ok(body) if !(is_haste || status.is_server_error() || status == StatusCode::CONFLICT) => {
                            self.faster();
                            return Ok((status, body));
                        }
                        Ok(_) => cause = format!("it answered {}", status.as_u16()),
                        Err(error) => cause = words_of(&error),
                    }
                    if is_haste {
                        self.slower(asked);
                    }
                }
                Err(error) => cause = words_of(&error),
            }
            self.waits.fetch_add(1, Ordering::Relaxed);
            if tried + 1 < TRIES {
                let wait = self.manner.first_wait.saturating_mul(1 << tried).min(LONGEST_WAIT);
                // Between half of it and all of it.
                let wait = wait / 2 + wait.mul_f64(0.5 * chance());
                self.sleep(asked.map_or(wait, |asked| asked.max(wait)))?;
            }
        }
        Err(CallError::Failing { path: path.to_owned(), tries: TRIES, cause })
    }

    fn wait_for_turn(&self) -> Result<(), CallError> {
        let wait = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = pace.next.max(now);
            pace.next = at + Duration::from_secs_f64(1.0 / pace.a_second);
            at.saturating_duration_since(now)
        };
        self.sleep(wait)
    }

    fn slower(&self, asked: Option<Duration>) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.a_second = (pace.a_second * 0.7).max(0.5);
        pace.next = pace.next.max(Instant::now() + asked.unwrap_or_default());
    }

    fn faster(&self) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.a_second = (pace.a_second + 0.05).min(self.manner.requests_a_second.max(0.1));
    }

    /// Sleeps in short pieces, so that it can be stopped.
    fn sleep(&self, wait: Duration) -> Result<(), CallError> {
        let until = Instant::now() + wait;
        loop {
            if self.is_stopped() {
                return Err(CallError::Stopped);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(Duration::from_millis(100)));
        }
    }
}

/// A chance from 0 to 1, for jitter alone.
pub fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without chance everybody waits half the time longer, which does no harm.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// What went wrong on the way, in words that name no header.
fn words_of(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::Io(cause) => format!("the connection failed: {}", cause.kind()),
        ureq::Error::HostNotFound => "its address is not known: is this machine connected?".to_owned(),
        ureq::Error::ConnectionFailed => "no connection could be made".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "the answer is too large".to_owned(),
        _ => "the answer could not be read".to_owned(),
    }
}

fn refusal(path: &str, status: StatusCode, body: &[u8]) -> CallError {
    let path = path.to_owned();
    match status {
        StatusCode::UNAUTHORIZED => CallError::Unauthorised,
        StatusCode::FORBIDDEN => CallError::Forbidden { path },
        StatusCode::NOT_FOUND => CallError::Gone { path },
        _ => {
            let said: Value = serde_json::from_slice(body).unwrap_or_default();
            let text = |name| said.pointer(name).and_then(Value::as_str).map(str::to_owned);
            // Stripe's message may show parts of the key; its codes never do.
            let code = text("/error/code").or_else(|| text("/error/type")).unwrap_or_else(|| "no code".to_owned());
            CallError::Refused { path, status: status.as_u16(), code }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_over_https_or_to_this_machine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "rk_test_1").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let key = Key::find(Some(&file), None).unwrap();
        let stop = AtomicBool::new(false);
        for (base, is_taken) in [
            ("https://api.stripe.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://api.stripe.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost@example.com", false),
            ("http://127.0.0.1:80@example.com", false),
            ("ftp://127.0.0.1", false),
        ] {
            let manner = Manner { base: base.to_owned(), ..Manner::default() };
            assert_eq!(Client::new(key.clone(), manner, &stop).is_ok(), is_taken, "{base}");
        }
    }
}
