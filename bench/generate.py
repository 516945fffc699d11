#!/usr/bin/env python3
"""Make the data of the ledger comparison: subscription periods and customers, as Parquet.

    python bench/generate.py --periods 10000000 --out bench/data/10m

The same seed and size always give the same rows. Memory stays near one output file's rows,
whatever the size: histories are drawn for a share of the customers at a time, spilled as fixed
records, routed to the file they belong to, then sorted and written one file at a time.

Rows come ordered by start day, as a billing system would export them; `--order customer` gives
the same rows ordered by customer and start day.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = np.datetime64("2014-01-01")
HORIZON = int((np.datetime64("2025-01-01") - FIRST_DAY).astype(int))  # days; nothing happens later
EPOCH_OFFSET = int((FIRST_DAY - np.datetime64("1970-01-01")).astype(int))
CUSTOMERS_A_SHARE = 50_000
ROWS_A_FILE = 1_250_000

# name, product, price in cents, interval
PLANS = [
    ("free", "core", 0, "month"),
    ("starter-monthly", "core", 1900, "month"),
    ("starter-yearly", "core", 19000, "year"),
    ("team-monthly", "core", 4999, "month"),
    ("team-quarterly", "core", 13999, "quarter"),
    ("team-yearly", "core", 49990, "year"),
    ("business-monthly", "core", 12900, "month"),
    ("business-yearly", "core", 129000, "year"),
    ("analytics-monthly", "analytics", 2999, "month"),
    ("analytics-yearly", "analytics", 29990, "year"),
    ("support-weekly", "support", 725, "week"),
    ("storage-monthly", "storage", 333, "month"),
]
PLAN_WEIGHTS = np.array([6, 16, 10, 15, 5, 9, 9, 6, 8, 5, 5, 6], float) / 100
PLAN_CENTS = np.array([p[2] for p in PLANS], np.int64)
INTERVALS = ["month", "year", "quarter", "week"]
PLAN_INTERVAL = np.array([INTERVALS.index(p[3]) for p in PLANS], np.int8)
PRODUCTS = ["core", "analytics", "support", "storage"]
PLAN_PRODUCT = np.array([PRODUCTS.index(p[1]) for p in PLANS], np.int8)
STATUSES = ["active", "trialing", "past_due", "canceled"]
ACTIVE, TRIALING, PAST_DUE, CANCELED = range(4)
DURATIONS = ["once", "repeating", "forever"]
PERCENTS = np.array([1000, 1500, 2000, 2500, 5000, 1250, 3333, 10000], np.int32)  # hundredths
PERCENT_WEIGHTS = np.array([20, 15, 20, 15, 10, 9, 8, 3], float) / 100
COUNTRIES = (
    "US GB DE FR CA AU NL IN BR JP ES IT SE CH SG IE DK NO BE AT FI PL PT CZ NZ IL MX KR ZA AE TR RO GR HU CL CO AR ID PH VN"
).split()
NONE = -1

RECORD = np.dtype(
    [
        ("subscription", "<i8"),
        ("customer", "<i8"),
        ("start", "<i4"),
        ("end", "<i4"),  # NONE: still going
        ("cents", "<i4"),
        ("quantity", "<i4"),
        ("percent", "<i4"),  # hundredths of a percent; NONE: no discount
        ("plan", "<i1"),
        ("interval_count", "<i1"),
        ("duration", "<i1"),
        ("status", "<i1"),
    ]
)


def interval_counts(rng, plan):
    """Mostly every 1; some every 2, 3, 4, 6: where the division by months leaves halves to round."""
    n = len(plan)
    odd = rng.random(n) < 0.08
    return np.where(odd, np.array([2, 3, 4, 6], np.int8)[rng.integers(0, 4, n)], 1).astype(np.int8)


def prices(rng, plan):
    """The list price, or what somebody negotiated, to the cent."""
    n = len(plan)
    cents = PLAN_CENTS[plan]
    own = rng.random(n) < 0.35
    return np.where(own, np.round(cents * rng.uniform(0.7, 1.3, n)), cents).astype(np.int64)


def discounts(rng, n, share):
    has = rng.random(n) < share
    percent = np.where(has, rng.choice(PERCENTS, n, p=PERCENT_WEIGHTS), NONE)
    duration = np.where(has, rng.choice(3, n, p=[0.35, 0.25, 0.40]), NONE)
    return percent, duration


def share(seed, number):
    """The whole histories of one share of the customers, as records."""
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    base = number * CUSTOMERS_A_SHARE
    signup = (HORIZON * np.sqrt(rng.random(CUSTOMERS_A_SHARE))).astype(np.int64)  # steady growth
    count = 1 + (rng.random(CUSTOMERS_A_SHARE) < 0.16) + (rng.random(CUSTOMERS_A_SHARE) < 0.05)
    customer = np.repeat(np.arange(CUSTOMERS_A_SHARE), count)
    first = np.r_[True, customer[1:] != customer[:-1]]
    # a second subscription often starts on the very day on which the first one changes
    after = np.where(rng.random(len(customer)) < 0.5, 30 * rng.integers(1, 13, len(customer)), rng.exponential(350, len(customer)).astype(np.int64))
    t = signup[customer] + np.where(first, 0, after)
    subscription = number * CUSTOMERS_A_SHARE * 3 + np.arange(len(customer))
    keep = t < HORIZON
    n = int(keep.sum())
    s = {
        "subscription": subscription[keep],
        "customer": base + customer[keep],
        "t": t[keep],
        "plan": rng.choice(len(PLANS), n, p=PLAN_WEIGHTS),
        "quantity": 1 + (rng.pareto(1.6, n) * 2).astype(np.int64).clip(0, 400),
        "status": np.where(rng.random(n) < 0.22, TRIALING, ACTIVE),
    }
    s["cents"] = prices(rng, s["plan"])
    s["interval_count"] = interval_counts(rng, s["plan"])
    s["percent"], s["duration"] = discounts(rng, n, 0.10)

    out = []
    for _ in range(40):
        n = len(s["t"])
        if n == 0:
            break
        trial = s["status"] == TRIALING
        length = np.where(
            trial,
            np.array([7, 14, 30])[rng.integers(0, 3, n)],
            np.where(rng.random(n) < 0.5, 30 * rng.integers(1, 13, n), 1 + rng.exponential(190, n).astype(np.int64)),
        )
        end = s["t"] + length
        last = rng.random(n) < np.where(s["status"] == CANCELED, 0.7, np.where(trial, 0.15, 0.205))
        open_end = last & ~trial & (rng.random(n) < 0.45)
        beyond = end >= HORIZON
        r = np.empty(n, RECORD)
        for name in ("subscription", "customer", "cents", "quantity", "percent", "plan", "interval_count", "duration", "status"):
            r[name] = s[name]
        r["start"] = s["t"]
        r["end"] = np.where(beyond | open_end, NONE, end)
        out.append(r)

        on = ~(last | beyond)
        s = {k: v[on] for k, v in s.items()}
        trial, end = trial[on], end[on]
        n = len(end)
        dice = rng.random(n)
        # what the next row is: a renewal (same state), or one of the changes
        quantity = (dice >= 0.14) & (dice < 0.40)
        plan = (dice >= 0.40) & (dice < 0.62)
        price = (dice >= 0.62) & (dice < 0.70)
        discount = (dice >= 0.70) & (dice < 0.77)
        late = (dice >= 0.77) & (dice < 0.81)
        canceled = (dice >= 0.81) & (dice < 0.83)
        gap = dice >= 0.83
        s["t"] = end + np.where(gap & ~trial, 1 + rng.exponential(90, n).astype(np.int64), 0)
        s["quantity"] = np.where(quantity, (s["quantity"] + rng.integers(-4, 7, n)).clip(1), s["quantity"])
        new_plan = np.where(plan, rng.choice(len(PLANS), n, p=PLAN_WEIGHTS), s["plan"])
        same_worth = PLAN_INTERVAL[new_plan] == PLAN_INTERVAL[s["plan"]]
        grandfathered = plan & same_worth & (rng.random(n) < 0.35)  # other plan, same price: a transfer
        s["cents"] = np.where(price | (plan & ~grandfathered), prices(rng, new_plan), s["cents"])
        s["interval_count"] = np.where(plan & ~grandfathered, interval_counts(rng, new_plan), s["interval_count"])
        s["plan"] = new_plan
        percent, duration = discounts(rng, n, 0.6)
        s["percent"] = np.where(discount, percent, s["percent"])
        s["duration"] = np.where(discount, duration, s["duration"])
        s["status"] = np.where(canceled & ~trial, CANCELED, np.where(late, PAST_DUE, ACTIVE))
        on = s["t"] < HORIZON
        s = {k: v[on] for k, v in s.items()}
    return np.concatenate(out)


def mix(x, salt):
    """splitmix64: a number's place in a shuffled world, the same on every machine."""
    with np.errstate(over="ignore"):
        z = x.astype(np.uint64) + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


