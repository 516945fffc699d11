//! What the server tells whoever runs it, on the error output: a line for each thing, as JSON unless text is asked for.
//! Nobody is named in it: no address, no name, and of a path only the route. Words that come from elsewhere are looked
//! through for addresses of e-mail, addresses of the web and secrets, and what is found is left out.
//!
//! How lines are written is set once, when the server starts: this is the one thing that is shared by the whole process,
//! as the error output is. A library for spans and subscribers would do more than a dozen calls ask for.

use std::{io::Write, sync::OnceLock};

use jiff::Timestamp;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// Words, for reading.
    Text,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, clap::ValueEnum)]
pub enum Level {
    /// Every request.
    Debug,
    /// What the server did by itself.
    #[default]
    Info,
    /// What may need somebody's eye.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// How much each event matters; those that are not listed are told of as they come.
const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("gave_up", Level::Error),
    ("slow", Level::Warn),
    ("not_delivered", Level::Warn),
    ("rule_not_judged", Level::Warn),
    ("request", Level::Debug),
];

fn level_of(event: &str) -> Level {
    LEVELS.iter().find(|(known, _)| *known == event).map_or(Level::Info, |(_, level)| *level)
}

struct Set {
    format: Format,
    least: Level,
    /// The values of secrets, which must not be written whatever they look like.
    secrets: Vec<String>,
}

static SET: OnceLock<Set> = OnceLock::new();

/// Says how lines are written, once.
pub fn set(format: Format, least: Level) {
    let secrets = std::env::vars().filter(|(name, _)| name.starts_with("RECURVE_SECRET_"));
    let secrets = secrets.map(|(_, value)| value.trim().to_owned()).filter(|value| value.len() >= 6).collect();
    // A second server in one process writes as the first.
    let _ = SET.set(Set { format, least, secrets });
}

/// Whether lines of this event are written.
pub fn tells(event: &str) -> bool {
    level_of(event) >= SET.get().map_or(Level::Info, |set| set.least)
}

/// Writes a line.
pub fn note(event: &str, fields: &[(&str, &str)]) {
    if !tells(event) {
        return;
    }
    let set = SET.get();
    let secrets = set.map_or(&[][..], |set| &set.secrets);
    let line = line(event, fields, set.map_or(Format::Json, |set| set.format), secrets, &Timestamp::now().to_string());
    // Whoever closed the log does not want it; the server goes on.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn line(event: &str, fields: &[(&str, &str)], format: Format, secrets: &[String], at: &str) -> String {
    let level = level_of(event).name();
    match format {
        Format::Json => {
            let mut line = serde_json::Map::new();
            line.insert("at".to_owned(), at.into());
            line.insert("level".to_owned(), level.into());
            line.insert("event".to_owned(), event.into());
            line.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), clean(value, secrets).into())));
            serde_json::Value::Object(line).to_string()
        }
        Format::Text => {
            let mut line = format!("{at} {level} {event}");
            for (name, value) in fields {
                let value = clean(value, secrets);
                // A value that holds a line of its own must not pass for one of ours.
                let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
                line.push_str(&if is_plain { format!(" {name}={value}") } else { format!(" {name}={value:?}") });
            }
            line
        }
    }
}

/// How secrets of services begin.
const SECRETS: &[&str] = &["whsec_", "sk_", "rk_", "pk_", "xoxb-", "xoxp-", "ghp_", "eyJ"];

/// Words without addresses and secrets.
fn clean(words: &str, secrets: &[String]) -> String {
    let mut words = words.to_owned();
    for secret in secrets {
        words = words.replace(secret.as_str(), "<secret>");
    }
    // An address of the web holds what would end any other word.
    pieces(
        &words,
        |letter| letter.is_whitespace() || "\"'`<>".contains(letter),
        |word| {
            if word.contains("://") {
                return one(word);
            }
            pieces(word, |letter| "(){}[],;|=".contains(letter), one)
        },
    )
}

/// A text whose words are said otherwise, with what stands between them as it is.
fn pieces(text: &str, ends: impl Fn(char) -> bool, say: impl Fn(&str) -> String) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(&ends).unwrap_or(rest.len()));
        let (stop, after) = after.split_at(after.chars().next().map_or(0, char::len_utf8));
        said.push_str(&say(word));
        said.push_str(stop);
        rest = after;
    }
    said
}

fn one(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        return if host.len() == rest.len() { format!("{scheme}://{host}") } else { format!("{scheme}://{host}/…") };
    }
    let is_address = word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    let is_secret = SECRETS.iter().any(|start| word.len() > start.len() + 8 && word.starts_with(start));
    match (is_address, is_secret) {
        (true, _) => "<address>".to_owned(),
        (_, true) => "<secret>".to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_secrets_are_left_out_whatever_they_stand_in() {
        let secrets = ["hunter2hunter2".to_owned()];
        for (words, left) in [
            ("ann@example.com is unknown", "<address> is unknown"),
            ("550 <ann.b+c@mail.example.com>: no such user", "550 <<address>>: no such user"),
            ("to=ann@example.com;", "to=<address>;"),
            ("cannot reach https://me:pw@hooks.example.com/T0/B0/abc?x=1", "cannot reach https://hooks.example.com/…"),
            ("key rk_live_51HabcDEFghi is refused", "key <secret> is refused"),
            ("password `hunter2hunter2` is wrong", "password `<secret>` is wrong"),
            ("the file data/x.csv, line 3", "the file data/x.csv, line 3"),
        ] {
            assert_eq!(clean(words, &secrets), left);
        }
    }

    #[test]
    fn a_line_is_one_line_in_either_format() {
        let fields = [("route", "/figures"), ("words", "a\n2026 error forged")];
        let json = line("slow", &fields, Format::Json, &[], "T");
        assert_eq!(
            json,
            r#"{"at":"T","level":"warn","event":"slow","route":"/figures","words":"a\n2026 error forged"}"#
        );
        let text = line("slow", &fields, Format::Text, &[], "T");
        assert_eq!(text, "T warn slow route=/figures words=\"a\\n2026 error forged\"");
        assert!(!text.contains('\n') && !json.contains('\n'));
    }
}
