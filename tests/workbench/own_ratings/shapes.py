"""Ratings files of other shapes than MovieLens's, made up: half stars, 0 to 100 with text ids, single-valued.

``python -m tests.workbench.own_ratings.shapes FOLDER`` writes them for trying by hand.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

NASTY = (
    '<script>alert("x")</script>', "<b>Bold</b> & <i>italic</i>", 'She said "no", twice', "Comma, the; semicolon | pipe",
    "Two\nlines", "千と千尋の神隠し", "Преступление и наказание", "الف ليلة وليلة", "<img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% raw %}", "$x^2$ _under_ *star* [link](javascript:alert(1))", "=SUM(A1)", "café ☕ naïve",
)  # fmt: skip
"""Titles that break what does not escape or quote."""


def taste(n_users: int, n_items: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw distinct pairs, popular items more often, and a liking of each between 0 and 1 that has structure to learn."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.7
    scores = rng.gumbel(size=(n_users, n_items)) + np.log(popularity)
    users, items = np.divmod(np.argsort(-scores, axis=None)[:n], n_items)
    order = rng.permutation(n)
    users, items = users[order], items[order]
    left, right = rng.normal(size=(n_users, 3)), rng.normal(size=(n_items, 3))
    liking = (left[users] * right[items]).sum(1) + 0.5 * rng.normal(size=n_items)[items] + 0.4 * rng.normal(size=n)
    return users, items, 1 / (1 + np.exp(-liking))


def half_stars(folder: Path, *, n_users: int = 60, n_items: int = 50, n: int = 1500, seed: int = 1) -> Path:
    """Write a CSV with userId, movieId, rating (0.5 to 5) and timestamp."""
    users, items, liking = taste(n_users, n_items, n, seed)
    ratings = np.clip(np.round(liking * 10) / 2, 0.5, 5)
    times = 1_500_000_000 + 3600 * np.random.default_rng(seed).permutation(n)
    path = folder / "half_stars.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["userId", "movieId", "rating", "timestamp"])
        out.writerows(zip((users + 1).tolist(), (items + 101).tolist(), ratings.tolist(), times.tolist(), strict=True))
    return path


def books(
    folder: Path, *, n_users: int = 60, n_items: int = 50, n: int = 1500, seed: int = 2
) -> tuple[Path, Path, Path]:
    """Write ratings from 0 to 100 by readers of books, all ids text, dates as times, and tables of books and readers."""
    users, items, liking = taste(n_users, n_items, n, seed)
    rng = np.random.default_rng(seed)
    days = np.datetime64("2023-01-01") + rng.integers(0, 400, n)
    paths = folder / "books.tsv", folder / "book_table.csv", folder / "readers.csv"
    with open(paths[0], "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, delimiter="\t")
        out.writerow(["Reader ID", "ISBN", "Score", "Date"])
        out.writerows(
            (f"reader-{u:03d}", f"0{i:04d}X", round(100 * r), str(d)) for u, i, r, d in zip(users, items, liking, days, strict=True)
        )  # fmt: skip
    with open(paths[1], "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["isbn", "title", "genre", "pages", "publisher"])
        for i in range(n_items):
            title = NASTY[i] if i < len(NASTY) else f"Book {i}"
            out.writerow(
                [
                    f"0{i:04d}X",
                    title,
                    ["crime|classic", "poetry", "crime", ""][i % 4],
                    80 + 7 * i,
                    ["Owl", "Fox & Co"][i % 2],
                ]
            )
    with open(paths[2], "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["reader_id", "country", "age"])
        out.writerows((f"reader-{u:03d}", ["FI", "PT", "KE"][u % 3], 18 + u % 50) for u in range(n_users))
    return paths


def plays(folder: Path, *, n_users: int = 60, n_items: int = 50, n: int = 1200, seed: int = 3) -> Path:
    """Write who listened to what, ``::`` between, every value 1, no times."""
    users, items, _ = taste(n_users, n_items, n, seed)
    path = folder / "plays.dat"
    path.write_text("".join(f"{u + 1}::{i + 1}::1\n" for u, i in zip(users, items, strict=True)), encoding="utf-8")
    return path


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(half_stars(target), *books(target), plays(target))
