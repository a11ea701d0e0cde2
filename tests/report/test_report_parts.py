"""What pages are made of, and what the parts refuse."""

from __future__ import annotations

import io

import numpy as np
import pytest

from csoftmax.report import Cell, Picture, Table, Text, facts, machine
from csoftmax.report.pictures import png


def test_paragraphs_are_parted_by_empty_lines():
    text = Text("One\n  line.\n\n\n\nTwo  words.\n\n")
    assert text.paragraphs == ["One line.", "Two words."]


@pytest.mark.parametrize(
    ("column", "numeric"),
    [
        (["1", "-2.5", "1e-07"], True),
        (["", "3 ", "nan"], True),
        (["12 %", "3%"], True),
        (["1", "one"], False),
        (["", " "], False),
        ([Cell("0.5", "best"), "1"], True),
    ],
)
def test_columns_of_numbers(column, numeric):
    table = Table("A table", ["head", "other"], [["row", cell] for cell in column])
    assert table.numeric == [False, numeric]


def test_a_table_without_rows():
    assert Table("A table", ["one", "two"], []).numeric == [False, False]


def test_tables_refuse():
    with pytest.raises(ValueError, match="caption is empty: wanted words that say"):
        Table(" ", ["a"], [])
    with pytest.raises(ValueError, match=r"rows\[1\] has 1 cells: wanted 2, as the header"):
        Table("A table", ["a", "b"], [["1", "2"], ["3"]])


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_picture_has_words(alt):
    with pytest.raises(ValueError, match="alt is empty: wanted words"):
        Picture.from_pixels([[1]], alt=alt)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 2, 2), (2, 2, 4), (2, 2, 3, 1)])
def test_pixels_have_a_shape(shape):
    with pytest.raises(ValueError, match=r"pixels have shape .*: wanted"):
        Picture.from_pixels(np.zeros(shape), alt="nothing")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_are_finite(value):
    with pytest.raises(ValueError, match="pixels hold NaN or infinity"):
        Picture.from_pixels([[0, value]], alt="nothing")


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (4, 7, 3), (2, 3, 1)])
def test_png_holds_the_pixels(shape):
    image = pytest.importorskip("PIL.Image", reason="reads PNG")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content = png(pixels[..., 0] if shape[2:] == (1,) else pixels)
    with image.open(io.BytesIO(content)) as read:
        read.load()
        np.testing.assert_array_equal(
            np.asarray(read), pixels.squeeze(-1) if shape[2:] == (1,) else pixels
        )


def test_pixels_are_scaled_to_what_is_black_and_white():
    image = pytest.importorskip("PIL.Image", reason="reads PNG")
    from base64 import b64decode

    def read(picture):
        content = b64decode(picture.source.partition("base64,")[2])
        return np.asarray(image.open(io.BytesIO(content))).tolist()

    values = [[-1.0, 0.0, 1.0]]
    assert read(Picture.from_pixels(values, alt="x")) == [[0, 128, 255]]
    assert read(Picture.from_pixels(values, alt="x", low=0, high=4)) == [[0, 0, 64]]
    assert read(Picture.from_pixels([[7, 7]], alt="x")) == [[0, 0]]
    assert read(Picture.from_pixels(np.array([[3, 9]], np.uint8), alt="x")) == [[3, 9]]


def test_small_images_are_shown_large():
    picture = Picture.from_pixels(np.zeros((8, 4)), alt="nothing")
    assert (picture.width, picture.height) == (56, 112)
    assert not picture.scrolls
    assert Picture.from_pixels(np.zeros((500, 400)), alt="nothing").width == 400


def test_facts_tell_the_machine_and_no_place(monkeypatch):
    import platform

    told = " ".join(facts().values())
    assert platform.node() not in told.split()
    assert "/" not in told.replace("CPU/", "")
    assert str(machine()["processor"]) in told
    assert facts()["Date"].split()[1].isalpha()
