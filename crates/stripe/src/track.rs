//! One thing about a subscription over time (its state, the price of an item, whether a discount holds), pieced
//! together from what was seen of it at some moments.

use revenue::timeline::Confidence;

const DAY_SECONDS: i64 = 86_400;

/// What was seen of something at one second.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) at: i64,
    /// Of what was seen at one second, what comes later.
    pub(crate) rank: u32,
    /// Whether it became so at this very second. Else it was so by then, and nothing says since when.
    pub(crate) changed: bool,
    pub(crate) value: T,
    pub(crate) confidence: Confidence,
    /// The id of the object that shows it.
    pub(crate) source: String,
}

/// From one second on something holds.
#[derive(Debug, Clone)]
pub(crate) struct Step<T> {
    pub(crate) from: i64,
    pub(crate) value: T,
    /// Where nothing says when it began to hold: the last second at which it is known not to have held yet.
    pub(crate) unsure_from: Option<i64>,
    pub(crate) confidence: Confidence,
    /// Whether it came to be undated.
    appeared: bool,
    pub(crate) source: String,
}

/// One thing over time.
#[derive(Debug, Clone)]
pub(crate) struct Track<T> {
    pub(crate) steps: Vec<Step<T>>,
    /// The last second at which anything was seen of it: what comes after is assumed to be the same.
    pub(crate) last_seen: i64,
}

impl<T> Step<T> {
    /// What an event shows.
    pub(crate) fn exact(from: i64, value: T, source: &str) -> Self {
        let confidence = Confidence::Exact;
        Self { from, value, unsure_from: None, confidence, appeared: false, source: source.to_owned() }
    }

    /// Whether it began when it is said to.
    pub(crate) fn is_exact(&self) -> bool {
        self.confidence == Confidence::Exact && !self.appeared
    }
}

impl<T: Clone + PartialEq> Track<T> {
    /// Pieces a track together. What changed undated is taken to have changed when it was first seen; what came to be
    /// undated (there is nothing before it that could be marked) is assumed until it is seen again. Where it is known what it
    /// was at a second, after everything that was seen until then, it goes on from there.
    pub(crate) fn of(begun: Option<(Step<T>, i64)>, mut seen: Vec<Seen<T>>, absent: impl Fn(&T) -> bool) -> Self {
        seen.sort_by_key(|seen| (seen.at, seen.rank));
        let mut last_seen = begun.as_ref().map_or(i64::MIN, |(_, at)| *at);
        let mut steps: Vec<Step<T>> = begun.into_iter().map(|(step, _)| step).collect();
        for found in seen {
            let unsure_from = match steps.last() {
                Some(step) if step.value == found.value => {
                    last_seen = last_seen.max(found.at);
                    // The same, but known better from here on, or no longer known well.
                    // On the next day at the earliest: movements are of days, and each needs its mark.
                    // (An event knows all that it shows, also what it did not change.)
                    let better = (step.confidence == Confidence::Assumed || found.changed)
                        && found.confidence < step.confidence
                        && (!step.appeared || found.at >= step.from + DAY_SECONDS);
                    let worse = found.changed && found.confidence > step.confidence;
                    if !better && !worse {
                        continue;
                    }
                    None
                }
                _ if found.changed => None,
                Some(_) => Some(last_seen),
                None => Some(found.at),
            };
            last_seen = last_seen.max(found.at);
            let unsure_from = unsure_from.filter(|from| *from < found.at);
            // What came to be undated and is another one on the same day came to be so undated: there is one movement.
            let on_that_day = |step: &Step<T>| step.appeared && found.at < step.from + DAY_SECONDS;
            let appears = steps.last().is_some_and(|step| {
                unsure_from.is_some() && absent(&step.value) || on_that_day(step) && !absent(&found.value)
            });
            steps.push(Step {
                from: found.at,
                value: found.value,
                unsure_from,
                confidence: if appears { Confidence::Assumed } else { found.confidence },
                appeared: appears,
                source: found.source,
            });
        }
        Self { steps, last_seen }
    }

    /// What holds at a second, and how sure that is.
    pub(crate) fn at(&self, second: i64) -> Option<(&Step<T>, Confidence)> {
        let next = self.steps.partition_point(|step| step.from <= second);
        let step = self.steps.get(next.checked_sub(1)?)?;
        let unsure = self.steps.get(next).and_then(|step| step.unsure_from).is_some_and(|from| from <= second);
        let confidence = if unsure || second > self.last_seen { Confidence::Assumed } else { step.confidence };
        Some((step, confidence))
    }

    /// The times in which it changed, and nothing says when.
    pub(crate) fn undated(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.steps.iter().filter_map(|step| Some((step.unsure_from?, step.from)))
    }

    /// The seconds at which it, or how sure it is, changes.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = i64> + '_ {
        let of_step = |step: &Step<T>| [Some(step.from), step.unsure_from].into_iter().flatten();
        self.steps.iter().flat_map(of_step).chain([self.last_seen.saturating_add(1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, changed: bool, value: char) -> Seen<char> {
        Seen { at, rank: 0, changed, value, confidence: Confidence::Derived, source: String::new() }
    }

    #[test]
    fn what_came_undated_and_changed_on_the_same_day_is_as_unsure() {
        // First seen at noon, never before; two more two hours later. That is one movement of one day, whose day nobody knows.
        let noon = 12 * 3_600;
        let hours = |hours: i64| noon + hours * 3_600;
        let track = Track::of(
            None,
            vec![seen(0, true, '-'), seen(noon, false, 'a'), seen(hours(2), true, 'b'), seen(hours(48), false, 'b')],
            |value| *value == '-',
        );
        let at = |second| track.at(second).map(|(step, confidence)| (step.value, confidence));
        assert_eq!(at(hours(1)), Some(('a', Confidence::Assumed)));
        assert_eq!(at(hours(3)), Some(('b', Confidence::Assumed)));
        assert_eq!(at(hours(48)), Some(('b', Confidence::Derived)), "it was seen again, on another day");
        let track =
            Track::of(None, vec![seen(0, true, '-'), seen(noon, false, 'a'), seen(hours(30), true, 'b')], |value| {
                *value == '-'
            });
        assert_eq!(
            track.at(hours(30)).map(|(step, confidence)| (step.value, confidence)),
            Some(('b', Confidence::Derived))
        );
    }

    #[test]
    fn what_changed_undated_is_unsure_since_it_was_last_seen() {
        let track = Track::of(
            None,
            vec![seen(10, true, 'a'), seen(30, false, 'b'), seen(20, false, 'a'), seen(40, true, 'c')],
            |value| *value == '-',
        );
        assert_eq!(track.undated().collect::<Vec<_>>(), [(20, 30)]);
        let at = |second| track.at(second).map(|(step, confidence)| (step.value, confidence));
        for (second, answer) in [
            (9, None),
            (10, Some(('a', Confidence::Derived))),
            (20, Some(('a', Confidence::Assumed))),
            (29, Some(('a', Confidence::Assumed))),
            (30, Some(('b', Confidence::Derived))),
            (39, Some(('b', Confidence::Derived))),
            (40, Some(('c', Confidence::Derived))),
            (41, Some(('c', Confidence::Assumed))),
        ] {
            assert_eq!(at(second), answer, "{second}");
        }
    }
}
