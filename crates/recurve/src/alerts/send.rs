//! One attempt to deliver one message: by HTTP or by SMTP. What comes back is a status and nothing else: no word of what
//! the other side answers is kept, logged or shown, because it may be anything.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use lettre::{
    Address, SmtpTransport, Transport,
    message::{
        Mailbox, Message, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use sha2::Sha256;
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::{Channel, Outside, Waiting};

/// How long one attempt may take over HTTP, and each step of it over SMTP.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that the other side may have us wait.
const LONGEST_WAIT_SECONDS: u64 = 21_600;

/// Why an attempt failed, in words that name nobody and repeat nothing of what the other side said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub words: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
    /// Seconds after which the other side wants to be asked again.
    pub retry_after_seconds: Option<u64>,
}

impl Failure {
    /// A failure that may pass.
    pub fn new(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into(), is_final: false, retry_after_seconds: None }
    }
}

/// Where a webhook leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// http or https.
    pub scheme: String,
    /// The machine.
    pub host: String,
    /// The port.
    pub port: u16,
    url: String,
}

impl Target {
    /// Reads an address.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::new("bad_address", "this is no address of a webhook; write https://example.com/path");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let authority = uri.authority().ok_or_else(wrong)?;
        if !["http", "https"].contains(&scheme.as_str()) || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Ok(Self { scheme, host, port, url: url.to_owned() })
    }

    /// The host with its port, where that is not the usual one.
    pub fn authority(&self) -> String {
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

/// Addresses that were judged; no other is connected to.
#[derive(Debug)]
struct Judged(Vec<SocketAddr>);

impl Resolver for Judged {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        // It holds sixteen at the most.
        self.0.iter().take(16).for_each(|address| found.push(*address));
        if self.0.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

/// The signature of a webhook: HMAC-SHA256 over id, seconds since 1970 and body, as Standard Webhooks has it.
pub fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    // A key with that prefix is written in base64; any other is taken as it stands.
    let key = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let key = key.unwrap_or_else(|| secret.as_bytes().to_vec());
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Tries to deliver a message. The time is that of the attempt, in microseconds since 1970.
pub fn attempt(channel: &Channel, message: &Waiting, outside: &Outside, now: i64) -> Result<(), Failure> {
    match channel.kind.as_str() {
        "email" => mail(channel, message, outside),
        "slack" => {
            let url = outside.secret(channel.secret.as_deref().unwrap_or_default())?;
            let body = serde_json::json!({ "text": slack_text(&message.text) }).to_string();
            post(&Target::parse(&url)?, &[("idempotency-key", message.number())], &body, outside)
        }
        _ => {
            let secret = outside.secret(channel.secret.as_deref().unwrap_or_default())?;
            let target = Target::parse(channel.url.as_deref().unwrap_or_default())?;
            let (id, seconds) = (message.number(), now.div_euclid(1_000_000));
            let headers = [
                ("webhook-signature", signature(&secret, &id, seconds, &message.payload)),
                ("webhook-timestamp", seconds.to_string()),
                ("idempotency-key", id.clone()),
                ("webhook-id", id),
            ];
            post(&target, &headers, &message.payload, outside)
        }
    }
}

/// Text as Slack wants it: three characters would be read as marks.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn post(target: &Target, headers: &[(&str, String)], body: &str, outside: &Outside) -> Result<(), Failure> {
    let addresses = outside.addresses(&target.host, target.port)?;
    if target.scheme != "https" && !addresses.iter().all(|address| outside.is_allowed(address.ip())) {
        let words = "messages go by https; whoever runs Recurve may allow an address without it with --allow-target";
        return Err(Failure::new("not_encrypted", words));
    }
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .max_response_header_size(16 << 10)
        .user_agent(concat!("Recurve/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), Judged(addresses));
    let mut request = agent.post(&target.url).header("content-type", "application/json; charset=utf-8");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send(body).map_err(|error| http_failure(&error))?;
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.trim().parse::<u64>().ok());
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::new("redirect", format!("the target answered {status}; redirects are not followed"))),
        410 => Err(Failure { is_final: true, ..Failure::new("status", "the target answered 410: it is gone") }),
        _ => Err(Failure {
            retry_after_seconds: wait.map(|wait| wait.min(LONGEST_WAIT_SECONDS)),
            ..Failure::new("status", format!("the target answered {status}"))
        }),
    }
}

/// A failure of HTTP, without what it was about: an error may hold the address.
fn http_failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::new("timeout", "the target did not answer in time"),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            Failure::new("tls", "no secure connection to the target: look at its certificate")
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Failure::new("timeout", "the target did not answer in time")
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Failure::new("tls", "no secure connection to the target: look at its certificate")
        }
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
            Failure::new("not_reached", "the target cannot be reached")
        }
        _ => Failure::new("protocol", "the target does not speak HTTP as it should"),
    }
}

