#!/usr/bin/env python3
"""How long answers of `recurve serve` take, from a client on the same machine.

    python3 bench/serve.py --ours '.../recurve' --data DIR [--now D] [--seconds N] [--clients N]

Starts the server on a free port, waits until it is ready, and asks three things, each for some seconds:

- kept: the overview, again and again: what an open page costs;
- known: the same with the tag of the answer, which comes back as 304;
- worked_out: overviews that nobody asked for before (other lengths of series, filtered by plan): each is computed.

Writes one JSON object: for each the number of answers, the median, p95, p99 and the largest, in milliseconds, with the
bytes of an answer, and the largest memory of the server. Nothing is downloaded, and nothing but the data folder is read.
"""

import argparse
import http.client
import itertools
import json
import re
import subprocess
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


def measure(address, clients, seconds, question):
    """`question` makes the path and headers of the next request; the times of all answers, by status."""
    times, statuses, size, lock = [], {}, [0], threading.Lock()
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
    return {"answers": len(times), "statuses": statuses, **found, "bytes": size[0]}


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
        found = {name: measure(address, arguments.clients, arguments.seconds, ask) for name, ask in kinds.items()}
        session = json.loads(Client(address).ask("/api/v1/session", {"accept-encoding": "identity"})[2])
        facts = {kind["kind"]: kind["facts"] for kind in session["kinds"]}
        result = {"facts": facts, "clients": arguments.clients, "ready_after_s": ready, **found}
        result["server_memory_mib"] = memory_mib(server.pid)
        print(json.dumps(result, indent=1))
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
