"""Check what source code says of itself: the weights it was written for, and the names of its columns.

Its outputs are proved by test vectors and its numbers are compared with the weights, but neither shows a changed name.
"""

from typing import Any

from export.formats.names import Format
from linreg.card import Card
from linreg.errors import MismatchError


def check_source_names(name: str, kind: Format, data: bytes, state_sha256: str, card: Card | None) -> None:
    """Compare the comment of a source file with the bundle, and the names in its code with the comment.

    Args:
        name: name of the file, used in messages.
        kind: its format: C, JavaScript or SQL.
        data: its bytes.
        state_sha256: identifies the weights of the bundle.
        card: the card of a linear model, which names its columns; None for another module.

    Raises:
        MismatchError: they differ.
        ModelError: the data is not source code that linreg wrote.
    """
    metadata, code_agrees = _read(name, kind, data)
    wanted: dict[str, Any] = {"state_sha256": state_sha256}
    if card is not None:
        wanted |= {"features": list(card.features), "target": card.target}
    for key, value in wanted.items():
        if metadata.get(key) != value:
            found = str(metadata.get(key))[:80]
            raise MismatchError(f"{name}: says that its {key} is {found!r}, expected that of the bundle; export again")
    if not code_agrees:
        raise MismatchError(f"{name}: has names or a state_sha256 that differ from those in its comment; export again")


def _read(name: str, kind: Format, data: bytes) -> tuple[dict[str, Any], bool]:
    """The metadata in the comment, and whether the code has its names."""
    if kind is Format.C:
        from export.formats.c_text import header_of, names_in_header, read_c

        c = read_c(name, data)
        return c.metadata, names_in_header(c.prefix, c.metadata) in header_of(data).decode("ascii")
    if kind is Format.JS:
        from export.formats.js_text import facts, read_js

        metadata = read_js(name, data).metadata
        return metadata, data.decode("ascii").partition(" */\n")[2].startswith(facts(metadata))
    from export.formats.sql_text import alias, end_of_query, read_sql

    sql = read_sql(name, data)
    return sql.metadata, sql.query.endswith(alias(sql.predicted[-1]) + end_of_query(sql.predicted))
