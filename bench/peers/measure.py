"""What every peer's process says of itself: one JSON line, with the keys that ours prints too."""

import argparse
import hashlib
import json
import resource
import time


def arguments(about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--periods", required=True, help="glob of the Parquet files of subscription periods")
    parser.add_argument("--customers", required=True, help="Parquet file: customer, country")
    parser.add_argument("--out", required=True, help="the ledger, ending in .parquet: written by task ledger, read by the others")
    parser.add_argument("--task", choices=["ledger", "series", "cohorts"], default="ledger")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--format", choices=["json"], default="json")
    return parser.parse_args()


def beside(ledger, task):
    """series and cohorts are written beside the ledger: x.parquet -> x.series.csv."""
    return ledger.removesuffix(".parquet") + f".{task}.csv"


def digest(path):
    """SHA-256 of the sorted lines of a CSV file, its header left out."""
    with open(path, "rb") as file:
        next(file)
        lines = sorted(line.rstrip(b"\r\n") for line in file)
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest(), len(lines)


def report(work, version, task, out):
    """Run `work`, which writes the task's output and gives its number of rows, and say what it cost.

    CPU is user and system time of all threads of the process, from before the first file is opened
    until the output is written: starting Python and importing the library are left out, in the
    peer's favour. Peak memory is that of the whole process. The digest is made after the clock stops.
    """
    wall, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    rows = work()
    end = resource.getrusage(resource.RUSAGE_SELF)
    wall = time.perf_counter() - wall
    said = {
        "task": task,
        "rows": rows,
        "digest": None,  # of a ledger: made by compare.py, by the same code for all
        "cpu_seconds": round(end.ru_utime + end.ru_stime - cpu.ru_utime - cpu.ru_stime, 4),
        "wall_seconds": round(wall, 4),
        "peak_memory_bytes": end.ru_maxrss * 1024,
        "version": version,
    }
    if task != "ledger":
        said["digest"], lines = digest(beside(out, task))
        assert rows in (None, lines), (rows, lines)
        said["rows"] = lines
    print(json.dumps(said))
