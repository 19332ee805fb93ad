"""Speed against the peers: ratios taken in one run on one machine, never a timed test."""
