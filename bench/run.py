#!/usr/bin/env python3
"""The ledger, ours against DuckDB and Polars, on the same Parquet files.

    python3 bench/run.py                                  1 M periods, three rounds
    python3 bench/run.py --sizes 100000,1000000,10000000 --rounds 1
    python3 bench/run.py --ours none                      the peers alone
    python3 bench/run.py --check                          20,000 periods against the naive reference; no figures

Each program runs each task in its own process; the programs take turns within one run, in another order
each round, so that what else the machine does falls on all of them. Every output is then compared row by
row with DuckDB's. Medians go to the terminal as a Markdown table and to bench/history/ledger.jsonl as one line a size.

Exit codes: 0 all outputs equal; 1 some output differs; 4 a program failed or is not there.
"""

# Only the standard library, here: a process begins with its parent's size as its own peak of memory.
import argparse
import datetime
import json
import math
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent
PYTHON = BENCH / ".venv" / "bin" / "python"
TASKS = ["ledger", "series", "cohorts"]
KEYS = {"rows", "digest", "cpu_seconds", "wall_seconds", "peak_memory_bytes", "version"}


class Failed(Exception):
    pass


def environment():
    """The peers, at the versions of requirements.txt, in bench/.venv; made at the first run."""
    wanted = (BENCH / "requirements.txt").read_text()
    stamp = BENCH / ".venv" / "made-from-requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        say("making bench/.venv with the peers (about 150 MB, a minute)")
        subprocess.run([sys.executable, "-m", "venv", BENCH / ".venv"], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", "-r", BENCH / "requirements.txt"], check=True)
        stamp.write_text(wanted)


def say(text):
    print(text, file=sys.stderr, flush=True)


def data(periods, order, seed):
    """The generated files, kept from run to run; made again when the generator has changed."""
    folder = BENCH / "data" / f"{periods}-{order}-{seed}"
    about = folder / "about.json"
    if not about.exists() or about.stat().st_mtime < (BENCH / "generate.py").stat().st_mtime:
        say(f"generating {periods:,} periods (ten million take about half a minute)")
        command = [PYTHON, BENCH / "generate.py", "--periods", str(periods), "--order", order, "--seed", str(seed)]
        subprocess.run([*command, "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return folder, json.loads(about.read_text())


def warm(folder):
    """Everything is read from the page cache, by everybody."""
    for path in folder.glob("*.parquet"):
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass


def measure(command, folder, out, task):
    """Run one task in its own process; what it says of itself, and what the system says of it."""
    arguments = ["--periods", str(folder / "periods-*.parquet"), "--customers", str(folder / "customers.parquet")]
    arguments += ["--out", str(out), "--task", task, "--format", "json"]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        child = subprocess.Popen([*command, *arguments], stdout=said, stderr=complained)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        words = complained.read().decode(errors="replace")[-2000:]
        lines = said.read().decode(errors="replace").strip().splitlines()
    if child.returncode != 0 or not lines:
        raise Failed(f"{shlex.join(map(str, command))} --task {task}: exit code {child.returncode}\n{words}")
    try:
        result = json.loads(lines[-1])
    except ValueError as error:
        raise Failed(f"{shlex.join(map(str, command))} --task {task}: its last line is not JSON: {error}") from error
    if missing := KEYS - result.keys():
        raise Failed(f"{shlex.join(map(str, command))} --task {task}: its JSON lacks {sorted(missing)}")
    result["process_cpu_seconds"] = usage.ru_utime + usage.ru_stime
    result["process_peak_bytes"] = usage.ru_maxrss * 1024
    return result


def output(out, task):
    return out if task == "ledger" else out.with_name(f"{out.stem}.{task}.csv")


def compare(*paths):
    done = subprocess.run([PYTHON, BENCH / "compare.py", *paths], stdout=subprocess.PIPE, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"compare.py gave no answer, exit code {done.returncode}") from error


def cost(name, result):
    """What counts. Of ours the whole process as the system saw it, start to end; of the peers what they say
    of themselves, which leaves out starting Python and loading the library. Peak memory: the process, for all."""
    cpu = result["cpu_seconds"]
    return max(cpu, result["process_cpu_seconds"]) if name == "ours" else cpu


def one_size(programs, periods, a):
    folder, about = data(periods, a.order, a.seed)
    warm(folder)
    outs = BENCH / "data" / "out"
    outs.mkdir(exist_ok=True)
    runs = {name: {task: [] for task in TASKS} for name in programs}
    for round_ in range(a.rounds):
        turn = round_ % len(programs)
        for name in (list(programs) * 2)[turn : turn + len(programs)]:
            for task in TASKS:
                out = outs / f"{name}.parquet"
                output(out, task).unlink(missing_ok=True)
                result = measure(programs[name], folder, out, task)
                runs[name][task].append(result)
                say(f"{periods:>11,}  round {round_ + 1}  {name:<7} {task:<8} {cost(name, result):8.2f} CPU s  "
                    f"{result['wall_seconds']:7.2f} s  {result['process_peak_bytes'] / 2**20:6.0f} MiB  {result['rows']:,} rows")  # fmt: skip

    judge = "duckdb" if "duckdb" in programs else next(iter(programs))
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": machine(), "load_average_1m": round(os.getloadavg()[0], 2), "data": about, "rounds": a.rounds,
        "versions": {name: runs[name]["ledger"][0]["version"] for name in programs}, "tasks": {},
    }  # fmt: skip
    for task in TASKS:
        entry = record["tasks"][task] = {}
        for name in programs:
            one, results = output(outs / f"{name}.parquet", task), runs[name][task]
            same = compare(one) if name == judge else compare(output(outs / f"{judge}.parquet", task), one)
            if "difference" in same:
                say(f"{task}: {name} and {judge} differ: {same['difference']}")
            claimed = {r["digest"] for r in results} - {None} if task != "ledger" else set()  # a ledger's is made here
            if "difference" not in same and not (claimed <= {same["digest"]} and {r["rows"] for r in results} == {same["rows"]}):
                say(f"{task}: {name} said {claimed}, {[r['rows'] for r in results]} rows; its file holds {same}")
            entry[name] = {
                "cpu_seconds": round(statistics.median(cost(name, r) for r in results), 4),
                "wall_seconds": round(statistics.median(r["wall_seconds"] for r in results), 4),
                "peak_memory_bytes": int(statistics.median(max(r["peak_memory_bytes"], r["process_peak_bytes"]) for r in results)),
                "process_cpu_seconds": round(statistics.median(r["process_cpu_seconds"] for r in results), 4),
                "rows": same.get("rows", results[0]["rows"]),
                "digest": same.get("digest"),
                "equal": "difference" not in same and same["equal"] and claimed <= {same["digest"]}
                and {r["rows"] for r in results} == {same["rows"]},
            }
        if "ours" in programs:
            record["tasks"][task] |= {
                "ratio_cpu": {n: round(entry[n]["cpu_seconds"] / max(entry["ours"]["cpu_seconds"], 1e-4), 2) for n in programs if n != "ours"}
            }
    record["equal"] = all(record["tasks"][t][n]["equal"] for t in TASKS for n in programs)
    return record


def machine():
    cpu = platform.processor() or platform.machine()
    memory = 0
    if os.path.exists("/proc/cpuinfo"):
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        cpu = names[0] if names else cpu
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_bytes": memory, "system": platform.system()}


def slope(sizes, costs):
    """Of the logarithms: 1 means ten times the work for ten times the rows."""
    x, y = [math.log(s) for s in sizes], [math.log(max(c, 1e-6)) for c in costs]
    return statistics.linear_regression(x, y).slope


def table(records, programs):
    lines = ["| periods | task | rows | program | CPU s | against ours | wall s | peak MiB | same rows |", "|--:|---|--:|---|--:|--:|--:|--:|---|"]
    for record in records:
        for task in TASKS:
            for name in programs:
                e = record["tasks"][task][name]
                ratio = record["tasks"][task].get("ratio_cpu", {}).get(name)
                lines.append(
                    f"| {record['data']['periods']:,} | {task} | {e['rows']:,} | {name} {record['versions'][name]} | {e['cpu_seconds']:.2f} "
                    f"| {f'{ratio:.1f} ×' if ratio else ''} | {e['wall_seconds']:.2f} | {e['peak_memory_bytes'] / 2**20:,.0f} "
                    f"| {'yes' if e['equal'] else '**NO**'} |"
                )
    if len(records) > 1:
        sizes = [r["data"]["periods"] for r in records]
        lines += ["", "Slope of CPU seconds over periods, both in logarithms (1 is linear):", "", "| task | " + " | ".join(programs) + " |", "|---|" + "--:|" * len(programs)]
        for task in TASKS:
            found = [slope(sizes, [r["tasks"][task][n]["cpu_seconds"] for r in records]) for n in programs]
            lines.append(f"| {task} | " + " | ".join(f"{f:.2f}" for f in found) + " |")
    return "\n".join(lines)


def check(programs):
    """All rows of all programs against the naive reference, on small data in both orders."""
    outs = BENCH / "data" / "out"
    outs.mkdir(parents=True, exist_ok=True)
    good = True
    for order, seed in (("start", 1), ("customer", 2)):
        folder, _ = data(20_000, order, seed)
        for task in TASKS:
            for name, command in {"reference": [str(PYTHON), str(BENCH / "peers" / "reference.py")], **programs}.items():
                out = outs / f"check-{name}.parquet"
                output(out, task).unlink(missing_ok=True)
                measure(command, folder, out, task)
                if name != "reference":
                    same = compare(output(outs / "check-reference.parquet", task), output(out, task))
                    good &= same["equal"]
                    say(f"check: {order:<8} {task:<8} {name:<7} {'same ' + format(same['rows'], ',') + ' rows as the reference' if same['equal'] else same['difference']}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000", help="subscription periods, separated by commas")
    parser.add_argument("--rounds", type=int, default=3, help="times each program runs each task; the median counts")
    parser.add_argument("--order", choices=["start", "customer"], default="start", help="how the rows are ordered in the files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ours", default="recurve bench", help="our command, to which `ledger --periods ...` is added; none: leave it out")
    parser.add_argument("--peers", default="duckdb,polars", help="which of duckdb, polars; may be empty")
    parser.add_argument("--check", action="store_true", help="compare with the naive reference on 20,000 periods, and stop")
    parser.add_argument("--no-history", action="store_true", help="do not add to bench/history/ledger.jsonl")
    parser.add_argument("--table", metavar="FILE", help="write the Markdown table there too")
    a = parser.parse_args()

    programs = {}
    if a.ours != "none":
        command = shlex.split(a.ours)
        if not shutil.which(command[0]):
            raise Failed(f"{command[0]}: no such program. Build it, name it with --ours 'PATH/recurve bench', or leave it out with --ours none")
        programs["ours"] = [*command, "ledger"]
    for peer in filter(None, a.peers.split(",")):
        programs[peer] = [str(PYTHON), str(BENCH / "peers" / f"{peer}_ledger.py")]
    environment()
    if a.check:
        return 0 if check(programs) else 1
    records = []
    for periods in sorted(map(int, a.sizes.split(","))):
        records.append(one_size(programs, periods, a))
        if not a.no_history:
            history = BENCH / "history" / "ledger.jsonl"
            history.parent.mkdir(exist_ok=True)
            with open(history, "a") as file:
                file.write(json.dumps(records[-1]) + "\n")
    text = table(records, programs)
    print(text)
    if a.table:
        Path(a.table).write_text(text + "\n")
    return 0 if all(r["equal"] for r in records) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        say(f"bench: {failure}")
        sys.exit(4)
