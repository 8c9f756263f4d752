"""Requests to a web service with time-outs and repeats, whose refusals are exceptions."""

import html
import logging
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import ConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0

RETRIES = 4
BACKOFF_S = 0.5
"""Waits of 0, 1, 2 and 4 s: a restart of a proxy passes, a service that is down is told soon."""

STATUSES_TO_RETRY = (502, 503, 504)
MAY_BE_REPEATED = ("GET", "PUT", "DELETE")
"""A POST makes a new version of a stack each time: see `RenderService.create`."""

CUT_SHORT = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
FIRST_ERROR = 400
SHOWN_CHARACTERS = 300


class RefusedError(Exception):
    """An answer of the service with an error status."""

    def __init__(self, status: int, text: str):
        super().__init__(f"it answered {status}: {in_short(text)}")
        self.status, self.text = status, text


class _ToldRetry(Retry):
    """Repeats of a request, told while they happen."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Return the state after one more failure; raise if there were too many."""
        state = super().increment(method, url, response, error, _pool, _stacktrace)
        log.warning("%s %s is repeated: no answer, or one of no use", method, url)
        return state


class _Adapter(HTTPAdapter):
    """An adapter with a time-out, which renderapi never sets, that repeats answers cut short."""

    def __init__(self, timeout_s: float, retry: Retry, repeats: int):
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self.repeats = repeats
        super().__init__(max_retries=retry)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        request = args[0]
        repeats = self.repeats if request.method in MAY_BE_REPEATED else 0
        for repeats_left in range(repeats, -1, -1):
            response = super().send(*args, **kwargs)
            try:
                # urllib3 repeats until the headers have come; the rest of the answer is up to us.
                response.content  # noqa: B018
                break
            except CUT_SHORT:
                if not repeats_left:
                    raise
        return response


def session_with_retries(timeout_s: float, retries: int, backoff_s: float) -> requests.Session:
    """Return a session with time-out and retries that raises RefusedError for error statuses."""
    retry = _ToldRetry(
        total=retries,
        backoff_factor=backoff_s,
        status_forcelist=STATUSES_TO_RETRY,
        allowed_methods=MAY_BE_REPEATED,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(timeout_s, retry, retries))
    session.hooks["response"].append(_refuse)
    return session


def _refuse(response: requests.Response, *_: Any, **__: Any) -> None:
    """Raise before renderapi does: its messages repeat the whole request and hide the status."""
    if response.status_code >= FIRST_ERROR:
        text = response.text
        if "html" in response.headers.get("Content-Type", ""):
            # Faults of JSON come as a page.
            text = html.unescape(text)
        raise RefusedError(response.status_code, text)


def cause(error: requests.exceptions.RequestException) -> str:
    """Return what went wrong on the way: requests reports all as one kind of exception."""
    if "timed out" in str(error):
        return "the service did not answer in time, try again later"
    if any(word in str(error) for word in ("RemoteDisconnected", "reset", "aborted", "broken")):
        return "the service dropped the connection, try again later"
    return "the service cannot be reached, check host and port"


def in_short(text: str) -> str:
    """Return `text` on one line, cut after SHOWN_CHARACTERS."""
    line = " ".join(text.split()) or "nothing"
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 3] + "..."
