"""Checkpoints that are refused, files that are none, and writes that fail."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from kept_fits import IRIS, PROBLEM, SPECIES, fit, objective, same, stopped

from csoftmax._native import dispatch
from csoftmax.solvers import checkpoint, curvature
from csoftmax.solvers.checkpoint import Keeper

pytestmark = pytest.mark.usefixtures("a_checkpoint_each_iteration")


# ---- what is refused ---------------------------------------------------------------------------


def written(tmp_path: Path, **options: Any) -> Path:
    path = tmp_path / "fit.npz"
    stopped(objective, path, 4, **options)
    return path


@pytest.mark.parametrize("options", [{}, {"l1": 1e-3}, {"descent": True}], ids=str)
def test_other_data(options: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, **options)
    X, y = IRIS.copy(), SPECIES.copy()
    X[77, 2] += 1e-9
    y[10] = 1
    others: list[dict[str, Any]] = [
        {"X": X},
        {"y": y},
        {"sample_weight": np.r_[2.0, np.ones(149)]},
        {"scale": np.r_[1.0, 1, 1, 1.5]},
    ]
    for other in others:
        with pytest.raises(ValueError, match=r"fit\.npz' was made from other data: with this X"):
            fit(objective(**other), path, **options)
    fit(objective(), path, **options)


def test_another_problem(tmp_path: Path) -> None:
    path = written(tmp_path)
    wanted = r"fit\.npz' is of another fit: C was 1\.0, and is 2\.0 now\. Wanted the same; or"
    with pytest.raises(ValueError, match=wanted):
        Keeper(path, {"C": 2.0}).saved()
    with pytest.raises(ValueError, match="classes was None, and is "):
        Keeper(path, PROBLEM | {"classes": ["a"] * 10000}).saved()
    assert Keeper(path, {"C": 1}).saved()


def test_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(checkpoint, "__version__", "99.0")
    with pytest.raises(ValueError, match=r"csoftmax was '.*', and is '99\.0' now"):
        Keeper(path, PROBLEM).saved()


def test_another_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    with pytest.raises(ValueError, match=r"its format is 1: wanted 2"):
        Keeper(path, PROBLEM).saved()


@pytest.mark.skipif(len(dispatch.available()) < 2, reason="needs two instruction sets")
def test_another_instruction_set(tmp_path: Path) -> None:
    path, here = written(tmp_path), dispatch.selected()
    other = next(each for each in dispatch.available() if each != here)
    dispatch.select(other)
    try:
        with pytest.raises(ValueError, match=rf"\(CSOFTMAX_ISA\) was '{here}', and is '{other}'"):
            fit(objective(), path)
    finally:
        dispatch.select(here)


def test_a_solver_that_is_another_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(ValueError, match=r"fit\.npz': steps\.first is None: wanted .* type float"):
        fit(objective(), path, newton=True)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"wants a folder that can be written to: '.*no'"):
        Keeper(tmp_path / "no" / "a", PROBLEM)
    with pytest.raises((IsADirectoryError, PermissionError)):
        Keeper(tmp_path, PROBLEM).saved()


# ---- files that are none, or no longer ---------------------------------------------------------


def refused(path: Path, **options: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(str(path))):
        fit(objective(), path, **options)


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    for content in (b"", b"text", pickle.dumps({"theta": 1}), b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        refused(path)
        assert path.read_bytes() == content
    np.savez(path, theta=np.zeros(3))
    refused(path)
    no_problem = '{"format": 1, "problem": 1, "values": {}}'
    for about in ("[]", "{}", '{"format": 1}', no_problem, "[" * 9999):
        np.savez(path, about=np.array(about.encode()))
        refused(path)


def test_truncated(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        refused(path)


@pytest.mark.parametrize("options", [{}, {"descent": True, "max_iter": 6}], ids=str)
def test_a_damaged_byte_is_found_or_harmless(options: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, **options)
    whole, right = path.read_bytes(), fit(objective(), None, **options)
    random = np.random.default_rng(0)
    found = 0
    for at in random.choice(len(whole), 300, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        message = ""
        try:
            assert same(fit(objective(), path, **options), right)
        except ValueError as error:
            message = str(error)
        assert not message or str(path) in message
        found += bool(message)
    assert found > 200


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


CASES: list[dict[str, Any]] = [{}, {"l1": 1e-3}, {"newton": True}, {"descent": True}]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("blocks", [False, True])
def test_entries_of_another_kind(
    options: dict[str, Any], blocks: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if blocks:
        monkeypatch.setattr(curvature, "EXACT", 0)
    path, ran = written(tmp_path, **options), tmp_path / "ran"
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays.pop("about").item())
    for name, array in arrays.items():
        evil = np.array(Evil(ran), dtype=object)
        for other in (array[None], array.astype(">f8"), array.astype("c16"), evil, None):
            changed = dict(arrays) if other is None else arrays | {name: other}
            if other is None:
                del changed[name]
            np.savez(path, about=json.dumps(about).encode(), **changed)
            refused(path, **options)
    for name, value in about["values"].items():
        for other in ([1], "1", None, 1.5 if type(value) is int else 1):
            values = about["values"] | {name: other}
            np.savez(path, about=json.dumps(about | {"values": values}).encode(), **arrays)
            refused(path, **options)
        if "random" in name and type(value) is int:
            values = about["values"] | {name: 1 << 200}
            np.savez(path, about=json.dumps(about | {"values": values}).encode(), **arrays)
            refused(path, **options)
        if name.endswith(".pos"):  # an index that NumPy does not check
            for number in (-1, 625):
                values = about["values"] | {name: number}
                np.savez(path, about=json.dumps(about | {"values": values}).encode(), **arrays)
                refused(path, **options)
    assert not ran.exists()


def test_no_memory_for_what_a_file_claims(tmp_path: Path) -> None:
    path = written(tmp_path)
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }"
    for count in (1 << 30, 1 << 60, -8):
        text = (head % count).ljust(117) + b"\n"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + bytes([118, 0]) + text + bytes(64))
        tracemalloc.start()
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1 << 24))
    refused(path)


# ---- writes that fail --------------------------------------------------------------------------


def full(*args: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("options", [{}, {"descent": True, "max_iter": 6}], ids=str)
def test_a_full_disk(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "fit.npz"
    whole = fit(objective(), None, **options)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"of iteration 1 could not be written .*none before it"):
            fit(objective(), path, **options)
    assert not any(tmp_path.iterdir())
    stopped(objective, path, 3, **options)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="still there") as raised:
            fit(objective(), path, **options)
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(path)
    assert "of iteration 3 could not be written (No space left on device)" in str(raised.value)
    assert "the last good one, of iteration 2, is still there" in str(raised.value)
    assert list(tmp_path.iterdir()) == [path]
    assert same(fit(objective(), path, **options), whole)


def test_an_interrupted_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    path = written(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(objective(), path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_reader_is_told_what_is_there(tmp_path: Path) -> None:
    with np.load(written(tmp_path), allow_pickle=False) as archive:
        about = json.loads(archive["about"].item())
        assert archive["steps.theta"].shape == (5, 3)
    assert about["problem"]["C"] == 1.0
    assert about["values"]["iteration"] == 3
