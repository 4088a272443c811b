"""The dtype in which a model is exported."""

from enum import StrEnum

from linreg.errors import ExportError

NO_BFLOAT16 = (
    "onnxruntime's CPU provider has no bfloat16 Gemm (NOT_IMPLEMENTED), so nothing could be verified; "
    "use float16 or float32"
)


class ExportPrecision(StrEnum):
    """A dtype other than the model's own for an artifact's floating-point parameters and inputs."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @classmethod
    def _missing_(cls, value: object) -> "ExportPrecision":
        why = f"; {NO_BFLOAT16}" if value == "bfloat16" else ""
        raise ExportError(f"dtype: got {value!r}, expected one of {', '.join(cls)}{why}")
