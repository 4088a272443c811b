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
    """Load pyarrow without pandas and without its signal handlers, and keep OpenBLAS to one thread.

    pandas, and threads that wait for each other, take longer than reading and fitting a small table. pyarrow's
    handlers, which replace ours while it reads, lose a signal that comes as they are removed: of 200 interrupts of a
    loop over blocks of 20 and of 2,000 rows, pyarrow 26 lost 9.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not {"pandas", "pyarrow"} & sys.modules.keys():
        _load_pyarrow_without_pandas()
    import pyarrow

    pyarrow.enable_signal_handlers(False)


def _load_pyarrow_without_pandas() -> None:
    """Import pyarrow, and let it look for pandas in vain, which it does once, when it first converts an array."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow

        pyarrow.chunked_array([[0]]).to_numpy()
    finally:
        sys.meta_path.remove(_NoPandas)
