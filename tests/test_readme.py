import pandas as pd
import pytest

from lib import ROOT, readme


def test_readme_is_in_step_with_the_committed_report():
    data = ROOT / "reports" / "data"
    if not (data / "results.csv").exists():
        pytest.skip("no report is rendered here; make one with: make report")
    block = readme.findings(pd.read_csv(data / "results.csv"), pd.read_csv(data / "claims.csv"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.with_findings(text, block) == text, "run: python -m lib.readme"


def test_missing_markers_are_named():
    with pytest.raises(ValueError, match="findings go"):
        readme.with_findings("# Title", "block")
