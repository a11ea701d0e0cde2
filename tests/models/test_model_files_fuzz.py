"""Damaged files of models: read, or refused by name with a ValueError or OSError.

`PYTHONPATH=../helpers python test_model_files_fuzz.py 20000 7` runs 20000 mutations from seed 7.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_files import MODEL_KEY, model_file, packed, unpacked

from csoftmax.models import files, load_model

MUTATIONS = 600
HANG = 60  # seconds for all of them, which take one or two

# What takes the place of a value somewhere in the JSON.
VALUES = (None, True, -1, 0, 2, 2**31, 2**64, 0.5, "", "F64", [], [1], {}, {"SGD": {}}, "\ud800")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, insert or repeat some bytes; in the header more often."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.choice((rng.randrange(len(out) or 1), rng.randrange(min(len(out), 60) or 1)))
        span = rng.choice((1, 1, 2, 8, rng.randrange(1, 300)))
        kind = rng.randrange(5)
        if kind == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + span]
        elif kind == 2:
            out[at:at] = rng.randbytes(span)
        elif kind == 3:
            out[at:at] = out[at : at + span]
        else:
            out[at : at + span] = rng.choice((b"\0", b"\xff", b"9", b"[", b'"')) * span
    return bytes(out)


def mutate_json(value: Any, rng: random.Random) -> Any:
    """Another value somewhere, an entry more, or one fewer."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        value = dict(value)
        key = rng.choice(list(value))
        kind = rng.randrange(8)
        if kind == 0:
            del value[key]
        elif kind == 1:
            value[rng.choice(("a", "coef_", "seen_.view.shift", "classes_"))] = value[key]
        else:
            value[key] = mutate_json(value[key], rng)
        return value
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_json(value[at], rng), *value[at + 1 :]]
    return rng.choice(VALUES)


def damaged(rng: random.Random) -> bytes:
    header, data = unpacked(model_file())
    kind = rng.randrange(4)
    if kind == 0:
        return mutate(model_file(), rng)
    if kind == 1:
        return packed(mutate_json(header, rng), data)
    if kind == 2:
        about = mutate_json(json.loads(header["__metadata__"][MODEL_KEY]), rng)
        header["__metadata__"][MODEL_KEY] = json.dumps(about)
        return packed(header, data)
    return packed(header, mutate(data, rng)[: len(data)].ljust(len(data), b"\0"))


def check_refusal(error: Exception, path: Path, data: bytes) -> None:
    """No subclass such as UnicodeDecodeError, which cannot name a file, and the file is named."""
    assert type(error) in (ValueError, OSError), data
    assert str(error).startswith(str(path)), (error, data)


def fuzz(folder: Path, n_mutations: int, seed: int) -> int:
    """Read damaged files, as with scikit-learn and as without; return how many were refused."""
    path, refused = folder / "model", 0
    X = np.ones((2, 4))
    for number in range(n_mutations):
        rng = random.Random(f"{seed} {number}")
        data = damaged(rng)
        path.write_bytes(data)
        try:
            model = load_model(path)
        except (ValueError, OSError) as error:
            refused += 1
            check_refusal(error, path, data)
            continue
        except Exception as error:
            error.add_note(f"mutation {number}: {data!r}")
            raise
        assert len(model.predict(X)) == 2
        if hasattr(model, "partial_fit") and set(model.classes_) == {"a", "bc", "d"}:
            with suppress(ValueError):  # of numbers that are none, in what it has seen
                model.partial_fit(X, ["a", "d"])
    return refused


@pytest.mark.parametrize("found", ["sklearn", None])
def test_damaged_files_are_read_or_refused(tmp_path, found, monkeypatch):
    if found:
        pytest.importorskip("sklearn")
    monkeypatch.setattr(files, "find_spec", lambda name: found)
    faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of coefficients that are huge
            refused = fuzz(tmp_path, MUTATIONS, seed=0)
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert MUTATIONS // 2 < refused < MUTATIONS


def main(n_mutations: int, seed: int) -> None:
    """Run for long, by hand."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        faulthandler.dump_traceback_later(20 * HANG, exit=True)
        print(fuzz(Path(folder), n_mutations, seed), "of", n_mutations, "refused")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
