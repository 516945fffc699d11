#!/usr/bin/env python3
"""How fast a server takes facts over HTTP: facts a second, time to the acknowledgement, memory at the peak.

    python3 bench/ingest.py [--recurve PATH] [--seconds 10] [--clients 16] [--batches 1,100] [--keep FOLDER]

Starts `recurve serve` on a folder of its own and lets client processes send payments as fast as they are answered, first in
batches of one, then of a hundred. Each client waits for its answer before it sends on, as a webhook does. 429 is waited out
as the server says. Afterwards the facts are counted: as many as were acknowledged, each once. Needs nothing but Python.
"""
import argparse, http.client, json, multiprocessing, os, re, shutil, signal, subprocess, sys, tempfile, time


def client(address, number, batch, seconds, results):
    connection = http.client.HTTPConnection(address, timeout=120)
    times, facts, busy, sent = [], 0, 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rows = [{"kind": "payments", "payment": f"p-{batch}-{number}-{sent}-{row}", "customer": f"c-{number}-{row % 50}",
                 "amount": "12.50", "currency": "USD", "status": "succeeded", "paid_at": "2024-01-01"}
                for row in range(batch)]
        body = json.dumps({"facts": rows})
        began = time.monotonic()
        while True:
            connection.request("POST", "/api/v1/facts", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 429:
                break
            busy += 1
            time.sleep(int(answer.getheader("Retry-After")))
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {said[:300]!r}")
        times.append(time.monotonic() - began)
        if json.loads(said)["stated"] != batch:
            raise SystemExit(f"not all was stated: {said[:300]!r}")
        facts += batch
        sent += 1
    results.put((times, facts, busy))


def memory(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(rf"{name}:\s+(\d+)", status.read())[1]) / 1024


def percentile(times, share):
    return times[min(int(len(times) * share), len(times) - 1)] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recurve", default="recurve")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--batches", default="1,100")
    parser.add_argument("--keep", help="the data folder, kept afterwards")
    asked = parser.parse_args()
    folder = asked.keep or tempfile.mkdtemp(prefix="recurve-ingest-")
    data = os.path.join(folder, "data")
    subprocess.run([asked.recurve, "--data", data, "init"], check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen([asked.recurve, "--data", data, "serve", "--port", "0", "--open", "editor"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    total = 0
    try:
        address = server.stdout.readline().strip().rsplit("/", 1)[-1]
        print(f"{'batch':>6} {'clients':>8} {'facts/s':>10} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'worst ms':>9} "
              f"{'429':>5} {'peak MB':>8} {'now MB':>7}")
        for batch in map(int, asked.batches.split(",")):
            results = multiprocessing.Queue()
            clients = [multiprocessing.Process(target=client, args=(address, number, batch, asked.seconds, results))
                       for number in range(asked.clients)]
            began = time.monotonic()
            for one in clients:
                one.start()
            told = [results.get() for _ in clients]
            for one in clients:
                one.join()
            took = time.monotonic() - began
            times = sorted(time for times, _, _ in told for time in times)
            facts = sum(facts for _, facts, _ in told)
            total += facts
            print(f"{batch:>6} {asked.clients:>8} {facts / took:>10.0f} {len(times) / took:>11.0f} "
                  f"{percentile(times, 0.5):>8.1f} {percentile(times, 0.99):>8.1f} {times[-1] * 1000:>9.1f} "
                  f"{sum(busy for _, _, busy in told):>5} {memory(server.pid, 'VmHWM'):>8.0f} "
                  f"{memory(server.pid, 'VmRSS'):>7.0f}", flush=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    lines = subprocess.run([asked.recurve, "--data", data, "export", "payments"], check=True, capture_output=True)
    kept = lines.stdout.count(b"\n") - 1
    files = sum(len(names) for _, _, names in os.walk(os.path.join(data, "files")))
    print(f"{total} facts were acknowledged, and {kept} are there, in {files} files (merged ones that still stay counted)")
    if not asked.keep:
        shutil.rmtree(folder)
    sys.exit(kept != total)


if __name__ == "__main__":
    main()
