//! What was seen becomes rows: cut wherever anything changes, or how sure it is.

use std::collections::{BTreeMap, BTreeSet};

use revenue::{fact::Status, price::DiscountDuration, timeline::Confidence};

use super::{
    DAY_SECONDS, Row, Sold, Standing, State, Work,
    past::{Begun, Composed, Noting, Stood},
    pays,
};
use crate::{
    discount::{Discount, Part, Scope, stack},
    fact::moment,
    issue::{Code, Issue},
    subscription::Cancel,
    track::Track,
};

impl Work<'_> {
    /// Makes rows of the tracks: nothing where they do not go on from what was. What is to be noted comes back when rows
    /// can go on from it.
    pub(super) fn compose(
        &mut self,
        rows: &mut Vec<Row>,
        begun: Option<Begun>,
        noting: Option<Noting>,
    ) -> Option<Option<Stood>> {
        let mut begun = begun.unwrap_or_default();
        let status = Track::of(begun.status, std::mem::take(&mut self.tracks.status), |(status, _)| !pays(*status));
        let cancel = Track::of(begun.cancel, std::mem::take(&mut self.tracks.cancel), |_| false);
        let items: BTreeMap<String, Track<Option<Sold>>> = std::mem::take(&mut self.tracks.items)
            .into_iter()
            .map(|(item, seen)| {
                let begun = begun.items.remove(&item);
                (item, Track::of(begun, seen, Option::is_none))
            })
            .collect();
        let discounts: BTreeMap<String, Track<bool>> = std::mem::take(&mut self.tracks.discounts)
            .into_iter()
            .map(|(of, seen)| {
                let begun = begun.discounts.remove(&of);
                (of, Track::of(begun, seen, |_| false))
            })
            .collect();

        let undated = self.undated(&status, &items, &discounts, i64::MAX);
        self.issues.extend(undated);
        let before_standing = self.issues.len();

        let mut cuts: BTreeSet<i64> = status.cuts().chain(cancel.cuts()).collect();
        cuts.extend(items.values().flat_map(Track::cuts));
        cuts.extend(discounts.values().flat_map(Track::cuts));
        cuts.extend(self.discounts.values().filter_map(|discount| discount.end));
        let mut open: BTreeMap<&str, Row> = BTreeMap::new();
        let mut unsure_until: BTreeMap<&str, i64> = BTreeMap::new();
        let before = rows.len();
        if let Some(stood) = self.stood {
            // By what has come since it may be no longer sure from that very second on.
            cuts = cuts.split_off(&stood.at);
            let mut standing = self.standing(stood.at, &status, &cancel, &items, &discounts);
            for (item, since) in &stood.open {
                let (item, (stands, ..)) = standing.remove_entry(item.as_str())?;
                let (start, source, confidence) = (since.at, since.source.clone(), Confidence::Exact);
                let (customer, subscription) = (self.customer.clone(), self.name.to_owned());
                let (item_id, standing) = (item.to_owned(), stands);
                let row = Row { customer, subscription, item: item_id, standing, start, end: None, confidence, source };
                open.insert(item, row);
            }
            if !standing.is_empty() {
                return None;
            }
        }
        while let Some(cut) = cuts.pop_first().filter(|cut| *cut <= self.now) {
            let mut standing = self.standing(cut, &status, &cancel, &items, &discounts);
            for item in items.keys() {
                let mut found = standing.remove(item.as_str());
                // Who was worth nothing until an assumed time begins to be worth something at an assumed time: the mark
                // stands on the first day, as there is no span before it that could carry one.
                if let (Some(row), Some((stands, ..))) = (open.get(item.as_str()), &found)
                    && row.confidence == Confidence::Assumed
                    && row.standing.is_free()
                    && !stands.is_free()
                {
                    unsure_until.insert(item.as_str(), cut + DAY_SECONDS);
                    cuts.insert(cut + DAY_SECONDS);
                }
                if let (Some((_, confidence, _)), Some(until)) = (&mut found, unsure_until.get(item.as_str()))
                    && cut < *until
                {
                    *confidence = Confidence::Assumed;
                }
                let goes_on = match (open.get(item.as_str()), &found) {
                    (Some(row), Some((stands, confidence, _))) => {
                        row.standing == *stands && row.confidence == *confidence
                    }
                    (None, None) => true,
                    _ => false,
                };
                if goes_on {
                    continue;
                }
                if let Some(mut row) = open.remove(item.as_str()) {
                    row.end = Some(cut);
                    rows.push(row);
                }
                if let Some((stands, confidence, source)) = found {
                    let row = Row {
                        customer: self.customer.clone(),
                        subscription: self.name.to_owned(),
                        item: item.clone(),
                        standing: stands,
                        start: cut,
                        end: None,
                        confidence,
                        source,
                    };
                    open.insert(item.as_str(), row);
                }
            }
        }
        let noted = noting.and_then(|noting| {
            let over = rows.get(before..).unwrap_or_default();
            let unsure_until = unsure_until.values().copied().max().unwrap_or(i64::MIN);
            let (status, cancel, items, discounts, open) = (&status, &cancel, &items, &discounts, &open);
            let issues = self.issues.get(before_standing..).unwrap_or_default();
            self.noted(noting, &Composed { status, cancel, items, discounts, issues, over, open, unsure_until })
        });
        rows.extend(open.into_values());

        let ended = status.steps.iter().find(|step| step.value.0 == Status::Canceled).map(|step| step.from);
        for used in std::mem::take(&mut self.usage) {
            let standing = Standing {
                price: used.price,
                quantity: used.quantity,
                discount: None,
                discount_end: None,
                status: Status::Active,
                trial_end: None,
                cancel_at: ended.filter(|ended| *ended <= used.end),
                cancel_requested_at: None,
                cancel_reason: None,
            };
            rows.push(Row {
                customer: self.customer.clone(),
                subscription: self.name.to_owned(),
                item: used.item,
                standing,
                start: used.start,
                end: Some(used.end),
                confidence: if used.fits { Confidence::Derived } else { Confidence::Assumed },
                source: used.source,
            });
        }
        rows.sort_by(|a, b| (&a.subscription, &a.item, a.start).cmp(&(&b.subscription, &b.item, b.start)));
        rows.retain(|row| row.end.is_none_or(|end| end > row.start));
        Some(noted)
    }

    /// What changed up to a second, and nothing says when.
    pub(super) fn undated(
        &self,
        status: &Track<State>,
        items: &BTreeMap<String, Track<Option<Sold>>>,
        discounts: &BTreeMap<String, Track<bool>>,
        until: i64,
    ) -> Vec<Issue> {
        let until = |(_, to): &(i64, i64)| *to <= until;
        let mut undated: BTreeSet<(i64, i64, &str)> =
            status.undated().filter(until).map(|(from, to)| (from, to, "its state")).collect();
        let items = items.values().flat_map(Track::undated).filter(until);
        undated.extend(items.map(|(from, to)| (from, to, "its items")));
        let discounts = discounts.values().flat_map(Track::undated).filter(until);
        undated.extend(discounts.map(|(from, to)| (from, to, "its discounts")));
        let issue = |(from, to, what): (i64, i64, &str)| {
            let words = format!("{what} changed between {} and {}", moment(from), moment(to));
            Issue { between: Some((from, to)), ..Issue::new(Code::ChangeUndated, self.name, words) }
        };
        undated.into_iter().map(issue).collect()
    }

    /// What each item is at a second.
    fn standing<'t>(
        &mut self,
        second: i64,
        status: &Track<State>,
        cancel: &Track<Cancel>,
        items: &'t BTreeMap<String, Track<Option<Sold>>>,
        discounts: &BTreeMap<String, Track<bool>>,
    ) -> BTreeMap<&'t str, (Standing, Confidence, String)> {
        let Some((state, mut sure)) = status.at(second) else { return BTreeMap::new() };
        let (state_now, trial_end) = state.value;
        let cancel = cancel.at(second);
        let mut newest = (state.from, state.source.clone());
        if let Some((step, cancel_sure)) = &cancel {
            sure = sure.max(*cancel_sure);
            if step.from > newest.0 {
                newest = (step.from, step.source.clone());
            }
        }
        let mut held: Vec<&Discount> = Vec::new();
        for discount in self.discounts.values() {
            let Some((step, discount_sure)) = discounts.get(&discount.id).and_then(|track| track.at(second)) else {
                continue;
            };
            let over = discount.end.is_some_and(|end| end <= second);
            if !over && discount.coupon.duration != DiscountDuration::Once {
                sure = sure.max(discount_sure);
            }
            if step.value && !over {
                held.push(discount);
            }
        }
        // A subscription with a discount of its own has nothing of the customer's.
        if held.iter().any(|discount| discount.scope != Scope::Customer) {
            held.retain(|discount| discount.scope != Scope::Customer);
        }
        held.sort_by_key(|discount| (discount.start, &discount.id));

        let mut there = Vec::new();
        let mut is_any_missing = false;
        for (item, track) in items {
            let Some((step, item_sure)) = track.at(second) else { continue };
            let Some((price, quantity)) = step.value.as_ref() else {
                is_any_missing |= item_sure == Confidence::Assumed;
                continue;
            };
            if !price.metered {
                there.push((item, price, *quantity, item_sure, step));
            }
        }
        let parts: Vec<Part<'_>> = there
            .iter()
            .map(|(item, price, quantity, ..)| Part {
                item,
                product: &price.product,
                gross_picos: price.billed_picos(*quantity).unwrap_or(0),
                currency: price.currency,
                rhythm: (price.interval, price.interval_count),
            })
            .collect();
        let taken = stack(&parts, &held, self.name, &mut self.issues);
        // An amount off is shared out, so each item is as sure as all of them, and as those that may be there.
        let shared = held.iter().any(|discount| discount.coupon.amount.is_some());
        let least = there.iter().map(|(.., sure, _)| *sure).max().unwrap_or(Confidence::Exact);
        let least = if is_any_missing { Confidence::Assumed } else { least };

        let mut standing = BTreeMap::new();
        for ((item, price, quantity, item_sure, step), taken) in there.into_iter().zip(taken) {
            let source = if step.from > newest.0 { step.source.clone() } else { newest.1.clone() };
            let cancel = cancel.as_ref().map(|(step, _)| step.value.clone()).unwrap_or_default();
            let stands = Standing {
                price: price.clone(),
                quantity,
                discount: taken.map(|(discount, _)| discount),
                discount_end: taken.and_then(|(_, end)| end),
                status: state_now,
                trial_end,
                cancel_at: cancel.at,
                cancel_requested_at: cancel.at.and(cancel.requested_at),
                cancel_reason: cancel.reason,
            };
            let item_sure = if shared { least.max(item_sure) } else { item_sure };
            standing.insert(item.as_str(), (stands, sure.max(item_sure), source));
        }
        standing
    }
}
