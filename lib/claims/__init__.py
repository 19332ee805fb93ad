"""The projects' published figures, the rules of our verdicts on them, and the cards that the report shows.

It imports `lib.experiment` for stored runs, `lib.data`, and what computes below.
"""

from lib.claims.cards import cards, marked
from lib.claims.expressions import Stored
from lib.claims.published import load_claims
from lib.claims.rules import load_rules
from lib.claims.verdicts import REPRODUCED, STANDS, overall, told

__all__ = ["REPRODUCED", "STANDS", "Stored", "cards", "load_claims", "load_rules", "marked", "overall", "told"]
