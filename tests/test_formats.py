import pytest

from export.formats import Format, FormatChoice, Precision, chosen_formats, file_name, format_of


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("precision", [None, *Precision])
def test_a_file_name_tells_its_format(kind, precision):
    name = file_name(kind, precision)
    assert format_of(name) == (kind, precision)
    assert format_of(f"x{name}") is None


def test_choices_are_the_formats_and_all():
    assert [choice.value for choice in FormatChoice] == [*(kind.value for kind in Format), "all"]
    assert chosen_formats([FormatChoice.ALL, FormatChoice.ONNX]) == list(Format)
    assert chosen_formats([FormatChoice.PT2, FormatChoice.ONNX, FormatChoice.PT2]) == [Format.PT2, Format.ONNX]
