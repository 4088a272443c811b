"""A benchmark of a module with several dynamic axes says at which sizes it was timed."""

import json
from dataclasses import replace

from bench.report.report import Report
from tests import bench_reports


def test_the_sizes_of_other_axes_are_in_the_file_and_only_if_there_are_any():
    plain = Report.from_json(json.dumps(bench_reports.report()))
    assert "sizes" not in plain.to_values()
    sized = replace(plain, sizes={"seq": 5})
    assert sized.to_values()["sizes"] == {"seq": 5}
    assert Report.from_json(sized.to_json()).sizes == {"seq": 5}
