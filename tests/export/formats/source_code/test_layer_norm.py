"""LayerNorm of a row whose elements are much larger than their differences loses no digits in C and JavaScript."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from export.formats.c import to_c
from export.formats.js import to_js
from export.runners.c import c_runner
from export.runners.js import js_runner
from tests.feed_forward_networks import source_of


@pytest.mark.parametrize(("write", "run", "name"), [(to_c, c_runner, "model.c"), (to_js, js_runner, "model.mjs")])
def test_no_digits_are_lost(write, run, name):
    module = nn.LayerNorm(36)
    rows = (100 + np.random.default_rng(0).normal(scale=0.01, size=(50, 36))).astype(np.float32)
    with torch.inference_mode():
        expected = copy.deepcopy(module).double()(torch.from_numpy(rows).double()).numpy()
    (found,) = run(name, write(source_of(module, "x=float32[batch,36]"))).bind((rows,)).outputs()
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
