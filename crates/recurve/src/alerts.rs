//! Alerts and digests: rules that people set, channels that they are told by, and the outbox between the two.
//!
//! ```text
//! rule ─▶ judge ─▶ looks ─▶ outlook::alert::decide ─┐ one transaction
//! period is over ─▶ digest ─────────────────────────┴─▶ outbox ─▶ send ─▶ delivery log
//! ```
//!
//! What is decided and what is to be sent is written in one transaction before anything is sent, so that a rule speaks
//! once for each change of its state whenever the program ends. A message that was sent and not recorded as sent is sent
//! again, with the same key: it arrives at least once.

mod digest;
mod judge;
mod reach;
mod send;
mod store;
mod turn;
mod words;

pub use reach::Outside;
pub use store::{KeptChannel, KeptRule, Store, StoreError, Waiting};
pub use turn::{Done, decide, deliver, lock, test};

use outlook::{
    alert::{Against, Limit, QuietHours, Side, minute},
    condition::Condition,
    wording::Language,
};
use revenue::calendar::Grain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warehouse::playbook::{metric_of, unit_of};

use crate::{
    command::CommandError,
    judgement::playbook,
    session::{self, Session},
    targets,
};

/// A rule as people write it. It watches one of: a metric, the anomalies of a metric, a signal of the playbook, a target,
/// or a condition over the figures of the playbook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name: small letters, digits and hyphens.
    pub id: String,
    /// What it is called in messages; made from what it watches unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The metric, with its variant after a dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Whether it fires where the metric is off what was to be expected; then there is no limit.
    #[serde(default)]
    pub anomaly: bool,
    /// The rule of the playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The target that the business falls behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The condition over monthly figures of the playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Fires below this: 10000, 5% or -10%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// Fires above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// What is held against the limit: value, period_before (the change from it) or year_ago; value unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<String>,
    /// By how much the figure has to be back until it is over; nothing unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// How many periods running it has to be beyond the limit; 1 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u32>,
    /// How long a period is; month unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<String>,
    /// Conditions on dimensions, such as plan=team.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Whether a period that runs still is judged too.
    #[serde(default)]
    pub with_open: bool,
    /// Hours after the end of a period before it is judged, for facts that come late; 0 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_hours: Option<u32>,
    /// The channels that are told; all of them unless set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Whether it says nothing when it is over.
    #[serde(default)]
    pub only_firing: bool,
    /// Whether it rests.
    #[serde(default)]
    pub paused: bool,
}

/// Where messages go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name: small letters, digits and hyphens.
    pub id: String,
    /// email, slack or webhook.
    pub kind: String,
    /// The addresses that e-mail is sent to, each by a message of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The address that e-mail comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The mail server, as host:port; 587 unless set, 465 for tls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<String>,
    /// starttls, tls, or none for a server on this machine; starttls unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// The user at the mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The address of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The name of the secret: the password of the user, the key that signs, or the whole address of a Slack webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The language of its messages; that of the folder unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Hours in which nothing is sent, such as 22:00-07:00, by the clock of the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// Reviews that are sent: daily, weekly, monthly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// When they are sent; 08:00 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_at: Option<String>,
    /// Whether it is told of digests alone, and of no alert.
    #[serde(default)]
    pub only_digests: bool,
    /// Whether it rests.
    #[serde(default)]
    pub paused: bool,
}

/// What a rule watches.
pub enum Watch {
    /// A metric, held against a limit.
    Metric {
        /// Its name with the variant.
        metric: String,
        /// What it is compared with.
        against: Against,
        /// The limit.
        limit: Limit,
    },
    /// What is off in a metric.
    Anomaly(String),
    /// A rule of the playbook.
    Signal(String),
    /// A target.
    Target(String),
    /// A condition.
    When(Condition),
}

/// Digests by name.
pub const DIGESTS: [(&str, Grain); 3] = [("daily", Grain::Day), ("weekly", Grain::Week), ("monthly", Grain::Month)];

fn usage<T>(words: impl Into<String>) -> Result<T, CommandError> {
    Err(CommandError::Usage(words.into()))
}

/// Whether a text may be the name of a rule or of a channel.
fn is_name(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_')
}

fn name(text: &str) -> Result<(), CommandError> {
    if is_name(text) {
        return Ok(());
    }
    usage(format!("`{text}` is no name here; use 1 to 60 small letters, digits and hyphens"))
}

impl Rule {
    /// How long its periods are.
    pub fn grain(&self) -> Result<Grain, CommandError> {
        let Some(text) = &self.grain else { return Ok(Grain::Month) };
        session::grain(text).map_err(|words| CommandError::Usage(format!("`{text}` is no grain; {words}")))
    }

