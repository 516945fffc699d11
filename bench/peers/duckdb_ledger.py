#!/usr/bin/env python3
"""The movement ledger, the series and the cohorts, in DuckDB's SQL."""

import duckdb

from measure import arguments, beside, report

# 10^-6 of the currency unit a month, as an exact fraction in 64-bit integers (DuckDB refuses an
# overflow, it does not wrap): cents * quantity * (10^4 - percent in hundredths) is micro-units times
# the price; a week is 52/12 = 13/3 of a month. Then one division, rounded half to even.
WORTH = """
    SELECT customer, subscription, plan, "start" AS day_in, "end" AS day_out,
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

LEDGER = f"""
COPY (
    WITH worth AS ({WORTH}),
    change AS (
        SELECT customer, day_in AS day, subscription, plan, worth AS delta FROM worth
        UNION ALL
        SELECT customer, day_out, subscription, plan, -worth FROM worth WHERE day_out IS NOT NULL
    ),
    net AS (
        SELECT customer, day, subscription, plan, sum(delta)::BIGINT AS delta
        FROM change GROUP BY ALL HAVING sum(delta) <> 0
    ),
    run AS (
        SELECT *,
            sum(delta) OVER (PARTITION BY customer ORDER BY day RANGE UNBOUNDED PRECEDING) AS a,
            sum(delta) OVER (PARTITION BY customer, day) AS moved,
            min(day) OVER (PARTITION BY customer) AS first_day
        FROM net
    )
    SELECT customer, day, subscription, plan,
        CASE WHEN a = moved THEN CASE WHEN day = first_day THEN 'new' ELSE 'reactivation' END
             WHEN a = 0 THEN 'churn' WHEN moved > 0 THEN 'expansion' WHEN moved < 0 THEN 'contraction'
             ELSE 'transfer' END AS kind,
        delta, (a - moved)::BIGINT AS mrr_before, a::BIGINT AS mrr_after
    FROM run
    ORDER BY customer, day, subscription, plan
) TO $out (FORMAT parquet, COMPRESSION snappy)
"""
