"""What a version says of itself: changelog, citation, policy, threat model, metadata."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import csoftmax

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
POLICY = (ROOT / "docs" / "policy.md").read_text()
RELEASES = re.findall(
    r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
)


def cited(name: str) -> str:
    """A value at the top of CITATION.cff, which is YAML."""
    (value,) = re.findall(rf"^{name}: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    return value


# ---- versions and dates -------------------------------------------------------------------------


def test_changelog_citation_and_package_agree_on_the_version():
    version, date = RELEASES[0]
    assert version == csoftmax.__version__ == cited("version")
    assert date == cited("date-released")


def test_every_section_of_the_changelog_is_a_version_with_a_date_newest_first():
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if titles[0] == "Unreleased":
        del titles[0]
    assert titles == [f"{version} - {date}" for version, date in RELEASES]
    order = [
        (tuple(map(int, version.split("."))), datetime.date.fromisoformat(date))
        for version, date in RELEASES
    ]
    assert order == sorted(order, reverse=True)
    assert len({version for version, _ in order}) == len(order) >= 2


def test_the_changelog_has_the_headings_of_its_format():
    found = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(found) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_has_what_its_format_requires():
    assert cited("cff-version") == "1.2.0"
    text = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^message: .+$", text, re.MULTILINE)
    assert re.search(r"^title: .+$", text, re.MULTILINE)
    assert re.search(r"^authors:\n  - name: csoftmax developers$", text, re.MULTILINE)
    assert cited("license") == PROJECT["license"]
    assert cited("repository-code") == PROJECT["urls"]["Source"]
    assert cited("url") == PROJECT["urls"]["Documentation"]


# ---- metadata -----------------------------------------------------------------------------------


def test_the_classifiers_begin_with_the_oldest_python():
    found = re.findall(r":: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert f">={found[0]}" == PROJECT["requires-python"]
    assert found == [f"3.{minor}" for minor in range(11, 11 + len(found))]
    assert "Development Status :: 4 - Beta" in PROJECT["classifiers"]
    assert "Typing :: Typed" in PROJECT["classifiers"]


# ---- the policy ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "requirement"),
    [
        ("Python", "python" + PROJECT["requires-python"]),
        ("NumPy", PROJECT["dependencies"][0]),
        ("scikit-learn", PROJECT["optional-dependencies"]["sklearn"][0]),
        ("matplotlib", PROJECT["optional-dependencies"]["plot"][0]),
        ("PyTorch", PROJECT["optional-dependencies"]["torch"][0]),
        ("Dask", PROJECT["optional-dependencies"]["dask"][1]),
        ("pyarrow", PROJECT["optional-dependencies"]["parquet"][0]),
        ("Jinja2", PROJECT["optional-dependencies"]["cli"][0]),
    ],
)
def test_the_policy_names_the_oldest_versions(package, requirement):
    (oldest,) = re.findall(rf"^\| {package} \| (\S+) \|", POLICY, re.MULTILINE)
    assert requirement.endswith(f">={oldest}")


def promised() -> list[str]:
    """The modules whose `__all__` the policy names."""
    (sentence,) = re.findall(r"`__all__` of (`csoftmax\.boosting`.*?),? and of", POLICY, re.DOTALL)
    return [name.removeprefix("csoftmax.") for name in re.findall(r"`([\w.]+)`", sentence)]


@pytest.mark.parametrize("module", promised())
def test_a_promised_module_says_what_is_in_it(module):
    found = [*(ROOT / "csoftmax").glob(f"{module}.py"), ROOT / "csoftmax" / module / "__init__.py"]
    assert re.search(r"^__all__ = \[", found[0].read_text(), re.MULTILINE)


FLOATS = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_keep_their_dtype(dtype):
    Z, y = np.zeros((4, 3), dtype), np.array([0, 1, 2, 0])
    for found in (
        csoftmax.softmax(Z, axis=1),
        csoftmax.log_softmax(Z, axis=1),
        csoftmax.logsumexp(Z, axis=1),
        csoftmax.softmax_backward(Z, Z),
        csoftmax.cross_entropy(Z, y, reduction="none"),
        csoftmax.cross_entropy_with_grad(Z, y)[1],
        csoftmax.multiclass_hinge(Z, y, reduction="none"),
        csoftmax.multiclass_hinge_with_grad(Z, y)[1],
    ):
        assert found.dtype == dtype
    W = np.zeros((3, 2), dtype)
    for X in (Z, Z.astype(np.float64), Z.astype(np.float32), Z.astype(np.uint8)):
        for loss in (csoftmax.softmax_loss, csoftmax.svm_loss):
            value, dW, dbias = loss(W, X, y % 2, bias=np.zeros(2))
            assert type(value) is float
            assert dW.dtype == dbias.dtype == dtype
        assert csoftmax.linear_predict_proba(W, X).dtype == dtype
        assert csoftmax.linear_predict(W, X).dtype == np.int64
        labels, proba = csoftmax.linear_top_k(W, X, 1)
        assert (labels.dtype, proba.dtype) == (np.int64, dtype)


def test_half_precision_comes_back_as_such():
    Z = np.zeros((2, 3), np.float16)
    assert csoftmax.softmax(Z, axis=1).dtype == np.float16
    assert csoftmax.cross_entropy_with_grad(Z, [0, 1])[1].dtype == np.float16


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint64, np.bool_])
def test_integers_become_float64(dtype):
    Z = np.ones((2, 3), dtype)
    assert csoftmax.softmax(Z, axis=1).dtype == np.float64
    assert csoftmax.logsumexp(Z, axis=1).dtype == np.float64
    assert csoftmax.cross_entropy_with_grad(Z, [0, 1])[1].dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_small_integers_become_what_exp_makes_of_them(dtype):
    Z = np.ones((2, 3), dtype)
    assert csoftmax.softmax(Z, axis=1).dtype == csoftmax.log_softmax(Z, axis=1).dtype
    assert csoftmax.softmax(Z, axis=1).dtype == np.exp(Z).dtype


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (np.float32, np.float32),
        (np.uint8, np.float32),
        (np.bool_, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
    ],
)
def test_the_dtype_of_coefficients(dtype, wanted):
    pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
    X = np.array([[0, 1], [1, 0], [1, 1], [0, 0]], dtype)
    model = csoftmax.SoftmaxClassifier().fit(X, ["a", "b", "b", "a"])
    assert model.coef_.dtype == model.predict_proba(X).dtype == wanted
    assert model.predict(X).dtype == model.classes_.dtype


def test_a_reduced_loss_is_a_number_of_python():
    for Z in (np.zeros((4, 3), np.float32), np.zeros((0, 3))):
        y = np.zeros(len(Z), int)
        for reduction in ("mean", "sum"):
            assert type(csoftmax.cross_entropy(Z, y, reduction=reduction)) is float
            assert type(csoftmax.multiclass_hinge(Z, y, reduction=reduction)) is float


# ---- texts --------------------------------------------------------------------------------------

TEXTS = sorted(
    path
    for pattern in ("*.md", "csoftmax/**/*.py", "benchmarks/*", "docs/*.md", "examples/**/*.py")
    for path in ROOT.glob(pattern)
    if path.suffix in (".py", ".md")
)


def test_no_text_has_pip_look_for_a_release_that_there_is_not():
    # `pip install ".[cli]"` is that of a checkout
    found = [
        path.relative_to(ROOT).as_posix()
        for path in TEXTS
        if re.search(r"pip install [^`\n]*\bcsoftmax\b", path.read_text())
    ]
    assert len(TEXTS) > 200
    assert found == []


@pytest.mark.parametrize("name", ["SECURITY.md", "CHANGELOG.md", "docs/policy.md"])
def test_links_lead_to_files_and_headings(name):
    path = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", path.read_text())
    assert links
    for target, anchor in links:
        there = path.parent / target if target else path
        assert there.is_file(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_threat_model_names_tests_and_targets_that_there_are():
    text = (ROOT / "SECURITY.md").read_text()
    for name in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / name).is_file(), name
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([\w-]+)`", text):
        assert re.search(rf"\b{target}\b", makefile), target
    report = PROJECT["urls"]["Source"] + "/security/advisories/new"
    assert report in text
