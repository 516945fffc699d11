#!/usr/bin/env python3
"""The movement ledger, the series and the cohorts, in Polars."""

import os

from measure import arguments, beside, report

ARGUMENTS = arguments(__doc__)
os.environ["POLARS_MAX_THREADS"] = str(ARGUMENTS.threads)  # read when Polars is loaded

import polars as pl  # noqa: E402

KEY = ["customer", "day", "subscription", "plan"]
KINDS = ["new", "reactivation", "expansion", "contraction", "churn", "transfer"]
col, lit = pl.col, pl.lit


def worth(periods):
    """Integer micro-units a month of each period, as in duckdb_ledger.py: one exact division, half to even.

    Polars wraps where 64 bits do not suffice; the made data stays far below (10^17 at the most).
    """
    lowers = col("discount_percent").is_not_null() & col("discount_duration").is_in(["forever", "repeating"])
    num = (
        col("amount").to_physical().cast(pl.Int64)  # cents
        * col("quantity").cast(pl.Int64)
        * pl.when(lowers).then(10_000 - col("discount_percent").to_physical().cast(pl.Int64)).otherwise(10_000)
        * pl.when(col("interval") == "week").then(13).otherwise(1)
    )
    months = {"month": 1, "year": 12, "quarter": 3, "week": 3}
    den = col("interval_count").cast(pl.Int64) * col("interval").replace_strict(months, return_dtype=pl.Int64)
    q, r = col("num") // col("den"), 2 * (col("num") % col("den"))
    up = (r > col("den")) | ((r == col("den")) & (q % 2 == 1))
    return (
        periods.filter(col("status").is_in(["active", "past_due"]))
        .with_columns(num=num, den=den)
        .filter(col("num") != 0)
        .with_columns(worth=q + up.cast(pl.Int64))
        .select("customer", "subscription", "plan", "start", "end", "worth")
    )


# Tuned on 10 M periods, single runs on a shared machine, CPU seconds up to sorted changes: group_by then sort 24.8,
# sort alone 20.2 with the netting left to running sums (chosen); ids made integers by Categorical 25.2, by joins 23 to 28.
# The streaming engine for the sort: in memory, group_by then sort cost 41.8.
def ledger(a):
    periods = pl.scan_parquet(a.periods)
    plans = periods.select(col("plan").unique()).collect()["plan"].sort()
    worths = worth(periods).with_columns(col("plan").cast(pl.Enum(plans)))  # sorts and compares as an integer
    changes = pl.concat(
        [
            worths.select("customer", col("start").alias("day"), "subscription", "plan", col("worth").alias("delta")),
            worths.filter(col("end").is_not_null()).select(
                "customer", col("end").alias("day"), "subscription", "plan", (-col("worth")).alias("delta")
            ),
        ]
    )
    rows = changes.sort(KEY).collect(engine="streaming")

    # one row a key: its net change is what the running sum gained since the key before it ended
    def differs(columns, by):
        changed = [col(c).ne_missing(col(c).shift(by)) for c in columns]
        return pl.any_horizontal(changed)

    rows = (
        rows.lazy()
        .with_columns(delta=col("delta").cum_sum(), last=differs(KEY, -1))
        .filter(col("last"))
        .with_columns(delta=col("delta") - col("delta").shift(1, fill_value=0))
        .filter(col("delta") != 0)
        .drop("last")
        .collect()
    )
    # MRR before and after a day: the running sum at the day's ends, less what earlier customers left in it
    of_customer, of_day = differs(["customer"], 1), differs(["customer", "day"], 1)
    run = col("delta").cum_sum()
    rows = (
        rows.lazy()
        .with_columns(run=run, first=of_customer, day_first=of_day, day_last=of_day.shift(-1, fill_value=True))
        .with_columns(
            base=pl.when("first").then(col("run") - col("delta")).forward_fill(),
            first_day=pl.when("first").then(col("day")).forward_fill(),
            b=pl.when("day_first").then(col("run") - col("delta")).forward_fill(),
            a=pl.when("day_last").then(col("run")).backward_fill(),
        )
        .with_columns(mrr_before=col("b") - col("base"), mrr_after=col("a") - col("base"))
    )
    b, after = col("mrr_before"), col("mrr_after")
    kind = (
        pl.when((b == 0) & (col("day") == col("first_day"))).then(lit("new"))
        .when(b == 0).then(lit("reactivation"))
        .when(after == 0).then(lit("churn"))
        .when(after > b).then(lit("expansion"))
        .when(after < b).then(lit("contraction"))
        .otherwise(lit("transfer"))
    )  # fmt: skip
    rows = rows.select(*KEY[:3], col("plan").cast(pl.String), kind.alias("kind"), "delta", "mrr_before", "mrr_after").collect()
    rows.write_parquet(a.out, compression="snappy", statistics=False)
    return len(rows)


