"""What all displays share: where they draw, and what they say."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from csoftmax import plot
from csoftmax.plot import drawing

COUNTS = np.array([[5, 1, 0], [0, 6, 2], [1, 0, 7]])
DISPLAYS = {
    "loss": lambda: plot.LossDisplay([3.0, 2.0, 1.0], x=[1.0, 2.0, 4.0], x_name="passes"),
    "weights": lambda: plot.WeightsDisplay(np.eye(3)[:1], ["no", "yes"]),
    "search": lambda: plot.SearchDisplay(
        [[0.1, 0.3, 0.2]], [0.0], [0.1, 1.0, 10.0], row_name="l1_ratio", column_name="C"
    ),
    "confusion": lambda: plot.ConfusionDisplay(COUNTS, ["a", "b", "c"]),
    "calibration": lambda: plot.CalibrationDisplay([3, 5], [0.2, 0.7], [0.1, 0.8]),
    "regions": lambda: plot.RegionsDisplay([0.0, 1.0], [0.0, 1.0], [[0, 1], [0, 1]]),
}


@pytest.fixture(params=DISPLAYS)
def display(request):
    return DISPLAYS[request.param]()


def test_it_draws_on_a_figure_of_its_own(display, drawn):
    assert display.plot() is display
    assert isinstance(display.figure_, Figure)
    assert display.ax_ is display.axes_[0]
    assert all(axes.figure is display.figure_ for axes in display.axes_)
    drawn(display)


def test_it_draws_on_axes_that_it_is_given(display, drawn):
    axes = Figure(layout="constrained").add_subplot()
    display.plot(axes)
    assert display.axes_ == [axes]
    assert display.figure_ is axes.figure
    drawn(display)


def test_no_other_axes(display):
    with pytest.raises(TypeError, match="ax is str: wanted axes of matplotlib"):
        display.plot("axes")
    several = Figure().subplots(3, 1)
    with pytest.raises(ValueError, match=r"ax holds 3 axes: wanted \d, one for each part"):
        display.plot(several)


def test_it_says_what_is_to_be_seen(display):
    name = type(display).__name__
    assert repr(display) == f"{name}({display.description})"
    assert 10 < len(display.description) < 200
    assert not repr(display).endswith(".)")


def test_a_notebook_shows_it_with_words(display):
    image = ElementTree.fromstring(display._repr_html_().removesuffix(">") + "/>")
    assert image.attrib["alt"] == display.description
    assert image.attrib["src"].startswith("data:image/png;base64,iVBOR")
    display.plot(Figure().add_subplot())  # whose caller shows it
    assert display._repr_html_() is None


def test_pyplot_is_left_alone(run_python):
    run_python(
        "import sys, numpy as np\n"
        "from csoftmax import plot\n"
        "assert plot.ConfusionDisplay(np.eye(2, dtype=int))._repr_html_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )


def test_without_matplotlib_the_error_names_it(run_python):
    done = run_python(
        "import sys; sys.modules['matplotlib'] = None; import csoftmax.plot", check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: the pictures need matplotlib, which is not installed: pip install matplotlib"
    )


def test_without_scikit_learn(run_python):
    run_python(
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'pandas'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from csoftmax import plot\n"
        "from csoftmax.cs231n.classifiers import Softmax\n"
        "from csoftmax.prediction import LinearModel\n"
        "X, y = np.eye(3)[np.arange(30) % 3], np.arange(30) % 3\n"
        "course = Softmax()\n"
        "plot.LossDisplay.from_history(course.train(X, y, num_iters=5))\n"
        "model = LinearModel(np.eye(3), np.zeros(3), np.array(['a', 'b', 'c']))\n"
        "for each in (course, model):\n"
        "    plot.WeightsDisplay.from_estimator(each)\n"
        "plot.ConfusionDisplay.from_estimator(course, X, y)\n"
        "labels = model.classes_[y]\n"
        "plot.ConfusionDisplay.from_estimator(model, X, labels)\n"
        "plot.CalibrationDisplay.from_estimator(model, X, labels)\n"
        "plot.RegionsDisplay.from_estimator(model, X, labels, others='mean', grid=9)"
    )


def test_colours_differ_in_grey_and_for_the_colour_blind():
    def luminance(colour):
        return np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722))

    first = sorted(map(luminance, drawing.COLOURS[:3]))
    assert min(np.diff(first)) > 0.05
    assert len({tuple(sorted(drawing.line_style(k).items())) for k in range(8)}) == 8
    grey = [luminance(c) for c in drawing.colormaps[drawing.MAP](np.linspace(0, 1, 20))[:, :3]]
    assert (np.diff(grey) > 0).all()


def test_long_names_are_cut_and_many_are_thinned():
    assert drawing.short("x" * 50) == "x" * 21 + "…"
    axes = Figure().add_subplot()
    drawing.name_ticks(axes.xaxis, [str(k) for k in range(100)])
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert len(shown) == 25
    assert shown[:2] == ["0", "4"]


def test_colours_for_dark_screens(display):
    def luminance(colour):
        return np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722))

    display.plot()
    display.figure_.draw_without_rendering()
    before = look(display.figure_)
    with plot.night(display.figure_):
        assert display.figure_.get_facecolor()[3] == 0
        for axes in display.axes_:
            words = [axes.title, axes.xaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
            assert min(luminance(text.get_color()) for text in words) > 0.8
            assert axes.patch.get_facecolor()[3] == 0
        assert (look(display.figure_) != before) is True
        if isinstance(display, plot.ConfusionDisplay):  # black on bright, white on dark
            assert {text.get_color() for text in display.ax_.texts} == {"black", "white"}
    assert (look(display.figure_) == before) is True  # not to be compared in writing


def look(figure):
    """All colours, each with what has it."""
    return [
        (type(artist), name, str(getattr(artist, f"get_{name}")()))
        for artist in figure.findobj()
        for name in ("color", "facecolor", "edgecolor", "markeredgecolor")
        if hasattr(artist, f"get_{name}")
    ]