    fn number(text: &str) -> Result<i128, CommandError> {
        targets::number(text)
            .ok_or_else(|| CommandError::Usage(format!("`{text}` is no number; write 10000, 5% or -10%")))
    }

    /// What it watches, or what is wrong with it.
    pub fn watch(&self) -> Result<Watch, CommandError> {
        let named = [&self.metric, &self.signal, &self.target, &self.when].into_iter().flatten().count();
        if named != 1 {
            return usage("a rule watches one thing; name one of a metric, a signal, a target or a condition");
        }
        let grain = self.grain()?;
        let has_limit = self.below.is_some() || self.above.is_some();
        let is_plain = !has_limit
            && self.compare.is_none()
            && self.slack.is_none()
            && self.running.is_none()
            && self.filters.is_empty()
            && !self.with_open;
        let Some(metric) = &self.metric else {
            if !is_plain || self.anomaly || grain != Grain::Month {
                return usage(
                    "a signal, a target and a condition are judged by full months; limits, filters and other periods go with a metric",
                );
            }
            return match (&self.signal, &self.target, &self.when) {
                (Some(signal), ..) => Ok(Watch::Signal(signal.clone())),
                (_, Some(target), _) => Ok(Watch::Target(target.clone())),
                (_, _, Some(text)) => {
                    Condition::parse(text).map(Watch::When).map_err(|fault| CommandError::Usage(fault.to_string()))
                }
                _ => usage("a rule watches something"),
            };
        };
        if self.anomaly {
            if !is_plain {
                return usage("what is off is found without a limit; leave limits, filters and open periods out");
            }
            if !matches!(grain, Grain::Day | Grain::Week | Grain::Month) {
                return usage("what is off is looked for by day, week or month");
            }
            return Ok(Watch::Anomaly(metric.clone()));
        }
        let (side, limit) = match (&self.below, &self.above) {
            (Some(below), None) => (Side::Below, Self::number(below)?),
            (None, Some(above)) => (Side::Above, Self::number(above)?),
            _ => return usage("say either below or above which a metric fires; or that anomalies are watched"),
        };
        let against = match self.compare.as_deref() {
            None | Some("value") => Against::Nothing,
            Some("period_before") => Against::PeriodBefore,
            Some("year_ago") => Against::YearAgo,
            Some(other) => return usage(format!("`{other}` is none of value, period_before, year_ago")),
        };
        let slack = self.slack.as_deref().map_or(Ok(0), Self::number)?;
        let running = self.running.unwrap_or(1);
        if slack < 0 || !(1..=60).contains(&running) {
            return usage("the slack is not below zero, and a rule waits for 1 to 60 periods running");
        }
        if self.wait_hours.unwrap_or(0) > 24 * 31 {
            return usage("a period is judged within 744 hours of its end");
        }
        session::filters(&self.filters)?;
        Ok(Watch::Metric { metric: metric.clone(), against, limit: Limit { side, limit, slack, running } })
    }

    /// Whether it can be judged in a folder, or what is wrong with it.
    pub fn check(&self, session: &Session, channels: &[String]) -> Result<(), CommandError> {
        name(&self.id)?;
        if self.title.as_ref().is_some_and(|title| title.len() > 200 || title.chars().any(char::is_control)) {
            return usage("a title has at most 200 bytes, in one line");
        }
        let catalogue = session.catalogue()?;
        match self.watch()? {
            Watch::Metric { metric, .. } => {
                metric_of(&catalogue, &metric)?;
            }
            Watch::Anomaly(metric) => {
                let resolved = metric_of(&catalogue, &metric)?;
                if unit_of(resolved.variant.unit) == outlook::playbook::Unit::Money && self.grain()? < Grain::Month {
                    return usage(
                        "days and weeks of money are a few large amounts; what is off in them shows by the month",
                    );
                }
            }
            Watch::Signal(signal) => {
                let playbook = playbook(&session.options.data, &catalogue)?;
                if !playbook.rules.iter().any(|rule| rule.id == signal) {
                    let known = playbook.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
                    return usage(format!("the playbook has no rule `{signal}`; there are {known}"));
                }
            }
            Watch::Target(target) => {
                let known = judge::target_names(session)?;
                if !known.contains(&target) {
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return usage(format!("there is no target `{target}`; there are {known}"));
                }
            }
            Watch::When(condition) => {
                let playbook = playbook(&session.options.data, &catalogue)?;
                let is_known =
                    |name: &&str| *name == outlook::condition::MONTHS_SINCE_LAUNCH || playbook.figure(name).is_some();
                if let Some(unknown) = condition.names().into_iter().find(|name| !is_known(name)) {
                    let known = playbook.figures.iter().map(|figure| figure.id.as_str()).collect::<Vec<_>>().join(", ");
                    return usage(format!("the playbook has no figure `{unknown}`; there are {known}"));
                }
            }
        }
        match self.channels.iter().find(|channel| !channels.contains(channel)) {
            None => Ok(()),
            Some(channel) => usage(format!("there is no channel `{channel}`; see `recurve alert channels`")),
        }
    }

