//! What the subscriptions of a customer had come to at their newest event. From there a history goes on, without all that was
//! said before.
//!
//! ```text
//! all events ─▶ rows …│ open rows, the last state of each subscription = Past
//!                     └─▶ Past + events since ─▶ open rows that end, new rows
//! ```
//!
//! What ended by then is not made again, so nothing that comes later may change it: what objects say of the time before is
//! told apart by a digest, and whatever does not fit is made anew from everything. Nothing is noted where the customer has a
//! discount, of which no event of a subscription says anything.

use std::{collections::BTreeMap, fmt::Debug};

use revenue::{fact::Status, timeline::Confidence};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Row, Seens, Sold, State, Work, chain::Known, state_of, trials};
use crate::{
    discount::{Discount, Scope},
    event::Event,
    issue::{Code, Issue},
    letters,
    subscription::{Cancel, Subscription},
    track::{Seen, Step, Track},
};

/// A past is noted once so many events have come since the last one: to keep it costs as much as to read a few of them.
const EVENTS: usize = 3;
/// So many more for some customers, so that those who get events at one pace are not all noted at once.
const MORE: usize = 3;

/// After how many events a customer with such a subscription is noted.
pub(super) fn events_until_noted(subscription: &str) -> usize {
    EVENTS + subscription.bytes().map(usize::from).sum::<usize>() % MORE
}

/// What the subscriptions of a customer had come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The second of the newest event that is in it. With one that comes later and is not newer nothing goes on.
    pub until: i64,
    pub(super) stood: BTreeMap<String, Stood>,
    /// What was known of discounts.
    pub(crate) discounts: BTreeMap<String, Discount>,
}

/// What one subscription had come to at its newest event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stood {
    pub(super) last: Event,
    /// The second from which what the event shows holds.
    pub(super) at: i64,
    status: Since,
    cancel: Since,
    /// By item; nothing for those that are not there.
    items: BTreeMap<String, Option<Since>>,
    pub(super) discounts: BTreeMap<String, Given>,
    /// The rows that go on, by item.
    pub(super) open: BTreeMap<String, Since>,
    /// Times of which events say everything.
    pub(super) covered: Vec<(i64, i64)>,
    /// What was not known of the time before, whatever else is known of it.
    pub(super) issues: Vec<Issue>,
    /// Stands for what objects say of the time before.
    objects: String,
    pub(super) has_tried: bool,
}

/// Since when something is so, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Since {
    pub(super) at: i64,
    pub(super) source: String,
}

/// A discount of the subscription, and whether it had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) is: Discount,
    is_held: bool,
    since: Since,
}

/// Names the readers: what another version of them came to says nothing to this one.
#[must_use]
pub fn version() -> &'static str {
    env!("READERS")
}

impl Past {
    /// As bytes, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // As with gists: writing to memory cannot fail for texts and numbers.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// What was kept as bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// Whether a row had ended by then, so that no history that goes on from there has it.
    #[must_use]
    pub fn is_over(&self, row: &Row) -> bool {
        // What was used is read from invoices alone, at any time.
        let stood = self.stood.get(&row.subscription).filter(|_| !row.standing.price.metered);
        stood.is_some_and(|stood| row.end.is_some_and(|end| end <= stood.at))
    }

    /// Whether the trial of a subscription was over by then, so that no history that goes on from there tells of it.
    #[must_use]
    pub fn has_tried(&self, subscription: &str) -> bool {
        self.stood.get(subscription).is_some_and(|stood| stood.has_tried)
    }
}

/// What everything about a subscription was when a history goes on, each with the second of that; nothing where it is made anew.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) status: Option<(Step<State>, i64)>,
    pub(super) cancel: Option<(Step<Cancel>, i64)>,
    pub(super) items: BTreeMap<String, (Step<Option<Sold>>, i64)>,
    pub(super) discounts: BTreeMap<String, (Step<bool>, i64)>,
}

