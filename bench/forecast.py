#!/usr/bin/env python3
"""How good the forecasts of `recurve forecast --series` are, beside methods that everybody knows.

The last points of each series are hidden, `recurve` and the others forecast them, and errors and intervals are scored. Any
file of series will do (`series,t,value`), and series can be made:

    python3 bench/forecast.py monthly.csv --horizon 18 --season 12
    python3 bench/forecast.py --made 300 --seed 7 --horizon 18 --season 12

Naive2, seasonal naive and Theta are written here once more, in plain Python and without a look at the product: the test of
seasonality and the multiplicative decomposition of the M3 and M4 competitions, then the last value, or the theta method of
Assimakopoulos and Nikolopoulos (2000) in the form of Hyndman and Billah (2003). On the 1,428 monthly series of the M3
competition they reach their published 16.9 and 13.9 % sMAPE.

sMAPE is the mean of 200 |y - f| / (|y| + |f|). MASE is the mean absolute error over that of the seasonal naive method
within the history. Coverage is the share of hidden values inside the interval. Nothing but the standard library is used.
"""

import argparse
import csv
import math
import os
import random
import subprocess
import sys
import tempfile
import time

LEVELS = (50, 80, 95)


def read(paths):
    """The series of files in long form, in their order, as (name, times, values)."""
    found = {}
    for path in paths:
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows)
            for name, at, value in rows:
                times, values = found.setdefault((path, name), ([], []))
                times.append(at)
                values.append(float(value))
    return [(f"{os.path.basename(path)}:{name}", times, values) for (path, name), (times, values) in found.items()]


def make(count, seed, season, horizon):
    """Series of many shapes, the same for the same seed: trend, season, jumps, outliers and noise of several kinds."""
    dice = random.Random(seed)
    made = []
    for index in range(count):
        points = dice.randint(3 * season, 10 * season) + horizon
        level = math.exp(dice.uniform(2, 10))
        growth = dice.choice([0, 0, dice.gauss(0, 0.004), dice.gauss(0.01, 0.01)])
        fading = dice.choice([1, 1, 0.97])
        phases = [dice.gauss(0, 1) for _ in range(season)]
        strength = dice.choice([0, 0.03, 0.1, 0.3])
        drifting = dice.choice([0, 0, 0.01])
        noise = dice.choice([0.01, 0.05, 0.15])
        walk = dice.choice([0, 0.01, 0.04])
        memory = dice.choice([0, 0, 0.6])
        jump_at = dice.randrange(points) if dice.random() < 0.3 else None
        error = 0.0
        log_level = math.log(level)
        values = []
        for at in range(points):
            log_level += growth * fading**at + dice.gauss(0, walk)
            if at == jump_at:
                log_level += dice.gauss(0, 0.4)
            phases[at % season] += dice.gauss(0, 1) * drifting / max(strength, 0.01)
            error = memory * error + dice.gauss(0, noise)
            outlier = dice.gauss(0, 3 * noise) if dice.random() < 0.01 else 0
            values.append(math.exp(log_level + strength * phases[at % season] + error + outlier))
        made.append((f"made{index}", [str(at + 1) for at in range(points)], values))
    return made


def autocorrelation(values, lag):
    mean = sum(values) / len(values)
    below = sum((value - mean) ** 2 for value in values)
    above = sum((values[at] - mean) * (values[at - lag] - mean) for at in range(lag, len(values)))
    return above / below if below else 0.0


def is_seasonal(values, season):
    """The test of the competitions, at 90 %."""
    if season < 2 or len(values) < 3 * season:
        return False
    limit = 1.645 * math.sqrt((1 + 2 * sum(autocorrelation(values, lag) ** 2 for lag in range(1, season))) / len(values))
    return abs(autocorrelation(values, season)) > limit


def factors(values, season):
    """The classical multiplicative factors of each phase, the first value's first; all 1 where there is no season."""
    if min(values) <= 0 or not is_seasonal(values, season):
        return [1.0] * season
    half = season // 2
    ratios = [[] for _ in range(season)]
    for at in range(half, len(values) - half):
        window = values[at - half : at + half + 1]
        total = sum(window) - (0.5 * (window[0] + window[-1]) if season % 2 == 0 else 0)
        ratios[at % season].append(values[at] / (total / season))
    means = [sum(phase) / len(phase) for phase in ratios]
    return [mean * season / sum(means) for mean in means]


def without_season(method):
    """A method on the series without its season, which is then put back."""

    def forecast(values, season, horizon):
        phases = factors(values, season)
        ahead = method([value / phases[at % season] for at, value in enumerate(values)], horizon)
        return [value * phases[(len(values) + at) % season] for at, value in enumerate(ahead)]

    return forecast


def naive(values, horizon):
    return [values[-1]] * horizon


def seasonal_naive(values, season, horizon):
    return [values[len(values) - season + at % season] for at in range(horizon)]


def smoothed(values, smoothing):
    """Squared errors of simple exponential smoothing, and the level it ends with."""
    level, squares = values[0], 0.0
    for value in values[1:]:
        error = value - level
        squares += error * error
        level += smoothing * error
    return squares, level


