//! `recurve alert`: rules that speak, channels that they are told by, and what was delivered.

use jiff::Timestamp;
use warehouse::lake::Access;

use super::{CommandError, Outcome};
use crate::{
    alerts::{self, Channel, Done, Outside, Rule, Store},
    listing::{self, Cell, Sheet},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List rules with where they stand
    List,
    /// Set a rule: on a metric and a limit, on its anomalies, on a signal, a target or a condition
    Set(Box<SetRule>),
    /// Remove a rule; what it said before is delivered still
    Remove {
        /// The rule
        rule: String,
    },
    /// List channels, with as much of where they lead as everybody may see
    Channels,
    /// Set a channel: e-mail, a Slack-compatible webhook, or a signed webhook
    SetChannel(Box<SetChannel>),
    /// Remove a channel with what waits for it
    RemoveChannel {
        /// The channel
        channel: String,
    },
    /// Send a test to a channel now, with whatever waits for it
    Test {
        /// The channel
        channel: String,
        #[command(flatten)]
        outside: Outside,
    },
    /// Judge every rule, write digests that are due, and send what is due: for cron, where no server runs
    Run {
        #[command(flatten)]
        outside: Outside,
    },
    /// List what was sent to which channel, with every attempt, the newest first
    Log {
        /// How many messages
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, clap::Args)]
struct SetRule {
    /// Its name
    rule: String,
    /// What it is called in messages
    #[arg(long, value_name = "WORDS")]
    title: Option<String>,
    /// The metric, such as mrr or customer_churn.midpoint
    #[arg(long, value_name = "ID")]
    metric: Option<String>,
    /// Fire where the metric is off what was to be expected, without a limit
    #[arg(long)]
    anomaly: bool,
    /// A rule of the playbook, such as mrr_down
    #[arg(long, value_name = "ID")]
    signal: Option<String>,
    /// A target that the business falls behind
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// A condition over monthly figures of the playbook, such as 'mrr < 5000 and churn > 5%'
    #[arg(long, value_name = "CONDITION")]
    when: Option<String>,
    /// Fire below this: 10000, 5% or -10%
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true)]
    below: Option<String>,
    /// Fire above this
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true)]
    above: Option<String>,
    /// What is held against the limit: value, period_before (the change from it) or year_ago; value unless set
    #[arg(long, value_name = "WHAT")]
    compare: Option<String>,
    /// By how much the figure has to be back until it is over
    #[arg(long, value_name = "AMOUNT")]
    slack: Option<String>,
    /// How many periods running it has to be beyond the limit
    #[arg(long, value_name = "N")]
    running: Option<u32>,
    /// How long a period is; month unless set
    #[arg(long, value_name = "GRAIN")]
    grain: Option<String>,
    /// Only customers of whom this holds, such as plan=team
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
    /// Judge a period that runs still too
    #[arg(long)]
    with_open: bool,
    /// Hours after the end of a period before it is judged, for facts that come late
    #[arg(long, value_name = "N")]
    wait_hours: Option<u32>,
    /// A channel that is told; all of them unless set
    #[arg(long = "channel", value_name = "ID")]
    channels: Vec<String>,
    /// Say nothing when it is over
    #[arg(long)]
    only_firing: bool,
    /// Let it rest
    #[arg(long)]
    paused: bool,
}

#[derive(Debug, clap::Args)]
struct SetChannel {
    /// Its name
    channel: String,
    /// email, slack or webhook
    #[arg(long, value_name = "KIND")]
    kind: String,
    /// An address that e-mail is sent to
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// The address that e-mail comes from
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The mail server, as host:port
    #[arg(long, value_name = "HOST:PORT")]
    smtp: Option<String>,
    /// starttls, tls, or none for a server on this machine; starttls unless set
    #[arg(long, value_name = "HOW")]
    security: Option<String>,
    /// The user at the mail server
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The address of a webhook
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The name of the secret: the password, the key that signs, or the address of a Slack webhook
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// The language of its messages
    #[arg(long, value_name = "LANG")]
    language: Option<String>,
    /// Hours in which nothing is sent, such as 22:00-07:00
    #[arg(long, value_name = "HOURS")]
    quiet: Option<String>,
    /// A review that is sent: daily, weekly or monthly
    #[arg(long = "digest", value_name = "WHICH")]
    digests: Vec<String>,
    /// When reviews are sent; 08:00 unless set
    #[arg(long, value_name = "TIME")]
    digest_at: Option<String>,
    /// Tell it of reviews alone
    #[arg(long)]
    only_digests: bool,
    /// Let it rest
    #[arg(long)]
    paused: bool,
}

/// Who sets things on the command line.
const HERE: &str = "command line";

