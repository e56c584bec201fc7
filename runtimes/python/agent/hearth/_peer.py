"""The other side of streamed bodies and WebSockets, for `hearth.testing`."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional, Union

from hearth_agent import body, message
from hearth_agent import websocket as frames

_MASK = b"\x12\x34\x56\x78"


class _Scripted(body.Body):
    """Waiting for more asks for the next piece."""

    def __init__(self, peer: "Peer") -> None:
        super().__init__(1, peer)
        self._peer = peer

    def wait(self, ready: Any = None, seconds: Any = None) -> Any:
        piece = next(self._peer.pieces, None)
        if piece is None:
            self.end()
        else:
            self.feed(piece)
        return asyncio.sleep(0) if self._peer.is_async else None


class Peer:
    """Stands in for the server of the agent."""

    def __init__(self, is_async: bool) -> None:
        self.is_async = is_async
        self.pieces: Iterator[bytes] = iter(())
        self.head: Any = None
        #: What the handler has sent, and its close.
        self.messages: list[Union[str, bytes]] = []
        self.closed: Optional[tuple[int, str]] = None
        self._decoder = frames.Decoder(2**62, masked=False)
        self._body = _Scripted(self)

    @property
    def accepted(self) -> bool:
        return self._body.connection is not None

    def fill(self, plain: Any, invoke: Any, stream: Optional[Iterable[Any]], websocket: Optional[Iterable[Any]], subprotocols: Iterable[str]) -> Any:
        """The message of the handler."""
        if websocket is not None:
            self.pieces = self._client(websocket)
            invoke = {**invoke, "upgrade": "websocket", "headers": ["Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", *invoke["headers"]]}
            invoke["headers"] += ["Sec-WebSocket-Protocol", ", ".join(subprotocols)]
        else:
            self.pieces = (_bytes(piece) for piece in stream or ())
        return message.fill(plain, self._body, invoke, stream is not None, websocket is not None, self.is_async)

    def _client(self, messages: Iterable[Any]) -> Iterator[bytes]:
        for data in messages:
            if self.closed is not None:
                break
            yield frames.encode(frames.TEXT if isinstance(data, str) else frames.BINARY, _bytes(data), _MASK)
        yield frames.encode_close(*(self.closed or (1000, "")), _MASK)

    def run(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """The handler and, where it has accepted, the end of the WebSocket. What it returned."""

        if self.is_async:
            return asyncio.run(self._run(call, arguments))
        value = None
        with self._may_leave():
            value = call(*arguments)
        if self.accepted:
            self._body.connection.close()
        return value

    async def _run(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        value = None
        with self._may_leave():
            value = call(*arguments)
            if hasattr(value, "__await__"):
                value = await value
        if self.accepted:
            await self._body.connection.close()
        return value

    @contextmanager
    def _may_leave(self) -> Iterator[None]:
        """That the peer has left is no failure of the handler."""
        try:
            yield
        except frames.WebSocketClosed:
            if not self.accepted or not self._body.connection.peer_closed:
                raise

    # --- as the agent's server

    def credit(self, _ident: int, _size: int) -> None:
        pass

    def look(self) -> None:
        pass

    def send_head(self, _ident: int, payload: bytes) -> None:
        self.head = json.loads(payload)

    def send_piece(self, _ident: int, data: Any) -> None:
        self._body.answer_credit += len(data)
        for kind, value in self._decoder.feed(bytes(data)):
            if kind == frames.CLOSE:
                self.closed = value
            elif kind in (frames.TEXT, frames.BINARY):
                self.messages.append(value)


def _bytes(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)
