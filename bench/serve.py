#!/usr/bin/env python3
"""How long answers of `recurve serve` take, from a client on the same machine.

    python3 bench/serve.py --ours '.../recurve' --data DIR [--now D] [--seconds N] [--clients N]
        [--beside ROWS [--imports N]]

Starts the server on a free port, waits until it is ready, and asks three things, each for some seconds:

- kept: the overview, again and again: what an open page costs;
- known: the same with the tag of the answer, which comes back as 304;
- worked_out: overviews that nobody asked for before (other lengths of series, filtered by plan): each is computed.

With `--beside` the command line imports files of so many new subscriptions, each of a new customer, into the same folder
meanwhile, one after another without a pause, so that the server has a new version of its books every time. With `--imports`
it is so many for each of the three, from its beginning on, and no more. THE FOLDER GROWS with every run: give it a copy.

Writes one JSON object: for each the number of answers, the median, p95, p99 and the largest, in milliseconds, with the
bytes of an answer and the CPU seconds of the server for each, and the largest memory of the server. Nothing is downloaded,
and nothing but the data folder is read.
"""

import argparse
import datetime
import http.client
import itertools
import json
import os
import re
import subprocess
import tempfile
import threading
import time


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


class Client:
    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=120)

    def ask(self, path, headers=None):
        begun = time.perf_counter()
        self.connection.request("GET", path, headers=headers or {"accept-encoding": "gzip"})
        response = self.connection.getresponse()
        body = response.read()
        return (time.perf_counter() - begun) * 1000, response, body


def measure(address, pid, clients, seconds, question):
    """`question` makes the path and headers of the next request; the times of all answers, by status."""
    times, statuses, size, lock = [], {}, [0], threading.Lock()
    cpu = cpu_seconds(pid)
    end = time.perf_counter() + seconds

    def work():
        client = Client(address)
        while time.perf_counter() < end:
            with lock:
                path, headers = question()
            took, response, body = client.ask(path, headers)
            with lock:
                times.append(took)
                statuses[response.status] = statuses.get(response.status, 0) + 1
                size[0] = max(size[0], len(body))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {name: round(quantile(times, share), 2) for name, share in
             [("median_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("largest_ms", 1.0)]}
    cpu = round((cpu_seconds(pid) - cpu) / len(times), 4)
    return {"answers": len(times), "statuses": statuses, **found, "bytes": size[0], "server_cpu_s_each": cpu}


class Imports:
    """Files of new subscriptions, imported one after another until it is left."""

    def __init__(self, arguments, plans):
        self.arguments, self.plans = arguments, plans
        self.took, self.failed, self.stopping = [], [], threading.Event()
        self.thread, self.written = None, threading.Event()

    def __enter__(self):
        if self.arguments.beside:
            self.stopping.clear()
            self.written.clear()
            self.thread = threading.Thread(target=self.work)
            self.thread.start()
            # What is imported is there before anything is measured.
            self.written.wait()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        if self.thread:
            self.thread.join()

    def work(self):
        command = [self.arguments.ours, "--data", self.arguments.data, "import", "subscriptions"]
        run = f"beside{time.time_ns():x}"
        with tempfile.TemporaryDirectory() as folder:
            for number in itertools.count():
                file = os.path.join(folder, f"{run}-{number}.csv")
                self.write(file, f"{run}-{number}")
                self.written.set()
                begun = time.perf_counter()
                done = subprocess.run([*command, file], capture_output=True, text=True)
                self.took.append(time.perf_counter() - begun)
                self.failed += [done.stderr] if done.returncode else []
                os.remove(file)
                if self.stopping.is_set() or done.returncode or number + 1 == self.arguments.imports:
                    return

    def write(self, file, name):
        last = datetime.date.fromisoformat(self.arguments.now) if self.arguments.now else datetime.date.today()
        with open(file, "w") as out:
            out.write("subscription,customer,plan,currency,amount,interval,quantity,status,start\n")
            for row in range(self.arguments.beside):
                plan = self.plans[row % len(self.plans)]
                start = last - datetime.timedelta(days=1 + row % 90)
                out.write(f"{name}-s{row},{name}-c{row},{plan},USD,{10 + row % 50}.00,month,1,active,{start}\n")

    def report(self):
        if not self.took:
            return {}
        return {"imports": {"files": len(self.took), "rows_each": self.arguments.beside, "failed": self.failed,
                            "median_s": round(quantile(self.took, 0.5), 2), "largest_s": round(max(self.took), 2)}}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
    return round(int(found.group(1)) / 1024) if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, help="the program")
    parser.add_argument("--data", required=True, help="the data folder")
    parser.add_argument("--now", help="the day to look at; what `recurve demo` printed")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--beside", type=int, default=0, metavar="ROWS",
                        help="import files of so many new subscriptions meanwhile: the folder grows")
    parser.add_argument("--imports", type=int, default=0, metavar="N",
                        help="no more of them than this for each of the three; without an end unless set")
    arguments = parser.parse_args()
    command = [arguments.ours, "--data", arguments.data, "serve", "--open", "--port", "0"]
    command += ["--now", arguments.now] if arguments.now else []
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip().rsplit("/", 1)[1]
        begun = time.perf_counter()
        while Client(address).ask("/readyz")[1].status != 200:
            time.sleep(0.1)
        ready = round(time.perf_counter() - begun, 1)
        overview = "/api/v1/overview"
        _, response, _ = Client(address).ask(overview)
        tag = response.getheader("etag")
        plans = json.loads(Client(address).ask("/api/v1/dimensions/plan", {"accept-encoding": "identity"})[2])["values"]
        # Every question is another one: each length of the series, with each plan left in.
        others = itertools.cycle((months, plan) for months in range(3, 121) for plan in plans)
        number = itertools.count()

        def other():
            months, plan = next(others)
            # The language is part of the question too, so that a second round is new as well.
            language = ["en", "fr", "zh"][next(number) % 3]
            return f"{overview}?months={months}&where=plan%3D{plan}&lang={language}", {"accept-encoding": "gzip"}

        kinds = {
            "kept": lambda: (overview, {"accept-encoding": "gzip"}),
            "known": lambda: (overview, {"if-none-match": tag}),
            "worked_out": other,
        }
        imports, found = Imports(arguments, plans), {}
        if arguments.imports:
            for name, ask in kinds.items():
                with imports:
                    found[name] = measure(address, server.pid, arguments.clients, arguments.seconds, ask)
        else:
            with imports:
                found = {name: measure(address, server.pid, arguments.clients, arguments.seconds, ask)
                         for name, ask in kinds.items()}
        session = json.loads(Client(address).ask("/api/v1/session", {"accept-encoding": "identity"})[2])
        facts = {kind["kind"]: kind["facts"] for kind in session["kinds"]}
        load = os.getloadavg()[0]
        result = {"facts": facts, "clients": arguments.clients, "ready_after_s": ready, "load": load, **found}
        result |= imports.report()
        result["server_memory_mib"] = memory_mib(server.pid)
        print(json.dumps(result, indent=1))
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
