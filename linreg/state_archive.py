"""Say what is wrong with the archive of a state_dict, without torch."""

from linreg.archive import MAX_PICKLE_BYTES, is_archive, read_archive
from linreg.errors import ModelError
from linreg.files import sha256

LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""First bytes of files that torch.save wrote before version 1.6."""


def records_of(name: str, data: bytes) -> dict[str, memoryview]:
    """Return the records of a torch.save file by name.

    Args:
        name: name of the file, used in messages.
        data: contents of the file.

    Raises:
        ModelError: the file is damaged, or torch.save did not write it.
    """
    identity = f"(sha256 {sha256(data)[:12]})"
    if not is_archive(data):
        way = ""
        if data.startswith(LEGACY):
            way = f"; convert it: import torch; torch.save(torch.load({name!r}), 'weights.pth')"
        raise ModelError(
            f"{name}: is not a state_dict of torch.save (torch 1.6 or newer), or is cut off{way} {identity}"
        )
    try:
        records = read_archive(name, data)
    except ModelError as error:
        raise ModelError(f"{error} {identity}") from None
    if "constants.pkl" in records:
        raise ModelError(f"{name}: is a TorchScript archive, not a state_dict; name the .pth instead {identity}")
    if len(records.get("data.pkl", b"")) > MAX_PICKLE_BYTES:
        raise ModelError(
            f"{name}: its data.pkl has more than {MAX_PICKLE_BYTES} bytes, which a state_dict does not need {identity}"
        )
    return records
