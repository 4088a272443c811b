"""A network of a user, the words that export it, and what a test reads from or takes out of its bundle."""

import json

import numpy as np

from linreg.manifest import manifest_files, read_manifest

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.table = nn.Embedding(50, width)
        self.head = nn.Linear(width + 3, 2)

    def forward(self, ids, x):
        both = torch.cat([self.table(ids).mean(1), x], 1)
        return {"score": torch.tanh(self.head(both)), "total": x.sum(1)}


def make_net():
    torch.manual_seed(20261126)
    return Net()


def wrong_net():
    return nn.Sequential(nn.Linear(3, 2), nn.Tanh())


def wide_net():
    return Net(8)
"""
INPUTS = ["--input", "ids=int64[batch,5]<50", "--input", "x=float32[batch,3]"]
MODULE = ["--module", "nets.py:make_net"]
BUDGET = ["--budget", "0.01s"]  # some cases are left out, even on a quick machine
ESCAPE = "\x1b[31m"


def arrays(rows=6):
    generator = np.random.default_rng(7)
    return {
        "ids": generator.integers(0, 50, (rows, 5)),
        "x": generator.standard_normal((rows, 3)).astype(np.float32),
    }


def card(net):
    return json.loads((net / "card.json").read_text())


def without(net, *names):
    """Take files out of a bundle and its manifest, as an older linreg did not write them."""
    manifest = read_manifest(net)
    kept = [entry for entry in manifest.files if not entry.name.startswith(names)]
    for entry in manifest.files:
        if entry not in kept:
            (net / entry.name).unlink()
    for name, data in manifest_files(manifest.state_sha256, kept).items():
        (net / name).write_bytes(data)
