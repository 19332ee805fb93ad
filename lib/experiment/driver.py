"""A call's jobs handed in to a Dask cluster, and what comes of them collected, whatever dies on the way."""

from __future__ import annotations

import atexit
import os
import pickle
import time
import uuid
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from lib.experiment.alone import Work, code, do, end_worker, identity, quiet
from lib.experiment.slots import Slots, held

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Client, Future

REACHED_IN = 30  # seconds in which a scheduler has to answer
WITHOUT_WORKERS = 300.0  # seconds that a cluster may be without any worker
LOOK, GATHER = 1.0, 30.0  # seconds between two looks at a cluster without news, and for one result to arrive
PRIORITY = "REPORT_PRIORITY"  # environment variable: a number
LOST = 20  # how often a job is handed in again that was lost without its worker's death being its own
FIX = (
    "If lib was edited since this process or the cluster started, start them again; on another machine, check out the same "
    "commit and install its requirements.txt first."
)


class OtherCode(RuntimeError):
    """A worker runs another lock or other code, and so might come to other numbers; the message says which and where."""


class NoCluster(RuntimeError):
    """No scheduler answers at an address, or it went away, or it has no workers."""


class JobFailed(RuntimeError):
    """A job raised an error that can't be handed from process to process; the message names both."""


class Job(Protocol):
    """Anything that pickles; as a text, it is what errors call it."""

    def needs(self) -> Iterable[str]:
        """Name the data that it reads, as far as there are such."""