/// Does what is asked.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let store = Store::open(&options.data)?;
    match &arguments.what {
        What::List => listing::write(options, |sheet| rules(&store, sheet)),
        What::Set(asked) => {
            set_rule(&session, &store, &rule(asked), HERE)?;
            listing::write(options, |sheet| rules(&store, sheet))
        }
        What::Remove { rule } => {
            remove_rule(&store, rule)?;
            listing::write(options, |sheet| rules(&store, sheet))
        }
        What::Channels => listing::write(options, |sheet| channels(&store, sheet)),
        What::SetChannel(asked) => {
            set_channel(&store, &channel(asked), HERE, session.now)?;
            listing::write(options, |sheet| channels(&store, sheet))
        }
        What::RemoveChannel { channel } => {
            remove_channel(&store, channel, session.now)?;
            listing::write(options, |sheet| channels(&store, sheet))
        }
        What::Log { limit } => listing::write(options, |sheet| log(&store, *limit, sheet)),
        What::Test { channel, outside } => {
            let language = session.language()?;
            alerts::test(&store, &channel_of(&store, channel)?, outside, language, session.now)?;
            store.hurry(channel, session.now)?;
            let Some(_lock) = alerts::lock(&options.data)? else {
                return Err(busy());
            };
            let mut done = alerts::deliver(&store, outside, &session.zone, language, session.now, &|| true)?;
            done.retain(|done| done.channel == *channel);
            finished(options, &done)
        }
        What::Run { outside } => {
            let Some(_lock) = alerts::lock(&options.data)? else {
                return Err(busy());
            };
            let mut done = alerts::decide(&session, &store, outside, session.now)?;
            // What is made of held messages is due at once.
            done.extend(alerts::deliver(&store, outside, &session.zone, session.language()?, session.now, &|| true)?);
            finished(options, &done)
        }
    }
}

fn busy() -> CommandError {
    CommandError::Usage(
        "another process looks after the alerts of this folder already; it will send what waits".to_owned(),
    )
}

/// Lists what was done; what failed makes the exit code say so.
fn finished(options: &Options, done: &[Done]) -> Result<Outcome, CommandError> {
    listing::write(options, |sheet| {
        sheet.begin(["what", "rule", "channel", "attempts", "words"])?;
        for one in done {
            sheet.row(&[
                Cell::text(one.what),
                Cell::text(one.rule.as_str()),
                Cell::text(one.channel.as_str()),
                if one.attempts == 0 { Cell::Empty } else { Cell::Whole(i64::from(one.attempts)) },
                Cell::text(one.words.as_str()),
            ])?;
        }
        let failed = done.iter().any(|one| matches!(one.what, "failed" | "given_up" | "fault"));
        Ok(if failed { Outcome::Refused } else { Outcome::Done })
    })
}

fn rule(asked: &SetRule) -> Rule {
    Rule {
        id: asked.rule.clone(),
        title: asked.title.clone(),
        metric: asked.metric.clone(),
        anomaly: asked.anomaly,
        signal: asked.signal.clone(),
        target: asked.target.clone(),
        when: asked.when.clone(),
        below: asked.below.clone(),
        above: asked.above.clone(),
        compare: asked.compare.clone(),
        slack: asked.slack.clone(),
        running: asked.running,
        grain: asked.grain.clone(),
        filters: asked.filters.clone(),
        with_open: asked.with_open,
        wait_hours: asked.wait_hours,
        channels: asked.channels.clone(),
        only_firing: asked.only_firing,
        paused: asked.paused,
    }
}

fn channel(asked: &SetChannel) -> Channel {
    Channel {
        id: asked.channel.clone(),
        kind: asked.kind.clone(),
        to: asked.to.clone(),
        from: asked.from.clone(),
        smtp: asked.smtp.clone(),
        security: asked.security.clone(),
        user: asked.user.clone(),
        url: asked.url.clone(),
        secret: asked.secret.clone(),
        language: asked.language.clone(),
        quiet: asked.quiet.clone(),
        digests: asked.digests.clone(),
        digest_at: asked.digest_at.clone(),
        only_digests: asked.only_digests,
        paused: asked.paused,
    }
}

/// Sets a rule, once it is seen that it can be judged.
pub fn set_rule(session: &Session, store: &Store, rule: &Rule, who: &str) -> Result<(), CommandError> {
    let known: Vec<String> = store.channels()?.into_iter().map(|kept| kept.channel.id).collect();
    rule.check(session, &known)?;
    Ok(store.set_rule(rule, who, session.now)?)
}

/// Removes a rule.
pub fn remove_rule(store: &Store, rule: &str) -> Result<(), CommandError> {
    match store.remove_rule(rule)? {
        true => Ok(()),
        false => Err(CommandError::Missing(format!("there is no rule `{rule}`; see `recurve alert list`"))),
    }
}

/// Sets a channel.
pub fn set_channel(store: &Store, channel: &Channel, who: &str, now: i64) -> Result<(), CommandError> {
    channel.check()?;
    Ok(store.set_channel(channel, who, now)?)
}

