//! The policy: every choice on which vendors of MRR disagree, as a named setting.
//!
//! [`SETTINGS`] is the one table; reading, printing, help, documentation and the comparison of two policies are
//! derived from it. A figure always names the policy that made it.

use crate::calendar::Day;

/// A quotient of small integers, such as 52/12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factor {
    /// Above the line.
    pub numerator: i64,
    /// Below the line, at least 1.
    pub denominator: i64,
}

/// Which discounts lower MRR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discounts {
    /// Forever and repeating ones, while they last.
    Recurring,
    /// Those that lower one invoice as well.
    All,
    /// None: MRR at list price.
    None,
}

/// When a change that the customer asked for at the end of the paid period is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// At the end of the paid period.
    AtPeriodEnd,
    /// On the day on which the customer asked.
    WhenAsked,
}

/// What usage-based items add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metered {
    /// Nothing.
    Exclude,
    /// The mean of the last so many full periods.
    MeanOfPeriods(u32),
}

/// Which changes are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleWindow {
    /// All of one customer within one business day.
    BusinessDay,
    /// All of one customer within so many minutes of the first.
    Minutes(u32),
}

/// How amounts reach the reporting currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// At the rate of the day on which the amount began to hold, carried until the next change.
    AtMovement,
    /// As `AtMovement`, and everything is valued again on the last day of each month: an `fx` movement.
    Revalue,
    /// All at the rate of one day.
    Constant(Day),
}

/// Over what the amount of an invoice line with a service period is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// Its days: each earns the same.
    Day,
    /// Its months, counted from the calendar month in which it begins: each earns the same.
    MonthEven,
}

/// The choices by which facts become MRR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which discounts lower MRR.
    pub discounts: Discounts,
    /// Whether a trial counts as paid from its first day.
    pub trial_counts: bool,
    /// Days after which an overdue subscription stops counting; `None` keeps it.
    pub past_due_drop_days: Option<u32>,
    /// Whether an unpaid subscription goes on counting.
    pub unpaid_keeps: bool,
    /// Whether a paused subscription goes on counting.
    pub paused_keeps: bool,
    /// When a cancellation at period end counts.
    pub cancellation: Cancellation,
    /// What usage-based items add.
    pub metered: Metered,
    /// Whether a customer who pays nothing is a customer.
    pub free_is_customer: bool,
    /// Days after which a return counts as new; `None` for never.
    pub reactivation_within_days: Option<u32>,
    /// Which changes are taken together.
    pub settle_window: SettleWindow,
    /// Weeks in a month.
    pub week_factor: Factor,
    /// Days in a month.
    pub day_factor: Factor,
    /// How amounts reach the reporting currency.
    pub exchange: Exchange,
    /// Over what billed amounts are earned.
    pub recognition: Recognition,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            discounts: Discounts::Recurring,
            trial_counts: false,
            past_due_drop_days: None,
            unpaid_keeps: false,
            paused_keeps: false,
            cancellation: Cancellation::AtPeriodEnd,
            metered: Metered::Exclude,
            free_is_customer: false,
            reactivation_within_days: None,
            settle_window: SettleWindow::BusinessDay,
            // 52/12 in lowest terms, as every factor is kept.
            week_factor: Factor { numerator: 13, denominator: 3 },
            day_factor: Factor { numerator: 365, denominator: 12 },
            exchange: Exchange::AtMovement,
            recognition: Recognition::Day,
        }
    }
}

/// A setting that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No setting has that name.
    #[error("a policy has no setting `{name}`; the settings are: {known}")]
    UnknownSetting {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The setting does not take that value.
    #[error("the policy setting `{name}` does not take `{value}`; it takes: {choices}")]
    UnknownChoice {
        /// The setting.
        name: String,
        /// What was given.
        value: String,
        /// What it takes.
        choices: String,
    },
}

/// One setting: its name, what it decides, and what it takes.
pub struct Setting {
    /// The name in policy files.
    pub name: &'static str,
    /// What it decides.
    pub words: &'static str,
    /// What it takes, the default first.
    pub choices: &'static [&'static str],
    set: fn(&mut Policy, &str) -> Option<()>,
    print: fn(&Policy) -> String,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The number after the colon of `drop_after_days:30`.
fn number_after(value: &str, prefix: &str) -> Option<u32> {
    value.strip_prefix(prefix)?.strip_prefix(':')?.trim().parse().ok().filter(|number| *number > 0)
}

/// `52/12`, `4`, `4.33`.
fn factor(value: &str) -> Option<Factor> {
    let (numerator, denominator) = match value.split_once('/') {
        Some((above, below)) => (above.trim().parse().ok()?, below.trim().parse().ok()?),
        None => (i64::try_from(crate::money::parse_scaled(value, 6)?).ok()?, 1_000_000),
    };
    if numerator <= 0 || denominator <= 0 || numerator > 1_000_000_000 || denominator > 1_000_000_000 {
        return None;
    }
    let common = greatest_common_divisor(numerator, denominator);
    Some(Factor { numerator: numerator / common, denominator: denominator / common })
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}

