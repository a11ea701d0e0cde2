"""`csoftmax evaluate`: how good a model is on rows whose labels are known."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from csoftmax.cli import data, results
from csoftmax.cli.command import Command

if TYPE_CHECKING:
    from csoftmax.evaluation import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is evaluated, on what, and where it is told."""
    data.add_file(parser, "model", "a model, as csoftmax train writes it", metavar="MODEL")
    data.add_file(parser, "data", data.FILES, metavar="DATA")
    parser.add_argument("--target", metavar="COLUMN", help="the labels' column, of a table")
    data.add_file(
        parser, "--report", "write a page of HTML there", type=Path, metavar="FILE", default=None
    )
    parser.add_argument("--open", action="store_true", help="show the report in the browser")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    data.add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Predict all rows and compare."""
    from csoftmax import load_model
    from csoftmax.evaluation import Measures
    from csoftmax.tabular.labels import codes_of
    from csoftmax.tabular.rows import shown

    results.check(arguments)
    begin = time.perf_counter()
    model = load_model(arguments.model)
    inner = results.linear(model, arguments.model)
    rows, notes = data.rows_for(
        model, arguments.data, arguments, target=arguments.target, labelled=True
    )
    measures, places = Measures(model.classes_), []
    n_missing, n_strange, strange = 0, 0, ""
    with data.bar("rows", " rows", show=not arguments.json) as move:
        for block in rows.blocks():
            codes, found = codes_of(block.labels, model.classes_)
            n_missing += int((found.codes < 0).sum())
            other = (codes < 0) & (found.codes >= 0)
            if other.any():
                n_strange += int(other.sum())
                strange = strange or found.values[found.codes[other.argmax()]]
            known = np.flatnonzero(codes >= 0)
            if known.size:
                proba = inner.predict_proba(block.X[known])
                measures.add(model.classes_[codes[known]], proba)
                places.append(block.start + known)
            move(len(codes), "")
    notes += rows.tally.lines()
    if n_missing:
        notes.append(f"left out: {n_missing} rows without a label")
    if n_strange:
        notes.append(
            f"left out: {n_strange} rows whose label is no class of the model, such as {strange!r}"
        )
    try:
        evaluation = measures.evaluation()
    except ValueError:
        raise ValueError(
            f"{arguments.data} has no row with a label of the model's classes "
            f"({', '.join(map(str, model.classes_[:5]))}): {'; '.join(notes)}"
        ) from None
    seconds = time.perf_counter() - begin
    if arguments.json:
        print(document(arguments, evaluation, notes, seconds))
    else:
        from csoftmax.cli import tables

        data.note("evaluate", notes)
        print(results.in_short(evaluation), "", tables.classes(evaluation), sep="\n")
        if mistakes := tables.mistakes(evaluation):
            print("", mistakes, sep="\n")
    if arguments.report:
        facts = {
            "Command": f"csoftmax evaluate {arguments.model} {arguments.data}",
            "Notes": "; ".join(notes) or "none",
            "Time": f"{seconds:.1f} s",
        }
        results.report(
            arguments,
            evaluation,
            title=f"{arguments.model} on {arguments.data}",
            facts=facts,
            weights=results.weights(model, inner, rows.image_shape),
            examples=shown(rows, np.concatenate(places)),
        )


def document(
    arguments: argparse.Namespace, evaluation: Evaluation, notes: list[str], seconds: float
) -> str:
    """Everything as JSON."""
    content = {
        "model": arguments.model,
        "data": arguments.data,
        "notes": notes,
        "seconds": seconds,
        "evaluation": evaluation.as_dict(),
    }
    return json.dumps(content, indent=2, allow_nan=False)


COMMAND = Command(
    "evaluate",
    "measure a model on rows whose labels are known",
    add_arguments,
    run,
    """\
examples:
  csoftmax evaluate flowers.safetensors checked.csv --target species
  csoftmax evaluate digits.safetensors mnist --report digits.html --open
  csoftmax evaluate flowers.safetensors checked.parquet --target species --json > figures.json
""",
)
