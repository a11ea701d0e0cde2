"""The scripts of examples/ run, and print what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def numbers(pattern, text):
    return [float(x) for x in re.search(pattern, text).groups()]


def test_all_are_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "boosting.py",
        "dask_cluster.py",
        "language_model_head.py",
        "text.py",
        "images.py",
        "bigger_than_memory.py",
        "many_models.py",
        "soft_labels.py",
        "serve_without_sklearn.py",
        "two_layer_net.py",
    }


ACCURACY = r"accuracy: ([\d.]+)\D+([\d.]+) on"


def test_images(run_python):
    out = run_python(EXAMPLES / "images.py").stdout
    assert out.startswith("digits: 1437 images of (8, 8), uint8")
    assert min(numbers(ACCURACY, out)) > 0.85


@pytest.mark.parametrize(("folder", "least"), [("mnist", 0.92), ("cifar-10-batches-bin", 0.39)])
def test_real_images(run_python, data_dir, folder, least):
    out = run_python(EXAMPLES / "images.py", data_dir / folder).stdout
    assert min(numbers(ACCURACY, out)) > least


def test_bigger_than_memory(run_python):
    out = run_python(EXAMPLES / "bigger_than_memory.py").stdout
    accuracies = [float(x) for x in re.findall(r"accuracy ([\d.]+), \d+ passes", out)]
    assert len(accuracies) >= 2
    assert max(accuracies) - min(accuracies) < 0.002
    assert min(accuracies) > 0.9


def test_many_models(run_python):
    out = run_python(EXAMPLES / "many_models.py").stdout
    assert len(re.findall(r"Models\(100 (?:softmax|hinge) models, 600 steps, ", out)) == 2
    assert len(re.findall(r"models, 7 to 600 steps, ", out)) == 2
    steps = [int(x) for x in re.findall(r"(\d+) steps in all", out)]
    assert steps[0] == steps[2] == 60_000
    assert max(steps[1::2]) < 6000
    assert min(float(x) for x in re.findall(r"never seen: ([\d.]+)", out)) > 0.9


def test_soft_labels(run_python):
    out = run_python(EXAMPLES / "soft_labels.py").stdout
    losses = [float(x) for x in re.findall(r"log loss of new opinions ([\d.]+)", out)]
    assert len(losses) == 4
    assert losses[1] < losses[0]
    assert losses[3] < losses[2]


def test_serve_without_sklearn(run_python):
    out = run_python(EXAMPLES / "serve_without_sklearn.py").stdout
    estimator, server = (re.search(rf"^{who}: (\w+(?: \w+){{4}})$", out, re.M)[1]
                         for who in ("estimator", "server"))  # fmt: skip
    assert estimator == server
    assert "server: LinearModel(10 classes, 64 features), ready in" in out
    assert "refused: X has 63 features, but LinearModel is expecting 64 features as input" in out
    assert "refused: Input X contains NaN." in out


def test_two_layer_net(run_python):
    out = run_python(EXAMPLES / "two_layer_net.py").stdout
    errors = re.findall(r"^  (\w+) .* relative error (\S+)$", out, re.M)
    assert [name for name, _ in errors] == ["dS", "dW2", "db2", "dH", "dA", "dW1", "db1"]
    assert max(float(error) for _, error in errors) < 1e-7
    assert numbers(r"best validation accuracy: ([\d.]+)", out)[0] > 0.93


def test_boosting(run_python):
    pytest.importorskip("xgboost")
    pytest.importorskip("lightgbm")
    out = run_python(EXAMPLES / "boosting.py").stdout
    differences = numbers(r"XGBoost: probabilities differ.* by (\S+)", out)
    differences += numbers(r"LightGBM: probabilities differ.* by (\S+)", out)
    assert max(differences) < 1e-3
    losses = [float(x) for x in re.findall(r"log loss of the votes ([\d.]+)", out)]
    assert len(losses) == 5
    assert max(losses[1], losses[4]) < losses[0]  # all votes, and the most frequent


def test_dask_cluster(run_python):
    pytest.importorskip("dask")
    pytest.importorskip("distributed")
    out = run_python(EXAMPLES / "dask_cluster.py", 20_000).stdout
    assert "a worker is dead" in out
    assert "same coefficients to the last bit: True" in out
    assert 0.5 < numbers(r"accuracy: ([\d.]+)", out)[0] < 0.9


def test_language_model_head(run_python):
    pytest.importorskip("torch")
    out = run_python(EXAMPLES / "language_model_head.py", 20).stdout
    guessing, trained = (float(x) for x in re.findall(r": (\d+) words to choose from", out))
    assert trained < guessing / 4
    ours, theirs = numbers(r"loss of 500 words: ([\d.]+), by PyTorch ([\d.]+)", out)
    assert abs(ours - theirs) < 1e-4 * theirs


def test_text(run_python, tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        lines = []
        for _ in range(100):
            label = rng.integers(3)
            words = {label + 1, *rng.integers(4, 20, 5)}  # one word of its own, and five of all
            lines.append(f"{label + 1} " + " ".join(f"{word}:1" for word in sorted(words)))
        (tmp_path / f"tiny.{part}.svm").write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.vocab.txt").write_text("\n".join(f"word{i}" for i in range(1, 20)))
    out = run_python(EXAMPLES / "text.py", "tiny.train.svm").stdout
    assert numbers(ACCURACY, out) == [1.0, 1.0]
    for label in (1, 2, 3):
        assert re.search(rf"^  {label} +word{label},", out, re.M)


def test_real_text(run_python, data_dir):
    out = run_python(EXAMPLES / "text.py", CSOFTMAX_DATA=str(data_dir)).stdout
    assert out.startswith("20news-bydate: 11314 texts")
    assert numbers(ACCURACY, out)[1] > 0.84
    assert "rec.sport.hockey" in out
    assert "nhl" in out


def test_text_without_data(run_python, tmp_path):
    done = run_python(EXAMPLES / "text.py", check=False, CSOFTMAX_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "no 20news-bydate.train.svm or reuters-single.train.svm in" in done.stderr
    assert "Traceback" not in done.stderr
