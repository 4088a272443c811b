"""Rewrites the outputs in the README, docs and the tutorial from a real run: `make record-docs`."""

import sys
import tempfile
from pathlib import Path

from tests.docs.notebook import NOTEBOOK, execute, is_current, write
from tests.docs.pages import PAGES, clone, recorded, run


def main(names: list[str]) -> None:
    """Record the pages named, or all."""
    for path in [Path(name).resolve() for name in names] or [*PAGES, NOTEBOOK]:
        with tempfile.TemporaryDirectory() as folder:
            if path == NOTEBOOK:
                notebook = execute(clone(Path(folder)))
                changed = not is_current(notebook)
                if changed:
                    write(notebook)
            else:
                page = path.read_text()
                new = recorded(page, run(page, clone(Path(folder))))
                changed = new != page
                if changed:
                    path.write_text(new)
        print(f"{path.name}: {'rewritten' if changed else 'as before'}")


if __name__ == "__main__":
    main(sys.argv[1:])
