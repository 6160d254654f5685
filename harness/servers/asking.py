"""Requests to a server by POST, several at once: tried again where that may help, never faster than the operator allows.

The first request that fails for good ends the others. The loop of tries is by hand: tenacity and urllib3 know the tries and
pauses of one request, not a pause that holds all of them, nor a failure that wakes those who wait.
"""

from __future__ import annotations

import datetime
import email.utils
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import InvalidInput
from harness.files.limits import ANSWER_BYTES
from harness.servers.access import Access

if TYPE_CHECKING:
    import requests

Task = TypeVar("Task")
Result = TypeVar("Result")

TRIES = 6
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_ASKED_PAUSE_SECONDS = 900.0
"""A server that asks to wait longer than that is asked again all the same."""

_CONNECT_SECONDS = 10.0
_PIECE_BYTES = 1 << 13
_PASSING_STATES = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINTS = {401: "; is the key right?", 403: "; is the key right?", 404: "; are address and model right?"}


class Passing(Exception):
    """What another try may hint. ``pause``: seconds that the server asks to wait."""

    def __init__(self, what: str, pause: float = 0) -> None:
        super().__init__(what)
        self.pause = pause


class Refused(InvalidInput):
    """The server's answer is a refusal that another try would not change; ``status``: of HTTP."""

    def __init__(self, who: str, status: int, said: str) -> None:
        super().__init__(f"{who}: the server refuses with HTTP status {status}{said}{_HINTS.get(status, '')}")
        self.status = status


@dataclass(frozen=True)
class Received:
    """``said``: the beginning of the content as a message has it, on one line and without the key."""

    content: bytes
    headers: Mapping[str, str]
    said: str


