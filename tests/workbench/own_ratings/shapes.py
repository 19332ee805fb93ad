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


def ten_points(folder: Path, *, n_users: int = 250, n_items: int = 180, n: int = 12_000, seed: int = 4) -> Path:
    """Write whole ratings from 0 to 10, in which 0 is a rating like any other, without times."""
    users, items, liking = taste(n_users, n_items, n, seed)
    rows = zip(users + 1, items + 1, np.round(10 * liking).astype(int), strict=True)
    return _written(folder / "ten_points.csv", "user_id,anime_id,rating", rows)


def counts(folder: Path, *, n_users: int = 250, n_items: int = 180, n: int = 9000, seed: int = 5) -> Path:
    """Write how often who played what, from 1 to many thousands, in a column ``weight``, as Last.fm's data sets have it."""
    users, items, liking = taste(n_users, n_items, 3 * n, seed)
    liked = np.argsort(-liking, kind="stable")[:n]  # a listener plays what fits
    times = np.random.default_rng(seed).lognormal(6 * liking[liked], 1.2).astype(int) + 1
    rows = zip(users[liked] + 1, items[liked] + 1, times, strict=True)
    return _written(folder / "counts.tsv", "userID\tartistID\tweight", rows)


def reviews(folder: Path, *, n_users: int = 4000, n_items: int = 80, seed: int = 6) -> Path:
    """Write reviews of 1 to 5 by people of whom nearly all have written one, in the columns and order of Amazon's."""
    rng = np.random.default_rng(seed)
    users = np.concatenate([np.arange(n_users), rng.choice(n_users, n_users // 40, replace=False)])
    items = rng.choice(n_items, len(users), p=(share := 1 / np.arange(1, n_items + 1) ** 0.8) / share.sum())
    kept = np.unique(np.stack([users, items]), axis=1, return_index=True)[1]
    users, items = users[kept], items[kept]
    stars = np.clip(np.round(3.6 + rng.normal(size=n_items)[items] + 0.8 * rng.normal(size=len(users))), 1, 5)
    times = 1_300_000_000 + 86_400 * rng.integers(0, 1500, len(users))
    ids = ([f"A{u:05d}KX" for u in users], [f"B0{i:08d}" for i in items])
    return _written(
        folder / "reviews.csv", "reviewerID,asin,overall,unixReviewTime", zip(*ids, stars, times, strict=True)
    )


def text_ids(folder: Path, *, n_users: int = 250, n_items: int = 180, n: int = 12_000, seed: int = 7) -> Path:
    """Write stars of 1 to 5 with names as ids, and times in words."""
    users, items, liking = taste(n_users, n_items, n, seed)
    days = np.sort(np.random.default_rng(seed).integers(0, 900, n))
    stars = np.clip(np.round(1 + 4 * liking), 1, 5).astype(int)
    whens = (f"{np.datetime64('2021-03-01') + day}T12:00:00Z" for day in days)
    rows = zip([f"reader {u:03d}" for u in users], [f"Book, the {i}th" for i in items], stars, whens, strict=True)
    return _written(folder / "text_ids.csv", "reader,book,stars,date", rows)


def _written(path: Path, header: str, rows) -> Path:
    separator = "\t" if "\t" in header else ","
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, delimiter=separator)
        out.writerow(header.split(separator))
        out.writerows(rows)
    return path


SHAPES = (half_stars, ten_points, counts, reviews, text_ids)
"""Five shapes of public data sets: half stars, 0 to 10 with zeros, counts, one rating a user, text ids with times."""


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(*books(target), plays(target), *(shape(target) for shape in SHAPES))
