//! Where messages go in tests: a small web server and a small mail server of this machine, which behave as they are told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// What the web server does with a request.
pub type Behaviour = Box<dyn Fn(usize, &Request) -> Answer + Send + Sync>;

/// How a request is answered.
pub enum Answer {
    /// With a status, and headers.
    Status(u16, &'static str),
    /// Not at all, for so long.
    Slow(Duration),
    /// By hanging up.
    HangUp,
}

/// What was sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A server that runs until it is dropped.
pub struct Sink<T> {
    pub port: u16,
    got: Arc<Mutex<Vec<T>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Clone + Send + 'static> Sink<T> {
    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<T>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (got, stopping) = (Arc::<Mutex<Vec<T>>>::default(), Arc::<AtomicBool>::default());
        let (of_thread, until, serve) = (Arc::clone(&got), Arc::clone(&stopping), Arc::new(serve));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    break;
                }
                let (got, serve) = (Arc::clone(&of_thread), Arc::clone(&serve));
                if let Ok(stream) = stream {
                    std::thread::spawn(move || serve(stream, &got));
                }
            }
        });
        Self { port, got, stopping, thread: Some(thread) }
    }

    /// What came in so far.
    pub fn got(&self) -> Vec<T> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so much came in.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<T> {
        for _ in 0..600 {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{} of {count} came in", self.got().len());
    }
}

impl<T> Drop for Sink<T> {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sink<Request> {
    /// A web server that takes everything.
    pub fn web() -> Self {
        Self::web_that(Box::new(|_, _| Answer::Status(204, "")))
    }

    /// A web server that does with each request, by its number, as it is told.
    pub fn web_that(behaviour: Behaviour) -> Self {
        Self::start(move |stream, got| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let mut request =
                Request { path: line.split(' ').nth(1).unwrap_or_default().to_owned(), ..Request::default() };
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or_default() == 0 || line == "\r\n" {
                    break;
                }
                if let Some((name, value)) = line.split_once(':') {
                    request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
            let length: usize = request.header("content-length").parse().unwrap_or_default();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            request.body = String::from_utf8(body).unwrap();
            let number = {
                let mut got = got.lock().unwrap();
                got.push(request.clone());
                got.len()
            };
            let mut stream = stream;
            match behaviour(number, &request) {
                Answer::Status(status, headers) => {
                    let body = "the-body-of-the-answer-that-nobody-repeats";
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} So\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                        if status == 204 { 0 } else { body.len() }
                    );
                }
                Answer::Slow(time) => std::thread::sleep(time),
                Answer::HangUp => {}
            }
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/t0ken", self.port)
    }
}

/// A letter that was taken.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    /// As it was sent, lines and all.
    pub data: String,
    /// What was said to log in.
    pub login: String,
    /// Whether it came by TLS.
    pub is_secret: bool,
}

/// When the mail server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Never,
    /// From the beginning.
    AtOnce,
    /// When it is asked to.
    WhenAsked,
}

/// Whoever signed the certificate of the mail server, which is that of `localhost` until 2120.
pub const AUTHORITY: &str = include_str!("authority.pem");
const CERTIFICATE: &str = include_str!("localhost.pem");
const KEY: &str = include_str!("localhost-key.pem");

fn with_tls<S: Read + Write>(stream: S) -> StreamOwned<ServerConnection, S> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

impl Sink<Letter> {
    /// A mail server that takes letters; `refuses` says what it answers to a recipient instead, for those that it names.
    pub fn mail(refuses: &'static [(&'static str, &'static str)]) -> Self {
        Self::mail_by(Tls::Never, refuses)
    }

    /// The same, with TLS.
    pub fn mail_by(tls: Tls, refuses: &'static [(&'static str, &'static str)]) -> Self {
        Self::start(move |stream, got| {
            if tls == Tls::AtOnce {
                let mut reader = BufReader::new(with_tls(stream));
                say(&mut reader, "220 sink ESMTP");
                serve_mail(&mut reader, got, refuses, false, true);
                return;
            }
            let mut reader = BufReader::new(stream);
            say(&mut reader, "220 sink ESMTP");
            if serve_mail(&mut reader, got, refuses, tls == Tls::WhenAsked, false) {
                serve_mail(&mut BufReader::new(with_tls(reader.into_inner())), got, refuses, false, true);
            }
        })
    }
}

fn say<S: Read + Write>(reader: &mut BufReader<S>, line: &str) {
    // Whoever hung up does not listen any more.
    let _ = write!(reader.get_mut(), "{line}\r\n").and_then(|()| reader.get_mut().flush());
}

/// Talks to a client until it goes, or asks for TLS.
fn serve_mail<S: Read + Write>(
    reader: &mut BufReader<S>,
    got: &Mutex<Vec<Letter>>,
    refuses: &[(&str, &str)],
    offers_tls: bool,
    is_secret: bool,
) -> bool {
    let mut letter = Letter { is_secret, ..Letter::default() };
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap_or_default() > 0 {
        let text = line.trim_end().to_owned();
        line.clear();
        let verb = text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                say(reader, "250-sink");
                say(reader, if offers_tls { "250-STARTTLS" } else { "250-AUTH PLAIN LOGIN" });
                say(reader, "250 8BITMIME");
            }
            "STARTTLS" => {
                say(reader, "220 go on");
                return true;
            }
            "AUTH" => {
                letter.login = text;
                say(reader, "235 in");
            }
            "MAIL" => {
                letter.from = text;
                say(reader, "250 ok");
            }
            "RCPT" => match refuses.iter().find(|(who, _)| text.contains(who)) {
                Some((_, answer)) => say(reader, answer),
                None => {
                    letter.to.push(text);
                    say(reader, "250 ok");
                }
            },
            "DATA" => {
                say(reader, "354 go on");
                let mut data = String::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or_default() == 0 || line == ".\r\n" {
                        break;
                    }
                    data.push_str(&line);
                }
                let next = Letter { is_secret, ..Letter::default() };
                got.lock().unwrap().push(Letter { data, ..std::mem::replace(&mut letter, next) });
                say(reader, "250 taken");
            }
            "QUIT" => {
                say(reader, "221 bye");
                return false;
            }
            _ => say(reader, "250 ok"),
        }
    }
    false
}
