"""
A data frame with categories and missing values
===============================================

Tables have columns of numbers and of words, and holes. scikit-learn's pipelines prepare them, and
:class:`csoftmax.SoftmaxClassifier` is their last step, as any classifier. This page goes from a
table to coefficients with names.

The data are 344 penguins of three species, measured at Palmer Station, Antarctica (Horst, Hill and
Gorman, package ``palmerpenguins``, CC0).
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from palmerpenguins import load_penguins
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from csoftmax import SoftmaxClassifier, load_model, save_model
from csoftmax.plot import WeightsDisplay

table = load_penguins().drop(columns="year")
table.iloc[[0, 3, 152, 271, 276, 340]]

# %%
# What is missing:

table.isna().sum().to_frame("missing")

# %%
# The pipeline
# ------------
#
# Numbers: the median where one is missing, then mean 0 and standard deviation 1, so that the
# penalty means the same for grams and for millimetres. Words: a column for each, and one for
# "missing" as well, since that may tell something, too. Which columns are numbers is read from the
# table's types.

X, y = table.drop(columns="species"), table["species"]
words = X.select_dtypes(exclude="number").columns
numbers = X.columns.drop(words)
prepare = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    verbose_feature_names_out=False,
).set_output(transform="pandas")
pipeline = make_pipeline(prepare, SoftmaxClassifier(C=1))

X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
pipeline.fit(X_train, y_train)
print(f"accuracy on {len(y_test)} other birds: {pipeline.score(X_test, y_test):.3f}")
pipeline

# %%
# One split is a matter of luck. Ten of them, each a tenth of the birds, say more:

accuracies = cross_val_score(pipeline, X, y, cv=10)
print(f"accuracy: {accuracies.mean():.3f}, from {accuracies.min():.3f} to {accuracies.max():.3f}")

# %%
# Coefficients with names
# -----------------------
#
# ``set_output(transform="pandas")`` lets the names of columns through to the classifier, and they
# are in ``feature_names_in_``. A coefficient says by how much a feature raises the score of a
# class: a number that is one standard deviation higher, or a word that is there.

model = pipeline[-1]
coefficients = pd.DataFrame(model.coef_.T, index=model.feature_names_in_, columns=model.classes_)
coefficients.round(2)

# %%
# All three columns together count only by their differences. Adelie and Chinstrap are told apart by
# the length of the bill, Gentoo from both by its depth and the weight:

fig, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
WeightsDisplay.from_estimator(model, ax=axes)
plt.show()

# %%
# For a new bird
# --------------
#
# The pipeline takes the columns by name, holes and unknown words included:

bird = pd.DataFrame(
    {
        "island": ["Dream", "Elsewhere"],
        "bill_length_mm": [49.0, 38.0],
        "bill_depth_mm": [19.0, np.nan],
        "flipper_length_mm": [195.0, 180.0],
        "body_mass_g": [3700.0, 3400.0],
        "sex": ["male", None],
    }
)
pd.DataFrame(pipeline.predict_proba(bird), columns=model.classes_).round(3)

# %%
# Keep it
# -------
#
# :func:`csoftmax.save_model` writes the whole pipeline to a file in which nothing can run: means,
# words and coefficients. What :func:`csoftmax.load_model` makes of it takes the same tables, and
# needs neither scikit-learn nor pandas: a list of rows will do.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "penguins.safetensors")
    save_model(pipeline, path)
    served = load_model(path)
print(served.predict(bird.to_dict("records")))
print("as the pipeline:", np.allclose(served.predict_proba(X_test), pipeline.predict_proba(X_test)))

# %%
# How to judge such a model: :ref:`sphx_glr_howto_plot_evaluation.py`. How to choose C:
# :ref:`sphx_glr_howto_plot_choosing_c.py`. A server: :ref:`sphx_glr_howto_plot_serving.py`.
