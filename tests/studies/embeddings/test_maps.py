from lib.studies.embeddings.projection import short_title


def test_titles_are_cut_to_their_name():
    assert short_title("Heat (1995)") == "Heat"
    assert short_title("A" * 30) == "A" * 23 + "…"