class Asker:
    """``at_once``: requests at a time. Raises ``WrongUsage`` when it is made, for an address or a key that is none."""

    def __init__(self, access: Access, endpoint: str, at_once: int, answer_bytes: int = ANSWER_BYTES) -> None:
        self._url, self._headers, self._access = access.url(endpoint), access.headers(), access
        self._at_once, self._answer_bytes = at_once, answer_bytes
        self._pace = Pace(access.requests_per_minute)
        self._own = threading.local()
        self._stopped = threading.Event()
        self._failure = InvalidInput("interrupted")

    def all_of(self, tasks: Iterable[Task], ask: Callable[[Task], Result]) -> list[Result]:
        """What ``ask`` gives for each task, called in several threads.

        The first failure ends the waiting of all threads, and is what each of them raises from then on.
        """
        self._stopped.clear()

        def asked(task: Task) -> Result:
            try:
                return ask(task)
            except InvalidInput as error:
                if not self._stopped.is_set():
                    self._failure = error
                    self._stopped.set()
                raise self._failure from None

        with ThreadPoolExecutor(self._at_once) as pool:
            try:
                return list(pool.map(asked, tasks))
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def answer(self, body: Mapping[str, Any], read: Callable[[Received], Result], who: str) -> Result:
        """What ``read`` makes of the answer, asked for until there is one; ``read`` may raise ``Passing``.

        Raises ``Refused``, or ``InvalidInput`` where no try helped. ``who``: what is asked about, for messages.
        """
        pause, what = FIRST_PAUSE_SECONDS, "interrupted"
        for number in range(1, TRIES + 1):
            self._pace.wait(self._stopped)
            if self._stopped.is_set():
                break
            try:
                return read(self._posted(body, who))
            except Passing as fault:
                what = str(fault)
                self._pace.hold(min(LONGEST_ASKED_PAUSE_SECONDS, fault.pause))
                if number < TRIES:
                    self._stopped.wait(min(LONGEST_PAUSE_SECONDS, pause))
                    pause *= 2
        raise InvalidInput(
            f"{who}: the server gave no answer in {TRIES} tries: {what}; "
            "when it is well again, the same command goes on where this one stopped"
        )

    def _posted(self, body: Mapping[str, Any], who: str) -> Received:
        """A good answer. Raises ``Passing`` where there is none in time, ``Refused`` where there will be none.

        The library's timeouts are for each piece of an answer. So that none can be longer than it may by coming drop by drop,
        headers or body, it is received by a thread of its own, which is left to itself at the deadline.
        """
        patience = self._access.timeout_seconds
        received: Future[tuple[int, Received]] = Future()
        session = self._session()

        def receive() -> None:
            try:
                received.set_result(self._received(session, body, time.monotonic() + patience))
            except BaseException as error:
                received.set_exception(error)

        threading.Thread(target=receive, daemon=True).start()
        try:
            status, answer = received.result(patience)
        except TimeoutError:
            # That thread still has it.
            del self._own.session
            raise Passing(f"no complete answer in {patience:g} seconds") from None
        if status != 200:
            raise Refused(who, status, answer.said)
        return answer

    def _received(self, session: requests.Session, body: Mapping[str, Any], deadline: float) -> tuple[int, Received]:
        import requests

        patience = self._access.timeout_seconds
        try:
            with session.post(
                self._url,
                json=body,
                auth=self._with_key,
                timeout=(min(_CONNECT_SECONDS, patience), patience),
                # Who is redirected would send the texts, if not the key, to another server.
                allow_redirects=False,
                stream=True,
            ) as response:
                content = bytearray()
                for piece in response.iter_content(_PIECE_BYTES):
                    content += piece
                    if len(content) > self._answer_bytes:
                        raise InvalidInput(
                            f"the server's answer has more than {self._answer_bytes} bytes, which none has"
                        )
                    if time.monotonic() > deadline:
                        raise Passing(f"no complete answer in {patience:g} seconds")
                headers = {name.lower(): self._clean(value)[:200] for name, value in response.headers.items()}
                answer = Received(bytes(content), headers, self._said(bytes(content[:2000])))
                if response.status_code in _PASSING_STATES:
                    pause = asked_pause(headers.get("retry-after", ""))
                    raise Passing(f"HTTP status {response.status_code}{answer.said}", pause)
                return response.status_code, answer
        except requests.Timeout:
            raise Passing(f"no answer in {patience:g} seconds") from None
        except requests.RequestException as error:
            raise Passing(f"{type(error).__name__}, is it running at the address given?") from None

    def _session(self) -> requests.Session:
        import requests

        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        session: requests.Session = self._own.session
        return session

    def _with_key(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Given as ``auth``, so that requests does not look for other keys in a .netrc file."""
        request.headers.update(self._headers)
        return request

    def _said(self, answer: bytes) -> str:
        text = self._clean(answer.decode("utf-8", "replace"))
        return f": {text[:200]}" if text else ""

    def _clean(self, text: str) -> str:
        """On one line and without the key, should the server repeat that."""
        key = self._headers.get("Authorization", "").removeprefix("Bearer ")
        text = text.replace(key, "(key)") if key else text
        return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


class Pace:
    """When the next request may begin: so many a minute, and none before the time that the server asks to wait for."""

    def __init__(self, per_minute: float) -> None:
        self._between = 60 / per_minute if per_minute > 0 else 0.0
        self._next, self._held_until, self._lock = 0.0, 0.0, threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        """Until it is this request's turn, or until all is stopped."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._between
        while (left := max(turn, self._held_until) - time.monotonic()) > 0 and not stopped.wait(left):
            pass

    def hold(self, seconds: float) -> None:
        """No request begins for so long: the limit of one is the limit of all."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)


def asked_pause(retry_after: str) -> float:
    """Seconds of a Retry-After header, which has a number or a date (RFC 9110, 10.2.3); 0 where it has neither.

    >>> asked_pause("2.5"), asked_pause("soon"), asked_pause("Wed, 21 Oct 2015 07:28:00 GMT"), asked_pause("nan")
    (2.5, 0.0, 0.0, 0.0)
    """
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return 0.0
        seconds = (date.astimezone(datetime.UTC) - datetime.datetime.now(datetime.UTC)).total_seconds()
    return seconds if seconds > 0 else 0.0
