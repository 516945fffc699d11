#!/usr/bin/env python3
"""Compare two outputs row by row, every column: ledgers (.parquet) or series and cohorts (.csv).

    python bench/compare.py ONE OTHER      exit code 0: the same; 1: they differ, and the first difference is shown
    python bench/compare.py ONE            its rows and digest alone

Ledgers are streamed, so memory does not grow with them. Both must be sorted by customer, day,
subscription, plan with no key twice, and each row must add up: that is checked on the way.
A ledger's digest is SHA-256 over the columns' own digests, whatever the encoding or row groups of the file.
"""

import hashlib
import itertools
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

COLUMNS = {
    "customer": pa.large_string(), "day": pa.date32(), "subscription": pa.large_string(), "plan": pa.large_string(),
    "kind": pa.large_string(), "delta": pa.int64(), "mrr_before": pa.int64(), "mrr_after": pa.int64(),
}  # fmt: skip
KEY = ["customer", "day", "subscription", "plan"]
ROWS = 250_000


class Different(Exception):
    pass


def slices(path):
    """The file's rows, ROWS at a time however it is cut inside, in plain columns."""
    file = pq.ParquetFile(path)
    if file.schema_arrow.names != list(COLUMNS):
        raise Different(f"{path}: its columns are {file.schema_arrow.names}, not {list(COLUMNS)}")
    held, count = [], 0
    for batch in file.iter_batches(ROWS):
        held.append(pa.table([batch[n].cast(t) for n, t in COLUMNS.items()], names=list(COLUMNS)))
        count += len(batch)
        while count >= ROWS:
            whole = pa.concat_tables(held)
            yield whole[:ROWS].combine_chunks()
            held, count = [whole[ROWS:]], count - ROWS
    if count:
        yield pa.concat_tables(held).combine_chunks()


def column(table, name):
    return table[name].chunk(0) if table[name].num_chunks else pa.array([], COLUMNS[name])


class Digest:
    def __init__(self):
        self.parts = {name: (hashlib.sha256(), hashlib.sha256()) for name in COLUMNS}

    def add(self, table):
        for name, (lengths, values) in self.parts.items():
            array = column(table, name)
            if array.null_count:
                raise Different(f"a null in {name}")
            if pa.types.is_large_string(array.type):
                offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
                lengths.update(np.diff(offsets).astype("<i4").data)
                values.update(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]])
            else:
                values.update(array.cast(pa.int32() if array.type == pa.date32() else array.type).to_numpy().astype("<i8").data)

    def hex(self):
        return hashlib.sha256(b"".join(part.digest() for pair in self.parts.values() for part in pair)).hexdigest()


def sound(table, before, at, path):
    """Sorted, no key twice, kind and sums in order; `before` is the last row of the slice before."""
    joined = pa.concat_tables([before, table]).combine_chunks() if before is not None else table
    keys = [column(joined, name) for name in KEY]
    rising, same = None, None
    for k in keys:
        more, equal = pc.less(k[:-1], k[1:]), pc.equal(k[:-1], k[1:])
        rising = more if rising is None else pc.or_(rising, pc.and_(same, more))
        same = equal if same is None else pc.and_(same, equal)
    if not pc.all(rising).as_py() and len(joined) > 1:
        row = pc.index(rising, False).as_py()
        raise Different(f"{path}: not in order after row {at + row - (before is not None)}: {joined.slice(row, 2).to_pylist()}")
    if pc.any(pc.equal(table["delta"], 0)).as_py():
        raise Different(f"{path}: a row whose delta is zero, within {ROWS} rows from row {at}")


class AddsUp:
    """Law 1 within a ledger: a day's deltas add up to after - before, and each day begins where the last one ended."""

    def __init__(self, path):
        self.path, self.open = path, None  # the rows of the last day seen: it may go on in the next slice

    def add(self, table, end=False):
        table = table if self.open is None else pa.concat_tables([self.open, table]).combine_chunks()
        if not len(table):
            return
        customer, day = column(table, "customer"), column(table, "day").cast(pa.int32()).to_numpy()
        other = pc.not_equal(customer[1:], customer[:-1]).to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(np.r_[True, other | (day[1:] != day[:-1])])
        delta, before, after = (column(table, c).to_numpy() for c in ("delta", "mrr_before", "mrr_after"))
        wrong = np.add.reduceat(delta, starts) != after[starts] - before[starts]
        follows = np.r_[False, ~other][starts]  # the day before it is the same customer's
        wrong |= follows & (before[starts] != after[starts - 1])
        wrong[-1] &= end
        if wrong.any():
            row = int(starts[np.flatnonzero(wrong)[0]])
            raise Different(f"{self.path}: a day does not add up: {table.slice(row, 1).to_pylist()[0]}")
        self.open = table[int(starts[-1]) :]


def ledgers(paths):
    digests, laws, rows, last = [Digest() for _ in paths], [AddsUp(p) for p in paths], 0, [None] * len(paths)
    for tables in itertools.zip_longest(*map(slices, paths)):
        for i, (path, table) in enumerate(zip(paths, tables)):
            if table is not None:
                sound(table, last[i], rows, path)
                digests[i].add(table)
                laws[i].add(table)
                last[i] = table[-1:]
        if len(paths) == 2 and (None in tables or not tables[0].equals(tables[1])):
            differ(paths, tables, rows)
        rows += len(tables[0])
    for law in laws:
        law.add(law.open[:0] if law.open is not None else empty(), end=True)
    return {"rows": rows, "digest": digests[0].hex(), "equal": len({d.hex() for d in digests}) == 1}


def empty():
    return pa.table([pa.array([], t) for t in COLUMNS.values()], names=list(COLUMNS))


def differ(paths, tables, at):
    one, other = (t.to_pylist() if t is not None else [] for t in tables)
    for i, (x, y) in enumerate(itertools.zip_longest(one, other)):
        if x != y:
            raise Different(f"row {at + i} differs\n  {paths[0]}: {x or 'no such row'}\n  {paths[1]}: {y or 'no such row'}")


def tables_of_text(paths):
    """Small ones: the sorted lines under the header, one by one."""
    headers, bodies = [], []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            headers.append(next(file).rstrip("\r\n"))
            bodies.append(sorted(line.rstrip("\r\n") for line in file))
    if len(set(headers)) > 1:
        raise Different(f"the headers differ: {headers}")
    for i, (x, y) in enumerate(itertools.zip_longest(bodies[0], bodies[-1])):
        if x != y:
            raise Different(f"sorted line {i} differs\n  {paths[0]}: {x}\n  {paths[-1]}: {y}")
    digest = hashlib.sha256("".join(line + "\n" for line in bodies[0]).encode()).hexdigest()
    return {"rows": len(bodies[0]), "digest": digest, "equal": True}


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        result = (tables_of_text if sys.argv[1].endswith(".csv") else ledgers)(sys.argv[1:])
    except Different as difference:
        print(json.dumps({"equal": False, "difference": str(difference)}))
        sys.exit(1)
    print(json.dumps(result))