fn print_factor(found: Factor, usual: Factor, words: &str) -> String {
    match (found == usual, found.denominator) {
        (true, _) => words.to_owned(),
        (false, 1) => found.numerator.to_string(),
        (false, denominator) => format!("{}/{denominator}", found.numerator),
    }
}

/// The policy table: one row a setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "discounts",
        words: "which discounts lower MRR: forever and repeating ones while they last, all of them, or none",
        choices: &["recurring", "all", "none"],
        set: |policy, value| {
            policy.discounts = match value {
                "recurring" => Discounts::Recurring,
                "all" => Discounts::All,
                "none" => Discounts::None,
                _ => return None,
            };
            Some(())
        },
        print: |policy| {
            match policy.discounts {
                Discounts::Recurring => "recurring",
                Discounts::All => "all",
                Discounts::None => "none",
            }
            .to_owned()
        },
    },
    Setting {
        name: "trial",
        words: "a trial is worth nothing until the first paid day (it is counted apart), or counts from its start",
        choices: &["zero", "count"],
        set: |policy, value| either(&mut policy.trial_counts, value, "zero", "count"),
        print: |policy| if policy.trial_counts { "count" } else { "zero" }.to_owned(),
    },
    Setting {
        name: "past_due",
        words: "an overdue subscription counts on, or drops out after some days",
        choices: &["keep", "drop_after_days:N"],
        set: |policy, value| {
            policy.past_due_drop_days = match value {
                "keep" => None,
                _ => Some(number_after(value, "drop_after_days")?),
            };
            Some(())
        },
        print: |policy| policy.past_due_drop_days.map_or("keep".to_owned(), |days| format!("drop_after_days:{days}")),
    },
    Setting {
        name: "unpaid",
        words: "a subscription given up as unpaid has churned, or counts on",
        choices: &["churn", "keep"],
        set: |policy, value| either(&mut policy.unpaid_keeps, value, "churn", "keep"),
        print: |policy| if policy.unpaid_keeps { "keep" } else { "churn" }.to_owned(),
    },
    Setting {
        name: "paused",
        words: "a paused subscription is worth nothing, or counts on",
        choices: &["zero", "keep"],
        set: |policy, value| either(&mut policy.paused_keeps, value, "zero", "keep"),
        print: |policy| if policy.paused_keeps { "keep" } else { "zero" }.to_owned(),
    },
    Setting {
        name: "cancel_at_period_end",
        words: "a cancellation at period end churns at the end of the paid period, or when it was asked for",
        choices: &["at_period_end", "when_asked"],
        set: |policy, value| {
            policy.cancellation = match value {
                "at_period_end" => Cancellation::AtPeriodEnd,
                "when_asked" => Cancellation::WhenAsked,
                _ => return None,
            };
            Some(())
        },
        print: |policy| {
            match policy.cancellation {
                Cancellation::AtPeriodEnd => "at_period_end",
                Cancellation::WhenAsked => "when_asked",
            }
            .to_owned()
        },
    },
    Setting {
        name: "metered",
        words: "usage adds nothing, or the mean of the last so many full periods",
        choices: &["exclude", "mean_of_periods:N"],
        set: |policy, value| {
            policy.metered = match value {
                "exclude" => Metered::Exclude,
                _ => Metered::MeanOfPeriods(number_after(value, "mean_of_periods")?),
            };
            Some(())
        },
        print: |policy| match policy.metered {
            Metered::Exclude => "exclude".to_owned(),
            Metered::MeanOfPeriods(periods) => format!("mean_of_periods:{periods}"),
        },
    },
    Setting {
        name: "free",
        words: "who pays nothing (price 0, 100% discount) is not a customer, or is one with an MRR of 0",
        choices: &["not_a_customer", "customer"],
        set: |policy, value| either(&mut policy.free_is_customer, value, "not_a_customer", "customer"),
        print: |policy| if policy.free_is_customer { "customer" } else { "not_a_customer" }.to_owned(),
    },
    Setting {
        name: "refund",
        words: "a refund has no effect on MRR: it is cash",
        choices: &["no_effect"],
        set: |_, value| (value == "no_effect").then_some(()),
        print: |_| "no_effect".to_owned(),
    },
    Setting {
        name: "one_off",
        words: "one-off charges, tax and shipping are never in MRR",
        choices: &["never"],
        set: |_, value| (value == "never").then_some(()),
        print: |_| "never".to_owned(),
    },
    Setting {
        name: "reactivation_within",
        words: "a return is a reactivation after any gap, or only within some days (after them it counts as new)",
        choices: &["any_gap", "days:N"],
        set: |policy, value| {
            policy.reactivation_within_days = match value {
                "any_gap" => None,
                _ => Some(number_after(value, "days")?),
            };
            Some(())
        },
        print: |policy| policy.reactivation_within_days.map_or("any_gap".to_owned(), |days| format!("days:{days}")),
    },
    Setting {
        name: "settle_window",
        words: "changes of one customer are netted within the business day, or within some minutes of the first",
        choices: &["business_day", "minutes:N"],
        set: |policy, value| {
            policy.settle_window = match value {
                "business_day" => SettleWindow::BusinessDay,
                _ => SettleWindow::Minutes(number_after(value, "minutes")?),
            };
            Some(())
        },
        print: |policy| match policy.settle_window {
            SettleWindow::BusinessDay => "business_day".to_owned(),
            SettleWindow::Minutes(minutes) => format!("minutes:{minutes}"),
        },
    },
    Setting {
        name: "week_factor",
        words: "weeks in a month",
        choices: &["52/12", "4", "4.33", ANY_FACTOR],
        set: |policy, value| factor(value).map(|found| policy.week_factor = found),
        print: |policy| print_factor(policy.week_factor, Policy::default().week_factor, "52/12"),
    },
    Setting {
        name: "day_factor",
        words: "days in a month",
        choices: &["365/12", "30", ANY_FACTOR],
        set: |policy, value| factor(value).map(|found| policy.day_factor = found),
        print: |policy| print_factor(policy.day_factor, Policy::default().day_factor, "365/12"),
    },
    Setting {
        name: "fx",
        words: "amounts are converted at the rate of the day they began to hold, valued again each month, or all at \
                the rate of one day",
        choices: &["at_movement", "revalue", "constant:YYYY-MM-DD"],
        set: |policy, value| {
            policy.exchange = match value {
                "at_movement" => Exchange::AtMovement,
                "revalue" => Exchange::Revalue,
                _ => Exchange::Constant(Day::parse(value.strip_prefix("constant:")?.trim())?),
            };
            Some(())
        },
        print: |policy| match policy.exchange {
            Exchange::AtMovement => "at_movement".to_owned(),
            Exchange::Revalue => "revalue".to_owned(),
            Exchange::Constant(day) => format!("constant:{day}"),
        },
    },
    Setting {
        name: "recognition",
        words: "what an invoice line bills is earned evenly over the days of its service, or over its months, from the \
                calendar month in which it begins",
        choices: &["day", "month_even"],
        set: |policy, value| {
            policy.recognition = match value {
                "day" => Recognition::Day,
                "month_even" => Recognition::MonthEven,
                _ => return None,
            };
            Some(())
        },
        print: |policy| {
            match policy.recognition {
                Recognition::Day => "day",
                Recognition::MonthEven => "month_even",
            }
            .to_owned()
        },
    },
    Setting {
        name: "usage_of_unknown_shape",
        words: "usage that cannot be read is an issue with the row that caused it, never a silent 0",
        choices: &["issue"],
        set: |_, value| (value == "issue").then_some(()),
        print: |_| "issue".to_owned(),
    },
];

