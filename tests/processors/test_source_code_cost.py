"""The committed figures of a network as C, where they do not depend on the machine: compiled and traced again."""

from tests.deploy.processors import COST, cost_table
from tests.processors.conftest import check, sources, targets


def test_a_cortex_m_takes_the_bytes_and_instructions_of_the_committed_file(networks):
    target = next(target for target in targets.TARGETS if target.name == "Cortex-M4F, hard float")
    (source,) = sources(networks / "mlp")
    code, data, library, stack, instructions = check.costs(target, source)
    columns = cost_table()
    assert COST.read_text().count(target.name) == 1
    assert [columns[title][0] for title in columns][:4] == [code, data, library, stack]
    assert columns["a call at batch 1"][0] == f"{instructions} instructions"
