//! Bodies of answers, kept until the data changes: the same question again costs a look-up.

use std::{
    collections::{HashMap, VecDeque},
    io::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::route::Question;

/// An answer that was made.
pub struct Body {
    /// As JSON.
    pub plain: Bytes,
    /// The same, compressed; made when somebody first takes it.
    compressed: OnceLock<Option<Bytes>>,
}

/// Below this many bytes compression saves no packet.
const WORTH_COMPRESSING_BYTES: usize = 1_400;

impl Body {
    /// An answer.
    pub fn new(plain: Vec<u8>) -> Self {
        Self { plain: plain.into(), compressed: OnceLock::new() }
    }

    /// The compressed answer, where that is worth it.
    pub fn compressed(&self) -> Option<Bytes> {
        let compress = || {
            if self.plain.len() < WORTH_COMPRESSING_BYTES {
                return None;
            }
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.plain.len() / 6), Compression::default());
            encoder.write_all(&self.plain).and_then(|()| encoder.finish()).ok().map(Bytes::from)
        };
        self.compressed.get_or_init(compress).clone()
    }
}

/// What names an answer: the version of the data, the day, and the question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(pub String);

impl Tag {
    /// The tag of an answer.
    pub fn of(version: &str, today: &str, path: &str, pairs: &[(String, String)]) -> Self {
        let mut hash = Sha256::new();
        for part in [version, today, path].into_iter().chain(pairs.iter().flat_map(|(name, value)| [&**name, &**value]))
        {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        // Weak, because the same tag names the compressed answer too.
        Self(format!("W/\"{}\"", hex(&hash.finalize()[..16])))
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers that were made, the oldest of which make room for new ones.
#[derive(Default)]
pub struct Bodies {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bodies: HashMap<Tag, Arc<Body>>,
    order: VecDeque<Tag>,
    bytes: usize,
}

impl Bodies {
    /// How much is kept.
    const BYTES: usize = 64 << 20;

    /// An answer that was made before.
    pub fn find(&self, tag: &Tag) -> Option<Arc<Body>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).bodies.get(tag).cloned()
    }

    /// Keeps an answer.
    pub fn keep(&self, tag: Tag, body: Arc<Body>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // One that takes an eighth of the room would push out what is asked for all the time.
        if body.plain.len() > Self::BYTES / 8 || kept.bodies.contains_key(&tag) {
            return;
        }
        kept.bytes += body.plain.len();
        kept.order.push_back(tag.clone());
        kept.bodies.insert(tag, body);
        while kept.bytes > Self::BYTES {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(body) = kept.bodies.remove(&oldest) {
                kept.bytes -= body.plain.len();
            }
        }
    }
}

/// A question, as it was asked.
#[derive(Clone)]
pub struct Asked {
    /// How it is answered.
    pub question: Arc<Question>,
    /// Where it was asked.
    pub path: String,
    /// With what.
    pub pairs: Vec<(String, String)>,
    /// Whether a shared link asked.
    pub is_shared: bool,
}

impl Asked {
    fn is(&self, other: &Asked) -> bool {
        self.path == other.path && self.pairs == other.pairs && self.is_shared == other.is_shared
    }
}

/// The last answers to questions that may lag. Where facts come all the time, the answer of a moment ago, which says of which
/// version it is, serves better than a wait for one that is as old when it is there; and any earlier one better than none.
#[derive(Default)]
pub struct Lasting {
    last: Mutex<Vec<Last>>,
    asked_at: Mutex<Option<Instant>>,
}

struct Last {
    asked: Asked,
    asked_at: Instant,
    tag: Tag,
    body: Arc<Body>,
    made_at: Instant,
    took: Duration,
}

impl Lasting {
    /// How much is kept.
    const BYTES: usize = 16 << 20;
    /// How many are made again for each version.
    const MADE_AGAIN: usize = 16;
    /// What takes less is always worked out.
    const LONG: Duration = Duration::from_millis(500);
    /// How old an answer may be; or six times as long as it took.
    const OLDEST: Duration = Duration::from_secs(20);
    /// How long nobody may ask for what goes on being made.
    const FORGOTTEN: Duration = Duration::from_secs(300);

