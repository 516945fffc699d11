//! Chance, keyed and repeatable.
//!
//! Every customer has dice of their own, keyed by (seed, customer, purpose).
//! So a customer's life does not depend on who was generated before, and a
//! later chapter that rolls new dice leaves the files of today as they are.

/// How often something happens, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Chance = Chance(0);

    /// So many in a thousand.
    pub const fn per_mille(count: u32) -> Chance {
        Chance(count * 1_000)
    }

    /// So many in a hundred.
    pub const fn per_cent(count: u32) -> Chance {
        Chance(count * 10_000)
    }

    /// The chance scaled by a percentage, never above certainty.
    pub fn times(self, percent: u32) -> Chance {
        let scaled = u64::from(self.0) * u64::from(percent) / 100;
        Chance(scaled.min(1_000_000) as u32)
    }
}

/// What a stream of dice decides. A number, once given, is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Country, channel, size and name of a customer.
    Person = 1,
    /// Trials, growth, pauses and leaving.
    Life = 2,
    /// Card failures, refunds and disputes.
    Billing = 3,
    /// The life of the add-on.
    AddOn = 4,
    /// The daily exchange rates; keyed by currency instead of customer.
    Rates = 5,
    /// By which visits a customer came.
    Visits = 6,
    /// Who visits without becoming a customer; keyed by day instead of customer.
    Audience = 7,
    /// The talks of the sellers with a customer.
    Leads = 8,
    /// What a customer's users do in the product.
    Usage = 9,
    /// What a customer asks of support, and when support answers.
    Support = 10,
    /// What a customer answers when asked how content it is.
    Surveys = 11,
    /// Whom a customer invites.
    Referrals = 12,
    /// The arm of the annual price test.
    AnnualTest = 13,
    /// The arm of the checklist test.
    ChecklistTest = 14,
}

/// A stream of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl Dice {
    pub(crate) fn new(seed: u64, key: u64, purpose: Purpose) -> Dice {
        // Mixed once per part: neighbouring seeds and customers must share nothing.
        let state = mixed(seed.wrapping_add(GOLDEN));
        let state = mixed(state ^ key.wrapping_mul(GOLDEN));
        Dice { state: mixed(state.wrapping_add(purpose as u64)) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mixed(self.state)
    }

    /// A whole number from 0 up to, but not including, `limit`; 0 when `limit` is 0.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn happens(&mut self, chance: Chance) -> bool {
        self.below(1_000_000) < chance.0
    }

    /// One row of a table, by the weight that `share` reads from each.
    pub(crate) fn choose<'t, T>(&mut self, table: &'t [T], share: impl Fn(&T) -> u32) -> &'t T {
        let total = table.iter().map(&share).sum();
        let mut rolled = self.below(total);
        for row in table {
            let weight = share(row);
            if rolled < weight {
                return row;
            }
            rolled -= weight;
        }
        // Reached only when every weight is nought: the first row stands for all.
        &table[0]
    }
}
