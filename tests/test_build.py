"""What is in the installed package, and what is not."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import csoftmax

ROOT = Path(__file__).parents[1]
PACKAGE = Path(csoftmax.__file__).parent
X86_64 = platform.machine() in ("x86_64", "AMD64")
AARCH64 = platform.machine() == "aarch64"
MODULES = ["_cpu", "_kernels", *(["_kernels_v3", "_kernels_v4"] if X86_64 else [])]


@pytest.fixture(scope="module")
def distribution():
    return importlib.metadata.distribution("csoftmax")


def test_the_installed_package_is_tested_not_the_source_tree():
    assert PACKAGE.parent != ROOT


def test_the_version_stands_in_one_place(distribution):
    assert distribution.version == csoftmax.__version__
    assert csoftmax.__version__ not in (ROOT / "pyproject.toml").read_text()


def test_one_wheel_for_all_versions_of_python(distribution):
    tags = re.findall(r"^Tag: (\S+)$", distribution.read_text("WHEEL"), re.MULTILINE)
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    assert all(tag.startswith("cp311-abi3-") != bool(free_threaded) for tag in tags)
    assert tags
    assert "Root-Is-Purelib: false" in distribution.read_text("WHEEL")


def test_numpy_is_the_only_dependency(distribution):
    required = [r for r in distribution.requires if "extra ==" not in r]
    assert [re.match(r"[\w-]+", r).group() for r in required] == ["numpy"]
    extras = {"sklearn", "plot", "cli", "all", "test", "dev"}
    assert extras <= set(distribution.metadata.get_all("Provides-Extra"))


def test_the_licence(distribution):
    assert distribution.metadata["License-Expression"] == "BSD-3-Clause"
    assert any(f.name == "LICENSE" for f in distribution.files)


def test_its_addresses(distribution):
    pairs = distribution.metadata.get_all("Project-URL")
    assert dict(pair.split(", ") for pair in pairs) == {
        "Documentation": "https://csoftmax.readthedocs.io",
        "Source": "https://github.com/csoftmax/csoftmax",
        "Changelog": "https://github.com/csoftmax/csoftmax/blob/main/CHANGELOG.md",
        "Issues": "https://github.com/csoftmax/csoftmax/issues",
    }


def test_the_command(distribution):
    (script,) = distribution.entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("csoftmax", "csoftmax.cli:main")


def test_contents():
    found = {
        path.name.split(".")[0] for path in PACKAGE.iterdir() if path.suffix in (".so", ".pyd")
    }
    assert found == set(MODULES)
    assert (PACKAGE / "py.typed").exists()
    assert not [p for p in PACKAGE.rglob("*") if p.suffix in (".c", ".h", ".pyx", ".o")]
    assert not list(PACKAGE.rglob("test_*"))


def test_importing_needs_and_loads_numpy_alone(run_python):
    optional = ["scipy", "sklearn", "matplotlib", "tqdm", "torch", "pandas", "pytest"]
    run_python(
        f"import sys; sys.modules.update(dict.fromkeys({optional}))\n"
        "import csoftmax, csoftmax.reference, csoftmax.cs231n\n"
        "csoftmax.show_config()"
    )


# --- how it was compiled ------------------------------------------------------------------------


def strings(tree: ast.AST, without: str) -> list[str]:
    """All strings in a module's source but those of one assignment and the docstrings."""
    tree.body = [
        statement
        for statement in tree.body
        if not (isinstance(statement, ast.Assign) and statement.targets[0].id == without)
    ]
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_flag_that_gives_wrong_results_or_needs_this_processor():
    tree = ast.parse((ROOT / "setup.py").read_text())
    (forbidden,) = (
        ast.literal_eval(s.value)
        for s in tree.body
        if isinstance(s, ast.Assign) and s.targets[0].id == "FORBIDDEN"
    )
    assert {"-ffast-math", "-Ofast", "-ffinite-math-only", "-fassociative-math"} <= set(forbidden)
    words = {word for text in strings(tree, "FORBIDDEN") for word in text.split()}
    assert "-O3" in words
    assert not words.intersection(forbidden)
    assert not {"-march=native", "-mcpu=native", "-mtune=native"}.intersection(words)


