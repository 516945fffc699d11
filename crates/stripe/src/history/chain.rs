//! Events put in order: each begins with the state that the one before left, or something is missing between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use revenue::fact::Status;

use super::{Sold, Told, Work, past::Stood};
use crate::{
    event::Event,
    gist::Gist,
    issue::{Code, Issue},
    subscription::{self, Subscription},
};

/// A state of the subscription that an event shows.
pub(super) struct Known {
    pub(super) at: i64,
    pub(super) before: Option<Subscription>,
    pub(super) after: Subscription,
    pub(super) source: String,
    first: bool,
    last: bool,
}

impl Known {
    /// What the event says of its second: some tell of a trial that ends soon, or of an end, and show the subscription as it is.
    pub(super) fn told(&self) -> Told {
        if self.first || self.before.is_some() {
            Told::Changed
        } else if self.last {
            Told::Ended
        } else {
            Told::AsItIs
        }
    }

    /// Whether it begins with what another one left.
    fn follows(&self, earlier: &Known) -> bool {
        match &self.before {
            Some(before) => same(&earlier.after, before),
            // A deletion shows the subscription as it was, and ended.
            None if self.last => same_items(&earlier.after, &self.after),
            None => same(&earlier.after, &self.after),
        }
    }
}

pub(super) fn of_subscription(event: &Event) -> bool {
    event.kind.starts_with("customer.subscription.")
        && event.object.get("object").and_then(Gist::as_str) == Some("subscription")
}

impl Work<'_> {
    /// The events of the subscription as states, each beginning with what the one before left where that is possible. Where a
    /// history goes on, from the last one that is in what it goes on from; nothing where that is not the first of them.
    pub(super) fn chain(&mut self) -> Option<Vec<Known>> {
        let mut found: Vec<(&Event, Known)> = Vec::new();
        let mut left_by: HashMap<&str, usize> = HashMap::new();
        let begun = self.stood.map(|stood| &stood.last);
        for event in begun.into_iter().chain(self.evidence.events.values().filter(|event| of_subscription(event))) {
            if event.object.get("id").and_then(Gist::as_str) != Some(self.name) {
                continue;
            }
            let Some(after) = subscription::read(&event.object, self.catalogue, &mut self.issues) else { continue };
            let first = event.kind == "customer.subscription.created";
            let last = event.kind == "customer.subscription.deleted";
            let left = event.letters.as_ref().and_then(|(before, _)| left_by.get(before.as_deref()?));
            let before = match &event.previous {
                // What another event left to the letter reads as it did there.
                Some(_) if left.is_some() => {
                    left.and_then(|index: &usize| found.get(*index)).map(|(_, of)| of.after.clone())
                }
                // Nothing that is read was otherwise.
                Some(Gist::Object(fields)) if fields.is_empty() => Some(after.clone()),
                _ => event.before().and_then(|before| subscription::read(&before, self.catalogue, &mut Vec::new())),
            };
            left_by.extend(event.letters.as_ref().map(|(_, after)| (after.as_str(), found.len())));
            let mut at = event.created;
            if first {
                at = after.start.min(at);
            } else if let Some(ended) = after.ended.filter(|ended| last || *ended <= at) {
                at = ended.min(at);
            } else if let (Some(before), Some(end)) = (&before, after.trial_end)
                && before.status == Status::Trialing
                && after.status != Status::Trialing
                && end <= at
            {
                // The end of a trial is stated to the second; its event may come an hour later.
                at = end;
            }
            if let Some(stood) = self.stood.filter(|stood| stood.last.id == event.id) {
                at = stood.at;
            }
            found.push((event, Known { at, before, after, source: event.id.clone(), first, last }));
        }
        // Creation first, deletion last; within one second each begins with the state that another left.
        found.sort_by(|(_, a), (_, b)| (!a.first, a.last, a.at, &a.source).cmp(&(!b.first, b.last, b.at, &b.source)));
        let mut ordered: Vec<(&Event, Known)> = Vec::with_capacity(found.len());
        let mut found = found.into_iter().peekable();
        while let Some(next) = found.next() {
            let (at, last) = (next.1.at, next.1.last);
            let mut tied = vec![next];
            while let Some(next) = found.next_if(|(_, known)| known.at == at && known.last == last) {
                tied.push(next);
            }
            while tied.len() > 1 {
                // To the letter where possible; else as far as rows care.
                let goes_on = |(event, _): &(&Event, Known)| {
                    let left = ordered.last().and_then(|(last, _)| last.letters.as_ref());
                    let began = event.letters.as_ref().and_then(|(before, _)| before.as_ref());
                    left.is_some_and(|(_, after)| Some(after) == began)
                };
                let fits = |(_, known): &(&Event, Known)| {
                    known.first || ordered.last().is_none_or(|(_, previous)| known.follows(previous))
                };
                let next = tied.iter().position(goes_on).or_else(|| tied.iter().position(fits)).unwrap_or(0);
                let next = tied.remove(next);
                ordered.push(next);
            }
            ordered.append(&mut tied);
        }
        let fits = |stood: &Stood| {
            let (begun, newer) = ordered.split_first()?;
            Some(begun.0.id == stood.last.id && newer.iter().all(|(_, known)| known.at > stood.at))
        };
        let goes_on = self.stood.is_none_or(|stood| fits(stood) == Some(true));
        goes_on.then(|| ordered.into_iter().map(|(_, known)| known).collect())
    }

    /// Finds the times of which events say everything, and says where events are missing.
    pub(super) fn cover(&mut self, chain: &[Known], current: Option<&(i64, Subscription)>) {
        let Some(first) = chain.first() else { return };
        match self.stood {
            Some(stood) => self.covered.extend(&stood.covered),
            None if first.first => self.covered.push((i64::MIN, first.at)),
            None => {}
        }
        let mut missing = false;
        for pair in chain.windows(2) {
            let [earlier, later] = pair else { continue };
            let fits = later.follows(earlier);
            if fits {
                self.covered.push((earlier.at, later.at));
            }
            missing |= !fits;
        }
        if let Some(last) = chain.last() {
            let fits = match current {
                Some((_, current)) => same(&last.after, current),
                None => self.evidence.events_until.is_some() || last.last,
            };
            if fits {
                self.covered.push((last.at, i64::MAX));
            }
            missing |= !fits && current.is_some();
        }
        if missing {
            self.issues.push(Issue::new(
                Code::EventMissing,
                self.name,
                "an event begins with another state than the last one left",
            ));
        }
    }
}

/// Whether two states say the same of everything that rows state.
pub(super) fn same(a: &Subscription, b: &Subscription) -> bool {
    a.status == b.status && a.cancel == b.cancel && a.trial_end == b.trial_end && same_items(a, b)
}

fn same_items(a: &Subscription, b: &Subscription) -> bool {
    let sold = |state: &Subscription| -> BTreeMap<String, Sold> {
        state.items.iter().map(|item| (item.id.clone(), (item.price.clone(), item.quantity))).collect()
    };
    let ids = |state: &Subscription| -> BTreeSet<String> {
        state.discounts.iter().map(|discount| discount.id.clone()).collect()
    };
    sold(a) == sold(b) && ids(a) == ids(b)
}