HALF = 62**7  # an id has 14 base-62 characters: two halves of seven


def ids(prefix, index, salt):
    """Strings such as cus_0aZ...: their byte order is the order of (high half, low half)."""
    alphabet = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
    text = np.empty((len(index), 18), np.uint8)
    text[:, :4] = np.frombuffer(prefix, np.uint8)
    for half, at in ((mix(index, salt) % np.uint64(HALF), 4), (mix(index, salt + 1) % np.uint64(HALF), 11)):
        for i in range(6, -1, -1):
            text[:, at + i] = alphabet[(half % np.uint64(62)).astype(np.intp)]
            half = half // np.uint64(62)
    offsets = pa.py_buffer(np.arange(len(index) + 1, dtype=np.int32) * 18)
    return pa.StringArray.from_buffers(len(index), offsets, pa.py_buffer(text.reshape(-1)))


def customer_rank(index, seed):
    return mix(index, 16 * seed + 3) % np.uint64(HALF)


def decimal(values, precision, missing=None):
    """Integers, as they stand, become the unscaled values of a DECIMAL(precision, 2)."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = np.where(values < 0, -1, 0)
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(precision, 2), len(values), [valid, pa.py_buffer(words)])


def words(codes, values):
    codes = pa.array(codes.astype(np.int8), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(values))


def dates(days):
    missing = days == NONE
    return pa.array(np.where(missing, 0, days + EPOCH_OFFSET).astype(np.int32), type=pa.int32(), mask=missing).cast(pa.date32())


def periods_table(r, seed):
    return pa.table(
        {
            "subscription": ids(b"sub_", r["subscription"], 16 * seed + 7),
            "customer": ids(b"cus_", r["customer"], 16 * seed + 3),
            "plan": words(r["plan"], [p[0] for p in PLANS]),
            "product": words(PLAN_PRODUCT[r["plan"]], PRODUCTS),
            "currency": words(np.zeros(len(r), np.int8), ["USD"]),
            "amount": decimal(r["cents"], 18),
            "interval": words(PLAN_INTERVAL[r["plan"]], INTERVALS),
            "interval_count": pa.array(r["interval_count"].astype(np.int32)),
            "quantity": pa.array(r["quantity"].astype(np.int32)),
            "discount_percent": decimal(np.where(r["percent"] == NONE, 0, r["percent"]), 5, r["percent"] == NONE),
            "discount_duration": words(r["duration"], DURATIONS),
            "status": words(r["status"], STATUSES),
            "start": dates(r["start"]),
            "end": dates(r["end"]),
        }
    )


WORDS = ["plan", "product", "currency", "interval", "discount_duration", "status", "country"]


def write(table, path, compression):
    # store_schema off: every reader sees plain strings, and none is told how another kept them
    pq.write_table(
        table, path, compression=compression, row_group_size=125_000, store_schema=False,
        use_dictionary=[c for c in table.column_names if c in WORDS],
    )  # fmt: skip


def generate(periods, out, order="start", seed=1, compression="snappy", files=None):
    began = time.time()
    out = Path(out)
    work = out.with_name(out.name + ".making")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files = files or max(4 if periods >= 400_000 else 1, -(-periods // ROWS_A_FILE))

    # 1. draw, spill, and count where the file boundaries must fall
    buckets = np.zeros(HORIZON if order == "start" else 4096, np.int64)

    def bucket(r):
        if order == "start":
            return r["start"]
        return (customer_rank(r["customer"], seed) * np.uint64(4096) // np.uint64(HALF)).astype(np.int64)

    made = number = customers = 0
    with open(work / "spill", "wb") as spill:
        while made < periods:
            # by customer, so that a cut at the wanted size shortens one customer only
            r = np.sort(share(seed, number), order=["customer", "subscription", "start"])[: periods - made]
            r.tofile(spill)
            buckets += np.bincount(bucket(r), minlength=len(buckets))
            made, number, customers = made + len(r), number + 1, int(r["customer"][-1]) + 1

    # 2. route every record to its file
    file_of = ((np.cumsum(buckets) - buckets) * files // periods).clip(0, files - 1)
    parts = [open(work / f"part{f}", "wb") for f in range(files)]
    with open(work / "spill", "rb") as spill:
        while len(r := np.fromfile(spill, RECORD, 1_000_000)):
            f = file_of[bucket(r)]
            for i in np.unique(f):
                r[f == i].tofile(parts[i])
    for part in parts:
        part.close()
    os.remove(work / "spill")

    # 3. sort and write one file at a time
    for f in range(files):
        r = np.fromfile(work / f"part{f}", RECORD)
        os.remove(work / f"part{f}")
        if order == "start":
            at = np.lexsort((mix(r["subscription"], 16 * seed + 9), r["start"]))
        else:
            at = np.lexsort((r["start"], mix(r["customer"], 16 * seed + 4) % np.uint64(HALF), customer_rank(r["customer"], seed)))
        write(periods_table(r[at], seed), work / f"periods-{f:03}.parquet", compression)

    weights = 1 / np.arange(1, len(COUNTRIES) + 1) ** 0.9
    rng = np.random.Generator(np.random.PCG64([seed, 1 << 40]))
    country = rng.choice(len(COUNTRIES), customers, p=weights / weights.sum()).astype(np.int8)
    country[rng.random(customers) < 0.01] = NONE
    write(
        pa.table({"customer": ids(b"cus_", np.arange(customers), 16 * seed + 3), "country": words(country, COUNTRIES)}),
        work / "customers.parquet", compression,
    )  # fmt: skip
    about = {
        "periods": made, "customers": customers, "order": order, "seed": seed, "files": files, "compression": compression,
        "bytes": sum(p.stat().st_size for p in work.glob("periods-*.parquet")),
    }  # fmt: skip
    (work / "about.json").write_text(json.dumps(about) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return about | {"seconds": round(time.time() - began, 1)}


if __name__ == "__main__":
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--periods", type=int, default=10_000_000)
    args.add_argument("--out", required=True, help="folder to make: periods-*.parquet, customers.parquet, about.json")
    args.add_argument("--order", choices=["start", "customer"], default="start")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--compression", choices=["snappy", "zstd"], default="snappy")
    args.add_argument("--files", type=int, help="default: one for every 1.25 M rows, four at least from 400,000 on")
    a = args.parse_args()
    json.dump(generate(a.periods, a.out, a.order, a.seed, a.compression, a.files), sys.stdout)
    print()
