"""How much memory a block takes."""

import numpy as np
import pytest

from lib.experiment.peak_memory import PeakMemory


@pytest.mark.parametrize("use_mark", [True, False])
def test_memory_is_that_of_the_block_alone(use_mark):
    before = np.ones(8_000_000)  # 61 MiB held before the block do not count, nor what was freed
    del before
    with PeakMemory(use_mark=use_mark, every=0.001) as memory:
        held = np.ones(4_000_000)
        total = sum(np.sort(held[:1_000_000]).sum() for _ in range(5))
        del held
    if memory.method == "none":
        pytest.skip("this system has no /proc to read memory from")
    assert total > 0
    assert 25 < memory.mib < 55  # 31 MiB, and a sorted part
    with PeakMemory(use_mark=use_mark) as little:
        pass
    assert little.mib < 5
