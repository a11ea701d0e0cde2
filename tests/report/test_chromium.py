"""Pages in a browser: nothing overflows, nothing is loaded, all is read and reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the HTML report needs Jinja2")
pytest.importorskip("matplotlib", reason="the page's drawings need matplotlib")
pytest.importorskip("fcntl", reason="Chromium is spoken to over POSIX's descriptors")

import chromium

from csoftmax import worksheet
from csoftmax.datasets import Dataset
from csoftmax.evaluation import Measures, Weights, page
from csoftmax.report import write

if not chromium.program() and not os.environ.get("CI"):
    pytest.skip("needs Chromium", allow_module_level=True)

WIDTHS = [360, 768, 1280]
SCHEMES = ["light", "dark"]

# Of each element with words of its own: the contrast of its colour with the ground below it.
CONTRAST = """
(() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return null;
  };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [one, other] = [parse(getComputedStyle(e).color), ground(e)];
    const [a, b] = [light(one.slice(0, 3)), light(other.slice(0, 3))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push([e.tagName, e.textContent.trim(), one, other]);
  }
  return low;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    program = chromium.program()
    if program is None:
        pytest.fail("CI is set, and there is no chromium: apt-get install chromium")
    found = chromium.Browser(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A worksheet's page, and that of an evaluation with long names."""
    folder = tmp_path_factory.mktemp("pages")
    write_worksheet(folder / "worksheet.html")
    rng = np.random.default_rng(0)
    names = np.array([f"a class whose name is long, {'x' * 60}, number {k}" for k in range(12)])
    y = rng.integers(0, 12, 500)
    measures = Measures(names)
    measures.add(names[y], rng.dirichlet(np.ones(12), 500) * 0.7 + 0.3 * np.eye(12)[y])
    made = page(
        measures.evaluation(),
        title="An evaluation of <rows>",
        facts={"Data": "rows/" + "of-a-long-name-" * 20},
        weights=Weights(
            rng.standard_normal((12, 30)), feature_names=[f"word{k}" for k in range(30)]
        ),
        history={"loss": np.geomspace(2, 0.5, 30), "passes": np.arange(30)},
    )
    write(made, folder / "evaluation.html")
    return {name: folder / f"{name}.html" for name in ("worksheet", "evaluation")}


def write_worksheet(path: Path) -> None:
    """Work through a sheet of small images, in a few seconds."""
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(400) % 4)
    X = rng.normal(100, 25, (400, 5, 4, 3))
    X.reshape(400, -1)[np.arange(400), 7 * y] += 60
    X = X.clip(0, 255).astype(np.uint8).reshape(400, -1)
    names = ("north", "east", "south", "west")
    data = worksheet.prepare(Dataset("compass", X, y, None, None, names, (5, 4, 3)))
    default = worksheet.default_settings(data)
    settings = worksheet.Settings(default.learning_rates[1:], default.regs[:2], 200, 50)
    sheet = worksheet.Sheet(data, settings, [worksheet.CLASSIFIERS["softmax"]])
    sheet.initial = [worksheet.initial_loss(data, c) for c in sheet.classifiers]
    sheet.gradients = [worksheet.gradient_check(data, c, 1.0) for c in sheet.classifiers]
    sheet.searches = [worksheet.search(data, c, settings) for c in sheet.classifiers]
    sheet.scores = [worksheet.score(data, found) for found in sheet.searches]
    worksheet.write_html(sheet, path)


@pytest.mark.parametrize("name", ["worksheet", "evaluation"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_screens(browser, pages, tmp_path, name, scheme, width):
    browser.open(pages[name], width, scheme)
    assert browser.value("document.documentElement.clientWidth") == width
    assert browser.value("document.documentElement.scrollWidth") == width
    # nor does a part stick out of what is there to scroll it
    assert (
        browser.value(
            "[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, .skip') &&"
            f" e.getBoundingClientRect().right > {width}).map(e => e.outerHTML.slice(0, 200))"
        )
        == []
    )
    images = "[...document.images].filter(i => !(i.complete && i.naturalWidth)).length"
    assert browser.value("document.images.length") > 3
    assert browser.value(images) == 0
    assert browser.value(CONTRAST) == []
    picture = browser.picture()
    (tmp_path / "screen.png").write_bytes(picture)
    assert picture.startswith(b"\x89PNG")
    from matplotlib.image import imread

    pixels = imread(tmp_path / "screen.png")[..., :3]
    assert pixels.shape[1] == width
    assert (pixels[0, 0].mean() > 0.9) == (scheme == "light")
    assert pixels.std() > 0.05
    messages = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert [event for event in browser.events if event.get("method") in messages] == []
    urls = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    ]
    assert urls.count(pages[name].as_uri()) == 1
    assert {url.partition(":")[0] for url in urls} <= {"file", "data"}


@pytest.mark.parametrize("name", ["worksheet", "evaluation"])
def test_a_screen_reader(browser, pages, name):
    browser.open(pages[name], 768, "light")
    nodes = browser("Accessibility.getFullAXTree")["nodes"]

    def all_of(role: str) -> list[dict]:
        return [n for n in nodes if not n["ignored"] and n["role"]["value"] == role]

    for role in ("banner", "navigation", "main"):
        assert len(all_of(role)) == 1, role
    levels = [
        next(p["value"]["value"] for p in n["properties"] if p["name"] == "level")
        for n in all_of("heading")
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for role in ("image", "table", "columnheader", "rowheader", "region", "link"):
        found = all_of(role)
        assert found, role
        assert all(n["name"]["value"].strip() for n in found), role
    assert not all_of("LayoutTable")


def test_the_keyboard(browser, pages):
    browser.open(pages["worksheet"], 360, "light")
    browser.press("Tab")
    where = "(e => [e.className, e.getBoundingClientRect().left >= 0])(document.activeElement)"
    assert browser.value(where) == ["skip", True]
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "content"
    # what is scrolled sideways on a telephone is reached
    assert (
        browser.value(
            "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1"
            " && e.tabIndex < 0).map(e => e.textContent.trim().slice(0, 60))"
        )
        == []
    )


def test_paper(browser, pages, tmp_path):
    browser.open(pages["worksheet"], 768, "dark", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    # the light drawings, not those of the dark screen
    assert (
        browser.value(
            "[...document.querySelectorAll('picture')].every(p =>"
            " p.querySelector('img').currentSrc !== p.querySelector('source').srcset)"
        )
        is True
    )
    assert browser.pdf().startswith(b"%PDF")
