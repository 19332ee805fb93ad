"""How many verdicts there are of each kind, as pages say it."""

import pandas as pd

from lib.claims import told


def test_verdicts_are_counted_in_their_order_and_number():
    verdicts = pd.Series(["does not hold", "holds", "could not be tested", "holds", "could not be tested"])
    assert told(verdicts) == "2 *hold*, 1 *does not hold*, 2 *could not be tested*"
    assert told(verdicts[:0]) == ""
