"""The threads that share the work on one cycle; with one thread, none beside the caller's."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class OneThread(Executor):
    """Does at once what it is given, in the caller's thread.

    A pool of one thread does the same, but hundreds of small tasks cost 5 % more there.
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Return what a function returns, or raises, as a future that is done."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def map(
        self, fn: Callable[..., Result], *iterables: Iterable[Any], **_: Any
    ) -> Iterator[Result]:
        """Return what a function returns for each of some arguments, all of which it is given."""
        return iter(list(map(fn, *iterables)))


def threads_of(count: int) -> Executor:
    """Return `count` threads that share work, to be used in a `with` statement."""
    return ThreadPoolExecutor(count) if count > 1 else OneThread()
