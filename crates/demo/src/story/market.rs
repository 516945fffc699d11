//! How people come: visits before a sign-up, leads and their stages, tests of the price page.

use crate::dice::Chance;

/// How many of those who sign up leave it at that: no customer, no trial.
pub const SIGN_UPS_NEVER_CONFIRMED_PERCENT: u32 = 14;
/// How many sign-ups cannot be joined to their visits, because cookies were refused.
pub const SIGN_UP_WITHOUT_VISITOR: Chance = Chance::per_cent(7);
/// How many visits a customer paid before the one that ended in the sign-up, by weight from none on.
pub const EARLIER_VISITS_SHARE: [u32; 5] = [35, 28, 20, 11, 6];
/// Over how many days those visits are spread at most.
pub const EARLIER_VISITS_DAYS: u32 = 45;
/// How many of the first visits came by another channel than the last: first touch and last touch differ.
pub const FIRST_TOUCH_DIFFERS: Chance = Chance::per_cent(32);
/// How many of the visits between are typed in by hand: no channel is known.
pub const VISIT_TYPED_IN: Chance = Chance::per_cent(30);
/// Weights of the channels of a first touch that differs, in the order of the table of channels:
/// people read something or see an advertisement, and come back by another way.
pub const FIRST_TOUCH_SHARE: [u32; super::CHANNELS_COUNT] = [60, 12, 22, 0, 6, 0];
/// How many visits a visitor who never signs up pays, by weight from one on.
pub const PASSING_VISITS_SHARE: [u32; 3] = [74, 18, 8];
/// Over how many days those are spread.
pub const PASSING_VISITS_DAYS: (u32, u32) = (1, 20);

/// How many leads who never become customers there are, per hundred sign-ups.
pub const LOST_LEADS_PERCENT: u32 = 45;
/// How many of them are of large companies, and talked to.
pub const LOST_LEAD_LARGE: Chance = Chance::per_cent(9);
/// How many of the others reach marketing's bar.
pub const LOST_LEAD_QUALIFIED: Chance = Chance::per_cent(42);
/// How many of those a seller takes up before they are lost.
pub const LOST_LEAD_SALES_QUALIFIED: Chance = Chance::per_cent(22);
/// How many of the lost are said to be lost; the others just stay silent.
pub const LOST_LEAD_CLOSED: Chance = Chance::per_cent(70);
/// How many customers by company size (solo, small, mid, large) came as leads.
pub const CUSTOMER_WAS_LEAD: [Chance; 4] =
    [Chance::per_cent(4), Chance::per_cent(14), Chance::per_cent(45), Chance::per_cent(100)];
/// How many of the talks with large companies go one stage back before they go on.
pub const LEAD_GOES_BACK: Chance = Chance::per_cent(16);
/// How many days before its sign-up a large company was found, or first visited.
pub const LARGE_LEAD_DAYS: (u32, u32) = (14, 70);
/// How many leads of large companies, and of all others, were found by a seller or at a fair: no visit made them.
pub const LEAD_WITHOUT_VISIT: (Chance, Chance) = (Chance::per_cent(40), Chance::per_cent(8));

/// What gives a lead points, or takes them.
#[derive(Debug, Clone, Copy)]
pub struct ScoreEvent {
    /// The reason in the file.
    pub reason: &'static str,
    /// The points.
    pub points: i64,
}

/// What people of large companies do.
pub const SCORES_OF_LARGE: [ScoreEvent; 5] = [
    ScoreEvent { reason: "asked for a demo", points: 25 },
    ScoreEvent { reason: "company of 50 or more", points: 20 },
    ScoreEvent { reason: "read the price page", points: 10 },
    ScoreEvent { reason: "came to a webinar", points: 8 },
    ScoreEvent { reason: "opened three mails", points: 5 },
];
/// What those who become customers by themselves do.
pub const SCORES_OF_BUYERS: [ScoreEvent; 5] = [
    ScoreEvent { reason: "asked for a demo", points: 25 },
    ScoreEvent { reason: "read the price page", points: 10 },
    ScoreEvent { reason: "came to a webinar", points: 8 },
    ScoreEvent { reason: "opened three mails", points: 5 },
    ScoreEvent { reason: "free mail address", points: -10 },
];
/// What the others do.
pub const SCORES_OF_OTHERS: [ScoreEvent; 6] = [
    ScoreEvent { reason: "downloaded a guide", points: 5 },
    ScoreEvent { reason: "opened three mails", points: 5 },
    ScoreEvent { reason: "read the price page", points: 10 },
    ScoreEvent { reason: "free mail address", points: -10 },
    ScoreEvent { reason: "unsubscribed from mails", points: -20 },
    ScoreEvent { reason: "silent for thirty days", points: -15 },
];

/// The name of the annual price test in `experiments.csv`.
pub const ANNUAL_TEST_ID: &str = "annual_price_first";
/// Its arms, the control first.
pub const ANNUAL_TEST_ARMS: [&str; 2] = ["monthly_first", "annual_first"];
/// How many of those whose trial came to nothing, who came to pay by the month or quarter, and who came to pay by the
/// year had seen the yearly price first. Of two arms of like size, these are the shares that a real effect leaves: about
/// four trials convert where three did, and three yearly ones stand where one did.
pub const ANNUAL_TEST_SEEN: [Chance; 3] = [Chance::per_cent(44), Chance::per_cent(55), Chance::per_cent(74)];
/// The name of the checklist test.
pub const CHECKLIST_TEST_ID: &str = "onboarding_checklist";
/// Its arms, the control first.
pub const CHECKLIST_TEST_ARMS: [&str; 2] = ["no_checklist", "checklist"];

/// How likely a promoter invites others.
pub const PROMOTER_INVITES: Chance = Chance::per_cent(55);
/// How many a promoter invites who come to nothing.
pub const INVITES: (u32, u32) = (1, 3);
/// How many days before the sign-up of the one who came the invitation went out, at most.
pub const INVITE_DAYS: u32 = 14;
/// How many promoters are remembered as possible inviters of those who come next.
pub const PROMOTERS_REMEMBERED: usize = 256;
