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
}

impl Sink<Letter> {
    /// A mail server that takes letters; `refuses` says what it answers to a recipient instead, for those that it names.
    pub fn mail(refuses: &'static [(&'static str, &'static str)]) -> Self {
        Self::start(move |stream, got| {
            let mut writer = stream.try_clone().unwrap();
            let mut say = move |line: &str| write!(writer, "{line}\r\n").is_ok();
            let mut reader = BufReader::new(stream);
            let mut letter = Letter::default();
            say("220 sink ESMTP");
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or_default() > 0 {
                let text = line.trim_end().to_owned();
                line.clear();
                let verb = text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
                match verb.as_str() {
                    "EHLO" => {
                        say("250-sink");
                        say("250-AUTH PLAIN LOGIN");
                        say("250 8BITMIME");
                    }
                    "AUTH" => {
                        letter.login = text;
                        say("235 in");
                    }
                    "MAIL" => {
                        letter.from = text;
                        say("250 ok");
                    }
                    "RCPT" => match refuses.iter().find(|(who, _)| text.contains(who)) {
                        Some((_, answer)) => {
                            say(answer);
                        }
                        None => {
                            letter.to.push(text);
                            say("250 ok");
                        }
                    },
                    "DATA" => {
                        say("354 go on");
                        let mut data = String::new();
                        loop {
                            let mut line = String::new();
                            if reader.read_line(&mut line).unwrap_or_default() == 0 || line == ".\r\n" {
                                break;
                            }
                            data.push_str(&line);
                        }
                        got.lock().unwrap().push(Letter { data, ..std::mem::take(&mut letter) });
                        say("250 taken");
                    }
                    "QUIT" => {
                        say("221 bye");
                        break;
                    }
                    _ => {
                        say("250 ok");
                    }
                }
            }
        })
    }
}
