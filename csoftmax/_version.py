"""The version, in its one place, and where the documentation is."""

__version__ = "0.2.0"

#: A name's page is api/csoftmax.NAME.html below it.
DOCS = "https://csoftmax.readthedocs.io/en/stable/"
