"""The pages of examples/ run as scripts, without a warning, and print what they promise."""

from __future__ import annotations

import os
import re
import runpy
import sys
import timeit
from pathlib import Path

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot")

EXAMPLES = Path(__file__).parents[1] / "examples"
TUTORIAL, HOWTO = EXAMPLES / "tutorial", EXAMPLES / "howto"


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a page as the site does, in this process, and return what it prints.

    Its imports, which are most of a small page's time, are here already. Figures are drawn, and
    shown nowhere; warnings are errors, as in all tests.
    """

    def output(page, *arguments, **environment):
        for name in [name for name in os.environ if name.startswith("CSOFTMAX_")]:
            monkeypatch.delenv(name)
        for name, value in ({"DISPLAY": ""} | environment).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", [str(page), *map(str, arguments)])
        monkeypatch.chdir(tmp_path)
        with plt.rc_context({"backend": "agg"}):
            runpy.run_path(str(page), run_name="__main__")
            plt.close("all")
        out, err = capfd.readouterr()
        assert not err
        return out

    return output


@pytest.fixture
def run_alone(run_python):
    """Run a page as a script, in a process of its own."""

    def output(page, *arguments):
        more = {"MPLBACKEND": "agg", "DISPLAY": "", "PYTHONWARNINGS": "error"}
        done = run_python(page, *arguments, **more)
        assert not done.stderr
        return done.stdout

    return output


def number(pattern, text):
    (found,) = numbers(pattern, text)
    return found


def numbers(pattern, text):
    return [float(x) for x in re.search(pattern, text).groups()]


def all_numbers(pattern, text):
    return [float(x) for x in re.findall(pattern, text, re.M)]


def test_all_are_tested():
    tests = Path(__file__).read_text()
    for folder in (TUTORIAL, HOWTO):
        assert (folder / "README.txt").exists()
        for page in folder.glob("*.py"):
            assert f'"{page.name}"' in tests, page
            # the site's titles, and that it is one of the pages whose output is shown
            lines = page.read_text().splitlines()
            assert page.name.startswith("plot_")
            assert set(lines[2]) == {"="}, page
            assert len(lines[2]) == len(lines[1]), page
            for k, line in enumerate(lines):
                if re.fullmatch("# -{3,}", line):
                    assert len(line) == len(lines[k - 1]), f"{page}:{k + 1}"


# --- The tutorial ---------------------------------------------------------------------------------


def test_softmax(run_alone):
    out = run_alone(TUTORIAL / "plot_1_softmax.py")
    assert "probabilities: [0.245 0.665 0.09 ]" in out
    assert number(r"\nlog\(p\): (\S+)", out) == 0
    assert number(r"cross_entropy: (\S+)", out) == number(r"log\(1 \+ exp\(-40\)\): (\S+)", out)
    assert number(r"from differences: (\S+)", out) < 1e-9


def test_loss(run, monkeypatch):
    # times are drawn, and not looked at: one call of each stage is enough
    monkeypatch.setattr(timeit, "repeat", lambda stage, **how: [timeit.timeit(stage, number=1)])
    out = run(TUTORIAL / "plot_2_loss.py")
    assert "as (P - Y) / N: True" in out
    assert "for i in range(len(X)):" in out
    assert '"""' not in out
    differences = all_numbers(r"gradient differs by (\S+)", out)
    assert len(differences) == 5
    assert max(differences) < 1e-13
    errors = all_numbers(r"relative error: (\S+)", out)
    assert len(errors) == 6
    assert max(errors) < 1e-6


def test_two_classes(run):
    out = run(TUTORIAL / "plot_3_two_classes.py")
    assert number(r"p_1 is the logistic function: (\S+)", out) < 1e-15
    assert number(r"the difference of two: (\S+)", out) < 1e-4
    assert number(r"the columns are opposite: (\S+)", out) < 1e-4


