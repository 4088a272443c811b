"""The tutorial runs from top to bottom, its outputs are those stored in it, and its figures are the course's."""

import json
import re
from copy import deepcopy

import pytest

from tests.docs.notebook import execute, outputs, stored
from tests.docs.pages import ROOT, clone


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    return execute(clone(tmp_path_factory.mktemp("tutorial")))


def test_its_outputs_are_those_stored(executed):
    assert outputs(executed) == outputs(stored()), "if the new outputs are right: make record-docs"


def test_it_shows_tables_and_pictures(executed):
    kinds = {kind.split(": ")[1] for kind, _ in outputs(executed)}
    assert {"text/plain", "text/html", "image/png"} <= kinds


def test_a_changed_number_and_a_missing_output_are_found():
    changed, shorter = deepcopy(stored()), deepcopy(stored())
    cell = next(cell for cell in changed.cells if cell.get("outputs"))
    cell.outputs[0].data["text/plain"] += "1"
    assert outputs(changed) != outputs(stored())
    next(cell for cell in shorter.cells if cell.get("outputs")).outputs.clear()
    assert outputs(shorter) != outputs(stored())


def test_the_learned_parameters_are_the_course_s():
    course = json.loads((ROOT / "tests" / "data" / "course.json").read_text())
    v1, v2 = course["v1_parameter"], course["v2_linear"]
    fits = (v1["epochs_100"], v1["epochs_200"], v2["epochs_1000"], course["exercise"])
    states = [
        output.data["text/plain"]
        for cell in stored().cells
        if cell.cell_type == "code" and cell.source.endswith("state_dict()")
        for output in cell.outputs
    ]
    shown = [[float(number) for number in re.findall(r"tensor\(\[+(-?[\d.]+)\]+\)", state)] for state in states]
    assert shown == [[pytest.approx(number, abs=5e-5) for number in fit["learned"]] for fit in fits]