    /// What it watches, in a few words for a list.
    pub fn watches(&self) -> String {
        let limit = match (&self.below, &self.above) {
            (Some(below), _) => format!(" < {below}"),
            (_, Some(above)) => format!(" > {above}"),
            _ => String::new(),
        };
        let of = match (&self.metric, &self.signal, &self.target, &self.when) {
            (Some(metric), ..) if self.anomaly => format!("anomaly of {metric}"),
            (Some(metric), ..) => match self.compare.as_deref() {
                None | Some("value") => format!("{metric}{limit}"),
                Some(compare) => format!("{metric} against {compare}{limit}"),
            },
            (_, Some(signal), ..) => format!("signal {signal}"),
            (_, _, Some(target), _) => format!("target {target}"),
            (_, _, _, when) => when.clone().unwrap_or_default(),
        };
        if self.filters.is_empty() { of } else { format!("{of} where {}", self.filters.join(", ")) }
    }
}

impl Channel {
    /// The language of its messages.
    pub fn language(&self, of_folder: Language) -> Language {
        self.language.as_deref().and_then(Language::parse).unwrap_or(of_folder)
    }

    /// Its quiet hours.
    pub fn quiet(&self) -> Option<QuietHours> {
        self.quiet.as_deref().and_then(QuietHours::parse)
    }

    /// The minute of the day at which digests are sent.
    pub fn digest_minute(&self) -> u32 {
        self.digest_at.as_deref().and_then(minute).unwrap_or(8 * 60)
    }

    /// Where it leads, for people who may not know all of it: the host, and how an address ends.
    pub fn destination(&self) -> String {
        match self.kind.as_str() {
            "email" => self.to.iter().map(|address| masked(address)).collect::<Vec<_>>().join(", "),
            "webhook" => self
                .url
                .as_deref()
                .and_then(|url| send::Target::parse(url).ok())
                .map_or_else(String::new, |target| format!("{}://{}/…", target.scheme, target.authority())),
            _ => format!("secret {}", self.secret.as_deref().unwrap_or_default()),
        }
    }

    /// What is wrong with it.
    pub fn check(&self) -> Result<(), CommandError> {
        name(&self.id)?;
        if let Some(secret) = &self.secret
            && !reach::is_secret_name(secret)
        {
            return usage(
                "a secret is given by its name, in small letters, digits, - and _; its value stands in RECURVE_SECRET_NAME or in \
                 a file of that name in the folder of --secrets",
            );
        }
        match self.kind.as_str() {
            "email" => {
                let from = self.from.as_deref().unwrap_or_default();
                if self.to.is_empty() || self.to.len() > 50 || self.smtp.is_none() {
                    return usage("e-mail needs a mail server, an address that it comes from, and 1 to 50 to go to");
                }
                for address in self.to.iter().map(String::as_str).chain([from]) {
                    if address.parse::<lettre::Address>().is_err() {
                        return usage("this is no address of e-mail; write name@example.com");
                    }
                }
                let security = self.security.as_deref().unwrap_or("starttls");
                if !["starttls", "tls", "none"].contains(&security) {
                    return usage("security is starttls, tls, or none for a server on this machine");
                }
                if self.user.is_some() && self.secret.is_none() {
                    return usage("a user needs a password; name its secret");
                }
                self.smtp_server()?;
            }
            "slack" if self.secret.is_none() => {
                return usage("the address of a Slack webhook is a secret; name it");
            }
            "slack" => {}
            "webhook" => {
                let url = self.url.as_deref().unwrap_or_default();
                if let Err(failure) = send::Target::parse(url) {
                    return usage(failure.words);
                }
                if self.secret.is_none() {
                    return usage("a webhook is signed; name the secret with its key");
                }
            }
            other => return usage(format!("`{other}` is no kind of channel; there are email, slack and webhook")),
        }
        if let Some(language) = &self.language {
            session::language_of(language)?;
        }
        if self.quiet.is_some() && self.quiet().is_none() {
            return usage("quiet hours are written 22:00-07:00");
        }
        if self.digest_at.as_deref().is_some_and(|text| minute(text).is_none()) {
            return usage("the time of digests is written 08:00");
        }
        match self.digests.iter().find(|digest| !DIGESTS.iter().any(|(known, _)| known == digest)) {
            None => Ok(()),
            Some(digest) => usage(format!("`{digest}` is no digest; there are daily, weekly and monthly")),
        }
    }

