"""
In PyTorch: a language model whose logits are never stored
==========================================================

The next word of Python's own code: the text is the standard library, cut into words and signs, and
the model sees four of them and says which is next of all that occur. With so many words the logits,
rows by words, would be what takes the most memory. ``LinearCrossEntropyLoss`` has the last layer
and the loss in one, and has no logits. ::

    python plot_language_model.py [STEPS]
"""

from __future__ import annotations

import math
import re
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from csoftmax.torch import LinearCrossEntropyLoss

# %%
# The text
# --------

WORDS, CONTEXT, WIDTH, BATCH = 100_000, 4, 64, 1024

torch.manual_seed(0)
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60

words: list[str] = []
for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
    words += re.findall(r"\w+|[^\w\s]|\n", path.read_text(encoding="utf-8", errors="replace"))
    if len(words) >= WORDS:
        break
words = words[:WORDS]
names = [name for name, _ in Counter(words).most_common()]
number = {name: k for k, name in enumerate(names)}
text = torch.tensor([number[word] for word in words])
rows = text.unfold(0, CONTEXT + 1, 1)  # each word, with those before it
train, test = rows[: -len(rows) // 10], rows[-len(rows) // 10 :]
print(f"{len(text)} words of the standard library, {len(names)} different ones")

# %%
# The model
# ---------
#
# The body is PyTorch's. The head takes what the body makes of the four words, and the word that
# follows, and returns the loss.

body = torch.nn.Sequential(
    torch.nn.Embedding(len(names), WIDTH),
    torch.nn.Flatten(),
    torch.nn.Linear(CONTEXT * WIDTH, WIDTH),
    torch.nn.Tanh(),
)
head = LinearCrossEntropyLoss(WIDTH, len(names), bias=True)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.01)


def test_loss() -> float:
    """The loss of words that were not trained on."""
    with torch.no_grad():
        return head(body(test[:, :-1]), test[:, -1]).item()


print(f"guessing: {math.exp(test_loss()):.0f} words to choose from")

# %%
# Training
# --------

losses = []
start = time.perf_counter()
for _ in range(steps):
    batch = train[torch.randint(len(train), (BATCH,))]
    loss = head(body(batch[:, :-1]), batch[:, -1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
seconds = (time.perf_counter() - start) / steps
print(f"after {steps} steps of {BATCH} words, {1e3 * seconds:.0f} ms each:")
print(f"trained: {math.exp(test_loss()):.0f} words to choose from")
print(f"the logits of the test would take {4e-6 * len(test) * len(names):.0f} MB: nobody has them")

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot([math.exp(loss) for loss in losses])
ax.set(xlabel="step", ylabel="words to choose from, exp(loss)", yscale="log")
ax.grid(alpha=0.3, which="both")
plt.show()

# %%
# The same number by PyTorch, with logits
# ---------------------------------------

with torch.no_grad():
    few = test[:500]
    logits = torch.nn.functional.linear(body(few[:, :-1]), head.linear.weight, head.linear.bias)
    theirs = torch.nn.functional.cross_entropy(logits, few[:, -1]).item()
    ours = head(body(few[:, :-1]), few[:, -1]).item()
print(f"loss of 500 words: {ours:.5f}, by PyTorch {theirs:.5f}")

# %%
# What it has learned
# -------------------
#
# A minute of training would make it better; this is what comes first.

for line in ("import os", "for i in range", "raise ValueError ("):
    seen = ["\n"] * CONTEXT + line.split()
    with torch.no_grad():
        hidden = body(torch.tensor([[number[word] for word in seen[-CONTEXT:]]]))
        best = head.linear(hidden)[0].topk(3).indices.tolist()
    print(f"{line} ... {', '.join(repr(names[k]) for k in best)}")

# %%
# For logits that there are anyway, ``csoftmax.torch.cross_entropy`` takes the place of PyTorch's:
# :doc:`/pytorch`.