def month(day):
    return col(day).dt.truncate("1mo")


def every_month(first, last):
    return pl.date_range(first, last, "1mo", eager=True).alias("month")


def series(a):
    moved = (
        pl.scan_parquet(a.out)
        .select("customer", month("day").alias("month"), "plan", "kind", "delta")
        .join(pl.scan_parquet(a.customers), on="customer", how="left")
        .group_by("month", "plan", "country")
        .agg(mrr=col("delta").sum(), **{k: col("delta").filter(col("kind") == k).sum() for k in KINDS})
        .collect(engine="streaming")
    )
    months = every_month(moved["month"].min(), moved["month"].max()).to_frame()
    cells = months.join(moved.select("plan", "country").unique(), how="cross")
    table = (
        cells.join(moved, on=["month", "plan", "country"], how="left", nulls_equal=True)
        .with_columns(col("mrr", *KINDS).fill_null(0))
        .sort("plan", "country", "month")
        .with_columns(col("mrr").cum_sum().over("plan", "country"))
        .sort("month", "plan", "country")
    )
    table.write_csv(beside(a.out, "series"))
    return len(table)


def cohorts(a):
    rows = pl.scan_parquet(a.out)
    heads = (
        rows.filter(col("kind").is_in(["new", "reactivation", "churn"]))
        .select("customer", "day", "kind").unique().collect(engine="streaming")
    )  # fmt: skip
    born = heads.filter(col("kind") == "new").select("customer", cohort=month("day"))
    flow = pl.concat(
        [
            rows.select("customer", "day", "delta", heads=lit(0, pl.Int64)),
            heads.lazy().select("customer", "day", delta=lit(0, pl.Int64),
                                heads=pl.when(col("kind") == "churn").then(-1).otherwise(1).cast(pl.Int64)),
        ]
    )  # fmt: skip
    moved = (
        flow.join(born.lazy(), on="customer")
        .group_by("cohort", month("day").alias("month"))
        .agg(customers=col("heads").sum(), mrr=col("delta").sum())
        .collect(engine="streaming")
    )
    sizes = born.group_by("cohort").agg(size=pl.len())
    cells = sizes.join(every_month(sizes["cohort"].min(), moved["month"].max()).to_frame(), how="cross")
    table = (
        cells.filter(col("month") >= col("cohort"))
        .join(moved, on=["cohort", "month"], how="left")
        .sort("cohort", "month")
        .with_columns(col("customers", "mrr").fill_null(0).cum_sum().over("cohort"))
        .with_columns(age=(col("month").dt.year() - col("cohort").dt.year()) * 12
                      + col("month").dt.month().cast(pl.Int32) - col("cohort").dt.month())
        .select("cohort", "size", "age", "customers", "mrr")
    )  # fmt: skip
    table.write_csv(beside(a.out, "cohorts"))
    return len(table)


TASKS = {"ledger": ledger, "series": series, "cohorts": cohorts}
report(lambda: TASKS[ARGUMENTS.task](ARGUMENTS), pl.__version__, ARGUMENTS.task, ARGUMENTS.out)
