"""An extension of griffe: the `Example:` of a docstring is code, as its `Examples:` is."""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Renames the heading before griffe parses it."""

    def on_object(self, *, obj: griffe.Object, **_kwargs: Any) -> None:
        """Called for each object once it is loaded."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