/// Removes a channel that no rule names.
pub fn remove_channel(store: &Store, channel: &str, now: i64) -> Result<(), CommandError> {
    if let Some(kept) = store.rules()?.iter().find(|kept| kept.rule.channels.iter().any(|name| name == channel)) {
        return Err(CommandError::Usage(format!(
            "the rule `{}` names the channel `{channel}`; set that rule anew, or remove it",
            kept.rule.id
        )));
    }
    match store.remove_channel(channel, now)? {
        true => Ok(()),
        false => Err(CommandError::Missing(format!("there is no channel `{channel}`; see `recurve alert channels`"))),
    }
}

/// A channel by its name.
pub fn channel_of(store: &Store, name: &str) -> Result<Channel, CommandError> {
    let found = store.channels()?.into_iter().find(|kept| kept.channel.id == name);
    found
        .map(|kept| kept.channel)
        .ok_or_else(|| CommandError::Missing(format!("there is no channel `{name}`; see `recurve alert channels`")))
}

fn instant(micros: Option<i64>) -> Cell {
    let at = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    at.map_or(Cell::Empty, |at| Cell::text(at.to_string()))
}

fn yes(is: bool) -> Cell {
    Cell::text(if is { "yes" } else { "no" })
}

/// Lists rules with where they stand.
pub fn rules(store: &Store, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin([
        "rule",
        "watches",
        "grain",
        "state",
        "period",
        "number",
        "channels",
        "changes",
        "judged_at",
        "set_by",
        "fault",
    ])?;
    for kept in store.rules()? {
        let state = match &kept.memory {
            _ if kept.rule.paused => "paused",
            None => "not_judged",
            Some(memory) if memory.standing.fires => "fires",
            Some(_) => "quiet",
        };
        // What holds or not has no number to show.
        let is_figure = kept.rule.metric.is_some() && !kept.rule.anomaly;
        let memory = kept.memory.as_ref();
        sheet.row(&[
            Cell::text(kept.rule.id.as_str()),
            Cell::text(kept.rule.watches()),
            Cell::text(kept.rule.grain()?.name()),
            Cell::text(state),
            memory.map_or(Cell::Empty, |memory| Cell::Day(memory.period)),
            memory.filter(|_| is_figure).map_or(Cell::Empty, |memory| Cell::Number(alerts::plain(memory.number))),
            Cell::text(kept.rule.channels.join(", ")),
            Cell::Whole(kept.changes),
            instant(kept.judged_at),
            Cell::text(kept.set_by.as_str()),
            Cell::text(kept.fault.as_deref().unwrap_or_default()),
        ])?;
    }
    Ok(Outcome::Done)
}

/// Lists channels.
pub fn channels(store: &Store, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin([
        "channel",
        "kind",
        "destination",
        "language",
        "quiet",
        "digests",
        "digest_at",
        "paused",
        "waiting",
        "sent",
        "given_up",
        "failing_since",
    ])?;
    let counts = store.counts()?;
    for kept in store.channels()? {
        let channel = &kept.channel;
        let count = |state: &str| {
            let found = counts.iter().find(|(name, of, _)| *name == channel.id && of == state);
            Cell::Whole(found.map_or(0, |(.., count)| *count))
        };
        sheet.row(&[
            Cell::text(channel.id.as_str()),
            Cell::text(channel.kind.as_str()),
            Cell::text(channel.destination()),
            Cell::text(channel.language.as_deref().unwrap_or_default()),
            Cell::text(channel.quiet.as_deref().unwrap_or_default()),
            Cell::text(channel.digests.join(", ")),
            Cell::text(channel.digest_at.as_deref().unwrap_or_default()),
            yes(channel.paused),
            count("waiting"),
            count("sent"),
            count("given_up"),
            instant(kept.failing_since),
        ])?;
    }
    Ok(Outcome::Done)
}

/// Lists messages with their attempts.
pub fn log(store: &Store, limit: usize, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin([
        "message",
        "kind",
        "channel",
        "recipient",
        "subject",
        "made_at",
        "state",
        "attempts",
        "last_attempt_at",
        "outcome",
        "next_at",
        "done_at",
        "number",
    ])?;
    for (message, attempts) in store.log(limit)? {
        let last = attempts.last();
        let outcome = match last.map(|last| (last.ended_at, last.words.as_deref(), last.code.as_deref())) {
            None => String::new(),
            // The program ended before it heard how it went.
            Some((None, ..)) => "not known".to_owned(),
            Some((_, Some(words), _)) => words.to_owned(),
            Some((.., code)) => code.unwrap_or_default().to_owned(),
        };
        sheet.row(&[
            Cell::Whole(message.id),
            Cell::text(message.kind.as_str()),
            Cell::text(message.channel.as_str()),
            Cell::text(if message.recipient.is_empty() { String::new() } else { alerts::masked(&message.recipient) }),
            Cell::text(message.subject.as_str()),
            instant(Some(message.made_at)),
            Cell::text(message.state.as_str()),
            Cell::Whole(i64::from(message.attempts)),
            instant(last.map(|last| last.begun_at)),
            Cell::text(outcome),
            if message.state == "waiting" { instant(Some(message.due_at)) } else { Cell::Empty },
            instant(message.done_at),
            Cell::text(message.number()),
        ])?;
    }
    Ok(Outcome::Done)
}
