"""From files to a problem: what is learned, from which rows, and what is held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax.tabular import arrays
from csoftmax.tabular.labels import Labels, codes_of, held_out
from csoftmax.tabular.learning import learn
from csoftmax.tabular.preparation import Category, Number, Preparation
from csoftmax.tabular.reading import Table
from csoftmax.tabular.rows import ArrayRows, Rows, TableRows, chosen, masked
from csoftmax.tabular.survey import plan, survey

Array = npt.NDArray[Any]


class Problem(NamedTuple):
    """Rows, which of them are for training, and what there is to test on."""

    rows: Rows
    classes: Array
    codes: Array  #: of the rows' labels; -1 where there is none
    training: Array  #: which rows to learn from, as a mask
    test_rows: Rows  #: which may be those that the training is from
    test_codes: Array  #: of the rows to measure on; -1 for all others
    preparation: Preparation | None
    image_shape: tuple[int, ...] | None = None

    @property
    def standardize(self) -> bool:
        """Whether the fit is to scale all features.

        A preparation has scaled the numbers, and them alone; sparse ones, as counts of words, are
        mostly 0, and of much the same size.
        """
        return self.preparation is None and not self.rows.is_sparse

    def fit_input(self, most_bytes: float) -> tuple[Any, Array]:
        """X as a fit takes it, and y as numbers of classes."""
        X = chosen(self.rows, self.training, most_bytes)
        return X, self.codes[self.training]

    def test(self) -> Iterator[tuple[Array, Any]]:
        """Classes and features of the rows to measure on, block by block."""
        for codes, X in masked(self.test_rows, self.test_codes, self.test_codes >= 0):
            yield self.classes[codes], X


def of_table(
    table: Table,
    target: str,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categories: Sequence[str] = (),
    test: Table | None = None,
    part: float = 0.2,
    seed: int = 0,
) -> tuple[Problem, dict[str, Any]]:
    """What to learn from a table, and what is to be said of it.

    Parameters
    ----------
    table : Table
    target : str
        The column of the labels.
    features : sequence of str, optional
        The columns to learn from; all others without it.
    drop, categories : sequences of str
        Columns not to learn from, and columns that are categories whatever they look like.
    test : Table, optional
        Rows to measure the model on.
    part, seed : float, int
        Without `test`, what part of each class is held out, and what draws it.
    """
    table.check_names("--features", features or ())
    table.check_names("--drop", drop)
    table.check_names("--categorical", categories)
    given = dict.fromkeys(features or table.columns)
    names = [name for name in given if name not in {target, *drop}]
    found = survey(table, target, names, categories)
    kept = plan(table.name, found.columns)
    training, held = _parts(found.codes, part, seed, split=test is None)
    learned = learn(table, kept, training)
    how = learned.preparation
    rows = TableRows(table, how, sparse=True)
    test_rows, test_codes, n_strange = rows, np.where(held, found.codes, -1), 0
    if test is not None:
        test.check_names("--target", [target])
        test_rows = TableRows(test, how)
        labels = (batch.column(0) for batch in test.batches([target]))
        test_codes, n_strange = _codes(labels, found.classes, test.name, table.missing)
    counts = np.bincount(found.codes[found.codes >= 0], minlength=len(found.classes))
    about = {
        "data": table.name,
        "rows": len(found.codes),
        "rows_without_label": int((found.codes < 0).sum()),
        "columns": len(table.columns),
        "target": target,
        "classes": _counted(found.classes, counts),
        "numbers": [c.name for c in how.columns if isinstance(c, Number)],
        "categories": {c.name: list(c.values) for c in how.columns if isinstance(c, Category)},
        "left_out": {**kept.left_out, **learned.left_out},
        "missing": learned.missing,
        "features": how.width,
        **_sizes(training, test_codes, n_strange, test.name if test else None, seed),
    }
    problem = Problem(rows, found.classes, found.codes, training, test_rows, test_codes, how)
    return problem, about


def of_arrays(
    path: str, target: str | None, test: str | None, part: float, seed: int
) -> tuple[Problem, dict[str, Any]]:
    """What to learn from a file of arrays, and what is to be said of it.

    Rows for the test are those of `test`, or the file's own test part, or held out of the others.
    """
    data = arrays.load(path, target)
    assert data.train.y is not None
    given_labels = Labels(f"the target of {path}")
    given_labels.add(data.train.y)
    classes, codes = given_labels.done()
    rows: Rows = ArrayRows(path, data.train)
    other, name = data.test, f"the test part of {path}"
    if test is not None:
        given = arrays.load(test, target)
        other, name = given.test or given.train, test
    training, held = _parts(codes, part, seed, split=other is None)
    test_rows, test_codes, n_strange = rows, np.where(held, codes, -1), 0
    if other is not None:
        test_rows = ArrayRows(name, other, rows.width)
        test_codes, n_strange = _codes([other.y], classes, name)
    about = {
        "data": path,
        "rows": len(codes),
        "rows_without_label": int((codes < 0).sum()),
        "columns": rows.width,
        "target": target or "y",
        "classes": _counted(classes, np.bincount(codes[codes >= 0], minlength=len(classes))),
        "features": rows.width,
        **_sizes(training, test_codes, n_strange, name if other is not None else None, seed),
    }
    shape = data.train.image_shape
    problem = Problem(rows, classes, codes, training, test_rows, test_codes, None, shape)
    return problem, about | {"standardised": problem.standardize}


def _parts(codes: Array, part: float, seed: int, *, split: bool) -> tuple[Array, Array]:
    """Which rows to learn from, and which are held out."""
    there = codes >= 0
    if not split:
        return there, np.zeros(len(codes), bool)
    held = held_out(codes, part, seed)
    if not held.any():
        raise ValueError(
            f"there are {there.sum()} rows, of which none can be held out: wanted two of a class"
        )
    return there & ~held, held


def _codes(
    labels: Iterable[Any], classes: Array, name: str, missing: Sequence[str] = ()
) -> tuple[Array, int]:
    """The classes of rows, -1 for none; and how many have a label that is no class."""
    codes, n_strange = [np.empty(0, np.int64)], 0
    for block in labels:
        here, found = codes_of(block, classes, missing)
        n_strange += int(((here < 0) & (found.codes >= 0)).sum())
        codes.append(here)
    all_codes = np.concatenate(codes)
    if not (all_codes >= 0).any():
        raise ValueError(f"{name} has no row with a label of the training: wanted at least one")
    return all_codes, n_strange


def _counted(classes: Array, counts: Array) -> dict[str, int]:
    return {str(c): int(n) for c, n in zip(classes.tolist(), counts, strict=True)}


def _sizes(
    training: Array, test_codes: Array, n_strange: int, test: str | None, seed: int
) -> dict[str, Any]:
    return {
        "training_rows": int(training.sum()),
        "test_rows": int((test_codes >= 0).sum()),
        "test_rows_of_other_labels": n_strange,
        "test": test or f"held out, seed {seed}",
    }
