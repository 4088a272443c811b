"""The second file of source code, which follows from the first: a header of C, or types of JavaScript."""

from export.formats.names import Format


def second_file(kind: Format, name: str, data: bytes) -> bytes:
    """Return the text of model.h or model.d.mts.

    Args:
        kind: the format, one of those for which `export.formats.names.beside` names a file.
        name: file name of the source code.
        data: the bytes of the source code.

    Raises:
        ModelError: the data is not source code that linreg wrote.
    """
    if kind is Format.C:
        from export.formats.c_text import header_of

        return header_of(data)
    from export.formats.js_text import types_of

    return types_of(name, data)
