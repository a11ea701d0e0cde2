"""The README's picture of fits and kernels: that it shows what the tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/lines.py"


@pytest.fixture(scope="module")
def lines():
    spec = importlib.util.spec_from_file_location("lines", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_read(lines):
    text = "text\n\n| a | b |\n|---|--:|\n| 1 | x y |\n| 2 |  |\n\nmore\n| c |\n|---|\n| > 3 |\n"
    assert lines.tables(text) == [[{"a": "1", "b": "x y"}, {"a": "2", "b": ""}], [{"c": "> 3"}]]


def test_what_a_solver_took_at_least(lines):
    assert lines.bound("0.0140") == (0.014, True)
    assert lines.bound("> 13.3") == (13.3, False)
    assert lines.bound("at 2e-05") is None


def test_the_committed_tables_have_what_it_draws(lines):
    fits, rows, classes = lines.fits(), lines.growth(), lines.softmax()
    assert [fit.name for fit in fits] == list(lines.SHOWN)
    assert all(0 < fit.ours < fit.theirs for fit in fits)
    assert [n for n, _ in rows["csoftmax"]] == [n for n, _ in rows["NumPy"]]
    assert set(classes) == {"csoftmax", "SciPy", "PyTorch"}
    assert all(len(points) >= 3 for points in [*rows.values(), *classes.values()])


def test_it_is_drawn(lines, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    monkeypatch.setattr(lines, "PICTURE", tmp_path / "lines.png")
    lines.main()
    assert (tmp_path / "lines.png").stat().st_size > 10_000
