"""Make the start of commands that read tables cheap."""

import os
import sys


class _NoPandas:
    """An import hook that finds no pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Raise ModuleNotFoundError for pandas; leave every other module to the next hook."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name=name)


def prepare_for_tables() -> None:
    """Keep pyarrow from importing pandas, and OpenBLAS from starting threads that would wait for each other.

    Both take longer than reading and fitting a small table. pyarrow looks for pandas once, when it first converts
    an array, to recognise objects of pandas; a command reads none. Nothing is done if pyarrow is loaded already.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if {"pandas", "pyarrow"} & sys.modules.keys():
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow

        pyarrow.chunked_array([[0]]).to_numpy()
    finally:
        sys.meta_path.remove(_NoPandas)
