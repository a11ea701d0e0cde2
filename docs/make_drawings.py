"""Draw the floors of the package, and the pass over blocks with its merge tree.

    python docs/make_drawings.py

writes img/floors.svg and img/pass.svg. The names on the floors are those of the table in
CONTRIBUTING.md; a test compares. Both drawings have a background of their own, so that they can be
read in the light and in the dark, and are narrow enough for a phone.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
WIDTH = 480
INK, FAINT, PAPER = "#1c2733", "#5b6875", "#ffffff"

#: What a floor does, and the colour of what it belongs to.
FLOORS = {
    "commands": ("a person's words in, text and files out", "#dbe7f6"),
    "benchmarks": ("every job beside its peers", "#dbe7f6"),
    "worksheet, pictures": ("the course's job; displays", "#dbe7f6"),
    "public names": ("what import csoftmax offers", "#dbe7f6"),
    "interfaces": ("as others have it: their names and meanings", "#dbe7f6"),
    "predictions": ("of a fitted model, by NumPy alone", "#e3f1df"),
    "solvers": ("how a loss is minimised, in the fewest passes", "#e3f1df"),
    "functions": ("what is computed: one call, one pass", "#e3f1df"),
    "sources": ("where blocks of rows come from", "#e3f1df"),
    "native edge": ("whether, and by which kernel", "#f8ecd2"),
    "compiled": ("in parallel: blocks shared out to threads", "#f8ecd2"),
    "ground": ("files, and the definitions in NumPy", "#eceff2"),
}


def text(x: float, y: float, words: str, style: str = "") -> str:
    """One line of text."""
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:g}" y="{y:g}"{style and " " + style}>{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, line: str = INK) -> str:
    """A rounded rectangle."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
        f'fill="{fill}" stroke="{line}"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a head at its end."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{INK}" '
        'stroke-width="1.4" marker-end="url(#head)"/>'
    )


def drawing(title: str, says: str, height: float, parts: list[str]) -> str:
    """An SVG file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" font-size="14" '
            f'font-family="system-ui, sans-serif" fill="{INK}">',
            f"<title>{title}</title>",
            f"<desc>{says}</desc>",
            '<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" '
            f'orient="auto"><path d="M0 0 L9 4 L0 8 z" fill="{INK}"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height:g}" rx="10" fill="{PAPER}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def floors() -> list[tuple[str, list[str]]]:
    """Floors and the names on them, from the highest down, as CONTRIBUTING.md has them."""
    page = (HERE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| floor \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = [row.split("|") for row in table.splitlines()]
    return [(row[1].strip(), re.findall(r"`(\w+)`", row[2])) for row in rows]


def wrapped(names: list[str], most: int) -> list[str]:
    """Names in lines of at most so many characters."""
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) + 2 > most:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + name
    return lines


def floors_svg() -> str:
    """The house: who asks stands above what is asked for."""
    parts, y = [], 14.0
    mono = f'font-family="ui-monospace, monospace" font-size="13" fill="{INK}"'
    for name, modules in floors():
        says, fill = FLOORS.get(name, ("", "#dbe7f6"))
        lines = wrapped(modules, 52)
        height = 34 + 19 * len(lines)
        parts += [
            box(14, y, 416, height, fill),
            text(26, y + 21, name, 'font-weight="600"'),
            text(420, y + 21, says, f'text-anchor="end" font-size="12.5" fill="{FAINT}"'),
            *(text(26, y + 42 + 19 * k, line, mono) for k, line in enumerate(lines)),
        ]
        y += height + 8
    headers = "src/*.h: one strip of rows, one block, in C"
    parts += [
        box(14, y, 416, 34, "#f8ecd2"),
        text(26, y + 22, "how", 'font-weight="600"'),
        text(420, y + 22, headers, f'text-anchor="end" font-size="12.5" fill="{FAINT}"'),
        arrow(452, 24, 452, y + 28),
        text(0, 0, "calls go down only", f'transform="translate(471 {y / 2 + 60:g}) rotate(-90)"'),
    ]
    says = "The floors of csoftmax, from commands at the top to C at the bottom; calls go down."
    return drawing("The floors of csoftmax", says, y + 48, parts)


def pass_svg() -> str:
    """Blocks of X, what becomes of each, and how the slots' sums meet."""
    fills = ("#dbe7f6", "#e3f1df", "#f8ecd2", "#f3dfe6")
    small = f'font-size="12.5" fill="{FAINT}"'
    mono = 'font-family="ui-monospace, monospace" font-size="13"'
    middle = 'text-anchor="middle" '
    parts = [
        text(16, 26, "X, in blocks", 'font-weight="600"'),
        text(150, 26, "each block, while it is in the cache:", 'font-weight="600"'),
    ]
    for slot, fill in enumerate(fills):
        for block in range(2):
            y = 40 + 29 * (2 * slot + block)
            parts += [box(16, y, 92, 25, fill), text(62, y + 17, "block", middle + small)]
    steps = (
        ("S = X_b W + bias", "scores, in scratch"),
        ("losses; S becomes P - Y", "row by row, in float64 sums"),
        ("dW of the slot += X_b' S", "the block is still in the cache"),
    )
    parts.append(arrow(112, 82, 146, 82))
    for k, (formula, says) in enumerate(steps):
        y = 44 + 76 * k
        parts += [
            box(150, y, 316, 54, "#f6f8fa"),
            text(162, y + 23, formula, mono),
            text(162, y + 43, says, small),
        ]
        if k:
            parts.append(arrow(308, y - 22, 308, y - 2))
    parts += [
        text(16, 312, "Slots: runs of blocks, cut by the shape alone", 'font-weight="600"'),
        text(16, 331, "whichever thread does them; each with a dW of its own", small),
    ]
    at = [70.0 + 113 * k for k in range(4)]
    for k, x in enumerate(at):
        parts += [box(x - 46, 344, 92, 30, fills[k]), text(x, 364, f"dW {k}", middle)]
    pairs = [(at[0] + at[1]) / 2, (at[2] + at[3]) / 2]
    for k, x in enumerate(pairs):
        parts += [
            arrow(at[2 * k], 374, x - 8, 404),
            arrow(at[2 * k + 1], 374, x + 8, 404),
            box(x - 62, 406, 124, 30, "#f6f8fa"),
            text(x, 426, f"dW {2 * k} + dW {2 * k + 1}", middle),
        ]
    x, always = sum(pairs) / 2, "always this tree: the same bits for any number of threads"
    parts += [
        arrow(pairs[0], 436, x - 10, 466),
        arrow(pairs[1], 436, x + 10, 466),
        box(x - 130, 468, 260, 32, "#f6f8fa"),
        text(x, 489, "dW = sum / N + reg W", middle + mono),
        text(x, 522, always, middle + small),
    ]
    says = (
        "X is cut into blocks of rows. For each: scores, losses, gradient, added to the slot of "
        "the block. The slots' gradients are added in pairs, pairs of pairs, and so on."
    )
    return drawing("One pass over X, and the merge tree", says, 536, parts)


DRAWINGS = {"floors.svg": floors_svg, "pass.svg": pass_svg}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (HERE / "img" / name).write_text(draw(), encoding="utf-8")
