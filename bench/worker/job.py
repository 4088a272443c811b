"""What one process is to measure, as JSON values that reach it through a file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.plan.subject import Subject, subject_from_json
from bench.plan.variants import Variant, variant_from_json


class Device(StrEnum):
    """Where the calls run."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one process is to measure.

    Attributes:
        variants: the rows that can be run; the first is the reference, the second its fresh copy, the null row.
        subjects: by name; each variant must give the answers of one of them.
        folder: the work folder: artifacts by file name, and for each subject what it must answer.
        device: of all rows.
        batches: rows of input.
        threads: intra-op threads of torch and onnxruntime; each is measured by itself.
        onnxruntime_threads: of onnxruntime where its budget shall not be torch's.
        rounds: blocks of every variant at each batch.
        seed: of the order.
        fresh: the variant that this process loads and calls before it loads any other; empty for none.
        single_calls: how many calls are timed one by one for the tails; 0 for none.
    """

    variants: tuple[Variant, ...]
    subjects: dict[str, Subject]
    folder: Path
    device: Device = Device.CPU
    batches: tuple[int, ...]
    threads: tuple[int, ...] = (1,)
    onnxruntime_threads: int | None = None
    rounds: int
    seed: int
    fresh: str = ""
    single_calls: int = 0

    def variant(self, name: str) -> Variant:
        """The row of a name."""
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def reference(self) -> Variant:
        """The row that ratios refer to."""
        return self.variants[0]

    @property
    def null(self) -> Variant:
        """A second copy of the reference."""
        return self.variants[1]


def job_to_json(job: Job) -> dict[str, Any]:
    """A job as JSON values."""
    return {**asdict(job), "folder": str(job.folder)}


def job_from_json(value: Mapping[str, Any]) -> Job:
    """The job that `job_to_json` wrote."""
    return Job(
        **{
            **value,
            "variants": tuple(variant_from_json(entry) for entry in value["variants"]),
            "subjects": {name: subject_from_json(entry) for name, entry in value["subjects"].items()},
            "folder": Path(value["folder"]),
            "device": Device(value["device"]),
            "batches": tuple(value["batches"]),
            "threads": tuple(value["threads"]),
        }
    )