def instructions(name: str) -> str:
    (path,) = (p for p in PACKAGE.glob(f"{name}.*") if p.suffix == ".so")
    command = ["objdump", "--disassemble", "--no-show-raw-insn", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


AVX = r":\s+v(?!err|erw|mcall|mmcall)[a-z]\w+\s"
AVX512 = r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[1-7]\b"


needs_objdump = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("objdump"), reason="needs GNU's objdump"
)


@pytest.mark.skipif(not X86_64, reason="one build elsewhere")
@needs_objdump
@pytest.mark.parametrize(
    ("name", "has", "has_not"),
    [
        ("_cpu", [], [AVX, AVX512]),
        ("_kernels", [r"\smulps\s", r"\smulpd\s"], [AVX, AVX512]),
        ("_kernels_v3", [AVX, r"\svfn?m(add|sub)\w+\s.*%ymm"], [AVX512]),
        ("_kernels_v4", [AVX, r"\svfn?m(add|sub)\w+\s.*%zmm"], []),
    ],
)
def test_each_variant_has_the_instructions_of_its_level(name, has, has_not):
    text = instructions(name)
    assert "xmm" in text or name == "_cpu"
    for pattern in has:
        assert re.search(pattern, text), pattern
    for pattern in has_not:
        found = re.search(f".*{pattern}.*", text)
        assert not found, found.group()


@pytest.mark.skipif(not AARCH64, reason="aarch64's vectors")
@needs_objdump
def test_neon_is_what_the_loops_are_made_of():
    text = instructions("_kernels")

    def count(pattern: str) -> int:
        return len(re.findall(rf"\s{pattern}", text))

    assert count(r"fmla\s+v\d+\.4s") > 1000
    assert count(r"fmla\s+v\d+\.2d") > 1000
    # What is left of rows and columns, and sums of a few numbers (as of x86-64's baseline).
    arithmetic = "f(mul|add|sub|n?madd|n?msub|mla|mls)"
    assert count(rf"{arithmetic}\s+[sd]\d") < 0.2 * count(rf"{arithmetic}\s+v\d")
    # Bytes to reals, and floats to doubles: gcc 12 by itself would take them one by one.
    assert count(r"(uxtl|ushll)\s+v\d+\.4s") > 100
    assert count(r"fcvtl\s+v\d+\.2d") > 50


@needs_objdump
@pytest.mark.parametrize("name", MODULES)
def test_the_c_library_is_all_that_is_linked(name):
    """No OpenMP runtime, which could clash with another's, but in a build that asks for it; and no
    folder of the machine that built it is searched."""
    (path,) = PACKAGE.glob(f"{name}.*so")
    output = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True)
    needed = {re.sub(r"[-.].*", "", n) for n in re.findall(r"NEEDED\s+(\S+)", output.stdout)}
    runtimes = {"libgomp", "libomp"} if csoftmax.show_config("dicts")["openmp"] else set()
    assert needed - {"ld"} <= {"libc", "libm", "libpthread"} | runtimes
    assert not re.search(r"R(UN)?PATH", output.stdout)


@pytest.mark.parametrize("name", ["_cpu", "_kernels"])
def test_the_stub_tells_what_the_compiled_module_has(name):
    module = importlib.import_module(f"csoftmax.{name}")
    stub = ast.parse((PACKAGE / f"{name}.pyi").read_text())
    stubbed = {
        s.name: [a.arg for a in s.args.args]
        for s in stub.body
        if isinstance(s, ast.FunctionDef) and not s.name.startswith("_")
    }
    constants = {s.target.id for s in stub.body if isinstance(s, ast.AnnAssign)}
    public = {n: getattr(module, n) for n in dir(module) if not n.startswith("_")}
    functions = {n: f for n, f in public.items() if callable(f)}
    assert constants == set(public) - set(functions)
    assert stubbed == {n: list(inspect.signature(f).parameters) for n, f in functions.items()}
