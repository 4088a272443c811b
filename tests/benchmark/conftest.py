"""What the figures were made on, without naming the machine."""

from typing import Any


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """No committed JSON holds a host name."""
    machine_info.pop("node", None)
