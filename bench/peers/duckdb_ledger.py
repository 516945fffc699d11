#!/usr/bin/env python3
"""The movement ledger, the series and the cohorts, in DuckDB's SQL."""

import duckdb

from measure import arguments, beside, report

# 10^-6 of the currency unit a month, as an exact fraction in 64-bit integers (DuckDB refuses an
# overflow, it does not wrap): cents * quantity * (10^4 - percent in hundredths) is micro-units times
# the price; a week is 52/12 = 13/3 of a month. Then one division, rounded half to even.
WORTH = """
    SELECT customer, subscription, plan::plans AS plan, "start" - DATE '1970-01-01' AS day_in, "end" - DATE '1970-01-01' AS day_out,
        q + CASE WHEN 2 * r > den OR (2 * r = den AND q % 2 = 1) THEN 1 ELSE 0 END AS worth
    FROM (
        SELECT *, num // den AS q, num % den AS r
        FROM (
            SELECT customer, subscription, plan, "start", "end",
                (amount::DECIMAL(15,2) * 100::DECIMAL(3,0))::BIGINT * quantity
                    * CASE WHEN discount_percent IS NOT NULL AND discount_duration IN ('forever', 'repeating')
                           THEN 10000 - (discount_percent * 100::DECIMAL(3,0))::BIGINT ELSE 10000 END
                    * CASE WHEN "interval" = 'week' THEN 13 ELSE 1 END AS num,
                interval_count::BIGINT * CASE "interval" WHEN 'month' THEN 1 WHEN 'year' THEN 12
                    WHEN 'quarter' THEN 3 WHEN 'week' THEN 3 END AS den
            FROM read_parquet($periods)
            WHERE status IN ('active', 'past_due')
        )
    )
    WHERE num <> 0
"""

# Tuned on 10 M periods, single runs on a shared machine, CPU seconds: three windows 39.3, one window 25.6 to 29.0,
# the plan as an ENUM, which groups and sorts as an integer, 22.1; `worth` made once 20.8; Parquet's second encodings 19.8.
# Costing more: dense integer ids joined back at the end 29.2; netting in a window instead of GROUP BY (13.2 for 8.3);
# row groups of a million 27.9; insertion order not preserved 23.0.
PLANS = "CREATE TYPE plans AS ENUM (SELECT DISTINCT plan FROM read_parquet($periods) ORDER BY plan)"

LEDGER = f"""
COPY (
    WITH worth AS MATERIALIZED ({WORTH}),
    change AS (
        SELECT customer, day_in::INT AS day, subscription, plan, worth AS delta FROM worth
        UNION ALL
        SELECT customer, day_out::INT, subscription, plan, -worth FROM worth WHERE day_out IS NOT NULL
    ),
    net AS (
        SELECT customer, day, subscription, plan, sum(delta)::BIGINT AS delta
        FROM change GROUP BY ALL HAVING sum(delta) <> 0
    ),
    run AS (
        SELECT *,
            (sum(delta) OVER (w RANGE UNBOUNDED PRECEDING))::BIGINT AS a,
            coalesce(sum(delta) OVER (w RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS b,
            first_value(day) OVER w AS first_day
        FROM net WINDOW w AS (PARTITION BY customer ORDER BY day)
    )
    SELECT customer, DATE '1970-01-01' + run.day AS day, subscription, plan::VARCHAR AS plan,
        CASE WHEN b = 0 THEN CASE WHEN run.day = first_day THEN 'new' ELSE 'reactivation' END
             WHEN a = 0 THEN 'churn' WHEN a > b THEN 'expansion' WHEN a < b THEN 'contraction'
             ELSE 'transfer' END AS kind,
        delta, b AS mrr_before, a AS mrr_after
    FROM run
    ORDER BY customer, run.day, subscription, run.plan
) TO $out (FORMAT parquet, COMPRESSION snappy, PARQUET_VERSION v2)
"""

