"""Train here, serve where NumPy is all there is: a model in a file that runs no code.

    python examples/serve_without_sklearn.py [FILE]

A classifier of scikit-learn's digits is fitted and saved. Then another process, in which neither
scikit-learn nor SciPy can be imported, loads the file, answers requests (lines of JSON), and says
no to those that do not fit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SERVER = """
import json, sys, time
start = time.perf_counter()
for name in ("sklearn", "scipy", "pandas"):
    sys.modules[name] = None  # not installed

from csoftmax import load_model

model = load_model(sys.argv[1])
print(f"server: {model!r}, ready in {time.perf_counter() - start:.2f} s", flush=True)
for line in sys.stdin:
    try:
        labels, probabilities = model.predict_top_k(json.loads(line), 2)
        answer = {"labels": labels.tolist(), "probabilities": probabilities.round(4).tolist()}
    except (TypeError, ValueError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""


def train(path: Path) -> list[list[float]]:
    """Fit a model and save it; return some rows that it has not seen."""
    from sklearn.datasets import load_digits

    from csoftmax import SoftmaxClassifier, save_model

    images, digits = load_digits(return_X_y=True)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    model = SoftmaxClassifier(C=0.01).fit(images[:1500], [words[digit] for digit in digits[:1500]])
    save_model(model, path)
    print(f"trained: {model}, {path.stat().st_size} bytes in {path.name}")
    print(f"estimator: {' '.join(model.predict(images[1500:1505]))}")
    return images[1500:1505].tolist()


def serve(path: Path, requests: list[object]) -> None:
    """Start a server, and show what it answers."""
    text = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [sys.executable, "-c", SERVER, path], input=text, capture_output=True, text=True, check=True
    )
    ready, *answers = done.stdout.splitlines()
    print(ready)
    for answer in map(json.loads, answers):
        if "error" in answer:
            print(f"refused: {answer['error'].splitlines()[0]}")
            continue
        best = [labels[0] for labels in answer["labels"]]
        print(f"server: {' '.join(best)}")
        print(f"        the first is {answer['labels'][0]} at {answer['probabilities'][0]}")


def main() -> None:
    """Train, save, serve."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(folder, "digits.safetensors"))
        rows = train(path)
        too_short = [rows[0][:63]]
        not_finite = [[float("nan"), *rows[0][1:]]]
        serve(path, [rows, too_short, not_finite])


if __name__ == "__main__":
    main()
