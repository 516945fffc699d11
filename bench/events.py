"""Visits and product events by the ten million: every metric in one call, and the heaviest of them beside DuckDB.

    python3 bench/events.py --ours PATH/recurve [--visits 25000000] [--events 25000000] [--folder bench/data/events]

Makes two Parquet files and some subscriptions, imports them through the command line, asks for every metric of 24
months in one call, asks for the heaviest ones alone, and lets DuckDB answer the same from the same files with SQL.
The figures are compared one by one: a difference ends the run with an error.
"""

import argparse
import csv
import io
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

MONTHS = 24
CHANNELS = "['google','direct','newsletter','meta_ads','partner','bing','referral',NULL]"
FEATURES = "['boards','reports','automations','time_tracking','api',NULL]"
NAMES = "['login','opened','created','exported','shared','commented']"

# What DuckDB is asked, by the metric that it is. `month` and `value`, or `month`, `feature` and `value`.
QUERIES = {
    "unique_visitors": "SELECT date_trunc('month', visited) AS month, count(DISTINCT visitor) AS value FROM visits GROUP BY 1",
    "active_users": 'SELECT date_trunc(\'month\', occurred) AS month, count(DISTINCT "user") AS value FROM events GROUP BY 1',
    "active_users.day": """
        WITH days AS (SELECT DISTINCT "user", date_trunc('day', occurred) AS day FROM events)
        SELECT date_trunc('month', day) AS month,
               count(*) / day(last_day(date_trunc('month', day))) AS value FROM days GROUP BY 1""",
    "interactions_per_session": """
        SELECT date_trunc('month', occurred) AS month, count(*) / count(DISTINCT session) AS value FROM events GROUP BY 1""",
    "feature_adoption": """
        WITH users AS (SELECT date_trunc('month', occurred) AS month, count(DISTINCT "user") AS users FROM events GROUP BY 1),
             features AS (SELECT date_trunc('month', occurred) AS month, feature, count(DISTINCT "user") AS users
                          FROM events WHERE feature IS NOT NULL GROUP BY 1, 2)
        SELECT month, feature, features.users / users.users AS value FROM features JOIN users USING (month)""",
}


