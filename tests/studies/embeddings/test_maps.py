import matplotlib.pyplot as plt
import numpy as np

from lib.report import figures
from lib.studies.embeddings.projection import OTHERS, draw_map, short_title


def test_every_film_is_a_dot_of_its_genre_and_landmarks_have_names():
    figures.use_style()
    figure, axis = plt.subplots()
    genres = np.array(["War", "Drama", "War", "Western"])
    places = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [3.0, 3.0]])
    draw_map(axis, places, genres, {"War": "#111111", "Drama": "#222222"}, {2: "Ran"})
    drawn = {line.get_label(): line for line in axis.lines}
    np.testing.assert_array_equal(drawn["War"].get_xydata(), places[[0, 2]])
    assert drawn["other"].get_color() == OTHERS
    np.testing.assert_array_equal(drawn["other"].get_xydata(), places[[3]])
    np.testing.assert_array_equal(axis.texts[0].xy, places[2])
    assert axis.texts[0].get_text() == "Ran" and len(axis.get_xticks()) == 0
    plt.close(figure)


def test_titles_are_cut_to_their_name():
    assert short_title("Heat (1995)") == "Heat"
    assert short_title("A" * 30) == "A" * 23 + "…"
