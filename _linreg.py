"""Start linreg with its own packages, whatever the current folder contains.

A user's `linreg.py`, `export.py` or `bench.py` in the current folder (`python -m`) or on PYTHONPATH takes precedence
over an installed package of that name. So the packages are loaded here from the folder of this file, before anything
else imports them. `python -m linreg` in a folder with a `linreg.py` still runs that file, as it should.

A user's module still imports the files beside it, but it cannot replace our packages: if it imports its own
`export.py`, it gets ours, and an error that asks the user to rename the file.

As a script, `python -P _linreg.py MODULE ARGUMENTS` runs a module of ours in a child process.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

PACKAGES = ("linreg", "export", "bench")


def main() -> None:
    """Run the program `linreg`."""
    load_own_packages()
    from linreg.__main__ import main as run

    run()


def load_own_packages() -> None:
    """Put our packages into `sys.modules`, unless they are already loaded from this folder."""
    for name in PACKAGES:
        file = Path(__file__).resolve().parent / name / "__init__.py"
        loaded = getattr(sys.modules.get(name), "__file__", None)
        if loaded is not None and Path(loaded).resolve() == file:
            continue
        spec = spec_from_file_location(name, file, submodule_search_locations=[str(file.parent)])
        assert spec is not None and spec.loader is not None, "a Python file has a loader"
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def child_command(module: str) -> list[str]:
    """Return the command that runs one of our modules, such as `bench.worker.process`, in a child process."""
    return [sys.executable, "-P", str(Path(__file__).resolve()), module]


if __name__ == "__main__":
    import runpy

    load_own_packages()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