def make(folder: Path, visits: int, events: int) -> None:
    """The files, from numbers alone, so that every run has the same."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "made").exists() and (folder / "made").read_text() == f"{visits} {events}":
        return
    # Imported in the process that makes the files: those that are measured begin with their parent's size as their peak.
    import duckdb

    made = duckdb.connect()
    made.execute("SET threads = 2; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
    made.execute(f"""COPY (SELECT
        'vis_' || lpad(cast(hash(i * 7 + 1) % {max(visits * 2 // 5, 1)} AS VARCHAR), 9, '0') AS visitor,
        timestamp '2023-01-01' + to_microseconds(cast(i * (730.0 * 86400e6 / {visits}) AS BIGINT)) AS visited,
        ({CHANNELS})[1 + cast(hash(i) % 8 AS INT)] AS channel
        FROM range({visits}) t(i)) TO '{folder}/visits.parquet' (FORMAT parquet)""")
    made.execute(f"""COPY (SELECT
        'usr_' || lpad(cast(hash(i * 3 + 1) % {max(events // 50, 1)} AS VARCHAR), 8, '0') AS "user",
        'cus_' || lpad(cast((hash(i * 3 + 1) % {max(events // 50, 1)}) // 3 AS VARCHAR), 8, '0') AS customer,
        'ses_' || lpad(cast(i // 6 AS VARCHAR), 10, '0') AS session,
        ({NAMES})[1 + cast(i % 6 AS INT)] AS name,
        timestamp '2023-01-01' + to_microseconds(cast(i * (730.0 * 86400e6 / {events}) AS BIGINT)) AS occurred,
        ({FEATURES})[1 + cast(hash(i + 3) % 6 AS INT)] AS feature
        FROM range({events}) t(i)) TO '{folder}/events.parquet' (FORMAT parquet)""")
    customers = max(events // 150, 1)
    made.execute(f"""COPY (SELECT
        'sub_' || lpad(cast(i AS VARCHAR), 8, '0') AS subscription, 'cus_' || lpad(cast(i AS VARCHAR), 8, '0') AS customer,
        (['starter','team','business'])[1 + cast(hash(i) % 3 AS INT)] AS plan, 'USD' AS currency,
        20 + hash(i) % 100 AS amount, 'month' AS interval, date '2023-01-01' + cast(hash(i + 1) % 700 AS INT) AS "start",
        CASE WHEN hash(i + 2) % 3 = 0
             THEN date '2023-01-01' + cast(hash(i + 1) % 700 AS INT) + 40 + cast(hash(i + 3) % 300 AS INT) END AS "end"
        FROM range({customers}) t(i)) TO '{folder}/subscriptions.csv' (HEADER)""")
    made.execute(f"""COPY (SELECT
        'usr_' || lpad(cast(i AS VARCHAR), 8, '0') AS signup, 'cus_' || lpad(cast(i // 3 AS VARCHAR), 8, '0') AS customer,
        'vis_' || lpad(cast((i * 17) % {max(visits * 2 // 5, 1)} AS VARCHAR), 9, '0') AS visitor,
        date '2023-01-01' + cast(hash(i // 3 + 1) % 700 AS INT) AS signed_up
        FROM range({max(events // 50, 1)}) t(i)) TO '{folder}/signups.csv' (HEADER)""")
    (folder / "made").write_text(f"{visits} {events}")


def measured(command: list[str]) -> tuple[str, float, float, float]:
    """Output, seconds by the clock, CPU seconds and peak MiB of a command."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return output, time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def answers(output: str) -> dict[tuple[str, str], float]:
    """Values by month and feature, out of the CSV of `recurve metric`."""
    rows = csv.DictReader(io.StringIO(output))
    return {(row["period"], row.get("feature", "")): float(row["value"]) for row in rows if row["value"]}


def peer(folder: Path, metric: str) -> tuple[dict[tuple[str, str], float], float, float, float]:
    """What DuckDB says, in a process of its own so that time and memory are its own."""
    script = f"""
import duckdb, csv, sys
c = duckdb.connect()
c.execute("SET threads = 2; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
c.execute("CREATE VIEW visits AS SELECT * FROM '{folder}/visits.parquet'")
c.execute("CREATE VIEW events AS SELECT * FROM '{folder}/events.parquet'")
rows = c.execute({QUERIES[metric]!r})
names = [column[0] for column in rows.description]
out = csv.writer(sys.stdout, lineterminator="\\n")
out.writerow(names)
out.writerows(rows.fetchall())
"""
    output, wall, cpu, peak = measured([sys.executable, "-c", script])
    rows = csv.DictReader(io.StringIO(output))
    found = {(row["month"][:10], row.get("feature", "")): float(row["value"]) for row in rows}
    return found, wall, cpu, peak


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ours", required=True)
    arguments.add_argument("--visits", type=int, default=25_000_000)
    arguments.add_argument("--events", type=int, default=25_000_000)
    arguments.add_argument("--folder", type=Path, default=Path("bench/data/events"))
    asked = arguments.parse_args()
    maker = multiprocessing.get_context("spawn").Process(target=make, args=(asked.folder, asked.visits, asked.events))
    maker.start()
    maker.join()
    if maker.exitcode != 0:
        sys.exit("the files could not be made")
    lake = asked.folder / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    base = [asked.ours, "--data", str(lake), "--now", "2025-01-01"]
    for kind, file in [
        ("subscriptions", "subscriptions.csv"),
        ("signups", "signups.csv"),
        ("visits", "visits.parquet"),
        ("events", "events.parquet"),
    ]:
        _, wall, cpu, peak = measured([*base, "import", kind, str(asked.folder / file), "--format", "csv"])
        print(f"import {kind}: {wall:.1f} s, {cpu:.1f} CPU s, {peak:.0f} MiB")
    every = [*base, "metric", "--all", "--from", "2023-01", "--to", "2025-01", "--format", "csv"]
    output, wall, cpu, peak = measured(every)
    rows = output.count("\n") - 1
    print(f"every metric, {MONTHS} months: {rows} figures, {wall:.1f} s, {cpu:.1f} CPU s, {peak:.0f} MiB\n")
    print("| metric | ours s | ours CPU s | DuckDB s | DuckDB CPU s | figures equal |")
    print("|---|---|---|---|---|---|")
    for metric in QUERIES:
        by = ["--by", "feature"] if metric == "feature_adoption" else []
        output, wall, cpu, _ = measured(
            [*base, "metric", metric, "--from", "2023-01", "--to", "2025-01", "--format", "csv", *by]
        )
        ours = answers(output)
        theirs, their_wall, their_cpu, _ = peer(asked.folder, metric)
        for place, value in theirs.items():
            if abs(ours.get(place, float("nan")) - value) > 1e-9 * max(1.0, abs(value)):
                sys.exit(f"{metric} {place}: {ours.get(place)} against {value}")
        print(f"| {metric} | {wall:.1f} | {cpu:.1f} | {their_wall:.1f} | {their_cpu:.1f} | {len(theirs)} |")


if __name__ == "__main__":
    main()
