//! The real server on a free port of this machine, and a client.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::print_stderr, reason = "a test that fails says what was answered")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::folder::Folder;

/// A server that runs until it is dropped.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The token with which the first owner is added.
    pub setup: Option<String>,
    agent: ureq::Agent,
}

/// An event of the stream.
#[derive(Debug)]
pub struct Told {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Reply {
    /// Ends the test unless the status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The cookie that was set, as it is sent back.
    pub fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").expect("no cookie was set");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    /// Starts it on a folder; the words stand after `serve`.
    pub fn start(folder: &Folder, words: &[&str]) -> Self {
        Self::of(&mut folder.command(&[&["serve", "--port", "0"], words].concat()))
    }

    /// Starts it open to editors, which most tests want.
    pub fn open(folder: &Folder) -> Self {
        Self::start(folder, &["--open", "editor"])
    }

    pub fn of(command: &mut Command) -> Self {
        Self::of_child(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The server, and what it logs.
    pub fn of_logged(command: &mut Command) -> (Self, ChildStderr) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = child.stderr.take().unwrap();
        (Self::of_child(child), log)
    }

    /// The server, open to somebody; nothing when it is gone before it says where it is.
    pub fn if_it_starts(command: &mut Command) -> Option<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else {
            child.wait().unwrap();
            return None;
        };
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self::at(child, &first))
    }

    fn at(child: Child, first: &str) -> Self {
        let address = first.rsplit('/').next().unwrap().to_owned();
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(120)));
        Self { child, address, setup: None, agent: config.build().into() }
    }

    fn of_child(mut child: Child) -> Self {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the server said nothing").unwrap();
        let mut server = Self::at(child, &first);
        // Whoever is set up already hears of no token; then the next line never comes.
        if server.get("/session").code() == "setup_needed" {
            let line = lines.next().unwrap().unwrap();
            server.setup = line.split("token=").nth(1).map(str::to_owned);
        }
        std::thread::spawn(move || lines.for_each(drop));
        server
    }

    fn url(&self, path: &str) -> String {
        let base = if path.starts_with("/api") || path == "/" || path.starts_with("//") { "" } else { "/api/v1" };
        format!("http://{}{base}{}", self.address, path.replacen("//", "/", 1))
    }

    /// Asks. A path is below the API unless it begins with two slashes.
    pub fn get(&self, path: &str) -> Reply {
        self.with("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.with("POST", path, &[], Some(body))
    }

    /// Sends anything.
    pub fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let body = body.map(ToString::to_string);
        let headers: Vec<(&str, &str)> =
            body.iter().map(|_| ("content-type", "application/json")).chain(headers.iter().copied()).collect();
        self.bytes(method, path, &headers, body.unwrap_or_default().into_bytes())
    }

    /// Sends bytes.
    pub fn bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        self.try_bytes(method, path, headers, body).expect("the server does not answer")
    }

    /// The same; nothing when the server is gone before it answers.
    pub fn try_bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Option<Reply> {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let ended = |error: &ureq::Error| eprintln!("{method} {path}: {error}");
        let mut response = self.agent.run(request.body(body).unwrap()).inspect_err(ended).ok()?;
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
        // A stream never ends, so nothing of it is read here.
        let is_stream = path.ends_with("/stream") && response.status() == 200;
        let text =
            if is_stream { String::new() } else { response.body_mut().read_to_string().inspect_err(ended).ok()? };
        Some(Reply { status: response.status().as_u16(), headers, text })
    }

    /// The same as [`Server::post`]; nothing when the server is gone before it answers.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<Reply> {
        self.try_bytes("POST", path, &[("content-type", "application/json")], body.to_string().into_bytes())
    }

    /// The same as [`Server::get`]; nothing when the server is gone before it answers.
    pub fn try_get(&self, path: &str) -> Option<Reply> {
        self.try_bytes("GET", path, &[], Vec::new())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Uploads a file, with further parts.
    pub fn upload(&self, file: Option<(&str, &str)>, parts: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
        const BOUNDARY: &str = "----part";
        let mut body = String::new();
        for (name, value) in parts {
            body += &format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        if let Some((name, content)) = file {
            body += &format!(
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 content-type: text/csv\r\n\r\n{content}\r\n"
            );
        }
        body += &format!("--{BOUNDARY}--\r\n");
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers: Vec<(&str, &str)> =
            [("content-type", kind.as_str())].into_iter().chain(headers.iter().copied()).collect();
        self.bytes("POST", "/imports", &headers, body.into_bytes())
    }

    /// Writes bytes to the port, and reads what comes back until the connection ends.
    pub fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut said = Vec::new();
        // A server that closes while we still write is an answer too.
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Listens to the stream.
    pub fn listen(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        self.listen_with(&[]).map(|told| (told.name, told.data))
    }

    /// Listens to the stream, with headers.
    pub fn listen_with(&self, headers: &[(&str, &str)]) -> impl Iterator<Item = Told> + use<> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines();
        let (mut name, mut id, mut data) = (String::new(), String::new(), None);
        std::iter::from_fn(move || {
            loop {
                let line = lines.next()?.ok()?;
                if let Some(event) = line.strip_prefix("event: ") {
                    name = event.to_owned();
                } else if let Some(text) = line.strip_prefix("id: ") {
                    id = text.to_owned();
                } else if let Some(text) = line.strip_prefix("data: ") {
                    data = Some(serde_json::from_str(text).unwrap());
                } else if let (true, Some(data)) = (line.is_empty(), data.take()) {
                    return Some(Told { name: std::mem::take(&mut name), id: id.clone(), data });
                }
            }
        })
    }

    /// Adds the first owner; the cookie of the login.
    pub fn set_up(&self) -> String {
        let token = self.setup.as_deref().unwrap();
        let asked = serde_json::json!({ "token": token, "name": "Ada", "password": PASSWORD });
        self.post("/setup", &asked).is(200).cookie()
    }

    /// Asks the server to stop, and tells how it ended and how long that took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let ended = self.child.wait().unwrap();
        (ended.code(), begun.elapsed())
    }
}

/// The password of tests.
pub const PASSWORD: &str = "correct horse battery";

impl Server {
    /// Kills it, as `kill -9` does: nothing is put in order first.
    pub fn end_at_once(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_at_once();
    }
}