/// What a setting lists when it takes any factor besides the usual ones.
const ANY_FACTOR: &str = "A NUMBER OR QUOTIENT";

/// Sets a switch from the words for off and on.
fn either(switch: &mut bool, value: &str, off: &str, on: &str) -> Option<()> {
    *switch = match value {
        _ if value == off => false,
        _ if value == on => true,
        _ => return None,
    };
    Some(())
}

impl Policy {
    /// Sets one setting by name.
    ///
    /// # Errors
    /// When there is no such setting, or it does not take the value; the error lists what is possible.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PolicyError> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let known = SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ");
            return Err(PolicyError::UnknownSetting { name: name.to_owned(), known });
        };
        (setting.set)(self, value).ok_or_else(|| PolicyError::UnknownChoice {
            name: name.to_owned(),
            value: value.to_owned(),
            choices: setting.choices.join(", "),
        })
    }

    /// Every setting with its value, in the order of the table: the policy as data.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        SETTINGS.iter().map(|setting| (setting.name, (setting.print)(self))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_what_it_prints_and_every_choice_that_it_lists() {
        for setting in SETTINGS {
            for choice in setting.choices.iter().filter(|choice| **choice != ANY_FACTOR) {
                let value = choice.replace("YYYY-MM-DD", "2024-02-29").replace('N', "30");
                let mut policy = Policy::default();
                policy.set(setting.name, &value).unwrap();
                let printed = policy.settings().into_iter().find(|(name, _)| *name == setting.name).unwrap().1;
                let mut again = Policy::default();
                again.set(setting.name, &printed).unwrap();
                assert_eq!(policy, again, "{} = {value}", setting.name);
            }
            let first = setting.choices[0];
            let mut policy = Policy::default();
            policy.set(setting.name, first).unwrap();
            assert_eq!(policy, Policy::default(), "the first choice of {} is the default", setting.name);
        }
    }

    #[test]
    fn a_wrong_name_or_value_says_what_is_possible() {
        let mut policy = Policy::default();
        let error = policy.set("discount", "all").unwrap_err().to_string();
        assert!(error.contains("`discount`") && error.contains("discounts"), "{error}");
        let error = policy.set("fx", "constant:2023-02-29").unwrap_err().to_string();
        assert!(error.contains("constant:YYYY-MM-DD"), "{error}");
    }
}
