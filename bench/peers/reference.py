#!/usr/bin/env python3
"""The same ledger, series and cohorts, the naive way: what stands on a day is looked up, never added up.

Slow and plain on purpose; it judges the fast ones on small data. It shares no step with them: exact
rationals instead of integer division, the state of a day instead of sums of changes, sets instead of windows.
"""

import calendar
import csv
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from glob import glob

import pyarrow as pa
import pyarrow.parquet as pq

from measure import arguments, beside, report

KINDS = ["new", "reactivation", "expansion", "contraction", "churn", "transfer"]
MONTHS = {"month": Fraction(1), "quarter": Fraction(3), "year": Fraction(12), "week": Fraction(12, 52)}
DAY = timedelta(days=1)


def worth(row):
    if row["status"] in ("trialing", "canceled"):
        return 0
    price = Fraction(row["amount"]) * row["quantity"]
    if row["discount_percent"] is not None and row["discount_duration"] in ("forever", "repeating"):
        price *= 1 - Fraction(row["discount_percent"]) / 100
    return round(price / (MONTHS[row["interval"]] * row["interval_count"]) * 10**6)  # round() is half to even


def histories(a):
    """customer -> [(subscription, plan, worth, start, end or None)]"""
    out = defaultdict(list)
    for path in sorted(glob(a.periods)):
        for row in pq.read_table(path).to_pylist():
            out[row["customer"]].append((row["subscription"], row["plan"], worth(row), row["start"], row["end"]))
    return out


def standing(rows, day):
    """(subscription, plan) -> MRR on that day, zeros left out."""
    parts = defaultdict(int)
    for subscription, plan, value, start, end in rows:
        if start <= day and (end is None or day < end):
            parts[subscription, plan] += value
    return {part: value for part, value in parts.items() if value}


def movements(rows):
    """One customer's rows of the ledger: (day, subscription, plan, kind, delta, before, after)."""
    paid_before = False
    for day in sorted({r[3] for r in rows} | {r[4] for r in rows if r[4]}):
        old, new = standing(rows, day - DAY), standing(rows, day)
        b, a = sum(old.values()), sum(new.values())
        if b == 0:
            kind = "reactivation" if paid_before else "new"
        elif a == 0:
            kind = "churn"
        else:
            kind = "expansion" if a > b else "contraction" if a < b else "transfer"
        for part in sorted(old.keys() | new.keys()):
            if delta := new.get(part, 0) - old.get(part, 0):
                yield day, *part, kind, delta, b, a
        paid_before = paid_before or a > 0


def ledger(a):
    rows = [(customer, *m) for customer, held in sorted(histories(a).items()) for m in movements(held)]
    names = ["customer", "day", "subscription", "plan", "kind", "delta", "mrr_before", "mrr_after"]
    types = [pa.string(), pa.date32()] + [pa.string()] * 3 + [pa.int64()] * 3
    pq.write_table(pa.table([pa.array(c, t) for c, t in zip(zip(*rows), types)], names=names), a.out)
    return len(rows)


def months(first, last):
    while first <= last:
        yield first
        first = (first.replace(day=28) + 4 * DAY).replace(day=1)


def month_end(month):
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def read(a):
    """The histories, the moves of each customer, and the ledger's first and last month."""
    held = histories(a)
    moves = {customer: moved for customer, rows in held.items() if (moved := list(movements(rows)))}
    days = [m[0] for moved in moves.values() for m in moved]
    return held, moves, min(days).replace(day=1), max(days).replace(day=1)


def save(a, task, header, rows):
    with open(beside(a.out, task), "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return len(rows)


def series(a):
    held, moves, first, last = read(a)
    country = {r["customer"]: r["country"] or "" for r in pq.read_table(a.customers).to_pylist()}
    segments = {(m[2], country.get(customer, "")) for customer, moved in moves.items() for m in moved}
    cells = {(month, *s): [0] * 7 for month in months(first, last) for s in segments}
    for customer, moved in moves.items():
        where = country.get(customer, "")
        for month in months(first, last):
            for (_, plan), value in standing(held[customer], month_end(month)).items():
                cells[month, plan, where][0] += value
        for day, _, plan, kind, delta, _, _ in moved:
            cells[day.replace(day=1), plan, where][1 + KINDS.index(kind)] += delta
    return save(a, "series", ["month", "plan", "country", "mrr", *KINDS], [[*k, *v] for k, v in sorted(cells.items())])


def cohorts(a):
    held, moves, _, last = read(a)
    born = defaultdict(list)
    for customer, moved in moves.items():
        born[moved[0][0].replace(day=1)].append(customer)
    rows = []
    for cohort, customers in sorted(born.items()):
        for age, month in enumerate(months(cohort, last)):
            left = [sum(standing(held[c], month_end(month)).values()) for c in customers]
            rows.append([cohort, len(customers), age, sum(mrr > 0 for mrr in left), sum(left)])
    return save(a, "cohorts", ["cohort", "size", "age", "customers", "mrr"], rows)


if __name__ == "__main__":
    a = arguments(__doc__)
    report(lambda: {"ledger": ledger, "series": series, "cohorts": cohorts}[a.task](a), "1", a.task, a.out)
