"""Write docs/img/report.png: the worksheet's page on scikit-learn's digits, light and dark.

It needs Chromium, which `tests/helpers/chromium.py` drives as the tests do.
"""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).parent
sys.path.append(str(DOCS.parent / "tests" / "helpers"))

import chromium  # noqa: E402

from csoftmax.cli import main  # noqa: E402

WIDTH, HEIGHT, GAP = 390, 780, 16
# What is at the top of each screen: the begin of the section of that number, or the page's.
SCREENS = (("light", None), ("light", "Search"), ("dark", "Softmax"))


def screen(browser: chromium.Browser, page: Path, scheme: str, section: str | None) -> np.ndarray:
    """Return the pixels of a telephone's screen."""
    browser.open(page, WIDTH, scheme)
    top = 0
    if section:
        heads = "[...document.querySelectorAll('h2')]"
        where = f"find(e => e.textContent.startsWith({section!r})).getBoundingClientRect().top"
        top = browser.value(f"{heads}.{where}")
    whole = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB"))
    return whole[int(top) :][:HEIGHT]


def run() -> int:
    """Make the page, and the picture of it."""
    program = chromium.program()
    if program is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        status = main(["worksheet", "--data", "digits", "--quiet", "--out", folder])
        if status:
            return status
        browser = chromium.Browser(program, Path(folder) / "profile")
        try:
            page = Path(folder) / "report.html"
            screens = [screen(browser, page, *which) for which in SCREENS]
        finally:
            browser.close()
    gap = np.full((HEIGHT, GAP, 3), 150, np.uint8)
    joined = np.hstack([part for each in screens for part in (gap, each)][1:])
    Image.fromarray(joined).quantize(64).save(DOCS / "img" / "report.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(run())
