"""The choice of the instruction set at import, and what happens where it goes wrong."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest

import csoftmax
from csoftmax import _cpu
from csoftmax._native import dispatch

AVAILABLE = dispatch.available()
SELECTED = "from csoftmax._native import dispatch; print(dispatch.selected())"
X86_64 = platform.machine() in ("x86_64", "AMD64")
SANITIZED = "LD_PRELOAD" in os.environ


@pytest.fixture
def copied(tmp_path):
    """Return a copy of the installed package and the environment that imports it."""
    site = tmp_path / "site"
    shutil.copytree(Path(csoftmax.__file__).parent, site / "csoftmax")
    return site / "csoftmax", {"PYTHONPATH": str(site)}


def binaries(package, pattern="*"):
    return [path for path in package.glob(pattern) if path.suffix in (".so", ".pyd")]


def test_baseline_is_always_there_and_first():
    neon = platform.machine() in ("aarch64", "arm64")
    assert AVAILABLE[0] == _cpu.BASELINE == ("neon" if neon else "baseline")
    assert X86_64 or AVAILABLE == (_cpu.BASELINE,)


def test_the_fastest_is_the_default(run_python):
    assert run_python(SELECTED).stdout.split() == [AVAILABLE[-1]]
    assert run_python(SELECTED, CSOFTMAX_ISA="").stdout.split() == [AVAILABLE[-1]]


@pytest.mark.parametrize("variant", AVAILABLE)
def test_each_variant_loads_when_forced(run_python, variant):
    assert run_python(SELECTED, CSOFTMAX_ISA=variant).stdout.split() == [variant]


@pytest.mark.parametrize("variant", AVAILABLE)
def test_only_the_chosen_variant_is_loaded(run_python, variant):
    code = "import csoftmax, sys; print(*(m for m in sys.modules if 'csoftmax._kernels' in m))"
    suffix = "" if variant == _cpu.BASELINE else f"_{variant}"
    assert run_python(code, CSOFTMAX_ISA=variant).stdout.split() == [f"csoftmax._kernels{suffix}"]


@pytest.mark.parametrize("variant", ["sse9", "V3", " v3"])
def test_an_unknown_one_is_an_import_error_that_lists_the_others(run_python, variant):
    done = run_python("import csoftmax", check=False, CSOFTMAX_ISA=variant)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: instruction set {variant!r} (CSOFTMAX_ISA) is not available here: "
        f"wanted one of {', '.join(AVAILABLE)}"
    )


@pytest.mark.skipif(not X86_64, reason="one build elsewhere")
@pytest.mark.parametrize(
    ("level", "names"),
    [
        (0, ["baseline"]),
        (1, ["baseline"]),
        (2, ["baseline"]),
        (3, ["baseline", "v3"]),
        (4, ["baseline", "v3", "v4"]),
    ],
)
def test_a_variant_needs_its_level(monkeypatch, level, names):
    monkeypatch.setattr(_cpu, "level", lambda: level)
    assert dispatch.available() == tuple(names)
    before = dispatch.selected()
    for isa in {"v3", "v4"}.difference(names):
        with pytest.raises(ImportError) as refused:
            dispatch.select(isa)
        assert f"{isa!r}" in str(refused.value)
        assert str(refused.value).endswith(f" wanted one of {', '.join(names)}")
    assert dispatch.selected() == before


def test_a_broken_variant_is_an_import_error(run_python, copied):
    package, environment = copied
    name = "_kernels" if AVAILABLE[-1] == _cpu.BASELINE else f"_kernels_{AVAILABLE[-1]}"
    (broken,) = binaries(package, f"{name}.*")
    broken.write_bytes(b"an interrupted download")
    done = run_python("import csoftmax", check=False, **environment)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith(f"ImportError: csoftmax.{name} is there but does not load: ")
    assert message.endswith(f"there are: {', '.join(AVAILABLE[:-1]) or 'none'})")
    if len(AVAILABLE) > 1:
        done = run_python(SELECTED, CSOFTMAX_ISA="baseline", **environment)
        assert done.stdout.split() == ["baseline"]


@pytest.mark.skipif(len(AVAILABLE) == 1, reason="needs a second variant")
def test_a_variant_that_is_not_built_is_not_listed(run_python, copied):
    package, environment = copied
    (unbuilt,) = binaries(package, f"_kernels_{AVAILABLE[-1]}.*")
    unbuilt.unlink()
    done = run_python(f"{SELECTED}; print(*dispatch.available())", **environment)
    assert done.stdout.split() == [AVAILABLE[-2], *AVAILABLE[:-1]]


def test_a_source_tree_says_that_it_is_one(run_python, copied):
    package, environment = copied
    for path in binaries(package):
        path.unlink()
    done = run_python("import csoftmax", check=False, **environment)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError: csoftmax has no compiled modules here")
    assert "pip install ." in message


def test_the_kernels_in_use_are_those_of_the_variant_selected():
    before = dispatch.selected()
    for isa in AVAILABLE:
        dispatch.select(isa)
        assert dispatch.selected() == dispatch.kernels.ISA == isa
    dispatch.select(before)


def test_show_config(capsys):
    config = csoftmax.show_config(mode="dicts")
    assert capsys.readouterr().out == ""
    assert config["version"] == csoftmax.__version__
    assert config["instruction_set"] == dispatch.selected()
    assert config["available"] == list(AVAILABLE)
    assert config["openmp"] == dispatch.openmp()
    assert config["compiler"].split()[0] in ("gcc", "clang")
    assert config["n_threads"] >= 1
    assert csoftmax.show_config() is None
    text = capsys.readouterr().out
    assert text.startswith(f"csoftmax {csoftmax.__version__}\n")
    for value in (config["compiler"], *AVAILABLE, config["waiting"]):
        assert value in text
    with pytest.raises(ValueError, match=r"^mode is 'json': wanted 'stdout' or 'dicts'$"):
        csoftmax.show_config(mode="json")


# --- processors ---------------------------------------------------------------------------------

LEVELS = {  # as /proc/cpuinfo calls the features
    2: "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2",
    3: "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave",
    4: "avx512f avx512bw avx512cd avx512dq avx512vl",
}


@pytest.mark.skipif(not X86_64, reason="x86-64 levels")
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs Linux's /proc/cpuinfo")
def test_the_level_is_what_the_kernel_says():
    text = Path("/proc/cpuinfo").read_text()
    flags = set(next(ln for ln in text.splitlines() if ln.startswith("flags")).split())
    level = 1
    while level < 4 and flags.issuperset(LEVELS[level + 1].split()):
        level += 1
    assert _cpu.level() == level


PARITY = """
import numpy as np
from csoftmax import softmax, softmax_loss
from csoftmax._native import dispatch
from csoftmax.reference import softmax_loss as truth
rng = np.random.default_rng(0)
for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
    z = rng.normal(size=(37, 19)).astype(dtype)
    p = np.exp(z - z.max(1, keepdims=True))
    np.testing.assert_allclose(softmax(z, axis=1), p / p.sum(1, keepdims=True), tolerance)
    X, W = rng.normal(size=(50, 33)).astype(dtype), rng.normal(size=(33, 11)).astype(dtype)
    y = rng.integers(11, size=50)
    (loss, dW), (wanted, grad) = softmax_loss(W, X, y, 0.1), truth(W, X, y, 0.1)
    np.testing.assert_allclose(loss, wanted, tolerance)
    np.testing.assert_allclose(dW, grad, atol=tolerance)
print(dispatch.selected())
"""


@pytest.mark.skipif(not X86_64, reason="x86-64 levels")
@pytest.mark.skipif(SANITIZED, reason="the sanitizers do not run under qemu-user")
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="needs qemu-user")
@pytest.mark.parametrize(
    ("cpu", "variant"),
    [
        ("Nehalem", "baseline"),
        ("Haswell", "v3"),
        # One feature less, and the whole level does not count.
        ("Haswell,-fma", "baseline"),
        ("Haswell,-bmi2", "baseline"),
    ],
)
def test_an_emulated_processor_gets_what_it_can_run(run_python, cpu, variant):
    # NumPy's OpenBLAS mistakes the emulated processor for a newer one if it is left to guess.
    done = run_python(PARITY, under=("qemu-x86_64", "-cpu", cpu), OPENBLAS_CORETYPE="Nehalem")
    assert done.stdout.split() == [variant]
