"""Where the tasks run: on a cluster of processes, if there is a client for one, or in this process.

A cluster keeps what was loaded, in its workers' memory. Each of its groups is the result of a task,
not data that was sent: so it is there again when its worker has died. Without a client nothing is
kept, and each pass reads the chunks anew; what is to stay in memory can be persisted before.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from csoftmax._native import threads
from csoftmax.dask import tasks
from csoftmax.dask.library import (
    CancelledError,
    Client,
    Delayed,
    TimeoutError,
    dask,
    delayed,
    distributed,
    sizeof,
)
from csoftmax.over_blocks import Sums

PATIENCE = 60.0  #: seconds without a worker, or without an answer, after which a cluster is gone
LOOK = 2.0  #: seconds after which we look whether somebody is at work
#: Bytes that tasks carry along; above, an argument that they share goes to the workers by itself
CARRIED = 1 << 20
#: Bytes of all groups' sums, above which workers add them up, so many at a time
GATHERED, FAN = 8 << 20, 8


def calls(name: str, function: Any, *columns: Sequence[Any]) -> list[Delayed]:
    """A task for each row of the columns, which shows as csoftmax-NAME on Dask's dashboard."""
    call, key = delayed(function, pure=False), f"csoftmax-{name}-{uuid.uuid4()}"
    return [
        call(*row, dask_key_name=f"{key}-{at}") for at, row in enumerate(zip(*columns, strict=True))
    ]


class Local:
    """Dask's scheduler in this process."""

    @property
    def n_threads(self) -> int:
        """Of the process: what all tasks share."""
        return threads.default()

    def keep(self, loads: list[Delayed]) -> list[Any]:
        """What the tasks give, where they are: here still to be computed."""
        return loads

    def map(self, name: str, function: Any, *columns: Sequence[Any]) -> list[Any]:
        """As `calls`, of what is kept."""
        return calls(name, function, *columns)

    def each(self, name: str, function: Any, groups: list[Any], *shared: Any) -> list[Any]:
        """As `map`, with the same further arguments for all."""
        n = len(groups)
        return self.map(name, function, groups, *([self.share(value, n)] * n for value in shared))

    def share(self, value: Any, n: int) -> Any:
        """An argument of n tasks."""
        return value

    def gather(self, results: list[Any]) -> list[Any]:
        """The results, in order."""
        return list(dask.compute(*results))

    def sums(self, name: str, function: Any, groups: list[Any], *shared: Any) -> Sums:
        """Of all groups, in their order; by a tree of tasks where they are large.

        The tree's shape depends on the number of groups and the size of the sums, nothing else.
        """
        size = 8 * shared[0].size
        results = self.each(name, function, groups, *shared)
        while len(results) > 1 and len(results) * size > GATHERED:
            some = [results[at : at + FAN] for at in range(0, len(results), FAN)]
            results = self.map("add", tasks.added, some)
        return tasks.added(self.gather(results))


class Cluster(Local):
    """The workers of a client's cluster."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def n_threads(self) -> int:
        """Of all workers there are, at least 1: of a new cluster they may be on their way."""
        return max(1, sum(self._workers().values()))

    def keep(self, loads: list[Delayed]) -> list[Any]:
        """Futures: what the tasks give stays with the workers."""
        return list(self.client.compute(loads))

    def map(self, name: str, function: Any, *columns: Sequence[Any]) -> list[Any]:
        """As `keep`, of what is kept."""
        return list(self.client.map(function, *columns, key=f"csoftmax-{name}", pure=False))

    def share(self, value: Any, n: int) -> Any:
        """An argument of n tasks: where it is large, a task's result, which outlives workers."""
        if n * sizeof(value) <= CARRIED:
            return value
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            key = f"csoftmax-shared-{uuid.uuid4()}"
            return self.client.submit(_itself, value, key=key)

    def gather(self, results: list[Any]) -> list[Any]:
        """The results, in order, or an error in bounded time if nobody is left to give them."""
        alone_since = None
        while True:
            try:
                distributed.wait(results, timeout=LOOK)
                return list(self._within(lambda: self.client.gather(results, asynchronous=True)))
            except CancelledError as error:
                self._gone("it lost the connection, or the data", error)
            except TimeoutError:
                now = time.monotonic()
                alone_since = None if self._workers() else alone_since or now
                if alone_since is not None and now - alone_since >= PATIENCE:
                    self._gone(f"it has had no worker for {PATIENCE:g} s")

    def _workers(self) -> dict[str, int]:
        """The threads of each worker."""
        if self.client.status != "running":
            self._gone(f"its client is {self.client.status}")
        try:
            return dict(self._within(self.client.scheduler.ncores))
        except (OSError, TimeoutError) as error:
            self._gone(f"its scheduler gave no answer within {PATIENCE:g} s", error)

    def _within(self, function: Any) -> Any:
        return self.client.sync(function, callback_timeout=PATIENCE)

    def _gone(self, why: str, error: BaseException | None = None) -> NoReturn:
        address = getattr(self.client.scheduler, "address", "an unknown address")
        raise ConnectionError(f"the Dask cluster at {address} is gone: {why}") from error


def _itself(value: Any) -> Any:
    return value


@contextmanager
def workers() -> Iterator[Local]:
    """Those of the client that there is, also within a task; else this process."""
    if dask.config.get("scheduler", None) not in (None, "dask.distributed", "distributed"):
        yield Local()
        return
    try:
        distributed.get_worker()
    except ValueError:
        try:
            client = distributed.default_client()
        except ValueError:
            yield Local()
        else:
            yield Cluster(client)
    else:  # this is a task: it lets others have its thread while it waits for them
        with distributed.worker_client() as client:
            yield Cluster(client)
