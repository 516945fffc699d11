//! What users do, what they ask for, and how content they are.

use crate::dice::Chance;

/// How many users of a customer are followed at most: one who signed up, and some of the others.
pub const USERS_FOLLOWED: u32 = 3;
/// How likely a settled user opens the product on a working day.
pub const SESSION: Chance = Chance::per_cent(36);
/// The one who signed up comes more often, percent.
pub const SESSION_FIRST_USER_PERCENT: u32 = 125;
/// Sessions on a Saturday or Sunday, percent of a working day.
pub const SESSION_WEEKEND_PERCENT: u32 = 12;
/// Sessions by calendar month, percent: holidays in August and December.
pub const SESSION_SEASON_PERCENT: [u32; 12] = [100, 100, 100, 100, 98, 100, 92, 76, 100, 100, 100, 78];
/// What is used at most in one session.
pub const ACTIONS_A_SESSION: (u32, u32) = (1, 5);
/// How often customers of each fit (as in `FIT_LEAVING_PERCENT`) come, percent: who fits, uses.
pub const SESSION_FIT_PERCENT: [u32; 6] = [128, 116, 106, 98, 84, 72];

/// The event of opening the product.
pub const LOGIN_EVENT: &str = "logged_in";
/// The event of making a board of one's own: who has done it has understood the product.
pub const ACTIVATION_EVENT: &str = "created_board";
/// How many days after the sign-up those who will pay have made a board of their own, at most.
pub const ACTIVATION_DAYS: u32 = 5;
/// How many of those who will pay do.
pub const ACTIVATED_BUYER: Chance = Chance::per_cent(91);
/// How many of the others do.
pub const ACTIVATED_OTHER: Chance = Chance::per_cent(36);
/// Sessions in a trial that comes to nothing, percent, when a board was made and when none was.
pub const SESSION_LOST_TRIAL_PERCENT: (u32, u32) = (75, 30);

/// How many of those who leave of their own will use the product less and less before they say so.
pub const FALLS_BEFORE_LEAVING: Chance = Chance::per_cent(86);
/// The same of those who leave for the price.
pub const FALLS_BEFORE_LEAVING_FOR_PRICE: Chance = Chance::per_cent(50);
/// Over how many days it falls.
pub const FALL_DAYS: (u32, u32) = (35, 70);
/// The same for those whom the bad release drives away.
pub const FALL_DAYS_BAD_RELEASE: (u32, u32) = (10, 21);
/// How much is left of it in the end, percent.
pub const FALL_LEAVES_PERCENT: u32 = 14;
/// Sessions of team customers in the bad release, percent.
pub const BAD_RELEASE_SESSION_PERCENT: u32 = 78;
/// What is left of their use of shared boards, percent.
pub const BAD_RELEASE_SHARED_BOARDS_PERCENT: u32 = 22;

/// Something that can be used in the product.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Its name in `events.csv`.
    pub name: &'static str,
    /// What using it is called.
    pub event: &'static str,
    /// How often it is used on the starter, team and business plan, as a weight.
    pub share: [u32; 3],
    /// From which month on it is there.
    pub from_month: u32,
    /// Whether it takes several people: what falls first when a customer loses heart.
    pub is_shared: bool,
}

/// The features, the loved and the unused.
#[rustfmt::skip]
pub const FEATURES: [Feature; 9] = [
    Feature { name: "boards", event: "moved_card", share: [520, 240, 230], from_month: 1, is_shared: false },
    Feature { name: "comments", event: "commented", share: [110, 210, 190], from_month: 1, is_shared: true },
    Feature { name: SHARED_BOARDS, event: "edited_shared_board", share: [0, 290, 0], from_month: 1, is_shared: true },
    Feature { name: "automations", event: "ran_automation", share: [90, 170, 200], from_month: super::AUTOMATIONS.first_month, is_shared: false },
    Feature { name: "reports", event: "ran_report", share: [30, 70, 240], from_month: 1, is_shared: false },
    Feature { name: "timeline", event: "viewed_timeline", share: [80, 60, 70], from_month: 1, is_shared: false },
    Feature { name: "export", event: "exported", share: [25, 20, 40], from_month: 1, is_shared: false },
    Feature { name: "integrations", event: "synced_integration", share: [8, 20, 60], from_month: 1, is_shared: false },
    Feature { name: "time_tracking", event: "tracked_time", share: [2, 2, 1], from_month: 1, is_shared: false },
];

/// What the bad release breaks.
pub const SHARED_BOARDS: &str = "shared_boards";

