//! One turn: every rule is judged, digests that are due are written, and what is due is sent.

use std::{collections::BTreeMap, fs::File, path::Path, time::Duration};

use jiff::Timestamp;
use outlook::{
    alert::{self, Why, retry_after_seconds},
    wording::Language,
};
use revenue::calendar::Zone;
use serde_json::{Value, json};

use super::{
    Channel, KeptChannel, KeptRule, Outside, Store, Waiting, digest, judge,
    send::{self, Failure},
    store::Draft,
    words::{self, Said},
};
use crate::{command::CommandError, session::Session};

/// After so long an attempt that was never ended is made again: its program has ended.
const LEASE: Duration = Duration::from_secs(180);
/// Under this name the one lock of those who look after alerts is kept.
const LOCK_FILE: &str = "alerts.lock";

/// What a turn did: one line for each thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// fired, over, ... of a rule; digest; sent, failed, given_up or held of a message; fault.
    pub what: &'static str,
    /// The rule, where it is about one.
    pub rule: String,
    /// The channel, where it is about one.
    pub channel: String,
    /// How often the message was tried.
    pub attempts: u32,
    /// Words about it; of no person, and no secret.
    pub words: String,
}

/// Takes the lock of whoever looks after alerts; nothing where somebody has it.
pub fn lock(data: &Path) -> Result<Option<File>, CommandError> {
    let file = File::options().create(true).truncate(false).write(true).open(data.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// To whom messages of a channel go: addresses of e-mail, each by itself, or the one place of others.
pub fn recipients(channel: &Channel) -> Vec<String> {
    if channel.kind == "email" { channel.to.clone() } else { vec![String::new()] }
}

/// Messages of a channel, one for each whom they go to.
pub fn drafts(
    channel: &Channel,
    key: &str,
    kind: &'static str,
    rule: Option<&str>,
    said: &Said,
    now: i64,
) -> Vec<Draft> {
    let at = Timestamp::from_microsecond(now).map_or_else(|_| String::new(), |at| at.to_string());
    let payload = words::payload(kind, &at, &said.data);
    let draft = |recipient: String| Draft {
        key: format!("{key}/{}/{recipient}", channel.id),
        channel: channel.id.clone(),
        recipient,
        kind,
        rule: rule.map(str::to_owned),
        subject: said.subject.clone(),
        text: said.text.clone(),
        html: said.html.clone(),
        payload: payload.clone(),
    };
    recipients(channel).into_iter().map(draft).collect()
}

/// Judges every rule and writes what is to be said, digests among it.
pub fn decide(session: &Session, store: &Store, outside: &Outside, now: i64) -> Result<Vec<Done>, CommandError> {
    let channels = store.channels()?;
    let mut done = Vec::new();
    let fault = |rule: &str, words: String| Done {
        what: "fault",
        rule: rule.to_owned(),
        channel: String::new(),
        attempts: 0,
        words,
    };
    for kept in store.rules()?.iter().filter(|kept| !kept.rule.paused) {
        match decide_one(session, store, outside, &channels, kept, now) {
            Ok(spoken) => done.extend(spoken),
            Err(error) => {
                // One rule that cannot be judged keeps no other from speaking.
                let words = error.to_string();
                if kept.fault.as_deref() != Some(words.as_str()) {
                    store.failed_to_judge(&kept.rule.id, &words, now)?;
                }
                done.push(fault(&kept.rule.id, words));
            }
        }
    }
    match digest::write(session, store, &channels, outside, now) {
        Ok(0) => {}
        Ok(count) => done.push(Done { what: "digest", ..fault("", format!("{count} written")) }),
        Err(error) => done.push(fault("", format!("digests: {error}"))),
    }
    store.forget_old(now)?;
    Ok(done)
}

fn decide_one(
    session: &Session,
    store: &Store,
    outside: &Outside,
    channels: &[KeptChannel],
    kept: &KeptRule,
    now: i64,
) -> Result<Vec<Done>, CommandError> {
    let seen = judge::see(session, &kept.rule, kept.memory.as_ref())?;
    let (memory, speeches) = alert::decide(&seen.limit, kept.memory.as_ref(), &seen.looks);
    if speeches.is_empty() && memory == kept.memory && kept.fault.is_none() && kept.judged_at.is_some() {
        return Ok(Vec::new());
    }
    let changes = kept.changes + i64::try_from(speeches.len()).unwrap_or_default();
    let told: Vec<_> = speeches
        .iter()
        .filter(|speech| !(kept.rule.only_firing && matches!(speech.why, Why::Over | Why::RestatedOver)))
        .cloned()
        .collect();
    let mut made = Vec::new();
    if !told.is_empty() {
        let key = format!("alert/{}/{}/{changes}", kept.rule.id, kept.revision);
        let link = outside.link("/alerts");
        let names = &kept.rule.channels;
        let wanted = channels.iter().map(|kept| &kept.channel).filter(|channel| {
            !channel.only_digests && !channel.paused && (names.is_empty() || names.contains(&channel.id))
        });
        for channel in wanted {
            let language = channel.language(session.language()?);
            let said = words::alert(&kept.rule.id, &seen, &told, language, link.as_deref());
            made.extend(drafts(channel, &key, "alert", Some(&kept.rule.id), &said, now));
        }
    }
    store.decided(kept, memory.as_ref(), changes, &made, now)?;
    let done = speeches.iter().map(|speech| Done {
        what: speech.why.name(),
        rule: kept.rule.id.clone(),
        channel: String::new(),
        attempts: 0,
        words: format!("{} {}", seen.grain.name(), speech.look.period),
    });
    Ok(done.collect())
}

/// Writes a test of a channel into the outbox.
pub fn test(
    store: &Store,
    channel: &Channel,
    outside: &Outside,
    language: Language,
    now: i64,
) -> Result<(), CommandError> {
    let said = words::test(&channel.id, channel.language(language), outside.link("/alerts").as_deref());
    store.write(&drafts(channel, &format!("test/{now}"), "test", None, &said, now), now)?;
    Ok(())
}

/// Sends what is due: channels beside each other, the messages of one in their order, as long as it goes on.
pub fn deliver(
    store: &Store,
    outside: &Outside,
    zone: &Zone,
    language: Language,
    now: i64,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Done>, CommandError> {
    let channels = store.channels()?;
    let mut done = hold(store, &channels, zone, language, now)?;
    let mut of_channel: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for message in store.due(now)? {
        of_channel.entry(message.channel.clone()).or_default().push(message);
    }
    let outcomes: Vec<Result<Vec<Done>, CommandError>> = std::thread::scope(|scope| {
        let begun: Vec<_> = of_channel
            .iter()
            .map(|(name, messages)| {
                let channels = &channels;
                scope.spawn(move || {
                    let kept = channels.iter().find(|kept| kept.channel.id == *name);
                    let channel = kept.map(|kept| &kept.channel);
                    deliver_to((store, outside), channel, messages, channels, (language, now), goes_on)
                })
            })
            .collect();
        begun
            .into_iter()
            .map(|work| {
                work.join().unwrap_or_else(|_| Err(CommandError::Usage("a delivery ended in a panic".to_owned())))
            })
            .collect()
    });
    for outcome in outcomes {
        done.extend(outcome?);
    }
    Ok(done)
}

fn line(what: &'static str, message: &Waiting, attempts: u32, words: &str) -> Done {
    Done { what, rule: String::new(), channel: message.channel.clone(), attempts, words: words.to_owned() }
}

/// Has messages wait for the end of quiet hours, and puts those that did into one.
fn hold(
    store: &Store,
    channels: &[KeptChannel],
    zone: &Zone,
    language: Language,
    now: i64,
) -> Result<Vec<Done>, CommandError> {
    let mut done = Vec::new();
    let mut held: BTreeMap<(String, String), Vec<Waiting>> = BTreeMap::new();
    for message in store.due(now)? {
        let Some(channel) = channels.iter().map(|kept| &kept.channel).find(|one| one.id == message.channel) else {
            continue;
        };
        let quiet_until = channel.quiet().and_then(|quiet| quiet.end(zone, now));
        match quiet_until {
            // Whoever tests a channel wants to see it at once.
            _ if message.kind == "test" => {}
            Some(end) => {
                store.hold_until(&[message.id], end)?;
                done.push(line("held", &message, message.attempts, ""));
            }
            None if message.is_held && message.attempts == 0 && message.kind != "bundle" => {
                held.entry((message.channel.clone(), message.recipient.clone())).or_default().push(message);
            }
            None => {}
        }
    }
    for ((name, recipient), messages) in held {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { continue };
        let Some(channel) = channels.iter().map(|kept| &kept.channel).find(|one| one.id == name) else { continue };
        if messages.len() < 2 {
            continue;
        }
        let texts: Vec<&str> = messages.iter().map(|message| message.text.trim_end()).collect();
        let bodies: Vec<Value> =
            messages.iter().filter_map(|message| serde_json::from_str(&message.payload).ok()).collect();
        let at = Timestamp::from_microsecond(last.made_at).map_or_else(|_| String::new(), |at| at.to_string());
        let draft = Draft {
            key: format!("bundle/{}/{}", first.number(), last.number()),
            channel: name,
            recipient,
            kind: "bundle",
            rule: None,
            subject: words::bundle(messages.len(), channel.language(language)),
            text: format!("{}\n", texts.join("\n\n")),
            // Pages of their own do not make one page; their texts do.
            html: None,
            payload: words::payload("bundle", &at, &json!({ "messages": bodies })),
        };
        let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
        store.bundle(&ids, &draft, now)?;
    }
    Ok(done)
}

fn deliver_to(
    (store, outside): (&Store, &Outside),
    channel: Option<&Channel>,
    messages: &[Waiting],
    channels: &[KeptChannel],
    (language, now): (Language, i64),
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Done>, CommandError> {
    let mut done = Vec::new();
    let Some(channel) = channel.filter(|channel| !channel.paused) else {
        // It rests, or was removed while this was on its way: the next hour looks again.
        let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
        store.postpone(&ids, now + 3_600_000_000)?;
        return Ok(done);
    };
    let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000);
    for (place, message) in messages.iter().enumerate().take_while(|_| goes_on()) {
        let attempt = store.begin(message.id, now, now + seconds(LEASE.as_secs()))?;
        let attempts = message.attempts + 1;
        match send::attempt(channel, message, outside, now) {
            Ok(()) => {
                store.sent(attempt, message, now)?;
                done.push(line("sent", message, attempts, ""));
            }
            Err(Failure { code, words, is_final, retry_after_seconds: asked }) => {
                let wait = retry_after_seconds(attempts).filter(|_| !is_final);
                let again_at = wait.map(|wait| now + seconds(wait.max(asked.unwrap_or(0))));
                let is_news = store.failed(attempt, message, (code, &words), again_at, now)?;
                done.push(line(if again_at.is_some() { "failed" } else { "given_up" }, message, attempts, &words));
                if is_news && message.kind != "notice" {
                    let mut notices = Vec::new();
                    let others = channels.iter().filter(|other| {
                        other.channel.id != channel.id && !other.channel.paused && other.failing_since.is_none()
                    });
                    for other in others.map(|other| &other.channel) {
                        let link = outside.link("/alerts");
                        let said = words::notice(&channel.id, other.language(language), link.as_deref());
                        let key = format!("notice/{}/{}", channel.id, message.number());
                        notices.extend(drafts(other, &key, "notice", None, &said, now));
                    }
                    store.write(&notices, now)?;
                }
                // Who cannot be reached for this message cannot be for the next one.
                if let (Some(again_at), true) = (again_at, code != "status" && code != "bad_address") {
                    let rest: Vec<i64> = messages.iter().skip(place + 1).map(|message| message.id).collect();
                    store.postpone(&rest, again_at)?;
                    break;
                }
            }
        }
    }
    Ok(done)
}
