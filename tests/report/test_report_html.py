"""Pages as HTML: what stands in them, escaped, in order, and for a screen reader."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the HTML report needs Jinja2")

from csoftmax.report import (
    Cell,
    Facts,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Text,
    render,
    write,
)

EVIL = "<script>alert('1 & 2')</script>\"'`"


class Seen(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.open = "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page() -> Page:
    pixels = Picture.from_pixels(np.eye(3), alt="A diagonal", caption="Diagonal")
    table = Table("Scores", ["name", "score"], [["a", "0.5"], ["b", Cell("0.75", "best")]])
    inner = Section("Within", [Gallery([pixels, pixels])])
    first = Section("First", [Text("One `code`.\n\nTwo."), Facts({"Rows": "10"}), table, inner])
    return Page("A page", [first, Section("Second", [pixels, table])], subtitle="Below")


def test_structure(page):
    seen = Seen(render(page))
    assert not seen.open
    assert seen.all("html")[0]["lang"] == "en"
    assert [tag for tag, _ in seen.tags if re.fullmatch(r"h\d", tag)] == ["h1", "h2", "h3", "h2"]
    for tag in ("header", "nav", "main", "h1", "title"):
        assert len(seen.all(tag)) == 1
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for attributes in seen.all("section"):
        assert attributes["aria-labelledby"] in ids
    links = [attributes["href"] for attributes in seen.all("a")]
    assert links == ["#content", "#s1", "#s2"]
    assert {link[1:] for link in links} <= set(ids)
    assert all(image["alt"] and image["width"] for image in seen.all("img"))


def test_tables_have_captions_and_heads(page):
    html = render(page)
    seen = Seen(html)
    assert len(seen.all("caption")) == len(seen.all("table")) == 2
    assert [head["scope"] for head in seen.all("th")] == 2 * (["col"] * 2 + ["row"] * 2)
    assert '<td class="number"><strong>0.75</strong> <span class="mark">best</span></td>' in html
    assert '<th scope="row">a</th>' in html


def test_prose(page):
    html = render(page)
    assert "<p>One <code>code</code>.</p>\n<p>Two.</p>" in html
    assert "<dt>Rows</dt><dd>10</dd>" in html
    assert "<p>It`s</p>" in render(Page("t", [Section("s", [Text("It`s")])]))


def test_everything_is_escaped():
    table = Table(EVIL, [EVIL], [[EVIL], [Cell(EVIL, EVIL)]])
    picture = Picture.from_pixels([[1]], alt=EVIL, caption=EVIL)
    wide = Picture("data:,", EVIL, EVIL, 900, 20)
    parts = [Text(EVIL), Text(f"`{EVIL}"), Facts({EVIL: EVIL}), table, picture, wide]
    html = render(Page(EVIL, [Section(EVIL, [*parts, Section(EVIL, [Gallery([picture])])])], EVIL))
    seen = Seen(html)
    assert not seen.open
    assert not seen.all("script")
    assert seen.text.count("<script>alert") > 12
    assert seen.all("img")[0]["alt"] == EVIL
    assert {name for _, attributes in seen.tags for name in attributes} <= {
        *("alt", "aria-label", "aria-labelledby", "charset", "class", "content", "height", "href"),
        *("http-equiv", "id", "lang", "name", "rel", "role", "scope", "src", "style", "tabindex"),
        "width",
    }


def test_nothing_comes_from_elsewhere(page):
    seen = Seen(render(page))
    for _, attributes in seen.tags:
        for name in ("src", "srcset", "href"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    (policy,) = (m["content"] for m in seen.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_wide_parts_are_reached_by_the_keyboard():
    narrow = Table("Narrow", ["a", "b"], [["1", "2"]])
    wide = Table("Wide", list("abcdef"), [list("123456")])
    seen = Seen(render(Page("t", [Section("s", [narrow, wide])])))
    stops = [a for a in seen.all("div") if "tabindex" in a]
    assert len(stops) == 1
    assert stops[0]["role"] == "group"
    assert stops[0]["aria-labelledby"] in {a.get("id") for a in seen.all("caption")}


def test_figures_have_a_dark_one():
    figure_of = pytest.importorskip("matplotlib.figure", reason="draws").Figure
    plot = pytest.importorskip("csoftmax.plot")
    figure = figure_of(figsize=(4, 3))
    figure.subplots().plot([1, 2])
    light = Picture.from_figure(figure, alt="A line")
    both = Picture.from_figure(figure, alt="A line", night=plot.night, caption="Line")
    assert (light.width, light.height, light.dark) == (384, 288, None)
    assert both.dark is not None
    assert both.dark != both.source
    assert both.source.startswith("data:image/svg+xml;base64,")
    html = render(Page("t", [Section("s", [light, both])]))
    assert html.count('class="wide plate"') == 1
    (source,) = Seen(html).all("source")
    assert source == {
        "media": "screen and (prefers-color-scheme: dark)",
        "srcset": both.dark,
    }
    assert Picture.from_figure(figure, alt="x", kind="webp").source.startswith("data:image/webp")
    for k in range(60):  # many long lines
        figure.axes[0].plot(np.random.default_rng(k).random(3000))
    assert Picture.from_figure(figure, alt="x").source.startswith("data:image/webp")


def test_colours_have_contrast():
    from csoftmax import report

    css = (Path(report.__file__).parent / "page.css").read_text()
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--([\w-]+): (#\w{6});", theme))
        for ink, ground in [
            *((ink, "ground") for ink in ("ink", "quiet", "link", "mark")),
            ("mark", "mark-ground"),
        ]:
            ratio = contrast(colour[ink], colour[ground])
            assert ratio >= 4.5, f"{ink} on {ground}: {ratio:.1f}"


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_file_is_whole_or_not_there(page, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write(page, path)
    assert path.read_text(encoding="utf-8") == render(page)

    def full(file: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write(Page("other"), path)
    assert path.read_text(encoding="utf-8") == render(page)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_is_not_there(page, tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        write(page, tmp_path / "nowhere" / "report.html")


def test_names_that_are_no_text(tmp_path):
    write(Page("a\udcffb ☃"), tmp_path / "a.html")
    assert "<title>a?b ☃</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_without_jinja2(run_python: Callable[..., object]):
    run_python(
        "import sys; sys.modules['jinja2'] = None\n"
        "from csoftmax import report\n"
        "page = report.Page('t', [report.Section('s')])\n"
        "try: report.write(page, 'report.html')\n"
        "except ImportError as error:\n"
        "    assert str(error).endswith('which is not installed: pip install jinja2'), error\n"
        "else: raise AssertionError\n"
        "import os; assert not os.listdir()"
    )