def test_penalty(run):
    out = run(TUTORIAL / "plot_4_penalty.py")
    losses = all_numbers(r"^weights .*: loss (\S+)", out)
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    posterior, loss = numbers(r"posterior: (\S+)\nN x loss:  (\S+)", out)
    assert abs(posterior - loss) < 1e-9 * abs(loss)
    squares, absolutes = all_numbers(r"(\d+) weights are 0", out)
    assert squares == 0
    assert absolutes > 10


def test_two_layers(run):
    out = run(TUTORIAL / "plot_5_two_layers.py")
    errors = re.findall(r"^  (\w+) .* relative error (\S+)$", out, re.M)
    assert [name for name, _ in errors] == ["dS", "dW2", "db2", "dH", "dA", "dW1", "db1"]
    assert max(float(error) for _, error in errors) < 1e-7
    assert number(r"best validation accuracy: ([\d.]+)", out) > 0.93


# --- How to ---------------------------------------------------------------------------------------


def test_data_frame(run):
    pytest.importorskip("palmerpenguins")
    out = run(HOWTO / "plot_data_frame.py")
    assert number(r"accuracy on \d+ other birds: (\S+)", out) > 0.95
    assert number(r"accuracy: (\S+),", out) > 0.97
    assert "['Chinstrap' 'Adelie']\nas the pipeline: True" in out


def test_evaluation(run):
    run(HOWTO / "plot_evaluation.py")


def test_serving(run):
    out = run(HOWTO / "plot_serving.py")
    estimator, server = (re.search(rf"^{who}: (\w+(?: \w+){{4}})$", out, re.M)[1]
                         for who in ("estimator", "server"))  # fmt: skip
    assert estimator == server
    assert "SoftmaxClassifier(C=0.01) True" in out
    assert "server: LinearModel(10 classes, 64 features), ready in" in out
    assert "refused: X has 63 features, but LinearModel is expecting 64 features as input" in out
    assert "refused: Input X contains NaN." in out


ACCURACY = r"accuracy: ([\d.]+)\D+([\d.]+) on"


def test_images(run):
    out = run(HOWTO / "plot_images.py")
    assert out.startswith("digits: 1437 images of (8, 8), uint8")
    assert min(numbers(ACCURACY, out)) > 0.85


@pytest.mark.parametrize(("data", "least"), [("mnist", 0.86), ("cifar-10-batches-bin", 0.34)])
def test_real_images(run, data_dir, tmp_path, data, least):
    cut = tmp_path / data
    cut.mkdir()
    for file in (data_dir / data).iterdir():
        whole = file.read_bytes()
        if data == "mnist":  # header: kind, sizes; 5000 images of 784 bytes, or labels
            header, size = (16, 784) if "images" in file.name else (8, 1)
            whole = whole[:4] + (5000).to_bytes(4, "big") + whole[8 : header + 5000 * size]
        else:  # a label and 3072 bytes
            whole = whole[: 1000 * 3073]
        (cut / file.name).write_bytes(whole)
    out = run(HOWTO / "plot_images.py", cut)
    assert re.match(r"(?:MNIST|CIFAR-10): 5000 images of \(\d\d, \d\d", out)
    assert min(numbers(ACCURACY, out)) > least


def test_text(run):
    out = run(HOWTO / "plot_text.py")
    assert out.startswith("docstrings: ")
    assert numbers(ACCURACY, out)[1] > 0.7
    assert re.search(r"^  email +.*header", out, re.M)


