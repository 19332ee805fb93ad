"""Slots: never more at work than there are, everyone's turn comes, and the killed give theirs back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from lib import ROOT
from lib.experiment import slots as slots_module
from lib.experiment.slots import Slots, held, slots

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no file locks here")

HOLD = """
import sys, time
from lib.experiment.slots import Slots
folder, count, seconds, times = sys.argv[1:]
for _ in range(int(times)):
    with Slots(folder, int(count)):
        start = time.monotonic()
        time.sleep(float(seconds))
        print(start, time.monotonic())
"""


def holder(folder, count, seconds, times):
    command = [sys.executable, "-c", HOLD, str(folder), str(count), str(seconds), str(times)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def most_at_once(spans):
    changes = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    at_once = most = 0
    for _, change in changes:
        at_once += change
        most = max(most, at_once)
    return most


def test_no_more_hold_one_than_there_are(tmp_path):
    processes = [holder(tmp_path / "slots", 2, 0.03, 5) for _ in range(4)]
    lines = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]
    spans = [tuple(map(float, line.split())) for line in lines]
    assert len(spans) == 20
    assert most_at_once(spans) == 2


def test_one_is_enough_and_all_wait_for_all(tmp_path):
    mine, other = Slots(tmp_path, 2), Slots(tmp_path, 2)
    assert mine.take() and mine.take() and mine.holds
    assert other.take(0)
    third = Slots(tmp_path, 2)
    assert not third.take(0.05)
    waiter = threading.Thread(target=third.take_all)
    waiter.start()
    time.sleep(0.1)
    other.give_back()
    assert not other.take(0.1), "who waits for all comes first"
    assert waiter.is_alive()
    mine.give_back()
    waiter.join(5)
    assert third.holds
    third.give_back()
    with mine, other:
        assert mine.holds and other.holds
    assert not mine.holds


def test_who_comes_back_waits_behind_who_waits(tmp_path):
    busy, waiting = Slots(tmp_path, 1), Slots(tmp_path, 1)
    busy.take()
    waiter = threading.Thread(target=waiting.take)
    waiter.start()
    time.sleep(0.1)
    busy.give_back()
    assert not busy.take(0.2)
    waiter.join(5)
    assert waiting.holds


def test_a_killed_process_gives_its_slot_back(tmp_path):
    process = holder(tmp_path / "slots", 1, 60, 1)
    mine = Slots(tmp_path / "slots", 1)
    while mine.take(0):
        mine.give_back()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert mine.take(2)


def test_without_slots_nobody_waits(tmp_path, monkeypatch):
    monkeypatch.delenv(slots_module.SLOTS, raising=False)
    held.cache_clear()
    assert held().count == 0 and held().take() and not held().holds
    held().take_all()
    held().give_back()
    monkeypatch.setenv(slots_module.SLOTS, f"{tmp_path}:3")
    held.cache_clear()
    assert held() is held() and str(held()) == f"{tmp_path}:3" and held().count == 3
    held.cache_clear()
    assert slots("").count == 0 and str(slots("")) == ""
    monkeypatch.setattr(sys, "platform", "win32")
    assert slots(f"{tmp_path}:3").count == 0
