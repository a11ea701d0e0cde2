"""What a release is made by: workflows, cibuildwheel's settings, the conda recipe.

None of these runs here (make wheels does what can be done); so that they do not rot, what they say
is compared with what they speak of.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import csoftmax

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RECIPE = ROOT / "recipe" / "recipe.yaml"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_pyproject_is_valid() -> None:
    api = pytest.importorskip("validate_pyproject.api")
    api.Validator()(PROJECT)


# --- workflows ----------------------------------------------------------------------------------


def read(path: Path) -> dict[Any, Any]:
    """Return a workflow as a dictionary."""
    return pytest.importorskip("yaml").safe_load(path.read_text())


@pytest.fixture(params=WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def workflow(request: pytest.FixtureRequest) -> dict[Any, Any]:
    return read(request.param)


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    """Return all steps of all jobs, where `make ${{ matrix.job }}` is one step for each of them."""
    found = []
    for job in workflow["jobs"].values():
        names = job.get("strategy", {}).get("matrix", {}).get("job", [""])
        for step in job["steps"]:
            text = step.get("run", "")
            found += [{**step, "run": text.replace("${{ matrix.job }}", name)} for name in names]
    return found


def targets(workflow: dict[Any, Any]) -> set[str]:
    """Return the targets of the Makefile that a workflow asks for."""
    commands = [step["run"].split() for step in steps(workflow)]
    return {words[1] for words in commands if words[:1] == ["make"]}


def test_workflows_run_targets_of_the_makefile(workflow: dict[Any, Any]) -> None:
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets(workflow)
    assert targets(workflow) <= set(known)


@pytest.mark.skipif(not WORKFLOWS, reason="no workflows here: not a checkout")
def test_every_gate_is_a_job_on_github() -> None:
    gates = re.search(r"^jobs=\(([^\"]+) \"", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert gates
    assert set(gates[1].split()) <= {name for path in WORKFLOWS for name in targets(read(path))}


def test_workflows_may_do_little(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    more = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}
    assert all(name == "publish" for name, rights in more.items() if rights)


def test_actions_are_pinned_by_major_version(workflow: dict[Any, Any]) -> None:
    actions = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action) for action in actions)


# --- cibuildwheel -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "architectures", "wanted"),
    [
        (
            "linux",
            "x86_64,aarch64",
            {f"cp311-{c}linux_{a}" for c in ("many", "musl") for a in ("x86_64", "aarch64")},
        ),
        ("macos", "x86_64,arm64", {"cp311-macosx_x86_64", "cp311-macosx_arm64"}),
        ("windows", "AMD64,x86,ARM64", {"cp311-win_amd64"}),
    ],
)
def test_wheels_of_a_release(platform: str, architectures: str, wanted: set[str]) -> None:
    pytest.importorskip("cibuildwheel")
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    command += ["--platform", platform, "--archs", architectures, "--allow-empty", ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) == wanted


# --- the conda recipe ---------------------------------------------------------------------------


def names_and_versions(requirements: list[str]) -> dict[str, str]:
    """Return what is required by name: "numpy >=1.26" -> {"numpy": ">=1.26"}."""
    found = [re.fullmatch(r"([\w-]+) ?(.*)", each) for each in requirements]
    return {each[1]: each[2] for each in found if each}


@pytest.mark.parametrize("system", ["linux-64", "linux-aarch64", "osx-64", "osx-arm64"])
def test_the_recipe_says_what_pyproject_says(system: str) -> None:
    rb = pytest.importorskip("rattler_build")
    platform = rb.PlatformConfig(target_platform=system, build_platform=system)
    settings = rb.VariantConfig.from_file_with_context(
        RECIPE.with_name("variants.yaml"), rb.JinjaConfig(platform=platform)
    )
    (variant,) = rb.Stage0Recipe.from_file(RECIPE).render(settings, rb.RenderConfig(platform))
    recipe = variant.recipe.to_dict()
    project = PROJECT["project"]
    assert recipe["package"] == {"name": project["name"], "version": csoftmax.__version__}
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["about"]["license"] == project["license"]
    wanted = names_and_versions(project["dependencies"])
    wanted["python"] = project["requires-python"]
    assert names_and_versions(recipe["requirements"]["run"]) == wanted
    host = names_and_versions(recipe["requirements"]["host"])
    assert host.items() >= names_and_versions(PROJECT["build-system"]["requires"]).items()
    (script,) = recipe["build"]["python"]["entry_points"]
    assert script == "csoftmax = " + project["scripts"]["csoftmax"]
