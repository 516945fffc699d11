//! Attribution: which channel or campaign a customer came by, out of all that touched them before.
//!
//! Credit is counted in millionths, and the credit for one conversion is always a whole million. So customers, revenue and
//! cost by channel add up to the whole.

/// The credit for one conversion.
pub const WHOLE: u32 = 1_000_000;

/// How credit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// All of it to the first touch: what made them known to us.
    FirstTouch,
    /// All of it to the last touch: what closed the deal.
    LastTouch,
    /// The same to each touch.
    Linear,
}

impl Model {
    /// Every model with its name.
    pub const ALL: &'static [(Model, &'static str)] =
        &[(Model::FirstTouch, "first_touch"), (Model::LastTouch, "last_touch"), (Model::Linear, "linear")];

    /// A model by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, listed)| *listed == name).map(|(model, _)| *model)
    }
}

/// One touch: a visit, a click, a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touch {
    /// When, as an instant or a day.
    pub at: i64,
    /// The number of what it came by (a channel, or a channel and a campaign); `None` where nobody knows, as with a
    /// typed-in address.
    pub source: Option<u32>,
}

/// The credit of each source for a conversion, sorted by source, each at most once; together they are [`WHOLE`].
///
/// Touches count up to the conversion itself and, with a `window`, that long before it. Touches of unknown source count
/// only where there is no known one: then all credit is unknown. Of touches at the same time the smaller source is the
/// earlier. Where a million cannot be divided the earlier touches get a millionth more.
#[must_use]
pub fn credit(touches: &[Touch], conversion: i64, window: Option<i64>, model: Model) -> Vec<(Option<u32>, u32)> {
    let within = |touch: &&Touch| {
        touch.at <= conversion && window.is_none_or(|window| touch.at >= conversion.saturating_sub(window))
    };
    let mut known: Vec<(i64, u32)> =
        touches.iter().filter(within).filter_map(|touch| Some((touch.at, touch.source?))).collect();
    known.sort_unstable();
    let credited = match model {
        Model::FirstTouch => known.get(..1),
        Model::LastTouch => known.len().checked_sub(1).and_then(|last| known.get(last..)),
        Model::Linear => Some(known.as_slice()),
    }
    .unwrap_or_default();
    let Some(count) = u32::try_from(credited.len()).ok().filter(|count| *count > 0) else {
        return vec![(None, WHOLE)];
    };
    let mut shares: Vec<(Option<u32>, u32)> = credited
        .iter()
        .zip(0u32..)
        .map(|((_, source), index)| (Some(*source), WHOLE / count + u32::from(index < WHOLE % count)))
        .collect();
    shares.sort_by_key(|(source, _)| *source);
    shares.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    shares.retain(|(_, share)| *share > 0);
    shares
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// `1:ads 3:- 5:mail`: a touch at 1 by ads (source 0), one at 3 by nobody knows what, one at 5 by mail.
    fn credited(text: &str, window: Option<i64>, model: Model) -> String {
        let names = ["ads", "mail", "search"];
        let touches: Vec<Touch> = text
            .split_whitespace()
            .map(|touch| {
                let (at, name) = touch.split_once(':').unwrap();
                let source = names.iter().position(|known| *known == name).map(|index| index as u32);
                Touch { at: at.parse().unwrap(), source }
            })
            .collect();
        credit(&touches, 10, window, model)
            .iter()
            .map(|(source, share)| format!("{} {share}", source.map_or("unknown", |source| names[source as usize])))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn one_road_three_models() {
        let road = "1:ads 3:- 5:mail 7:ads 9:- 11:search";
        assert_eq!(credited(road, None, Model::FirstTouch), "ads 1000000");
        assert_eq!(credited(road, None, Model::LastTouch), "ads 1000000");
        // Three touches of known source: a million is three times 333,333 and one more for the first.
        assert_eq!(credited(road, None, Model::Linear), "ads 666667, mail 333333");
        assert_eq!(credited("1:ads 5:mail", None, Model::LastTouch), "mail 1000000");
    }

    #[test]
    fn what_nobody_knows_is_said() {
        assert_eq!(credited("1:- 2:-", None, Model::Linear), "unknown 1000000");
        assert_eq!(credited("", None, Model::FirstTouch), "unknown 1000000");
        // A touch after the conversion, or long before it, did not bring the customer.
        assert_eq!(credited("1:ads 11:mail", Some(5), Model::LastTouch), "unknown 1000000");
        assert_eq!(credited("5:ads 10:mail", Some(5), Model::Linear), "ads 500000, mail 500000");
    }

    #[test]
    fn models_have_names() {
        for (model, name) in Model::ALL {
            assert_eq!(Model::parse(name), Some(*model));
        }
        assert_eq!(Model::parse("middle"), None);
    }

    proptest! {
        #[test]
        fn credit_is_always_whole(touches in vec((0i64..20, proptest::option::of(0u32..5)), 0..30), window in proptest::option::of(0i64..20)) {
            let touches: Vec<Touch> = touches.into_iter().map(|(at, source)| Touch { at, source }).collect();
            for (model, _) in Model::ALL {
                let shares = credit(&touches, 12, window, *model);
                prop_assert_eq!(shares.iter().map(|(_, share)| share).sum::<u32>(), WHOLE);
                prop_assert!(shares.windows(2).all(|pair| pair[0].0 < pair[1].0));
            }
        }
    }
}