    /// The host and the port of the mail server.
    pub fn smtp_server(&self) -> Result<(String, u16), CommandError> {
        let text = self.smtp.as_deref().unwrap_or_default();
        let usual = if self.security.as_deref() == Some("tls") { 465 } else { 587 };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()),
            _ => (text, Some(usual)),
        };
        let is_host = !host.is_empty()
            && host.len() < 254
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
        match port {
            Some(port) if is_host => Ok((host.to_owned(), port)),
            _ => usage("the mail server is written host:port, such as smtp.example.com:587"),
        }
    }
}

/// An address of e-mail of which the name is left out: `a…@example.com`.
pub fn masked(address: &str) -> String {
    let (name, host) = address.split_once('@').unwrap_or((address, ""));
    format!("{}…@{host}", name.chars().next().unwrap_or('…'))
}

/// The number of a figure as it is kept in the outbox for machines: a plain decimal.
pub fn plain(picos: i128) -> String {
    revenue::money::print_scaled(picos, 12, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            id: "low".to_owned(),
            metric: Some("mrr".to_owned()),
            below: Some("10000".to_owned()),
            ..Rule::default()
        }
    }

    #[test]
    fn a_rule_is_kept_as_it_was_written_and_says_what_is_wrong_with_it() {
        let text = serde_json::to_string(&rule()).unwrap();
        assert_eq!(serde_json::from_str::<Rule>(&text).unwrap(), rule());
        assert!(serde_json::from_str::<Rule>(r#"{"id": "x", "metrc": "mrr"}"#).is_err());
        assert!(matches!(rule().watch(), Ok(Watch::Metric { against: Against::Nothing, .. })));
        for wrong in [
            Rule { above: Some("1".to_owned()), ..rule() },
            Rule { below: None, ..rule() },
            Rule { below: Some("much".to_owned()), ..rule() },
            Rule { signal: Some("x".to_owned()), ..rule() },
            Rule { anomaly: true, ..rule() },
            Rule { slack: Some("-1".to_owned()), ..rule() },
            Rule { grain: Some("fortnight".to_owned()), ..rule() },
            Rule { compare: Some("yesterday".to_owned()), ..rule() },
            Rule { filters: vec!["plan".to_owned()], ..rule() },
            Rule { metric: None, when: Some("mrr <".to_owned()), below: None, ..rule() },
            Rule { metric: None, signal: Some("x".to_owned()), ..rule() },
        ] {
            assert!(wrong.watch().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_channel_shows_no_more_of_itself_than_is_needed() {
        let mail = Channel {
            id: "me".to_owned(),
            kind: "email".to_owned(),
            to: vec!["ann.example@example.com".to_owned()],
            from: Some("recurve@example.com".to_owned()),
            smtp: Some("smtp.example.com".to_owned()),
            ..Channel::default()
        };
        mail.check().unwrap();
        assert_eq!(mail.destination(), "a…@example.com");
        assert_eq!(mail.smtp_server().unwrap(), ("smtp.example.com".to_owned(), 587));
        let hook = Channel {
            id: "hook".to_owned(),
            kind: "webhook".to_owned(),
            url: Some("https://example.com:8443/a/t0ken?k=v".to_owned()),
            secret: Some("hook".to_owned()),
            ..Channel::default()
        };
        hook.check().unwrap();
        assert_eq!(hook.destination(), "https://example.com:8443/…");
        for wrong in [
            Channel { to: vec!["ann".to_owned()], ..mail.clone() },
            Channel { to: vec!["ann@example.com\r\nBcc: x@example.com".to_owned()], ..mail.clone() },
            Channel { smtp: Some("smtp.example.com:port".to_owned()), ..mail.clone() },
            Channel { security: Some("ssl".to_owned()), ..mail.clone() },
            Channel { user: Some("me".to_owned()), ..mail.clone() },
            Channel { quiet: Some("at night".to_owned()), ..mail.clone() },
            Channel { digests: vec!["hourly".to_owned()], ..mail.clone() },
            Channel { language: Some("xx".to_owned()), ..mail.clone() },
            Channel { secret: Some("../x".to_owned()), ..mail.clone() },
            Channel { url: Some("https://user:password@example.com/".to_owned()), ..hook.clone() },
            Channel { url: Some("ftp://example.com/".to_owned()), ..hook.clone() },
            Channel { secret: None, ..hook.clone() },
            Channel { kind: "slack".to_owned(), secret: None, ..hook.clone() },
            Channel { kind: "pigeon".to_owned(), ..hook },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