def data_of(job: Job, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return those data that a job needs, by name."""
    return {name: data[name] for name in sorted(set(job.needs()) & set(data))}


class Driver:
    """Hands in a call's jobs on one cluster, two for each of its threads at a time, and collects what comes of them.

    Jobs are marked as producers of data, which Dask keeps at the scheduler until a worker is free, those of a higher
    `PRIORITY` first: a worker's death counts against all jobs that it was given. Unless a call `shares` this machine, its
    jobs take no slots of it, and this process keeps its own while it waits.
    """

    def __init__(self, work: Work, jobs: Sequence[Job], data: Mapping[str, Any], address: str, shares=True):
        self.work, self.jobs, self.data, self.address = work, jobs, data, address
        self.slots = held() if shares else Slots()
        self.priority = float(os.environ.get(PRIORITY, 0))
        self.client = connected(address)
        self.running: dict[Key, tuple[int, Future]] = {}
        self.killed: list[int] = []
        self._parts: dict[str, Future] = {}
        self._keys: dict[str, str] = {}
        self._lost: Counter[int] = Counter()
        self._ended: set[str] = set()
        self._arrived: SimpleQueue[Future] = SimpleQueue()
        self._threads, self._asked, self._served = 1, 0.0, time.monotonic()

    def results(self, left: Iterable[int]) -> Iterator[tuple[int, dict]]:
        """Yield index and result of each job but those in `killed` at the end."""
        waiting = deque(left)
        try:
            while waiting or self.running:
                self._fill(waiting)
                future = self._next()
                if future is None or future.key not in self.running:
                    continue
                index, _ = self.running.pop(future.key)
                answer = self._answer(index, future, waiting)
                if answer is not None:
                    self._fill(waiting)  # while the caller writes, workers go on
                    yield index, answer
        finally:
            self._abandon()

    def _fill(self, waiting: deque[int]) -> None:
        if waiting and time.monotonic() - self._asked > 2 * LOOK:
            self._look()
        while waiting and len(self.running) < 2 * self._threads:
            index = waiting.popleft()
            job = self.jobs[index]
            data = data_of(job, self.data)
            asked = pickle.dumps((self.work, job), protocol=5)
            task = {"identity": identity(), "slots": str(self.slots), "names": list(data), "work": asked}
            parts = self._sent(data)
            self._await(index, self._submit(f"fit-{uuid.uuid4().hex}", do, pickle.dumps(task), *parts))

    def _await(self, index: int, future: Future) -> None:
        self.running[future.key] = index, future
        future.add_done_callback(self._arrived.put)

    def _sent(self, data: Mapping[str, Any]) -> list[Future]:
        """Return futures of parts. As a task that any worker can do, a part outlives the workers that have it."""
        from lib.experiment.key import fingerprint

        new = [name for name in data if name not in self._parts]
        for name in new:
            key = self._keys.setdefault(name, f"part-{fingerprint(data[name])}")
            self._parts[name] = self._submit(key, pickle.loads, pickle.dumps(data[name], protocol=5))
        if new:
            self._spread([self._parts[name] for name in new])
        return [self._parts[name] for name in data]

    def _spread(self, parts: list[Future]) -> None:
        """Let idle workers fetch data before they have work: one that computes may not answer another for long."""
        from distributed import wait

        with suppress(Exception):  # else they come when they are needed
            wait(parts, timeout=REACHED_IN)
            idle = [worker for worker, keys in self.client.processing().items() if not keys]
            fetched = [self.client.submit(lambda *_: None, *parts, workers=[worker], pure=False) for worker in idle]
            wait(fetched, timeout=REACHED_IN)

    def _submit(self, key: str, function: Callable, *arguments: Any) -> Future:
        import dask
        from dask.task_spec import Task, TaskRef
        from distributed import Future

        given = [TaskRef(a.key) if isinstance(a, Future) else a for a in arguments]
        task = Task(key, function, *given, _data_producer=True)
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PiB"}):
            return self.client.get({key: task}, key, sync=False, priority=self.priority)

    def _next(self) -> Future | None:
        """Wait for news; None after a while without any. Meanwhile others may use this process's core."""
        with suppress(Empty):
            return self._arrived.get_nowait()
        self.slots.give_back()
        with suppress(Empty):
            return self._arrived.get(timeout=LOOK)
        self._look()
        return None

    def _answer(self, index: int, future: Future, waiting: deque[int]) -> dict | None:
        """Return a job's result; None where there is none, and the job waits again or is left for its last try."""
        from distributed import CancelledError, KilledWorker, TimeoutError

        title = str(self.jobs[index])
        try:
            kind, value = future.result(timeout=GATHER)
        except TimeoutError:  # its worker died with the result, which is being made again
            self._await(index, future)
            return None
        except KilledWorker as error:
            if error.task == future.key:
                self.killed.append(index)
            else:  # it held a part when it died; the part's key is spoilt
                self._renew(index, waiting, error)
            return None
        except CancelledError as error:
            self._look()
            self._renew(index, waiting, error)
            return None
        except Exception as error:  # a job's own errors come as values
            self._look()
            raise OtherCode(
                f"the cluster at {self.address} can't take {title} ({type(error).__name__}: {error}). Do its scheduler and "
                f"workers run this code in this environment? {FIX}"
            ) from error
        if kind == "other":
            self._refuse(*value)
            waiting.appendleft(index)
            return None
        if kind == "error":
            pickled, words = value
            if pickled is None:
                raise JobFailed(f"{title}: {words}")
            raised = pickle.loads(pickled)
            raised.add_note(f"in the job {title}")
            raise raised
        return pickle.loads(value)

    def _refuse(self, words: str, worker: str) -> None:
        """Raise, unless it is a worker of this machine's that started before an edit to lib: a new one knows of it."""
        stale_here = code() != identity()["lib"]
        if stale_here or "//127.0.0.1:" not in worker or len(self._ended) >= self._threads:
            raise OtherCode(f"{words}. Results might differ from those made here. {FIX}")
        self._ended.add(worker)
        self._end([worker])

    def _renew(self, index: int, waiting: deque[int], error: BaseException) -> None:
        """Hand in again what was lost through no fault of its own, its data under new keys."""
        self._lost[index] += 1
        if self._lost[index] > LOST:
            raise NoCluster(f"the cluster at {self.address} lost {self.jobs[index]} {LOST} times") from error
        for name in data_of(self.jobs[index], self.data):
            self._parts.pop(name, None)
            self._keys[name] = f"{self._keys[name].partition('/')[0]}/{uuid.uuid4().hex[:8]}"
        waiting.appendleft(index)

    def _look(self) -> None:
        """Ask how many threads the cluster has now: workers join and leave."""
        now = time.monotonic()
        try:
            if self.client.status != "running":
                raise OSError(f"the connection is {self.client.status}")
            threads = sum(self.client.nthreads().values())
        except Exception as error:
            raise NoCluster(
                f"the Dask scheduler at {self.address} went away ({type(error).__name__}: {error}); earlier results are kept"
            ) from error
        if threads:
            self._served = now
        elif now - self._served > WITHOUT_WORKERS:
            raise NoCluster(
                f"the cluster at {self.address} has had no worker for {WITHOUT_WORKERS / 60:.0f} minutes; start some with "
                f"`dask worker {self.address} --nthreads 1`"
            )
        self._threads, self._asked = max(1, threads), now

    def _abandon(self) -> None:
        """See to it that no job of this call is at work. Where a worker has others' jobs, too, it is left to end."""
        keys = set(self.running)
        with suppress(Exception):
            if keys and self.client.status == "running":
                at_work = self.client.processing().items()
                ours = [worker for worker, tasks in at_work if tasks and keys.issuperset(tasks)]
                self.client.cancel([future for _, future in self.running.values()])
                self._end(ours)
        self.running.clear()
        self._parts.clear()

    def _end(self, workers: list[str]) -> None:
        self.client.run(end_worker, addresses=workers, workers=workers, nanny=True, on_error="ignore")


_clients: dict[str, Client] = {}


def connected(address: str) -> Client:
    """Return this process's connection to a scheduler, the same one each time; `NoCluster` where nothing answers."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    quiet()
    if not _clients:
        atexit.register(disconnect)
    client = _clients.get(address)
    if client is None or client.status != "running":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", VersionMismatchWarning)  # workers' identities are compared
                client = Client(address, timeout=REACHED_IN, set_as_default=False)
        except Exception as error:
            raise NoCluster(f"no Dask scheduler answers at {address} ({type(error).__name__}: {error})") from error
        _clients[address] = client
    return client


def disconnect(address: str | None = None) -> None:
    """Close the connection to a scheduler, or all of them."""
    for key in [key for key in _clients if address in (None, key)]:
        with suppress(Exception):
            _clients.pop(key).close()