/// A cause to write to support: how often, and how it is filed.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The category in `tickets.csv`.
    pub category: &'static str,
    /// How likely one who has cause writes.
    pub chance: Chance,
    /// Urgency: high, normal or low.
    pub priority: Priority,
    /// Within how many days of the cause.
    pub days: u32,
}

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Work stands still.
    High,
    /// An ordinary question.
    Normal,
    /// A wish.
    Low,
}

/// A trial has begun and something is not understood.
pub const REQUEST_IN_TRIAL: Request =
    Request { category: "how_to", chance: Chance::per_cent(17), priority: Priority::Normal, days: 14 };
/// What comes up in an ordinary month of a paying customer.
pub const REQUESTS_A_MONTH: [Request; 4] = [
    Request { category: "how_to", chance: Chance::per_mille(42), priority: Priority::Normal, days: 28 },
    Request { category: "bug", chance: Chance::per_mille(13), priority: Priority::Normal, days: 28 },
    Request { category: "feature_request", chance: Chance::per_mille(12), priority: Priority::Low, days: 28 },
    Request { category: "billing", chance: Chance::per_mille(6), priority: Priority::Normal, days: 28 },
];
/// A card failed.
pub const REQUEST_CARD_FAILED: Request =
    Request { category: "billing", chance: Chance::per_cent(30), priority: Priority::Normal, days: 6 };
/// A card failed in the wave, and nobody knows what the bank wants.
pub const REQUEST_CARD_FAILED_IN_WAVE: Request =
    Request { category: "billing", chance: Chance::per_cent(62), priority: Priority::High, days: 6 };
/// The price rise is announced, and those who are there ask what becomes of theirs.
pub const REQUEST_RISE_ANNOUNCED: Request =
    Request { category: "pricing", chance: Chance::per_cent(5), priority: Priority::Normal, days: 20 };
/// The first bill at the new price.
pub const REQUEST_RAISED: Request =
    Request { category: "pricing", chance: Chance::per_cent(15), priority: Priority::Normal, days: 8 };
/// Shared boards lose changes.
pub const REQUEST_BAD_RELEASE: Request =
    Request { category: "bug", chance: Chance::per_cent(46), priority: Priority::High, days: 50 };
/// A customer has asked to leave and wants the data.
pub const REQUEST_LEAVING: Request =
    Request { category: "account", chance: Chance::per_cent(14), priority: Priority::Normal, days: 5 };

/// Minutes to the first answer by priority (high, normal, low), the fewest and the most.
pub const FIRST_RESPONSE_MINUTES: [(u32, u32); 3] = [(15, 150), (40, 480), (180, 1_500)];
/// Minutes from there to the end.
pub const RESOLUTION_MINUTES: [(u32, u32); 3] = [(60, 1_500), (30, 2_400), (600, 9_000)];
/// How much longer everything waits in the bad release, percent.
pub const QUEUE_BAD_RELEASE_PERCENT: u32 = 550;
/// The same in the wave of failed cards.
pub const QUEUE_CARD_FAILURES_PERCENT: u32 = 220;
/// How many days a bug of the bad release takes to be mended.
pub const BAD_RELEASE_FIX_DAYS: (u32, u32) = (4, 24);

/// How many days after the first paid day a customer is asked for the first time, and then how often.
pub const NPS_DAYS: (u32, u32) = (30, 91);
/// How many answer.
pub const NPS_ANSWERED: Chance = Chance::per_cent(46);
/// What customers of each fit (as in `FIT_LEAVING_PERCENT`) score on an ordinary day, in tenths.
pub const NPS_FIT_TENTHS: [i64; 6] = [96, 92, 86, 82, 74, 66];
/// What the bad release takes from team customers, in tenths.
pub const NPS_BAD_RELEASE_TENTHS: i64 = 42;
/// For how many months after it half of that is still felt.
pub const NPS_BAD_RELEASE_FELT_MONTHS: u32 = 1;
/// What a raised price takes, for two months.
pub const NPS_RAISED_TENTHS: i64 = 10;
/// What is missing in the three months before a customer asks to leave.
pub const NPS_LEAVING_TENTHS: i64 = 28;
/// How many of those whose request was resolved say how it was.
pub const CSAT_ANSWERED: Chance = Chance::per_cent(42);
/// After how many minutes without an answer a point is lost, and another.
pub const CSAT_PATIENCE_MINUTES: [u32; 3] = [240, 720, 1_440];
