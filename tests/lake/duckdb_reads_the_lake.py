#!/usr/bin/env python3
"""Has the real DuckDB read a lake that Recurve wrote, at the newest and at older snapshots.

Run by the test `duckdb_reads_the_lake` of crates/warehouse, which writes the lake:
    pip install duckdb==1.5.5 duckdb-extension-ducklake==1.5.5 duckdb-extension-sqlite-scanner==1.5.5 pytz
    RECURVE_DUCKDB_PYTHON=$(which python3) cargo nextest run -p warehouse duckdb_reads_the_lake
"""
import glob
import os
import sys

import duckdb


def connect():
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    con.execute("SET TimeZone = 'UTC'")
    for name in ("sqlite_scanner", "ducklake"):
        try:
            module = __import__(f"duckdb_extension_{name}")
            pattern = os.path.join(os.path.dirname(module.__file__), "extensions", "*", "*.duckdb_extension")
            con.execute(f"LOAD '{glob.glob(pattern)[0]}'")
        except ImportError:
            con.execute(f"INSTALL {name}; LOAD {name}")
    return con


def main(folder, stage):
    con = connect()
    os.chdir("/")  # nothing may hang on the working directory
    con.execute(f"ATTACH 'ducklake:sqlite:{folder}/catalog.sqlite' AS lake (READ_ONLY)")
    failures = []

    def check(sql, expected):
        try:
            found = con.execute(sql).fetchall()
        except Exception as error:  # a refusal of DuckDB is a failure to report like any other
            found = repr(error)
        if found != expected:
            failures.append(f"{sql}\n  expected {expected}\n  found    {found}")

    check("SELECT count(*), sum(amount), min(amount), max(amount) FROM lake.payment", [(6, 21, 1, 6)])
    check("SELECT customer FROM lake.payment WHERE amount = 5", [("c5",)])
    check("SELECT amount FROM lake.payment WHERE customer = 'c3'", [(3,)])
    check("SELECT amount FROM lake.payment WHERE amount > 4 ORDER BY 1", [(5,), (6,)])
    check("SELECT count(*) FROM lake.payment WHERE amount > 100", [(0,)])
    check("SELECT count(note), count(*) FROM lake.payment", [(0, 6)])
    check("SELECT DISTINCT import FROM lake.payment ORDER BY 1", [(1,), (2,), (4,)])
    # 0 empty, 1 and 2 tables, 3 import a, 4 import b, 5 an import of nothing, 6 a column, 7 import c
    for version, known in [(1, (0, None)), (3, (2, 3)), (4, (3, 6)), (5, (3, 6)), (6, (3, 6)), (7, (6, 21))]:
        check(f"SELECT count(*), sum(amount) FROM lake.payment AT (VERSION => {version})", [known])
    for second, count in [(1, 2), (2, 3), (3, 3), (4, 6)]:
        check(
            f"SELECT count(*) FROM lake.payment AT (TIMESTAMP => TIMESTAMPTZ '1970-01-01 00:00:0{second}+00')",
            [(count,)],
        )
    check("SELECT count(*), min(schema_version), max(schema_version) FROM lake.snapshots()", [(9 if stage == "compacted" else 8, 0, 3)])
    check(
        "SELECT id, name, plan, day::VARCHAR, moment::VARCHAR, local::VARCHAR, amount::VARCHAR, price::VARCHAR,"
        " isnan(share), live FROM lake.all_types ORDER BY id",
        [
            (1, "ä\"'", None, "2024-01-01", "2023-11-14 22:13:20.123456+00", None, "-1.234567", "0.05", True, True),
            (2, None, "pro", None, None, "1969-12-31 23:59:59.999999", None, None, None, None),
        ],
    )
    for condition in [
        "day = DATE '2024-01-01'",
        "moment = TIMESTAMPTZ '2023-11-14 22:13:20.123456+00'",
        "local < TIMESTAMP '1970-01-01'",
        "amount = -1.234567",
        "price = 0.05",
        "plan = 'pro'",
        "share > 5",
        "live",
        "name IS NULL",
    ]:
        check(f"SELECT count(*) FROM lake.all_types WHERE {condition}", [(1,)])
    check(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_catalog = 'lake' AND table_name = 'payment' ORDER BY ordinal_position",
        [("import", "BIGINT"), ("customer", "VARCHAR"), ("amount", "BIGINT"), ("note", "VARCHAR")],
    )
    check("SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake'", [(2,)])
    if failures:
        print(f"{stage}: DuckDB {duckdb.__version__} disagrees", *failures, sep="\n")
        sys.exit(1)
    print(f"{stage}: DuckDB {duckdb.__version__} reads the lake")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "the lake")
