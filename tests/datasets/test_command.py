from click.testing import CliRunner

from lib.datasets.__main__ import main


def test_a_fetched_data_set_says_its_source_checksum_licence_and_citation(toy, unpacked, tmp_path):
    result = CliRunner().invoke(main, ["toy", "--directory", str(unpacked.parent)])
    assert result.exit_code == 0, result.output
    for part in ("3 ratings", "MOVIELENS_DIR", toy.files["u.data"], "licence", "cite"):
        assert part in result.output


def test_exit_codes_tell_a_typing_error_from_missing_and_corrupt_data(toy, unpacked):
    assert CliRunner().invoke(main, ["toys"]).exit_code == 2
    (unpacked / "u.data").write_bytes(b"")
    result = CliRunner().invoke(main, ["toy", "--directory", str(unpacked.parent)])
    assert result.exit_code == 3 and "expected sha256" in result.output
