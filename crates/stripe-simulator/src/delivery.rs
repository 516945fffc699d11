//! How webhooks arrive: Stripe promises that each comes at least once, in no order, and now and then breaks the promise.

use serde_json::Value;

use crate::dice::Dice;

/// The order in which webhooks are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they came about.
    #[default]
    AsTheyCame,
    /// The last one first.
    Reversed,
    /// By chance, from a seed.
    Shuffled(u64),
}

/// What becomes of webhooks on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// In which order they are sent.
    pub order: Order,
    /// How often each is sent.
    pub copies: usize,
    /// One of so many, chosen by chance, is never sent.
    pub one_lost_of: Option<i64>,
    /// The seed of that chance.
    pub seed: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self { order: Order::AsTheyCame, copies: 1, one_lost_of: None, seed: 0 }
    }
}

impl Script {
    /// Events as they are sent, and the ids of those that never are.
    #[must_use]
    pub fn play(&self, events: Vec<Value>) -> (Vec<Value>, Vec<String>) {
        let mut dice = Dice::new(self.seed);
        let (mut sent, mut lost) = (Vec::new(), Vec::new());
        for event in events {
            if self.one_lost_of.is_some_and(|of| of > 0 && dice.between(1, of) == 1) {
                lost.push(event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
            } else {
                sent.extend(std::iter::repeat_n(event, self.copies));
            }
        }
        match self.order {
            Order::AsTheyCame => {}
            Order::Reversed => sent.reverse(),
            Order::Shuffled(seed) => {
                let mut dice = Dice::new(seed);
                for last in (1..sent.len()).rev() {
                    let other = dice.between(0, i64::try_from(last).unwrap_or(0));
                    sent.swap(last, usize::try_from(other).unwrap_or(last));
                }
            }
        }
        (sent, lost)
    }
}
