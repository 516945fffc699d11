//! The catalogue of the product against `kpis.md`, and what users are told about files of their own.

use num_rational::BigRational;

use super::*;

/// Every row of the contract: the id, then the variants that it names, the default one first. A metric may have more of
/// them, and where the contract names none its default may have any name.
const ROWS: &[(&str, &[&str])] = &[
    // Revenue.
    ("mrr", &[]),
    ("mrr_change", &[]),
    ("mrr_new", &[]),
    ("mrr_expansion", &[]),
    ("mrr_reactivation", &[]),
    ("mrr_contraction", &[]),
    ("mrr_churned", &[]),
    ("mrr_fx", &[]),
    ("mrr_net_new", &[]),
    ("mrr_growth_rate", &["period", "cmgr"]),
    ("arr", &["run_rate", "contract"]),
    ("cmrr", &[]),
    ("carr", &["all", "annual_only"]),
    ("acv", &[]),
    ("arpa", &[]),
    ("asp", &[]),
    ("upsell_revenue", &["total", "upgrade", "quantity", "cross_sell", "price_rise"]),
    ("nrr", &["t12m", "month"]),
    ("grr", &["t12m", "month"]),
    ("revenue_churn", &["gross", "net"]),
    ("quick_ratio", &[]),
    ("mrr_by_category", &[]),
    ("concentration", &["top_20", "largest", "hhi"]),
    ("revenue_recognised", &["net", "gross", "cash"]),
    ("deferred_revenue", &["billed", "paid"]),
    ("revenue_cash", &[]),
    ("gross_margin", &[]),
    ("profit", &[]),
    // Customers and retention.
    ("customers", &[]),
    ("customers_new", &[]),
    ("customers_churned", &[]),
    ("customers_reactivated", &[]),
    ("customer_churn", &["opening", "midpoint", "paying"]),
    ("customer_retention", &[]),
    ("renewal_rate", &["count", "value"]),
    ("customer_lifetime", &["observed", "survival"]),
    ("ltv", &["arpa/churn", "value×lifetime", "arpa", "survival"]),
    ("cac", &["total", "marketing", "sales"]),
    ("ltv_cac", &[]),
    ("cac_payback", &[]),
    ("cohort_customers", &[]),
    ("cohort_revenue", &[]),
    ("segment", &[]),
    // Getting customers.
    ("unique_visitors", &[]),
    ("traffic_roi", &[]),
    ("signups", &[]),
    ("trials", &[]),
    ("trial_conversion", &["cohort", "period"]),
    ("spend", &[]),
    ("leads", &[]),
    ("mql", &[]),
    ("sql", &[]),
    ("pql", &[]),
    ("lead_velocity", &[]),
    ("lead_to_customer", &["cohort", "period"]),
    ("conversion_rate", &[]),
    ("freemium_conversion", &[]),
    ("activation_rate", &[]),
    ("viral_coefficient", &["referred", "invites"]),
    ("lead_score", &[]),
    // Product, support, satisfaction.
    ("active_users", &["period", "day", "week", "month"]),
    ("login_frequency", &[]),
    ("interactions_per_session", &[]),
    ("feature_adoption", &[]),
    ("health_index", &[]),
    ("support_requests", &[]),
    ("first_response_time", &["mean", "median", "p90"]),
    ("resolution_time", &["mean", "median", "p90"]),
    ("nps", &["score", "answers", "margin"]),
    ("csat", &["satisfied", "mean"]),
    // Payments and cash.
    ("payments_failed", &[]),
    ("payment_failure_rate", &[]),
    ("payments_recovered", &[]),
    ("recovery_rate", &[]),
    ("involuntary_churn", &[]),
    ("cash", &[]),
    ("burn", &["gross", "net"]),
    ("runway", &["days", "date"]),
    ("break_even", &[]),
    ("funding_needed", &[]),
];

/// What the product adds to the contract.
const BEYOND: &[&str] = &[
    "annual_share",
    "customers_at_risk",
    "mrr_transferred_in",
    "mrr_transferred_out",
    "trial_mrr",
    "subscriptions",
    "revenue_cash_cumulative",
    "visits",
    "visits_per_visitor",
    "stickiness",
    "days_to_recover",
    "costs",
];