impl Stood {
    /// What everything was by then; `after` is what the last event shows. Items and discounts that are named now were not there.
    pub(super) fn begun<'n>(
        &self,
        after: &Subscription,
        items: impl Iterator<Item = &'n String>,
        discounts: impl Iterator<Item = &'n String>,
    ) -> Begun {
        let sold = |item: &str| {
            let found = after.items.iter().find(|found| found.id == item)?;
            Some((found.price.clone(), found.quantity))
        };
        let item = |(item, since): (&String, Option<&Since>)| {
            let (at, source) = since.map_or((self.at, ""), |since| (since.at, &since.source));
            (item.clone(), (Step::exact(at, since.and_then(|_| sold(item)), source), self.at))
        };
        let given = |(of, given): (&String, Option<&Given>)| {
            let (at, source) = given.map_or((self.at, ""), |given| (given.since.at, &given.since.source));
            (of.clone(), (Step::exact(at, given.is_some_and(|given| given.is_held), source), self.at))
        };
        let items = items.map(|item| (item, None)).chain(self.items.iter().map(|(item, since)| (item, since.as_ref())));
        let discounts = discounts.map(|of| (of, self.discounts.get(of)));
        Begun {
            status: Some((Step::exact(self.status.at, state_of(after), &self.status.source), self.at)),
            cancel: Some((Step::exact(self.cancel.at, after.cancel.clone(), &self.cancel.source), self.at)),
            items: items.map(item).collect(),
            discounts: discounts.map(given).collect(),
        }
    }
}

/// How much of each track states show. What comes after it is what objects say.
pub(super) struct Shown {
    status: usize,
    cancel: usize,
    items: BTreeMap<String, usize>,
    discounts: BTreeMap<String, usize>,
}

impl Seens {
    pub(super) fn shown(&self) -> Shown {
        let items = self.items.iter().map(|(item, seen)| (item.clone(), seen.len())).collect();
        let discounts = self.discounts.iter().map(|(of, seen)| (of.clone(), seen.len())).collect();
        Shown { status: self.status.len(), cancel: self.cancel.len(), items, discounts }
    }

    /// What stands for all that objects say of the time up to a second.
    fn of_objects(&self, shown: &Shown, listed: Option<&(i64, Subscription)>, until: i64) -> String {
        fn say(said: &mut Sha256, name: &str, what: &impl Debug) {
            letters::add_text(said, name);
            letters::add_text(said, &format!("{what:?}"));
        }
        fn track<T: Debug>(said: &mut Sha256, name: &str, seen: &[Seen<T>], shown: Option<&usize>, until: i64) {
            let of_objects = seen.iter().skip(shown.copied().unwrap_or(0));
            of_objects.filter(|seen| seen.at <= until).for_each(|seen| say(said, name, seen));
        }
        let mut said = Sha256::new();
        if let Some(listed) = listed.filter(|(seen_at, _)| *seen_at <= until) {
            say(&mut said, "listed", listed);
        }
        track(&mut said, "status", &self.status, Some(&shown.status), until);
        track(&mut said, "cancel", &self.cancel, Some(&shown.cancel), until);
        for (item, seen) in &self.items {
            track(&mut said, item, seen, shown.items.get(item), until);
        }
        for (of, seen) in &self.discounts {
            track(&mut said, of, seen, shown.discounts.get(of), until);
        }
        letters::hex(&said.finalize()[..8])
    }

    /// Leaves out what is said of the time up to a second.
    pub(super) fn forget(&mut self, until: i64) {
        self.status.retain(|seen| seen.at > until);
        self.cancel.retain(|seen| seen.at > until);
        self.items.values_mut().for_each(|seen| seen.retain(|seen| seen.at > until));
        self.discounts.values_mut().for_each(|seen| seen.retain(|seen| seen.at > until));
    }
}

/// What is noted of a subscription before its rows are made.
pub(super) struct Noting {
    last: Event,
    at: i64,
    covered: Vec<(i64, i64)>,
    issues: Vec<Issue>,
    objects: String,
}

/// What rows are made of, and what came of it.
pub(super) struct Composed<'c> {
    pub(super) status: &'c Track<State>,
    pub(super) cancel: &'c Track<Cancel>,
    pub(super) items: &'c BTreeMap<String, Track<Option<Sold>>>,
    pub(super) discounts: &'c BTreeMap<String, Track<bool>>,
    /// What was said of what is taken off them.
    pub(super) issues: &'c [Issue],
    /// Rows that have ended.
    pub(super) over: &'c [Row],
    /// Rows that go on.
    pub(super) open: &'c BTreeMap<&'c str, Row>,
    /// Until when rows are assumed, whatever their parts are.
    pub(super) unsure_until: i64,
}

