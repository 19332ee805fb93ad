from lib.runner.changed import LONGEST, changed_parameters, folder_name, shared_values
from lib.runner.parameters import Resolved


def resolved(**values):
    return Resolved(values, {})


def test_only_values_that_are_not_the_plan_s_count_and_only_of_these_runs():
    planned = {"a": resolved(n=1, k=2), "b": resolved(n=1), "c": resolved(n=1)}
    now = {"a": resolved(n=5, k=2), "b": resolved(n=1), "c": resolved(n=9)}
    assert changed_parameters(planned, now, {"a", "b"}) == {"a": {"n": (1, 5)}}


def test_a_folder_says_what_was_changed():
    assert folder_name(["svd"], {"n_factors": 50}) == "svd-n_factors-50"
    assert folder_name(["svd"], {"n_factors": 50}, "quick") == "svd-n_factors-50-quick"
    assert folder_name(["b", "a"], {"split": "u1"}) == "a-b-split-u1"


def test_what_a_folder_can_t_be_called_is_told_apart_by_a_digest():
    one, other = (folder_name(["a"], {"film": title}) for title in ("x/y", "x?y"))
    assert one != other and one.startswith("a-film-x_y-") and "/" not in one
    long = folder_name(["a"], {"grid": list(range(100))})
    assert len(long) <= LONGEST + 9
    assert long != folder_name(["a"], {"grid": list(range(101))})
    three = [folder_name(names, {"k": 5}) for names in ("abc", "abd")]
    assert three[0] != three[1] and three[0].startswith("3_runs-k-5-")


def test_values_that_runs_share_are_said_once():
    changed = {"a": {"n": (1, 5), "k": (1, 2)}, "b": {"n": (3, 5), "k": (1, 9)}}
    assert shared_values(changed) == {"n": 5, "a:k": 2, "b:k": 9}
