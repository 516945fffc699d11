//! Funnels: how many people took the first step, how many of them the second one after it, and so on.
//!
//! Steps are ordered, and other events may come between them. A person counts once, at the furthest step reached within a
//! window from a first step. One event is one step at the most, also where it fits several.

/// An event of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The person's number. Who was merged has one number.
    pub person: u32,
    /// When.
    pub at: i64,
    /// The steps that it fits, a bit for each: bit 0 is the first step.
    pub fits: u64,
}

/// Funnels may have so many steps.
pub const STEPS: usize = 64;

/// How many people reached each step. Events are sorted here, by person and time; of events at the same time the earlier
/// in the list is the earlier. `window` is the time from the first step within which the others count, the end included.
#[must_use]
pub fn reached(events: &mut [Event], steps: usize, window: i64) -> Vec<u64> {
    events.sort_by_key(|event| (event.person, event.at));
    let mut reached = vec![0u64; steps];
    for person in events.chunk_by(|one, next| one.person == next.person) {
        for step in reached.iter_mut().take(furthest(person, steps, window)) {
            *step += 1;
        }
    }
    reached
}

/// How many steps one person took, whose events are in order of time.
#[must_use]
pub fn furthest(events: &[Event], steps: usize, window: i64) -> usize {
    path(events, steps, window).iter().take_while(|event| event.is_some()).count()
}

/// By which event, by its place, one person first reached each step; the events are in order of time. Steps that were not
/// reached come last.
#[must_use]
pub fn path(events: &[Event], steps: usize, window: i64) -> [Option<usize>; STEPS] {
    let steps = steps.min(STEPS);
    // For each step the latest first step from which a chain reached it: no other chain has more time left.
    let mut began: [Option<i64>; STEPS] = [None; STEPS];
    let mut reached: [Option<usize>; STEPS] = [None; STEPS];
    for (place, event) in events.iter().enumerate() {
        // From the last step down, so that the event does not follow itself.
        for step in (0..steps).rev().filter(|step| event.fits >> step & 1 == 1) {
            let chain = if step == 0 { Some(event.at) } else { began[step - 1] };
            if let Some(first) = chain.filter(|first| event.at.saturating_sub(*first) <= window) {
                began[step] = Some(began[step].map_or(first, |known| known.max(first)));
                reached[step] = reached[step].or(Some(place));
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// `ann:buy@3`: Ann buys at 3. Steps by name; `*` is any event.
    fn funnel(steps: &str, window: i64, events: &str) -> Vec<u64> {
        let steps: Vec<&str> = steps.split_whitespace().collect();
        let mut people: Vec<&str> = Vec::new();
        let mut told: Vec<Event> = events
            .split_whitespace()
            .enumerate()
            .map(|(index, event)| {
                let (person, rest) = event.split_once(':').unwrap();
                let (name, at) =
                    rest.split_once('@').map_or((rest, index as i64), |(name, at)| (name, at.parse().unwrap()));
                let number = people.iter().position(|known| *known == person).unwrap_or_else(|| {
                    people.push(person);
                    people.len() - 1
                });
                let fits = steps.iter().enumerate().filter(|(_, step)| **step == "*" || **step == name);
                Event { person: number as u32, at, fits: fits.map(|(step, _)| 1 << step).sum() }
            })
            .collect();
        reached(&mut told, steps.len(), window)
    }

    /// Ann only comes; Ben buys; Cleo reads on; Dan reads without having come; Eve buys before she comes.
    const SHOP: &str = "ann:come ben:come ben:buy cleo:come cleo:buy cleo:read dan:read eve:buy eve:come eve:read";

    #[test]
    fn each_step_counts_who_came_by_the_steps_before() {
        assert_eq!(funnel("come buy read", 100, SHOP), [4, 2, 1]);
        // Ann and Ben turn out to be one person.
        assert_eq!(funnel("come buy read", 100, &SHOP.replace("ann:", "ben:")), [3, 2, 1]);
        assert_eq!(funnel("come buy read", 100, "gus:come gus:read"), [1, 0, 0]);
        assert_eq!(funnel("come", 100, "ann:come ben:come"), [2]);
        assert_eq!(funnel("come buy", 100, ""), [0, 0]);
    }

    /// Five people with one, two, two, one and three events: an event is no step after itself.
    #[test]
    fn any_event_three_times() {
        let events = "ann:come ben:come ben:read cleo:come cleo:read dan:read eve:read eve:come eve:read";
        assert_eq!(funnel("* * *", 100, events), [5, 3, 1]);
    }

    #[test]
    fn the_window_runs_from_a_first_step() {
        assert_eq!(funnel("come buy", 14, "ann:come@0 ann:buy@14 ben:come@0 ben:buy@15"), [2, 1]);
        // Who comes again has a window again, but each chain has one of its own.
        assert_eq!(funnel("come buy", 14, "ann:come@0 ann:come@10 ann:buy@20"), [1, 1]);
        assert_eq!(funnel("come buy read", 14, "ann:come@0 ann:buy@5 ann:come@10 ann:read@20"), [1, 1, 0]);
    }

    #[test]
    fn a_path_names_the_events_by_which_steps_were_first_reached() {
        let at = |fits: u64, at: i64| Event { person: 0, at, fits };
        let path = |events: &[Event]| super::path(events, 3, 14).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(path(&[at(2, 0), at(1, 1), at(1, 2), at(2, 3), at(2, 4)]), [1, 3]);
        // The first visit is too long ago to buy from, and it is the first touch all the same.
        assert_eq!(path(&[at(1, 0), at(1, 20), at(2, 25), at(4, 26)]), [0, 2, 3]);
        assert_eq!(path(&[]), [] as [usize; 0]);
    }

    #[test]
    fn events_come_in_any_order() {
        assert_eq!(funnel("come buy", 14, "ann:buy@5 ben:come@2 ann:come@1 ben:buy@1"), [2, 1]);
    }

    /// By definition: any choice of events in order, the first within the window of the last.
    fn by_definition(events: &[Event], steps: usize, window: i64) -> usize {
        fn go(events: &[Event], step: usize, steps: usize, until: i64) -> usize {
            if step == steps {
                return step;
            }
            let next = events.iter().enumerate().filter(|(_, event)| event.fits >> step & 1 == 1 && event.at <= until);
            next.map(|(index, _)| go(&events[index + 1..], step + 1, steps, until)).max().unwrap_or(step)
        }
        let firsts = events.iter().enumerate().filter(|(_, event)| event.fits & 1 == 1);
        firsts.map(|(index, first)| go(&events[index + 1..], 1, steps, first.at + window)).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn the_furthest_step_is_that_of_the_definition(events in vec((0i64..20, 0u64..16), 0..12), window in 0i64..20) {
            let mut events: Vec<Event> = events.into_iter().map(|(at, fits)| Event { person: 0, at, fits }).collect();
            events.sort_by_key(|event| event.at);
            prop_assert_eq!(furthest(&events, 4, window), by_definition(&events, 4, window));
        }
    }
}
