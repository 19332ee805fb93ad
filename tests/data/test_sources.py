import hashlib
import multiprocessing
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from toy_dataset import FILES, zip_of

from lib.data import catalogue, index_wheels, sources
from lib.data import dataset as datasets
from lib.data.dataset import load
from lib.data.errors import CorruptDataset, DatasetUnavailable


@pytest.fixture
def load_from(monkeypatch):
    """Load the toy data from a folder of the user's."""

    def loaded(folder):
        monkeypatch.setenv("MOVIELENS_DIR", str(folder))
        return load("toy")

    return loaded


def test_a_folder_of_the_users_is_asked_first(toy, unpacked, load_from, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_from_grouplens", lambda entry: pytest.fail("asked GroupLens"))
    dataset = load_from(unpacked.parent)
    assert dataset.source == "MOVIELENS_DIR"
    assert dataset.checksums == {name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()}
    assert str(tmp_path) not in repr(dataset)
    # The data set's own folder is understood too.
    assert load_from(unpacked).source == "MOVIELENS_DIR"


@pytest.mark.parametrize("place", ["toy.zip", "toy/toy.zip"])
def test_an_official_zip_in_the_users_folder(toy, load_from, tmp_path, place):
    (tmp_path / "toy").mkdir()
    zip_of(tmp_path / place, {f"toy/{name}": body for name, body in FILES.items()})
    dataset = load_from(tmp_path)
    assert dataset.source == "MOVIELENS_DIR" and len(dataset.interactions) == 3


def test_a_fetched_archive_is_cached_and_the_next_load_reads_the_cache(toy, tmp_path, monkeypatch):
    content = {**FILES, "README": b"licence"}
    monkeypatch.setattr(sources, "_from_grouplens", lambda entry: content)
    assert load("toy").source == "GroupLens"
    monkeypatch.setattr(sources, "_from_grouplens", lambda entry: pytest.fail("asked again"))
    assert load("toy").source == "data/raw"
    assert (tmp_path / "raw/toy/origin.txt").read_text() == "GroupLens\n"
    assert sorted(path.name for path in (tmp_path / "raw/toy").iterdir()) == sorted([*content, "origin.txt"])


def test_each_source_s_answer_and_the_way_out_are_told(toy, load_from, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT", (0.5, 0.5))
    with pytest.raises(DatasetUnavailable) as error:
        load_from(tmp_path)
    message = str(error.value)
    for part in (
        "1. MOVIELENS_DIR",
        "2. data/raw",
        "3. GroupLens",
        "4. package index: no wheel",
        "5. Internet Archive: https://127.0.0.1:1/captures/https://127.0.0.1:1/toy.zip: ",
        "put toy.zip",
    ):
        assert part in message
    assert not (tmp_path / "raw").exists()


def test_a_folder_that_does_not_exist_is_not_passed_over(toy, load_from, tmp_path):
    with pytest.raises(DatasetUnavailable, match="not a folder here"):
        load_from(tmp_path / "nowhere")


def test_a_folder_without_one_file_names_it(toy, unpacked, load_from):
    (unpacked / "u.user").unlink()
    with pytest.raises(CorruptDataset, match=r"lacks u\.user"):
        load_from(unpacked.parent)


def test_a_wrong_checksum_says_expected_found_and_what_to_do(toy, unpacked, load_from):
    (unpacked / "u.data").write_bytes(FILES["u.data"].replace(b"5", b"4", 1))
    found = hashlib.sha256((unpacked / "u.data").read_bytes()).hexdigest()
    with pytest.raises(CorruptDataset) as error:
        load_from(unpacked.parent)
    message = str(error.value)
    assert toy.files["u.data"] in message and found in message and str(unpacked) in message
    assert "Put the official file there" in message


def test_a_damaged_cache_is_an_error_and_an_incomplete_one_is_fetched_anew(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_from_grouplens", lambda entry: dict(FILES))
    load("toy")
    cached = tmp_path / "raw/toy/u.data"
    cached.write_bytes(FILES["u.data"][:-8])
    with pytest.raises(CorruptDataset, match="Delete it and run again"):
        load("toy")
    cached.unlink()
    assert load("toy").source == "GroupLens"


def test_a_cut_off_download_leaves_nothing(toy, tmp_path, monkeypatch):
    whole = zip_of(tmp_path / "whole.zip", {f"toy/{name}": body for name, body in FILES.items()}).read_bytes()

    def retrieve(url, known_hash, fname, path, downloader):
        place = f"{path}/{fname}"
        with open(place, "wb") as file:
            file.write(whole[: len(whole) // 2])
        return place

    monkeypatch.setattr("pooch.retrieve", retrieve)
    with pytest.raises(CorruptDataset, match="not a whole zip archive"):
        load("toy")
    pinned = replace(toy, archive="md5:" + hashlib.md5(whole).hexdigest())
    monkeypatch.setattr(catalogue, "entries", lambda: {"toy": pinned})
    with pytest.raises(CorruptDataset, match="expected md5"):
        load("toy")
    assert not (tmp_path / "raw").exists()


def test_verification_of_the_connection_is_never_switched_off(toy, tmp_path, monkeypatch):
    import requests

    asked = []

    def get(url, **options):
        asked.append(options | {"url": url})
        raise requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: expired (_ssl")

    monkeypatch.setattr("requests.get", get)
    with pytest.raises(DatasetUnavailable, match=r"certificate failed verification \(expired\)"):
        load("toy")
    assert [one["url"] for one in asked] == [toy.url, toy.capture]
    for one in asked:
        assert one["url"].startswith("https://") and one.get("verify", True) is True
        assert one["timeout"] == sources.TIMEOUT


@pytest.fixture
def internet_archive(monkeypatch, tmp_path):
    """A stand-in that serves what the list's last bytes are, from the capture nearest to the time that is asked for."""
    bodies = [zip_of(tmp_path / "whole.zip", {f"toy/{name}": body for name, body in FILES.items()}).read_bytes()]
    asked = []

    class Captures(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            nearest = self.path.replace("/20220101id_/", "/20211231id_/")
            self.send_response(302 if nearest != self.path else 200)
            self.send_header("Location", nearest)
            self.end_headers()
            self.wfile.write(b"" if nearest != self.path else bodies[-1])

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Captures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(catalogue, "CAPTURES", f"http://127.0.0.1:{server.server_port}/web/20220101id_/")
        yield bodies, asked
        server.shutdown()


def test_the_internet_archive_s_copy_is_asked_last_and_cached(toy, internet_archive, tmp_path):
    _, asked = internet_archive
    assert load("toy").source == "Internet Archive"
    assert asked == [f"/web/{time}id_/https://127.0.0.1:1/toy.zip" for time in ("20220101", "20211231")]
    assert (tmp_path / "raw/toy/origin.txt").read_text() == "Internet Archive\n"
    assert load("toy").source == "data/raw" and len(asked) == 2


def test_a_capture_with_another_checksum_is_refused(toy, internet_archive, tmp_path):
    bodies, _ = internet_archive
    other = {f"toy/{name}": body.replace(b"5", b"4", 1) for name, body in FILES.items()}
    bodies.append(zip_of(tmp_path / "other.zip", other).read_bytes())
    with pytest.raises(CorruptDataset, match="expected sha256"):
        load("toy")
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "ml-latest-small", "ml-20m"])
def test_captures_are_asked_for_over_https_by_the_official_address(name):
    assert datasets.entry(name).capture.startswith("https://")
    assert datasets.entry(name).capture.endswith(f"id_/https://files.grouplens.org/datasets/movielens/{name}.zip")


def _load_repeatedly(entry, folder, barrier):
    def fetched(entry):
        barrier.wait(timeout=30)
        return {**FILES, "big": b"x" * (1 << 20)}

    catalogue.entries = lambda: {"toy": entry}
    sources._from_grouplens = fetched
    for turn in range(10):
        barrier.wait(timeout=30)
        sources.CACHE = folder / str(turn)
        assert load("toy").source == "GroupLens"


def test_two_processes_that_fetch_at_once_both_load_and_leave_a_whole_cache(toy, tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_load_repeatedly, args=(toy, tmp_path, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    for turn in range(10):
        monkeypatch.setattr(sources, "CACHE", tmp_path / str(turn))
        assert load("toy").source == "data/raw"
        left = {path.name: path.read_bytes() for path in (tmp_path / str(turn) / "toy").iterdir()}
        assert set(left) == {*FILES, "big", "origin.txt"} and left["big"] == b"x" * (1 << 20)


def test_pip_is_asked_for_a_binary_wheel_without_dependencies(monkeypatch, tmp_path):
    asked = []

    def run(command, **options):
        asked.append(command)
        return type("Done", (), {"returncode": 1, "stderr": "ERROR: No matching distribution found"})()

    monkeypatch.setattr("subprocess.run", run)
    entry = datasets.entry("ml-100k")
    with pytest.raises(DatasetUnavailable, match="No matching distribution"):
        index_wheels.fetch(entry)
    assert {"--only-binary=:all:", "--no-deps", "recbole==1.2.1"} <= set(asked[0])
    assert not any("index" in argument or "://" in argument for argument in asked[0])


def test_a_wheel_that_is_not_the_pinned_one_is_refused(monkeypatch, tmp_path):
    def run(command, **options):
        zip_of(f"{command[command.index('--dest') + 1]}/recbole-1.2.1-py3-none-any.whl", {"a": b"b"})
        return type("Done", (), {"returncode": 0, "stderr": ""})()

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(CorruptDataset, match="The index serves another file"):
        index_wheels.fetch(datasets.entry("ml-100k"))
