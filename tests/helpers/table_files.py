"""Tables of numbers and categories, with gaps, as a person has them in files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Table = dict[str, list[Any]]


def birds(n_rows: int = 240, seed: int = 0) -> Table:
    """Three species, told by bill, mass and island; some bills and sexes are not known."""
    rng = np.random.default_rng(seed)
    species = rng.integers(0, 3, n_rows)
    bill = rng.normal([39, 47, 49], 2.5, (n_rows, 3))[np.arange(n_rows), species].round(1)
    mass = rng.normal([3700, 5000, 3750], 300, (n_rows, 3))[np.arange(n_rows), species].round()
    islands = [["Torgersen", "Biscoe", "Dream"], ["Biscoe"], ["Dream", "Dream", "Biscoe"]]
    table: Table = {
        "rowid": list(range(1, n_rows + 1)),
        "species": [("Adelie", "Gentoo", "Chinstrap")[s] for s in species],
        "island": [str(rng.choice(islands[s])) for s in species],
        "bill": bill.tolist(),
        "mass": mass.astype(int).tolist(),
        "sex": [("female", "male")[k] for k in rng.integers(0, 2, n_rows)],
        "tagged": [bool(k) for k in rng.integers(0, 2, n_rows)],
        "planet": ["Earth"] * n_rows,
    }
    for name, share in (("bill", 0.05), ("sex", 0.1)):
        for row in np.flatnonzero(rng.random(n_rows) < share):
            table[name][row] = None
    return table


def write_csv(path: Path, table: Mapping[str, Sequence[Any]], **options: Any) -> Path:
    """The table as CSV: nothing where a value is missing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n", **options)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def write_parquet(path: Path, table: Mapping[str, Sequence[Any]]) -> Path:
    """The same as Parquet, in several row groups."""
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(dict(table)), path, row_group_size=50)
    return path


def part(table: Table, rows: slice) -> Table:
    """Some rows."""
    return {name: column[rows] for name, column in table.items()}
