//! Digests: the review of a day, a week or a month, once it is over, for each channel that wants it.

use outlook::alert::digest_due;
use revenue::calendar::Grain;

use super::{
    DIGESTS, KeptChannel, Outside, Store,
    store::Draft,
    turn::{drafts, recipients},
    words,
};
use crate::{
    command::{CommandError, review},
    session::{Options, Session},
};

/// Writes the digests that are due into the outbox; says how many messages that made.
pub fn write(
    session: &Session,
    store: &Store,
    channels: &[KeptChannel],
    outside: &Outside,
    now: i64,
) -> Result<usize, CommandError> {
    let mut written = 0;
    for kept in channels.iter().filter(|kept| !kept.channel.paused) {
        let channel = &kept.channel;
        for (name, grain) in DIGESTS.iter().filter(|(name, _)| channel.digests.iter().any(|digest| digest == name)) {
            let (period, due_at) = digest_due(*grain, &session.zone, now, channel.digest_minute());
            // Whoever asks for digests today is not sent yesterday's.
            if due_at < kept.set_at {
                continue;
            }
            let key = format!("digest/{name}/{period}");
            let mut missing = Vec::new();
            for recipient in recipients(channel) {
                if !store.knows(&format!("{key}/{}/{recipient}", channel.id))? {
                    missing.push(recipient);
                }
            }
            if missing.is_empty() {
                continue;
            }
            let language = channel.language(session.language()?);
            let options = Options { lang: Some(language.tag().to_owned()), ..session.options.clone() };
            let review = review::of_period(&session.again(options)?, *grain, period)?;
            let link = outside.link(match grain {
                Grain::Day => "/today",
                Grain::Week => "/week",
                _ => "/month",
            });
            let said = words::digest(name, period, &review, link.as_deref());
            let mut made: Vec<Draft> = drafts(channel, &key, "digest", None, &said, now);
            made.retain(|draft| missing.contains(&draft.recipient));
            written += store.write(&made, now)?;
        }
    }
    Ok(written)
}