fn product() -> Catalogue {
    match Catalogue::built_in() {
        Ok(catalogue) => catalogue,
        Err(error) => panic!("{error}"),
    }
}

/// The value of a variant, given its measures by name; those not named are zero.
fn value(id: &str, variant: &str, measures: &[(&str, i64)]) -> String {
    let resolved = product().resolve(id, Some(variant)).unwrap();
    let value = resolved.evaluate(&mut |input| {
        let known = measures.iter().find(|(name, _)| *name == input.measure.id);
        Value::whole(known.map_or(0, |(_, number)| *number))
    });
    match value {
        Value::Number(number) => number.to_string(),
        none => none.note(Language::English).unwrap(),
    }
}

fn inputs(id: &str, variant: &str) -> String {
    let resolved = product().resolve(id, Some(variant)).unwrap();
    let inputs = resolved.inputs.iter().map(|input| match input.window {
        Window::Period => input.measure.id.to_owned(),
        window => format!("{} over {window}", input.measure.id),
    });
    inputs.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_row_of_the_contract_is_there_with_its_variants() {
    let catalogue = product();
    for (id, variants) in ROWS {
        let metric = catalogue.metric(id).unwrap();
        let names: Vec<&str> = metric.variants.iter().map(|variant| variant.name.as_str()).collect();
        let defaults: Vec<&str> =
            metric.variants.iter().filter(|variant| variant.default).map(|variant| variant.name.as_str()).collect();
        assert_eq!(defaults.len(), 1, "{id}");
        if let Some(default) = variants.first() {
            assert_eq!(defaults[0], *default, "{id}");
        }
        for variant in *variants {
            assert!(names.contains(variant), "{id} has {names:?} and not {variant}");
        }
    }
    let listed: BTreeSet<&str> = ROWS.iter().map(|(id, _)| *id).chain(BEYOND.iter().copied()).collect();
    assert_eq!(listed.len(), ROWS.len() + BEYOND.len(), "an id is listed twice");
    let there: BTreeSet<&str> = catalogue.metrics().map(|metric| metric.id.as_str()).collect();
    let lacking: Vec<&str> = listed.difference(&there).copied().collect();
    assert_eq!(lacking, Vec::<&str>::new());
    assert_eq!(there.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn the_words_are_translated_and_the_sources_are_documents() {
    for metric in product().metrics() {
        for words in [&metric.name, &metric.definition] {
            assert!(words.zh != words.en && words.zh.chars().any(|c| c > '\u{2e80}'), "{}: {}", metric.id, words.zh);
            assert!(words.fr != words.en || metric.id == "quick_ratio", "{}: {}", metric.id, words.fr);
        }
        for source in &metric.source {
            assert!(["000", "001", "002", "003", "004"].contains(&source.as_str()), "{}: {source}", metric.id);
        }
    }
}

#[test]
fn every_measure_is_used_or_has_a_reason_not_to_be() {
    let catalogue = product();
    let used: BTreeSet<&str> = catalogue
        .metrics()
        .flat_map(|metric| catalogue.resolve_variants(&metric.id).unwrap())
        .flat_map(|resolved| resolved.inputs.iter().map(|input| input.measure.id))
        .collect();
    let unused: Vec<&str> = MEASURES.iter().map(|measure| measure.id).filter(|id| !used.contains(id)).collect();
    // The table of movements shows customers beside amounts, and the end of a discount is no sale.
    assert_eq!(unused, ["expansion_discount_end", "customers_with_expansion", "customers_with_contraction"]);
}

#[test]
fn a_metric_comes_down_to_measures_and_windows() {
    let table = [
        ("mrr", "", "mrr_closing"),
        ("arr", "contract", "contract_annual_value"),
        ("nrr", "", "retained_mrr over 12 months, mrr_opening over 12 months"),
        ("nrr", "month", "retained_mrr, mrr_opening"),
        (
            "mrr_growth_rate",
            "cmgr",
            "mrr_closing over 12 months, mrr_opening over 12 months, months_in_period over 12 months",
        ),
        ("revenue_cash_cumulative", "", "cash_received over all history"),
        (
            "ltv",
            "",
            "mrr_closing, customers_closing, gross_margin_applied, customers_lost_of_opening, customers_opening, months_in_period",
        ),
        ("mrr_by_category", "", "mrr_closing"),
        ("segment", "", "customers_in_segments"),
        ("health_index", "", "health_points, customers_with_health"),
    ];
    for (id, variant, wanted) in table {
        assert_eq!(inputs(id, variant), wanted, "{id} {variant}");
    }
}

/// A metric, a variant, the measures that are not zero, and what comes of them.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, i64)], &'c str);

#[test]
fn values_from_measures() {
    let lost: &[(&str, i64)] = &[
        ("customers_opening", 100),
        ("customers_closing", 60),
        ("customers_lost", 6),
        ("customers_lost_of_opening", 5),
        ("customers_paying_any", 120),
        ("customers_with_new", 10),
        ("mrr_closing", 6000),
        ("months_in_period", 1),
        ("gross_margin_applied", 1),
        ("movement_new", 500),
        ("marketing_cost", 700),
        ("sales_cost", 300),
    ];
    let moved: &[(&str, i64)] = &[
        ("mrr_opening", 1800),
        ("mrr_closing", 1500),
        ("movement_new", 300),
        ("movement_expansion", 200),
        ("movement_contraction", -300),
        ("movement_churned", -500),
        ("opening_expansion", 200),
        ("opening_contraction", -300),
        ("opening_churned", -500),
        ("retained_mrr", 1200),
        ("retained_mrr_capped", 1000),
    ];
    let table: &[Case] = &[
        // The cards of a vendor's worked example: 1800 → 1500.
        ("mrr_net_new", "", moved, "-300"),
        ("mrr_change", "", moved, "-300"),
        ("mrr_growth_rate", "", moved, "-1/6"),
        ("nrr", "month", moved, "2/3"),
        ("grr", "month", moved, "5/9"),
        ("revenue_churn", "", moved, "4/9"),
        ("revenue_churn", "net", moved, "1/3"),
        ("quick_ratio", "", moved, "5/8"),
        ("arr", "run-rate", moved, "18000"),
        ("customer_churn", "", lost, "1/20"),
        ("customer_churn", "midpoint", lost, "3/40"),
        ("customer_churn", "paying", lost, "1/20"),
        ("customer_retention", "", lost, "1/2"),
        ("arpa", "", lost, "100"),
        ("asp", "", lost, "50"),
        ("ltv", "", lost, "2000"),
        ("ltv", "arpa", lost, "100"),
        ("cac", "", lost, "100"),
        ("ltv_cac", "", lost, "20"),
        ("cac_payback", "", lost, "2"),
        ("customer_lifetime", "", &[("lifetime_days_observed_sum", 730), ("lifetimes_observed_count", 2)], "12"),
        ("concentration", "hhi", &[("mrr_hhi_numerator", 50), ("mrr_closing", 10)], "1/2"),
        ("mrr_growth_rate", "cmgr", &[("mrr_opening", 1000), ("mrr_closing", 4096000), ("months_in_period", 12)], "1"),
        // What has no answer says why.
        ("nrr", "", &[], "no MRR at the start of the window"),
        ("quick_ratio", "", &[("movement_new", 5)], "no MRR was lost in the period"),
        ("ltv", "", &[], "no paying customers at the end of the period"),
        (
            "ltv",
            "",
            &[("mrr_closing", 5), ("customers_closing", 1), ("customers_opening", 1), ("months_in_period", 1)],
            "no customer left in the period, and nothing can be divided by a churn of zero; the variant survival has an answer",
        ),
        ("segment", "", &[("customers_in_segments", 7)], "7"),
        ("health_index", "", &[("health_points", 130), ("customers_with_health", 2)], "65"),
        ("health_index", "", &[], "nobody who pays was seen in the product in the 112 days before"),
    ];
    for (id, variant, measures, wanted) in table {
        assert_eq!(value(id, variant, measures), *wanted, "{id} {variant}");
    }
}

#[test]
fn missing_facts_are_named_and_outweigh_what_is_undefined() {
    let catalogue = product();
    let ltv_cac = catalogue.resolve("ltv_cac", None).unwrap();
    assert_eq!(ltv_cac.needs, Needs::from(["spend", "subscription"]));
    let value = ltv_cac.evaluate(&mut |input| match input.measure.needs {
        ["spend"] => Value::NoData(Needs::from(["spend"])),
        _ => Value::whole(0),
    });
    assert_eq!(value.note(Language::English).as_deref(), Some("no data: needs spend"));
    assert_eq!(value.note(Language::Chinese).as_deref(), Some("无数据：需要营销与销售支出"));
}

#[test]
fn a_ratio_shows_its_two_sums() {
    let churn = product().resolve("customer_churn", None).unwrap();
    let parts = churn.parts(&mut |input| Value::whole(if input.measure.id == "customers_opening" { 100 } else { 5 }));
    assert_eq!(parts, Some((Value::whole(5), Value::whole(100))));
    assert_eq!(product().resolve("ltv", None).unwrap().parts(&mut |_| Value::whole(1)), None);
}

#[test]
fn names_are_found_however_they_are_written() {
    let catalogue = product();
    for (id, variant, wanted) in [
        ("arr", "run-rate", "run_rate"),
        ("ARR", "Run_Rate", "run_rate"),
        ("mrr-growth-rate", "", "period"),
        ("ltv", "value×lifetime", "value×lifetime"),
        ("ltv", "valuexlifetime", "value×lifetime"),
        ("clv", "value-lifetime", "value×lifetime"),
        ("ltv", "arpa-churn", "arpa/churn"),
        ("crr", "", ""),
    ] {
        assert_eq!(catalogue.resolve(id, Some(variant)).unwrap().variant.name, wanted, "{id} {variant}");
    }
    let say = |id: &str, variant: Option<&str>| catalogue.resolve(id, variant).unwrap_err().to_string();
    assert_eq!(say("mmr", None), "there is no metric `mmr`: did you mean `mrr`?");
    assert_eq!(
        say("churn", None),
        "there is no metric `churn`: did you mean `customer_churn`, `involuntary_churn` or `revenue_churn`?"
    );
    assert_eq!(say("happiness", None), "there is no metric `happiness`: docs/metrics.md lists them all");
    assert_eq!(say("nrr", Some("year")), "metric `nrr` has no variant `year`: it has t12m (the default) and month");
    assert_eq!(say("mrr", Some("gross")), "metric `mrr` has no variant `gross`: it has no variants");
}

/// A whole entry but for what a test adds or takes away.
fn entry(id: &str, rest: &str) -> String {
    format!(
        "[[metric]]\nid = \"{id}\"\nsection = \"own\"\nname = \"Mine\"\ndefinition = \"Mine.\"\nformula = \"f\"\n\
         unit = \"money\"\nbetter = \"up\"\n{rest}\n"
    )
}

#[test]
fn a_users_own_metric_builds_on_those_of_the_product() {
    let own = entry(
        "magic",
        "kind = \"derived\"\nwindow = \"3 months\"\nexpression = \"4 * mrr_change + nrr - ltv.value_lifetime / max(cac.sales, 1)\"\nundefined = \"never\"",
    );
    let catalogue = Catalogue::load(&[("own/magic.toml", own.as_str())]).unwrap();
    let magic = catalogue.resolve("magic", None).unwrap();
    // A window of its own stays with nrr; all else takes that of whoever names it.
    let windows: BTreeSet<String> =
        magic.inputs.iter().map(|input| format!("{} {}", input.measure.id, input.window)).collect();
    assert!(windows.contains("mrr_opening 12 months") && windows.contains("mrr_opening 3 months"), "{windows:?}");
    assert_eq!(magic.needs, Needs::from(["spend", "subscription"]));
    assert_eq!(magic.metric.name.zh, "Mine");
    let half = BigRational::new(1.into(), 2.into());
    let value = magic.evaluate(&mut |_| Value::Number(half.clone()));
    assert!(value.number().is_some());
}

#[test]
fn what_is_wrong_with_a_file_is_said_where_and_how_to_mend_it() {
    let measure = "kind = \"measure\"\nmeasure = \"mrr_closing\"";
    let variant = |name: &str, rest: &str| format!("[[metric.variant]]\nname = \"{name}\"\nwords = \"w\"\n{rest}\n");
    let files = [
        ("syntax.toml", "[[metric]\nid = 1".to_owned()),
        ("unknown_key.toml", entry("a", "colour = \"red\"")),
        ("empty_entry.toml", "# nothing in it\n\n[[metric]]\n".to_owned()),
        ("choices.toml", entry("b", measure).replace("money", "euros").replace("own", "mine").replace("up", "higher")),
        ("translation.toml", entry("c", measure).replace("name = \"Mine\"", "name.en = \"Mine\"\nname.fr = \"Mien\"")),
        ("id.toml", entry("My-Metric", measure)),
        ("taken.toml", entry("mrr", measure)),
        ("shadow.toml", entry("mrr_opening", measure)),
        ("twice.toml", format!("{}\n{}", entry("d", measure), entry("d", measure))),
        ("measure.toml", entry("e", "kind = \"measure\"\nmeasure = \"mrr_closed\"")),
        ("name.toml", entry("f", "kind = \"derived\"\nexpression = \"12 * mmr + zebra\"")),
        ("variant.toml", entry("g", "kind = \"derived\"\nexpression = \"nrr.year\"")),
        (
            "ratio.toml",
            entry(
                "h",
                "kind = \"ratio\"\nnumerator = \"arpa\"\ndenominator = \"customers_closing\"\nundefined = \"none\"",
            ),
        ),
        ("expression.toml", entry("i", "kind = \"derived\"\nexpression = \"(mrr\"")),
        ("keys.toml", entry("j", "kind = \"ratio\"\nmeasure = \"mrr_closing\"\nexpression = \"mrr\"")),
        ("undefined.toml", entry("k", "kind = \"derived\"\nexpression = \"mrr / customers\"")),
        ("window.toml", entry("l", &format!("{measure}\nwindow = \"a while\""))),
        ("cumulative.toml", entry("m", "kind = \"cumulative\"\nmeasure = \"mrr_closing\"")),
        ("needs.toml", entry("n", "kind = \"custom\"\nneeds = [\"magic\"]").replace("Mine.", "")),
        (
            "two_defaults.toml",
            entry("o", &format!("{measure}\n{}{}", variant("x", "default = true"), variant("y", "default = true"))),
        ),
        ("no_default.toml", entry("p", &format!("{measure}\n{}{}", variant("x", ""), variant("X", "alias = [\"z\"]")))),
        (
            "circle.toml",
            format!(
                "{}\n{}\n{}",
                entry("q", "kind = \"derived\"\nexpression = \"r + 1\""),
                entry("r", "kind = \"derived\"\nexpression = \"s + 1\""),
                entry("s", "kind = \"derived\"\nexpression = \"q + 1\""),
            ),
        ),
        (
            "deep.toml",
            (0..18)
                .map(|n| {
                    entry(
                        &format!("t{n}"),
                        &format!(
                            "kind = \"derived\"\nexpression = \"{}\"",
                            if n == 0 { "mrr".to_owned() } else { format!("t{}", n - 1) }
                        ),
                    )
                })
                .collect(),
        ),
    ];
    let said = Catalogue::load(&files).unwrap_err().to_string();
    insta::assert_snapshot!(said, @r##"
    syntax.toml:1: the file cannot be read as a catalogue: unclosed array table, expected `]`
    unknown_key.toml:9: the file cannot be read as a catalogue: unknown field `colour`, expected one of `id`, `alias`, `section`, `name`, `definition`, `formula`, `unit`, `better`, `ranked`, `source`, `kind`, `measure`, `numerator`, `denominator`, `expression`, `window`, `undefined`, `needs`, `by`, `variant`
    empty_entry.toml:3: `id` is missing: add id = "my_metric"
    empty_entry.toml:3: `section` is missing: add section = "own"
    empty_entry.toml:3: `name` is missing: add name = { en = "...", zh = "...", fr = "..." }
    empty_entry.toml:3: `definition` is missing: add definition = { en = "...", zh = "...", fr = "..." }
    empty_entry.toml:3: `formula` is missing: add formula = "...", the formula for people
    empty_entry.toml:3: `unit` is missing: add unit = "money", or another unit
    empty_entry.toml:3: `better` is missing: add better = "up", "down" or "none"
    empty_entry.toml:3: `kind` is missing: add kind = "derived", or another kind
    choices.toml:1: metric `b`: section = "mine" is none of its choices: use revenue, retention, acquisition, product, cash, judgement or own
    choices.toml:1: metric `b`: unit = "euros" is none of its choices: use money, percent, count, months, ratio, points, duration, days or date
    choices.toml:1: metric `b`: better = "higher" is none of its choices: use up, down or none
    translation.toml:1: metric `c`: `name` has no `zh`: add name.zh = "...", or write name = "..." to use one text in every language
    id.toml:1: metric `My-Metric`: id = "My-Metric" cannot be used in expressions: begin with a small letter and go on with small letters, digits and underscores
    taken.toml:1: metric `mrr`: the name `mrr` is already taken by the metric at metrics/revenue.toml:8: choose another
    shadow.toml:1: metric `mrr_opening`: `mrr_opening` is the name of a measure: choose another id, or make the metric that measure (kind = "measure", measure = "mrr_opening")
    twice.toml:12: metric `d`: the name `d` is already taken by the metric at twice.toml:1: choose another
    measure.toml:1: metric `e`: there is no measure `mrr_closed`: did you mean `mrr_closing`?
    name.toml:1: metric `f`: `mmr` in `expression` is neither a measure nor a metric: did you mean `mrr`?
    name.toml:1: metric `f`: `zebra` in `expression` is neither a measure nor a metric: docs/metrics.md lists both
    variant.toml:1: metric `g`: `nrr.year` in `expression` names a variant that the metric does not have: it has t12m (the default) and month
    ratio.toml:1: metric `h`: `arpa` in `numerator` is a metric, and a ratio adds up measures before it divides (Σ ÷ Σ): name its measures, or use kind = "derived" with an expression
    expression.toml:1: metric `i`: `expression` cannot be read: the end at column 5 where an operator or `)` should be
    keys.toml:1: metric `j`: kind = "ratio" takes `numerator` and `denominator`, and the entry has `measure` and `expression`: change the kind or the keys
    undefined.toml:1: metric `k`: it divides and does not say why there may be no answer: add undefined = { en = "...", zh = "...", fr = "..." }, such as "no customers at the start"
    window.toml:1: metric `l`: window = "a while" is not understood: write "period", "period before", "12 months" (or days, weeks, quarters, years), "year to date" or "all history"
    cumulative.toml:1: metric `m`: `mrr_closing` does not add up over periods, so kind = "cumulative" has no meaning for it: use a flow such as cash_received
    needs.toml:1: metric `n`: needs = "magic" is none of its choices: use customer, plan, subscription, contract, invoice_line, payment, spend, cost, cash_balance, visit, visit_total, lead, trial, signup, product_event, ticket, survey_answer, referral, experiment_arm, fx_rate or note
    two_defaults.toml:1: metric `o`: default = true is said by x and y: exactly one of its variants must say it
    no_default.toml:1: metric `p`: two of its variants answer to `x`: rename one of them
    no_default.toml:1: metric `p`: default = true is said by none of its variants: exactly one of its variants must say it
    circle.toml:1: metric `q`: it is made of itself (q → r → s → q): take one of them out of the circle
    deep.toml:151: metric `t15`: more than 16 metrics build on one another here: write some of them with measures
    deep.toml:161: metric `t16`: more than 16 metrics build on one another here: write some of them with measures
    deep.toml:171: metric `t17`: more than 16 metrics build on one another here: write some of them with measures
    "##);
}

#[test]
fn the_page_for_people_is_whole_and_always_the_same() {
    let mut shown = ShownIn::default();
    shown.add("ltv", "arpa", "tests/scenarios/metrics/ltv.txt", 3);
    let page = markdown(&product(), &shown);
    assert_eq!(page, markdown(&product(), &shown));
    assert!(page.contains("\nWorked out by hand in: [metrics/ltv](../tests/scenarios/metrics/ltv.txt) (`arpa`).\n"));
    for (id, _) in ROWS {
        assert!(page.contains(&format!("| [`{id}`](#{id}) |")) && page.contains(&format!("\n### {id}\n")), "{id}");
    }
    for measure in MEASURES {
        assert!(page.contains(&format!("| `{}` |", measure.id)), "{}", measure.id);
    }
}
