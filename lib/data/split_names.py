"""What a split is called in running text, where its name in `lib.data.splits` would only speak to who runs the code."""

NAMES = {  # by the name of `lib.data.splits`; folds u1 to u5 are called so by everybody
    "per_user_80_20": "project A's split",
    "random_90_10": "a random tenth held out",
    "kfold_5": "five random folds",
    "chronological": "the split by time",
    "temporal_90_10": "each user's last tenth held out",
    "cold_items_90_10": "a tenth of the films held out whole",
    "cold_users_90_10": "a tenth of the users held out whole",
}

HEADINGS = {"per_user_80_20": "A's split", "random_90_10": "A tenth held out", "chronological": "By time"}
"""Shorter ones, over the columns of a table."""


def split_name(key: str) -> str:
    """Return what to call a split, or a key of `make_splits`, in a sentence, such as ``"project A's split, seed 1"``."""
    name, _, which = key.partition("/")
    if name not in NAMES:
        return key
    if not which:
        return NAMES[name]
    return f"fold {which} of {NAMES[name]}" if name == "kfold_5" else f"{NAMES[name]}, seed {which}"


def split_heading(key: str) -> str:
    """Return what to call a split over a column, such as ``"Fold 1"`` or ``"A tenth held out, seed 1"``."""
    name, _, which = key.partition("/")
    if name == "kfold_5":
        return f"Fold {which}"
    return HEADINGS.get(name, name) + (f", seed {which}" if which else "")