/// The e-mail of a message.
fn letter(channel: &Channel, message: &Waiting) -> Result<Message, Failure> {
    let bad = |_| Failure::new("bad_address", "an address of the channel cannot be used; set the channel anew");
    let from: Address = channel.from.as_deref().unwrap_or_default().parse().map_err(bad)?;
    let to: Address = message.recipient.parse().map_err(bad)?;
    let id = format!("<{}@{}>", message.number(), from.domain());
    let builder = Message::builder()
        .from(Mailbox::new(Some("Recurve".to_owned()), from))
        .to(Mailbox::new(None, to))
        .subject(message.subject.clone())
        .message_id(Some(id));
    let plain = message.text.clone();
    let made = match message.html.clone() {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(plain, html)),
        None => builder.header(lettre::message::header::ContentType::TEXT_PLAIN).body(plain),
    };
    let mut letter = made.map_err(|_| Failure::new("bad_message", "the message cannot be written as e-mail"))?;
    // Whoever answers letters by themselves leaves this one alone.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    letter.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(letter)
}

fn mail(channel: &Channel, message: &Waiting, outside: &Outside) -> Result<(), Failure> {
    let wrong = |words: String| Failure::new("bad_channel", words);
    let (host, port) = channel.smtp_server().map_err(|error| wrong(error.to_string()))?;
    let letter = letter(channel, message)?;
    let mut last = Failure::new("no_address", "the name of the target has no address");
    for address in outside.addresses(&host, port)? {
        match mail_to(channel, &letter, outside, &host, address) {
            // A machine with several addresses need not listen at each.
            Err(failure) if failure.code == "not_reached" => last = failure,
            other => return other,
        }
    }
    Err(last)
}

/// Sends a letter to one address of the mail server.
fn mail_to(
    channel: &Channel,
    letter: &Message,
    outside: &Outside,
    host: &str,
    address: SocketAddr,
) -> Result<(), Failure> {
    let security = channel.security.as_deref().unwrap_or("starttls");
    let tls = match security {
        "none" if !is_here(address.ip()) => {
            let words = "mail goes without TLS to a server on this machine alone; set security to starttls or tls";
            return Err(Failure::new("not_encrypted", words));
        }
        "none" => Tls::None,
        _ => {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let mut parameters = TlsParameters::builder(bare.to_owned());
            if let Some(file) = &outside.smtp_ca {
                let unread = || Failure::new("bad_certificate", "the file of --smtp-ca holds no certificate in PEM");
                let pem = std::fs::read(file).map_err(|_| unread())?;
                parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|_| unread())?);
            }
            let parameters = parameters.build_rustls().map_err(|error| mail_failure(&error))?;
            if security == "tls" { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
        }
    };
    // The connection goes to the address that was judged; the certificate has to be that of the name.
    let mut transport = SmtpTransport::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .tls(tls)
        .hello_name(ClientId::Domain("recurve".to_owned()))
        .timeout(Some(PATIENCE));
    if let Some(user) = &channel.user {
        let password = outside.secret(channel.secret.as_deref().unwrap_or_default())?;
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    transport.build().send(letter).map(|_| ()).map_err(|error| mail_failure(&error))
}

fn is_here(address: IpAddr) -> bool {
    address.is_loopback()
}

/// Whether a connection failed for what TLS found, such as a certificate that nobody trusts.
fn is_of_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::InvalidData) {
            return true;
        }
        source = error.source();
    }
    error.is_tls()
}

/// A failure of SMTP, without the words of the server: they repeat addresses.
fn mail_failure(error: &lettre::transport::smtp::Error) -> Failure {
    match error.status() {
        Some(code) => Failure::new("status", format!("the mail server answered {code}")),
        None if error.is_timeout() => Failure::new("timeout", "the mail server did not answer in time"),
        None if is_of_tls(error) => {
            Failure::new("tls", "no secure connection to the mail server: look at its certificate and at `security`")
        }
        None if error.is_client() => Failure::new(
            "not_offered",
            "the mail server does not offer what the channel needs: STARTTLS, or a way to log in",
        ),
        None => Failure::new("not_reached", "the mail server cannot be reached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let said = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(said, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(signature("plain", "a", 1, "b"), signature("plain", "a", 2, "b"));
    }

    #[test]
    fn an_address_is_http_and_holds_no_password() {
        let target = Target::parse("https://example.com/path?x=1").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("example.com", 443));
        assert_eq!(Target::parse("http://[::1]:8080/").unwrap().authority(), "[::1]:8080");
        for wrong in
            ["", "example.com", "ftp://example.com/", "https://", "https://me@example.com/", "/path", "https:///x"]
        {
            assert_eq!(Target::parse(wrong).unwrap_err().code, "bad_address", "{wrong}");
        }
    }
}
