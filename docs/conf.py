"""How Sphinx makes the site: `make docs`, which treats warnings as errors.

Nothing is fetched: links into the documentation of NumPy and others are made where
CSOFTMAX_DOCS_ONLINE is set, as it is for the published site.
"""

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import csoftmax

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# A package below furo has all loggers print INFO. Distributed sets its own when it is imported; a
# worker that dies, as in a page of the gallery, is no news.
logging.getLogger("csoftmax").setLevel(logging.WARNING)
os.environ["DASK_LOGGING__DISTRIBUTED"] = "critical"

project = "csoftmax"
author = "csoftmax developers"
version = release = csoftmax.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "plain_docstrings",  # before numpydoc, which takes what it leaves
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "gallery_scripts",
    "markdown_pages",
    "mathml",
]

# ---- Markdown ----------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# ---- docstrings --------------------------------------------------------------------------------

default_role = "py:obj"  # what is not found stays code
autosummary_generate = True
autodoc_typehints = "none"  # the sections say what types there are, in words
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]  # which is large
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc shows them in full
numpydoc_xref_param_type = False
templates_path = ["_templates"]

if os.environ.get("CSOFTMAX_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable/", None),
        "python": ("https://docs.python.org/3/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
        "torch": ("https://docs.pytorch.org/docs/stable/", None),
    }

# ---- the look ----------------------------------------------------------------------------------

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"csoftmax {version}"
html_baseurl = csoftmax._version.DOCS
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

# ---- links -------------------------------------------------------------------------------------

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_ignore = [
    r"https://csoftmax\.readthedocs\.io/.*",  # this site
    r"https://doi\.org/.*",  # publishers refuse programs
]