SERIES = """
COPY (
    WITH moved AS (
        SELECT date_trunc('month', day)::DATE AS month, plan, country, sum(delta)::BIGINT AS delta,
            coalesce(sum(delta) FILTER (kind = 'new'), 0)::BIGINT AS new,
            coalesce(sum(delta) FILTER (kind = 'reactivation'), 0)::BIGINT AS reactivation,
            coalesce(sum(delta) FILTER (kind = 'expansion'), 0)::BIGINT AS expansion,
            coalesce(sum(delta) FILTER (kind = 'contraction'), 0)::BIGINT AS contraction,
            coalesce(sum(delta) FILTER (kind = 'churn'), 0)::BIGINT AS churn,
            coalesce(sum(delta) FILTER (kind = 'transfer'), 0)::BIGINT AS transfer
        FROM read_parquet($ledger) LEFT JOIN read_parquet($customers) USING (customer)
        GROUP BY ALL
    ),
    months AS (
        SELECT unnest(generate_series(min(month), max(month), INTERVAL 1 MONTH))::DATE AS month FROM moved
    ),
    segments AS (SELECT DISTINCT plan, country FROM moved),
    cells AS (SELECT * FROM months CROSS JOIN segments)
    SELECT c.month, c.plan, c.country,
        (sum(coalesce(delta, 0)) OVER (PARTITION BY c.plan, c.country ORDER BY c.month))::BIGINT AS mrr,
        coalesce(new, 0) AS new, coalesce(reactivation, 0) AS reactivation, coalesce(expansion, 0) AS expansion,
        coalesce(contraction, 0) AS contraction, coalesce(churn, 0) AS churn, coalesce(transfer, 0) AS transfer
    FROM cells c
    LEFT JOIN moved m ON c.month = m.month AND c.plan = m.plan AND c.country IS NOT DISTINCT FROM m.country
    ORDER BY ALL
) TO $out (FORMAT csv, HEADER)
"""

# A customer is counted in and out on the days when MRR leaves or reaches zero, whatever the number of rows that day.
COHORTS = """
COPY (
    WITH ledger AS (FROM read_parquet($ledger)),
    heads AS MATERIALIZED (
        SELECT customer, day, any_value(kind) AS kind FROM ledger
        WHERE kind IN ('new', 'reactivation', 'churn') GROUP BY customer, day
    ),
    born AS MATERIALIZED (
        SELECT customer, date_trunc('month', day)::DATE AS cohort FROM heads WHERE kind = 'new'
    ),
    flow AS (
        SELECT customer, day, delta, 0 AS heads FROM ledger
        UNION ALL
        SELECT customer, day, 0, CASE kind WHEN 'churn' THEN -1 ELSE 1 END FROM heads
    ),
    moved AS (
        SELECT cohort, date_trunc('month', day)::DATE AS month, sum(delta)::BIGINT AS mrr, sum(heads)::BIGINT AS customers
        FROM flow JOIN born USING (customer) GROUP BY ALL
    ),
    cohorts AS (SELECT cohort, count(*) AS size FROM born GROUP BY cohort),
    cells AS (
        SELECT cohort, size, unnest(generate_series(cohort, (SELECT max(month) FROM moved), INTERVAL 1 MONTH))::DATE AS month
        FROM cohorts
    )
    SELECT cohort, size, datediff('month', cohort, month) AS age,
        (sum(coalesce(customers, 0)) OVER w)::BIGINT AS customers, (sum(coalesce(mrr, 0)) OVER w)::BIGINT AS mrr
    FROM cells LEFT JOIN moved USING (cohort, month)
    WINDOW w AS (PARTITION BY cohort ORDER BY month)
    ORDER BY cohort, age
) TO $out (FORMAT csv, HEADER)
"""


def main():
    a = arguments(__doc__)

    def work():
        db = duckdb.connect(config={"threads": a.threads})
        db.execute("SET enable_progress_bar = false")
        if a.task == "ledger":
            db.execute(PLANS, {"periods": a.periods})
            return db.execute(LEDGER, {"periods": a.periods, "out": a.out}).fetchone()[0]
        if a.task == "series":
            files = {"ledger": a.out, "customers": a.customers}
            return db.execute(SERIES, files | {"out": beside(a.out, "series")}).fetchone()[0]
        return db.execute(COHORTS, {"ledger": a.out, "out": beside(a.out, "cohorts")}).fetchone()[0]

    report(work, duckdb.__version__, a.task, a.out)


main()