def theta(values, horizon):
    count = len(values)
    low, high = 0.01, 0.99
    for _ in range(30):
        third = (high - low) / 3
        if smoothed(values, low + third)[0] < smoothed(values, high - third)[0]:
            high -= third
        else:
            low += third
    smoothing = (low + high) / 2
    level = smoothed(values, smoothing)[1]
    middle, mean = (count - 1) / 2, sum(values) / count
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(values))
    slope /= sum((at - middle) ** 2 for at in range(count))
    lag = (1 - (1 - smoothing) ** count) / smoothing
    return [level + slope / 2 * (at + lag) for at in range(horizon)]


KNOWN = {"Naive2": without_season(naive), "seasonal naive": seasonal_naive, "Theta": without_season(theta)}


def ask(program, series, horizon, more):
    """What the program says of each series, as rows of numbers, and how many seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        asked = os.path.join(folder, "series.csv")
        with open(asked, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["series", "t", "value"])
            for index, (_, times, values) in enumerate(series):
                rows.writerows([index, at, repr(value)] for at, value in zip(times, values))
        levels = ",".join(str(level) for level in LEVELS)
        command = [program, "forecast", "--series", asked, "--horizon", str(horizon), "--level", levels, "--format", "csv"]
        begin = time.perf_counter()
        said = subprocess.run(command + more, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if said.returncode not in (0, 1):
            sys.exit(f"{' '.join(command + more)} failed: {said.stderr}")
        sys.stderr.write(said.stderr)
    found = {}
    for row in list(csv.reader(said.stdout.splitlines()))[1:]:
        found.setdefault(int(row[0]), []).append([float(cell) for cell in row[2:]])
    return found, seconds


def smape(hidden, ahead):
    terms = [200 * abs(y - f) / (abs(y) + abs(f)) if y or f else 0.0 for y, f in zip(hidden, ahead)]
    return sum(terms) / len(terms)


def mase(history, season, hidden, ahead):
    scale = sum(abs(history[at] - history[at - season]) for at in range(season, len(history))) / (len(history) - season)
    return sum(abs(y - f) for y, f in zip(hidden, ahead)) / len(hidden) / scale


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="series in long form: series,t,value")
    parser.add_argument("--horizon", type=int, default=18, help="how many points are hidden")
    parser.add_argument("--season", type=int, default=12, help="for MASE and the known methods; recurve is not told")
    parser.add_argument("--tell-season", action="store_true", help="tell recurve the season too")
    parser.add_argument("--longest", type=int, default=0, help="keep only so many of the latest points of each history")
    parser.add_argument("--made", type=int, default=0, help="make so many series")
    parser.add_argument("--seed", type=int, default=1, help="the seed of what is made")
    parser.add_argument("--recurve", default="recurve", help="the program")
    arguments = parser.parse_args()
    horizon, season = arguments.horizon, arguments.season
    series = read(arguments.files) + make(arguments.made, arguments.seed, season, horizon)
    short = [name for name, _, values in series if len(values) < horizon + season + 2]
    series = [one for one in series if len(one[2]) >= horizon + season + 2]
    if not series:
        sys.exit("no series is longer than the horizon and a season: give a file, or --made N")
    hidden = [values[-horizon:] for _, _, values in series]
    kept = [(name, times[:-horizon][-arguments.longest :], values[:-horizon][-arguments.longest :]) for name, times, values in series]
    more = ["--season", str(season)] if arguments.tell_season else []
    found, seconds = ask(arguments.recurve, kept, horizon, more)

    # A series that never changes from season to season has no scale for MASE.
    scored = [
        at
        for at, (_, _, values) in enumerate(kept)
        if at in found and any(values[i] != values[i - season] for i in range(season, len(values)))
    ]
    answers = {"recurve": {at: [row[0] for row in found[at]] for at in scored}}
    for name, method in KNOWN.items():
        answers[name] = {at: method(kept[at][2], season, horizon) for at in scored}
    print(f"{len(series)} series, {len(scored)} scored, {len(short)} too short, horizon {horizon}, season {season}")
    print(f"{'method':16}{'sMAPE':>9}{'MASE':>9}")
    for name, ahead in answers.items():
        one = sum(smape(hidden[at], ahead[at]) for at in scored) / len(scored)
        other = sum(mase(kept[at][2], season, hidden[at], ahead[at]) for at in scored) / len(scored)
        print(f"{name:16}{one:9.3f}{other:9.4f}")
    for index, level in enumerate(LEVELS):
        inside = [
            sum(found[at][step][1 + 2 * index] <= hidden[at][step] <= found[at][step][2 + 2 * index] for at in scored)
            / len(scored)
            for step in range(horizon)
        ]
        print(
            f"{level} % intervals hold {sum(inside) / horizon:6.1%}"
            f" (1 step ahead {inside[0]:.1%}, {horizon} steps {inside[-1]:.1%})"
        )
    print(f"recurve took {seconds:.2f} s for {len(series)} series")


if __name__ == "__main__":
    main()
