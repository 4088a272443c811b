"""How a torch module is called."""

from enum import StrEnum


class CallMode(StrEnum):
    """The context of a call; `ambient` modes enter theirs once around many calls, the others inside each."""

    GRAD = "grad"
    NO_GRAD = "no_grad"
    NO_GRAD_PER_CALL = "no_grad-per-call"
    INFERENCE_MODE = "inference_mode"
    INFERENCE_MODE_PER_CALL = "inference_mode-per-call"