impl Work<'_> {
    /// Whether what is known of the discounts is what was known of them then.
    pub(super) fn has_same_discounts(&self) -> bool {
        let is_same = |stood: &Stood| {
            let mut given = stood.discounts.iter();
            given.all(|(of, given)| self.discounts.get(of) == Some(&given.is)) && !self.has_discount_of_customer()
        };
        self.stood.is_none_or(is_same)
    }

    fn has_discount_of_customer(&self) -> bool {
        self.discounts.values().any(|discount| discount.scope == Scope::Customer)
    }

    /// Whether objects say of the time that is over what they said of it then.
    pub(super) fn fits_past(&self, shown: &Shown, listed: Option<&(i64, Subscription)>) -> bool {
        self.stood.is_none_or(|stood| self.tracks.of_objects(shown, listed, stood.at) == stood.objects)
    }

    /// What is to be noted of the subscription as the last of its events left it, where a history can go on from there. `issues`
    /// are those that its events brought.
    pub(super) fn noting(
        &self,
        chain: &[Known],
        shown: &Shown,
        listed: Option<&(i64, Subscription)>,
        issues: &[Issue],
    ) -> Option<Noting> {
        let last = chain.last()?;
        // A list of that very second, and one that does not fit the last event, are told from what comes after it.
        let is_settled = self.is_covered(i64::MAX) && listed.is_none_or(|(seen_at, _)| *seen_at != last.at);
        // What names a discount that nobody knows says something else once it is known; what ends by itself ends without an event.
        let is_unknown = issues.iter().any(|issue| issue.code == Code::DiscountUnknown);
        let ends = |discount: &Discount| discount.end.is_some_and(|end| last.at < end && end <= self.now);
        if !is_settled || is_unknown || self.has_discount_of_customer() || self.discounts.values().any(ends) {
            return None;
        }
        let event = self.evidence.events.get(&last.source)?;
        let mut covered: Vec<(i64, i64)> = Vec::new();
        let mut times: Vec<(i64, i64)> = self.covered.iter().copied().filter(|(_, to)| *to <= last.at).collect();
        times.sort_unstable();
        for (from, to) in times {
            match covered.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => covered.push((from, to)),
            }
        }
        Some(Noting {
            last: Event { previous: None, ..event.clone() },
            at: last.at,
            covered,
            issues: issues.to_vec(),
            objects: self.tracks.of_objects(shown, listed, last.at),
        })
    }

    /// What the subscription had come to, where everything that goes on is exact and nothing of what is over can change.
    pub(super) fn noted(&self, noting: Noting, composed: &Composed<'_>) -> Option<Stood> {
        let Noting { last, at, covered, mut issues, objects } = noting;
        let (status, cancel) = (since(composed.status, at)?, since(composed.cancel, at)?);
        let mut items = BTreeMap::new();
        for (item, track) in composed.items {
            let is_there = track.at(at).is_some_and(|(step, _)| step.value.is_some());
            items.insert(item.clone(), if is_there { Some(since(track, at)?) } else { None });
        }
        let mut discounts = BTreeMap::new();
        for (of, discount) in &self.discounts {
            let track = composed.discounts.get(of)?;
            let is_held = track.at(at).is_some_and(|(step, _)| step.value);
            discounts.insert(of.clone(), Given { is: discount.clone(), is_held, since: since(track, at)? });
        }
        let is_over = composed.over.iter().all(|row| row.end.is_some_and(|end| end <= at));
        let is_exact = composed.open.values().all(|row| row.start <= at && row.confidence == Confidence::Exact);
        if !is_over || !is_exact || composed.unsure_until > at {
            return None;
        }
        // What was used up to the end is told from the first time at which it ended.
        let is_canceled = |step: &&Step<State>| step.value.0 == Status::Canceled;
        if composed.status.steps.iter().find(is_canceled).is_some_and(|first| first.from != status.at) {
            return None;
        }
        // What becomes of a trial can come later.
        let rows: Vec<&Row> = composed.over.iter().chain(composed.open.values()).collect();
        let is_trialing = composed.open.values().any(|row| row.standing.status == Status::Trialing);
        let tried = trials(&rows);
        if is_trialing || tried.iter().any(|trial| trial.value("converted").is_none()) {
            return None;
        }
        issues.extend(self.undated(composed.status, composed.items, composed.discounts, at));
        issues.extend_from_slice(composed.issues);
        issues.sort();
        issues.dedup();
        let open = composed
            .open
            .iter()
            .map(|(item, row)| ((*item).to_owned(), Since { at: row.start, source: row.source.clone() }));
        Some(Stood {
            last,
            at,
            status,
            cancel,
            items,
            discounts,
            open: open.collect(),
            covered,
            issues,
            objects,
            has_tried: !tried.is_empty() || self.stood.is_some_and(|stood| stood.has_tried),
        })
    }
}

/// Since when something is so that is exact.
fn since<T: Clone + PartialEq>(track: &Track<T>, at: i64) -> Option<Since> {
    let (step, confidence) = track.at(at)?;
    (confidence == Confidence::Exact && step.is_exact()).then(|| Since { at: step.from, source: step.source.clone() })
}
