"""
Is the model any good? Confusion, ROC, calibration
==================================================

The accuracy is one number. Which classes are taken for which, how well a class is found at the
price of false alarms, and whether a probability of 0.9 is right nine times in ten: three pictures
say it. All of them from predictions of rows that the model has not seen.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import RocCurveDisplay, classification_report, log_loss, roc_auc_score
from sklearn.model_selection import cross_val_predict

from csoftmax import SoftmaxClassifier
from csoftmax.plot import CalibrationDisplay, ConfusionDisplay

# %%
# Predictions of unseen rows
# --------------------------
#
# Cross-validation gives one for every row: the digits are cut into five parts, and each part is
# predicted by a model of the four others. Three models, from a strong penalty to almost none.

X, y = load_digits(return_X_y=True)
probabilities = {}
for C in (0.01, 0.3, 100):
    model = SoftmaxClassifier(C=C, standardize=True)
    probabilities[C] = cross_val_predict(model, X, y, cv=5, method="predict_proba")
P = probabilities[0.3]
predicted = P.argmax(axis=1)

# %%
# By class
# --------
#
# *Precision*: of those that are called so, how many are. *Recall*: of those that are, how many are
# called so.

report = classification_report(y, predicted, output_dict=True)
pd.DataFrame(report).T.astype({"support": int}).drop("accuracy").round(3)

# %%
# Confusion
# ---------

fig, ax = plt.subplots(figsize=(6.8, 6), layout="constrained")
ConfusionDisplay.from_predictions(y, predicted, ax=ax)
plt.show()

# %%
# ROC
# ---
#
# For one class against all others: as the probability from which on a digit counts as an 8 goes
# down, more of the 8s are found, and more of the others are taken for one. The area under the curve
# is the share of pairs, an 8 and another, in which the 8 has the higher probability. The three
# digits that are hardest:

areas = roc_auc_score(np.eye(10)[y], P, average=None)
fig, ax = plt.subplots(figsize=(5.5, 4.6), layout="constrained")
for digit in np.argsort(areas)[:3]:
    RocCurveDisplay.from_predictions(y == digit, P[:, digit], name=f"digit {digit}", ax=ax)
ax.set(
    xscale="log", xlim=(4e-4, 1), xlabel="false alarms, of the others", ylabel="found, of the class"
)
ax.set_aspect("auto")
ax.legend(loc="lower right")
plt.show()

# %%
# Calibration
# -----------
#
# The rows are sorted by the probability of the class that was predicted. Where the points lie on
# the diagonal, a probability can be taken as it is. Below it the model is surer than it is right,
# above it less sure:

fig, axes = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained", sharey=True)
for ax, (C, p) in zip(axes, probabilities.items(), strict=True):
    CalibrationDisplay.from_predictions(y, p, ax=ax)
    accuracy, loss = np.mean(p.argmax(axis=1) == y), log_loss(y, p)
    ax.set_title(f"C = {C}: accuracy {accuracy:.3f}, log-loss {loss:.3f}", fontsize="medium")
    ax.label_outer()
plt.show()

# %%
# All three are right about as often. But one of them is hardly ever sure, and another nearly
# always, also when it is wrong. The log-loss, the mean of minus the logarithm of the label's
# probability, makes both pay for it. Where probabilities are used, for decisions with costs, say,
# choose C by the log-loss: :ref:`sphx_glr_howto_plot_choosing_c.py`.
