"""Keep the record of the last self-check of the harness, for later reports on this machine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.environment import describe_environment
from export.runners.ledger import state_folder
from linreg.errors import LinregError
from linreg.json_files import read_json, write_json

FILE = "self-check.json"
SAME_FIELDS = ("processor", "cores", "versions")
"""Fields of the environment: a record holds only for reports of the same machine and versions."""


def keep(record: Mapping[str, Any]) -> None:
    """Write the record of a self-check in place of the last one.

    Raises:
        LinregError: it cannot be written.
    """
    write_json(state_folder() / FILE, dict(record))


def last_self_check() -> dict[str, Any] | None:
    """Return the record of the last self-check if it ran on this machine with these versions; else None."""
    try:
        record = read_json(state_folder() / FILE)
    except LinregError:
        return None
    now, then = asdict(describe_environment()), record.get("environment")
    return record if isinstance(then, dict) and all(now[name] == then.get(name) for name in SAME_FIELDS) else None