    /// The last answer, where it took long and is of a moment ago.
    pub fn find(&self, asked: &Asked) -> Option<(Tag, Arc<Body>)> {
        let now = Instant::now();
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.iter_mut().find(|last| last.asked.is(asked))?;
        last.asked_at = now;
        let is_fit = last.took >= Self::LONG && last.made_at.elapsed() <= Self::OLDEST.max(last.took * 6);
        is_fit.then(|| (last.tag.clone(), Arc::clone(&last.body)))
    }

    /// The last answer, however old it is: for who would get none.
    pub fn earlier(&self, asked: &Asked) -> Option<(Tag, Arc<Body>)> {
        let all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|last| last.asked.is(asked)).map(|last| (last.tag.clone(), Arc::clone(&last.body)))
    }

    /// Whether anybody asked lately for what may lag.
    pub fn is_asked_for(&self) -> bool {
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        asked_at.is_some_and(|at| at.elapsed() <= Self::FORGOTTEN)
    }

    /// Keeps an answer that took so long; whoever asked for it before still does. What nobody asked for longest makes room.
    pub fn keep(&self, asked: &Asked, tag: Tag, body: Arc<Body>, took: Duration) {
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.iter().position(|last| last.asked.is(asked)).map(|place| all.swap_remove(place));
        let made_at = Instant::now();
        let asked_at = before.map_or(made_at, |before| before.asked_at);
        all.push(Last { asked: asked.clone(), asked_at, tag, body, made_at, took });
        let mut bytes: usize = all.iter().map(|last| last.body.plain.len()).sum();
        while bytes > Self::BYTES {
            let oldest = all.iter().enumerate().min_by_key(|(_, last)| last.asked_at).map(|(place, _)| place);
            let Some(oldest) = oldest else { break };
            bytes -= all.swap_remove(oldest).body.plain.len();
        }
    }

    /// Questions that somebody asked lately, whose answers took long and are of another version than these tags say: what was
    /// asked last comes first.
    pub fn wanted(&self, tag_of: impl Fn(&Asked) -> Tag) -> Vec<Asked> {
        let all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |last: &&Last| last.took >= Self::LONG && last.asked_at.elapsed() <= Self::FORGOTTEN;
        let mut wanted: Vec<&Last> =
            all.iter().filter(is_wanted).filter(|last| last.tag != tag_of(&last.asked)).collect();
        wanted.sort_by_key(|last| std::cmp::Reverse(last.asked_at));
        wanted.into_iter().take(Self::MADE_AGAIN).map(|last| last.asked.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::route::Question;

    fn asked(path: &str) -> Asked {
        let question = Question { work: Arc::new(|_, _, _| Ok(Vec::new())), path: "/overview", may_lag: true };
        Asked { question: Arc::new(question), path: path.to_owned(), pairs: Vec::new(), is_shared: false }
    }

    fn keep(lasting: &Lasting, path: &str, bytes: usize) {
        let body = Arc::new(Body::new(vec![b' '; bytes]));
        lasting.keep(&asked(path), Tag(path.to_owned()), body, Duration::from_secs(1));
    }

    #[test]
    fn what_nobody_asked_for_longest_makes_room_and_nothing_else_goes() {
        let lasting = Lasting::default();
        let each = Lasting::BYTES / 4;
        for path in ["a", "b", "c", "d"] {
            keep(&lasting, path, each);
        }
        assert!(lasting.find(&asked("a")).is_some());
        keep(&lasting, "e", each);
        let left: Vec<bool> = ["a", "b", "c", "d", "e"].map(|path| lasting.earlier(&asked(path)).is_some()).into();
        assert_eq!(left, [true, false, true, true, true], "b was asked for longest ago");
        // The same again takes the place of what it was.
        keep(&lasting, "e", each);
        assert_eq!(lasting.last.lock().unwrap().len(), 4);
    }

    #[test]
    fn an_earlier_answer_is_there_when_it_is_too_old_to_be_taken_for_new() {
        let lasting = Lasting::default();
        lasting.keep(&asked("a"), Tag("1".to_owned()), Arc::new(Body::new(Vec::new())), Duration::ZERO);
        assert!(lasting.find(&asked("a")).is_none(), "what takes nothing is worked out");
        assert_eq!(lasting.earlier(&asked("a")).unwrap().0, Tag("1".to_owned()));
        assert!(lasting.earlier(&asked("b")).is_none());
        assert!(lasting.is_asked_for() && !Lasting::default().is_asked_for());
    }
}
