import pytest

from export.formats.names import (
    RUNTIME_FORMATS,
    SOURCE_FORMATS,
    Format,
    FormatChoice,
    beside,
    chosen_formats,
    file_name,
    format_of,
    optional_formats,
)
from export.precision import ExportPrecision


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("precision", [None, *ExportPrecision])
def test_a_file_name_tells_its_format(kind, precision):
    name = file_name(kind, precision)
    assert format_of(name) == (kind, precision)
    assert format_of(f"x{name}") is None


def test_choices_are_the_formats_and_all():
    assert [choice.value for choice in FormatChoice] == [*(kind.value for kind in Format), "all"]
    assert chosen_formats([FormatChoice.ALL, FormatChoice.ONNX]) == list(Format)
    assert [*RUNTIME_FORMATS, *SOURCE_FORMATS] == list(Format)
    assert chosen_formats([FormatChoice.PT2, FormatChoice.ONNX, FormatChoice.PT2]) == [Format.PT2, Format.ONNX]


def test_all_may_leave_out_source_code_that_no_choice_names():
    assert optional_formats([FormatChoice.ALL]) == set(SOURCE_FORMATS)
    assert optional_formats([FormatChoice.C, FormatChoice.ALL]) == {Format.JS, Format.SQL}
    assert optional_formats([FormatChoice.C, FormatChoice.SQL]) == set()


def test_only_source_code_has_a_second_file_which_is_no_artifact():
    assert [beside(kind) for kind in RUNTIME_FORMATS] == [None] * 4
    assert beside(Format.C) == "model.h"
    assert beside(Format.C, ExportPrecision.FLOAT64) == "model.float64.h"
    assert beside(Format.JS) == "model.d.mts"
    assert beside(Format.JS, ExportPrecision.FLOAT64) == "model.float64.d.mts"
    assert format_of("model.h") is format_of("model.d.mts") is None
