"""How much memory a block takes."""

import numpy as np
import pytest

from lib.experiment.peak_memory import PeakMemory


def test_memory_is_that_of_the_block_alone():
    before = np.ones(8_000_000)  # 61 MiB held before the block do not count, nor what was freed
    del before
    with PeakMemory() as memory:
        held = np.ones(4_000_000)
        total = sum(np.sort(held[:1_000_000]).sum() for _ in range(5))
        del held
    if np.isnan(memory.mib):
        pytest.skip("this system does not tell")
    assert total > 0
    assert 25 < memory.mib < 55  # 31 MiB, and a sorted part
    with PeakMemory() as little:
        pass
    assert little.mib < 5