def test_text_from_a_file(run, tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        lines = []
        for _ in range(100):
            label = rng.integers(4)
            words = {label + 1, *rng.integers(5, 20, 5)}  # one word of its own, and five of all
            lines.append(f"{label + 1} " + " ".join(f"{word}:1" for word in sorted(words)))
        (tmp_path / f"tiny.{part}.svm").write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.vocab.txt").write_text("\n".join(f"word{i}" for i in range(1, 20)))
    out = run(HOWTO / "plot_text.py", "tiny.train.svm")
    assert numbers(ACCURACY, out) == [1.0, 1.0]
    for label in (1, 2, 3, 4):
        assert re.search(rf"^  {label} +word{label},", out, re.M)


def test_text_without_a_test_file(run, tmp_path):
    (tmp_path / "tiny.train.svm").write_text("1 1:1\n2 2:1\n")
    with pytest.raises(SystemExit, match=r"tiny\.train\.svm has no test file beside it"):
        run(HOWTO / "plot_text.py", "tiny.train.svm")


def test_real_text(run, data_dir):
    out = run(HOWTO / "plot_text.py", CSOFTMAX_DATA=str(data_dir))
    assert out.startswith("20news-bydate: 11314 texts")
    assert numbers(ACCURACY, out)[1] > 0.84
    assert "rec.sport.hockey" in out
    assert "nhl" in out


def test_soft_labels(run):
    out = run(HOWTO / "plot_soft_labels.py")
    losses = all_numbers(r"log loss of new opinions ([\d.]+)", out)
    assert len(losses) == 4
    assert losses[1] < losses[0]
    assert losses[3] < losses[2]


def test_bigger_than_memory(run):
    out = run(HOWTO / "plot_bigger_than_memory.py")
    accuracies = all_numbers(r"accuracy ([\d.]+), \d+ passes", out)
    assert len(accuracies) >= 2
    assert max(accuracies) - min(accuracies) < 0.002
    assert min(accuracies) > 0.9


def test_dask(run):
    pytest.importorskip("dask")
    pytest.importorskip("distributed")
    out = run(HOWTO / "plot_dask.py", 20_000)
    assert "a worker is dead" in out
    assert "same coefficients to the last bit: True" in out
    assert 0.5 < number(r"accuracy: ([\d.]+)", out) < 0.9


def test_language_model(run):
    pytest.importorskip("torch")
    out = run(HOWTO / "plot_language_model.py", 20)
    guessing, trained = all_numbers(r": (\d+) words to choose from", out)
    assert trained < guessing / 4
    ours, theirs = numbers(r"loss of 500 words: ([\d.]+), by PyTorch ([\d.]+)", out)
    assert abs(ours - theirs) < 1e-4 * theirs


def test_boosting(run):
    pytest.importorskip("xgboost")
    pytest.importorskip("lightgbm")
    out = run(HOWTO / "plot_boosting.py")
    differences = all_numbers(r"probabilities differ from those of its own objective by (\S+)", out)
    assert len(differences) == 2
    assert max(differences) < 1e-3
    losses = all_numbers(r"log loss of the votes ([\d.]+)", out)
    assert len(losses) == 5
    assert max(losses[1], losses[4]) < losses[0]  # all votes, and the most frequent


def test_many_models(run):
    out = run(HOWTO / "plot_many_models.py")
    assert len(re.findall(r"Models\(100 (?:softmax|hinge) models, 600 steps, ", out)) == 2
    assert len(re.findall(r"models, 7 to 600 steps, ", out)) == 2
    steps = [int(x) for x in re.findall(r"(\d+) steps in all", out)]
    assert steps[0] == steps[2] == 60_000
    assert max(steps[1::2]) < 6000
    assert min(all_numbers(r"never seen: ([\d.]+)", out)) > 0.9


def test_choosing_c(run):
    out = run(HOWTO / "plot_choosing_c.py")
    assert len(all_numbers(r"log-loss (\S+)", out)) == 2
    best, simplest = all_numbers(r"^(?:best|simplest): +C = (\S+), 0\.", out)
    assert simplest <= best


def test_reproducible(run):
    out = run(HOWTO / "plot_reproducible.py")
    assert len(set(re.findall(r"threads: (.*)", out))) == 1
    first, second, third = re.findall(r"random_state=\d: (\w+)", out)
    assert first == second != third
    assert len(set(re.findall(r"default solver: +(\w+)", out))) == 1


def test_threads(run):
    out = run(HOWTO / "plot_threads.py")
    assert "'OMP_NUM_THREADS': '3'}: 3\n" in out
    assert "'CSOFTMAX_NUM_THREADS': '1'}: 1\n" in out
