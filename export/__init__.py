"""Export a module, or a reloaded state_dict, to artifacts that are verified before they are kept.

Whatever uses ONNX Runtime goes through this package, which turns off its telemetry unless the user has decided
otherwise: since 1.29 it sends hashes of the graph and of the weights, and writes a device ID to the home folder.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
