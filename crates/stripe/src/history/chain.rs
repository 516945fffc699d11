//! Events put in order: each begins with the state that the one before left, or something is missing between them.

use std::collections::{BTreeMap, BTreeSet};

use revenue::fact::Status;
use serde_json::Value;

use super::{Sold, Work};
use crate::{
    event,
    issue::{Code, Issue},
    subscription::{self, Subscription},
};

/// A state of the subscription that an event shows.
pub(super) struct Known {
    pub(super) at: i64,
    pub(super) before: Option<Subscription>,
    pub(super) after: Subscription,
    /// The object before and after, to the letter.
    objects: (Option<Value>, Value),
    pub(super) source: String,
    first: bool,
    last: bool,
}

pub(super) fn of_subscription(event: &event::Event) -> bool {
    event.kind.starts_with("customer.subscription.")
        && event.object.get("object").and_then(Value::as_str) == Some("subscription")
}

impl Work<'_> {
    /// The events of the subscription as states, each beginning with what the one before left where that is possible.
    pub(super) fn chain(&mut self) -> Vec<Known> {
        let mut found: Vec<Known> = Vec::new();
        for event in self.evidence.events.values().filter(|event| of_subscription(event)) {
            if event.object.get("id").and_then(Value::as_str) != Some(self.name) {
                continue;
            }
            let Some(after) = subscription::read(&event.object, self.catalogue, &mut self.issues) else { continue };
            let first = event.kind == "customer.subscription.created";
            let last = event.kind == "customer.subscription.deleted";
            let shown = event.previous.as_ref().map(|previous| event::before(&event.object, previous));
            let before = shown.as_ref().and_then(|shown| subscription::read(shown, self.catalogue, &mut Vec::new()));
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
            let objects = (shown, event.object.clone());
            found.push(Known { at, before, after, objects, source: event.id.clone(), first, last });
        }
        // Creation first, deletion last; within one second each begins with the state that another left.
        found.sort_by(|a, b| (!a.first, a.last, a.at, &a.source).cmp(&(!b.first, b.last, b.at, &b.source)));
        let mut ordered: Vec<Known> = Vec::with_capacity(found.len());
        while !found.is_empty() {
            let at = found[0].at;
            let tied = found.iter().take_while(|known| known.at == at && known.last == found[0].last).count();
            // To the letter where possible; else as far as rows care.
            let letters = |known: &Known| match (ordered.last(), &known.objects.0) {
                (Some(previous), Some(before)) => previous.objects.1 == *before,
                _ => false,
            };
            let fits = |known: &Known| match (ordered.last(), &known.before) {
                (Some(previous), Some(before)) => same(&previous.after, before),
                _ => true,
            };
            let exactly = (0..tied).find(|index| letters(&found[*index]));
            let next = exactly.or_else(|| (0..tied).find(|index| fits(&found[*index]))).unwrap_or(0);
            ordered.push(found.remove(next));
        }
        ordered
    }

    /// Finds the times of which events say everything, and says where events are missing.
    pub(super) fn cover(&mut self, chain: &[Known], current: Option<&(i64, Subscription)>) {
        let Some(first) = chain.first() else { return };
        if first.first {
            self.covered.push((i64::MIN, first.at));
        }
        let mut missing = false;
        for pair in chain.windows(2) {
            let [earlier, later] = pair else { continue };
            let fits = match &later.before {
                Some(before) => same(&earlier.after, before),
                // A deletion shows the subscription as it was, and ended.
                None => later.last && same_items(&earlier.after, &later.after),
            };
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
