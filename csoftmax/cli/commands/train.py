"""`csoftmax train`: from a file of rows to a model, and how good it is on rows held out."""

from __future__ import annotations

import argparse
import json
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csoftmax.cli import arguments as readers
from csoftmax.cli import data, results
from csoftmax.cli.command import Command

if TYPE_CHECKING:
    from csoftmax.evaluation import Evaluation
    from csoftmax.tabular.problems import Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is learned from, how, and where the result goes."""
    data.add_file(parser, "data", data.FILES, metavar="DATA")
    _add_columns(parser.add_argument_group("what is learned from"))
    _add_fit(parser.add_argument_group("how it is learned"))
    group = parser.add_argument_group("what comes of it")
    for name, help in (
        ("--model", "write the model there; without it there is none left"),
        ("--report", "write a page of HTML there: how good the model is, what it learned"),
    ):
        readers.is_file(
            group.add_argument(name, type=Path, metavar="FILE", default=None, help=help)
        )
    group.add_argument("--open", action="store_true", help="show the report in the browser")
    group.add_argument("--json", action="store_true", help="print JSON in place of text")
    group.add_argument("--quiet", action="store_true", help="print nothing")
    data.add_reading(parser)


def _add_columns(group: Any) -> None:
    add = group.add_argument
    add("--target", metavar="COLUMN", help="the labels' column, of a table")
    columns = group.add_mutually_exclusive_group()
    columns.add_argument(
        "--features", nargs="+", metavar="COLUMN", help="the columns to learn from; without it all"
    )
    columns.add_argument(
        "--drop", nargs="+", default=[], metavar="COLUMN", help="columns not to learn from"
    )
    add(
        "--categorical",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns whose numbers or texts are categories, whatever they look like",
    )
    test = group.add_mutually_exclusive_group()
    test.add_argument(
        "--test-size",
        type=readers.part,
        default=0.2,
        metavar="X",
        help="part of the rows of each class that are held out, on which the model is measured",
    )
    readers.is_file(
        test.add_argument(
            "--test", metavar="FILE", help="rows to measure the model on; none is held out then"
        )
    )
    add(
        "--memory",
        type=readers.positive,
        default=2.0,
        metavar="GB",
        help="features up to this size are kept in memory, larger ones read anew for each pass",
    )


def _add_fit(group: Any) -> None:
    add = group.add_argument
    strength = group.add_mutually_exclusive_group()
    strength.add_argument(
        "--C",
        type=readers.positive,
        default=1.0,
        metavar="X",
        help="inverse strength of the penalty: small for few rows and many columns",
    )
    strength.add_argument(
        "--cv",
        type=readers.whole(2),
        nargs="?",
        const=5,
        metavar="K",
        help="choose C by cross-validation in K folds (5) of the rows that are not held out",
    )
    add(
        "--l1-ratio",
        type=readers.share,
        default=0.0,
        metavar="X",
        help="share of l1 in the penalty, which sets weights to 0",
    )
    add(
        "--class-weight",
        choices=("balanced",),
        help="balanced: rare classes count as much as frequent ones",
    )
    add("--max-iter", type=readers.whole(1), default=1000, metavar="N", help="most iterations")
    add("--seed", type=readers.whole(0), default=0, metavar="N", help="chooses rows held out")


def run(arguments: argparse.Namespace) -> None:
    """Look at the data, fit, measure, write."""
    from csoftmax import save_model
    from csoftmax.evaluation import Measures
    from csoftmax.tabular.model import TableModel

    quiet = arguments.quiet or arguments.json
    results.check(arguments, "scikit-learn")
    data.check_folder("--model", arguments.model)
    begin = time.perf_counter()
    with data.bar("look", " rows", show=not quiet) as move:
        problem, about = _problem(arguments, lambda n_rows: move(n_rows, ""))
    if not quiet:
        print(_in_words(about), flush=True)
    model = _fit(problem, arguments, show=not quiet)
    seconds = time.perf_counter() - begin
    about["fit"] = _about_fit(model, seconds)
    if not quiet:
        print(_fit_in_words(about["fit"]), flush=True)
    measures = Measures(problem.classes)
    for labels, X in problem.test():
        measures.add(labels, model.predict_proba(X))
    evaluation = measures.evaluation()
    whole = model
    if problem.preparation is not None:
        whole = TableModel(problem.preparation, model)
    if arguments.model:
        save_model(whole, arguments.model)
    if arguments.json:
        about |= {"evaluation": evaluation.as_dict()}
        about |= {name: str(v) for name in ("model", "report") if (v := getattr(arguments, name))}
        print(json.dumps(about, indent=2, allow_nan=False))
    elif not quiet:
        from csoftmax.cli import tables

        print(f"\non the rows held out:\n{results.in_short(evaluation)}")
        print(f"\n{tables.classes(evaluation)}")
        if arguments.model:
            print(f"\nmodel: {arguments.model}")
    if arguments.report:
        _report(arguments, problem, about, evaluation, whole, model)


def _problem(
    arguments: argparse.Namespace, read: Callable[[int], None]
) -> tuple[Problem, dict[str, Any]]:
    """What is learned and what it is measured on; `read` is told of each block of rows."""
    from csoftmax.tabular import problems

    if not data.is_table(arguments.data):
        for name in ("features", "drop", "categorical"):
            if getattr(arguments, name):
                raise ValueError(f"--{name} is for tables, and {arguments.data} is none")
        return problems.of_arrays(
            arguments.data, arguments.target, arguments.test, arguments.test_size, arguments.seed
        )
    table = data.table(arguments.data, arguments)
    table.check_target(arguments.target)
    test = None
    if arguments.test is not None:
        if not data.is_table(arguments.test):
            raise ValueError(f"--test is {arguments.test!r}: wanted a table, as {arguments.data}")
        test = data.table(arguments.test, arguments)
    table.on_rows = read
    try:
        return problems.of_table(
            table,
            arguments.target,
            features=arguments.features,
            drop=arguments.drop,
            categories=arguments.categorical,
            test=test,
            part=arguments.test_size,
            seed=arguments.seed,
        )
    finally:
        table.on_rows = None


def _fit(problem: Problem, arguments: argparse.Namespace, *, show: bool) -> Any:
    """The estimator, fitted to the rows of the training."""
    from csoftmax.tabular.fitting import GIB, fit

    with data.bar("fit", " iterations", show=show) as move:
        return fit(
            problem,
            C=arguments.C,
            folds=arguments.cv,
            l1_ratio=arguments.l1_ratio,
            class_weight=arguments.class_weight,
            max_iter=arguments.max_iter,
            seed=arguments.seed,
            most_bytes=arguments.memory * GIB,
            callback=lambda state: move(1, f"loss {state.loss:.4f}"),
        )


def _about_fit(model: Any, seconds: float) -> dict[str, Any]:
    """How the fit went."""
    found: dict[str, Any] = {"C": float(getattr(model, "C_", 0) or model.C), "seconds": seconds}
    if hasattr(model, "scores_"):
        scores = model.scores_.mean(axis=(0, 1))
        found["scores"] = {f"{C:.4g}": float(s) for C, s in zip(model.Cs_, scores, strict=True)}
        found["folds"] = len(model.scores_)
    else:
        found |= {"iterations": int(model.n_iter_[0]), "stop_reason": model.stop_reason_}
    found["zero_weights"] = int((model.coef_ == 0).sum())
    return found


_INDENT = 14  # of what stands right of a word
_SCALE = {True: ", standardised", False: ", sparse, as they are", None: ""}  # None: of a table


def _in_words(about: dict[str, Any]) -> str:
    """What the data are, and what becomes of each column."""
    classes = [f"{name} {count}" for name, count in about["classes"].items()]
    lines = {
        "classes": f"{len(classes)}, of {about['target']}: {', '.join(classes)}",
        "numbers": ", ".join(about.get("numbers", [])),
        "categories": ", ".join(
            f"{name} ({len(values)} values)" for name, values in about.get("categories", {}).items()
        ),
        "left out": "; ".join(f"{name}: {why}" for name, why in about.get("left_out", {}).items()),
        "missing": _missing(about),
        "features": str(about["features"]) + _SCALE[about.get("standardised")],
        "rows": f"{about['training_rows']} to learn from, {about['test_rows']} to measure on "
        f"({about['test']})",
    }
    if about["rows_without_label"]:
        lines["rows"] += f", {about['rows_without_label']} without a label left out"
    if about["test_rows_of_other_labels"]:
        lines["rows"] += (
            f", {about['test_rows_of_other_labels']} of the test left out, whose labels are none "
            "of these classes"
        )
    head = f"{about['data']}: {about['rows']} rows, {about['columns']} columns"
    return "\n".join(
        [
            head,
            *(
                textwrap.fill(
                    text,
                    88,
                    initial_indent=f"  {name:<{_INDENT - 2}}",
                    subsequent_indent=" " * _INDENT,
                    break_on_hyphens=False,
                    max_lines=4,
                )
                for name, text in lines.items()
                if text
            ),
        ]
    )


def _missing(about: dict[str, Any]) -> str:
    """What was missing, and what stands for it."""
    found = about.get("missing", {})
    numbers = [f"{name} {count}" for name, count in found.items() if name in about["numbers"]]
    categories = [f"{name} {count}" for name, count in found.items() if name in about["categories"]]
    parts = []
    if numbers:
        parts.append(f"{', '.join(numbers)}, filled with the mean")
    if categories:
        parts.append(f"{', '.join(categories)}, a category of their own")
    return "; ".join(parts)


def _fit_in_words(fit: dict[str, Any]) -> str:
    """How the fit went."""
    if "scores" in fit:
        best = max(fit["scores"].values())
        return (
            f"fit: C={fit['C']:.4g}, the best of {len(fit['scores'])} with accuracy {best:.3f} in "
            f"{fit['folds']} folds; {fit['seconds']:.1f} s with reading"
        )
    return (
        f"fit: C={fit['C']:g}, {fit['iterations']} iterations, {fit['seconds']:.1f} s with reading"
    )


def _report(
    arguments: argparse.Namespace,
    problem: Problem,
    about: dict[str, Any],
    evaluation: Evaluation,
    whole: Any,
    model: Any,
) -> None:
    """Write the page."""
    from csoftmax.tabular.rows import shown

    facts = {
        "Data": f"{about['data']}: {about['rows']} rows, {about['columns']} columns",
        "Learned from": f"{about['training_rows']} rows, measured on {about['test_rows']} "
        f"({about['test']})",
        "Fit": _fit_in_words(about["fit"]).removeprefix("fit: "),
    }
    for name in ("numbers", "categories"):
        if about.get(name):
            facts[name.capitalize()] = ", ".join(about[name])
    if about.get("left_out"):
        facts["Left out"] = "; ".join(f"{name}: {why}" for name, why in about["left_out"].items())
    if missing := _missing(about):
        facts["Missing values"] = missing
    results.report(
        arguments,
        evaluation,
        title=f"{about['target']} of {Path(about['data']).name}",
        facts=facts,
        weights=results.weights(whole, model, problem.image_shape),
        history=getattr(model, "history_", None),
        search=model if hasattr(model, "scores_") else None,
        examples=shown(problem.test_rows, np.flatnonzero(problem.test_codes >= 0)),
    )


COMMAND = Command(
    "train",
    "learn to tell classes from a file of rows; measure that on rows held out",
    add_arguments,
    run,
    """\
examples:
  csoftmax train flowers.csv --target species --model flowers.safetensors --report flowers.html
  csoftmax train adult.csv --target income --missing '?' --drop fnlwgt --cv --class-weight balanced
  csoftmax train clicks/ --target label --test clicks-test/ --model clicks.safetensors
  csoftmax train mnist --C 0.01 --model digits.safetensors --report digits.html --open

Columns of numbers are standardised, a missing one counts as the mean. Columns of text become a
feature for each value, and one for missing. What is left out of the model is said.
""",
)
