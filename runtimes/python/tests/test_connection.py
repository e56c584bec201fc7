import random
import unittest

import support  # noqa: F401
from hearth_agent import frames, websocket
from hearth_agent.body import Body, Stream
from hearth_agent.sockets import PlainHandshake
from hearth_agent.websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, WebSocketClosed, encode, encode_close

MASK = b"\x37\xfa\x21\x3d"
WINDOW = frames.STREAM_WINDOW


class Platform:
    """Of one invocation: what it sends, and what it hears."""

    def __init__(self):
        self.body = Body(1, self)
        self.credited = 0
        self.sent = b""
        self.heads = 0

    def accept(self, **options):
        return PlainHandshake({"headers": ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="]}, self.body).accept(**options)

    def heard(self):
        return websocket.Decoder(2**62, masked=False).feed(self.sent)

    # --- as the server

    def credit(self, _ident, size):
        self.credited += size

    def send_head(self, _ident, _payload):
        self.heads += 1

    def send_piece(self, _ident, data):
        self.sent += data
        if len(self.sent) - self.body.answer_credit > WINDOW:
            raise AssertionError("more was sent than there is room for")

    def look(self):
        pass

    def wait(self, ready, _signal, _seconds):
        if not ready():
            raise TimeoutError("nothing comes any more")


class Bodies(unittest.TestCase):
    def test_are_credited_by_half_windows_as_they_are_taken(self):
        platform = Platform()
        for _ in range(4):
            self.assertTrue(platform.body.feed(bytes(WINDOW // 4)))
        self.assertFalse(platform.body.feed(b"x"))
        self.assertEqual(platform.credited, 0)
        stream = Stream(platform.body)
        stream.read(WINDOW // 2 - 1)
        self.assertEqual(platform.credited, 0)
        stream.read(1)
        self.assertEqual(platform.credited, WINDOW // 2)
        self.assertTrue(platform.body.feed(b"x"))

    def test_that_are_broken_off_say_so_to_all_who_read(self):
        platform = Platform()
        platform.body.feed(b"half")
        platform.body.break_off(ConnectionResetError("gone"))
        for _ in range(2):
            self.assertRaises(ConnectionResetError, Stream(platform.body).read)
        self.assertRaises(ConnectionResetError, next, Stream(platform.body))

    def test_are_read_by_any_length(self):
        platform = Platform()
        for piece in (b"abc", b"", b"defgh"):
            platform.body.feed(piece)
        platform.body.end()
        stream = Stream(platform.body)
        self.assertEqual([stream.read(n) for n in (1, 3, 0, 2, None, -1, 5)], [b"a", b"bcd", b"", b"ef", b"gh", b"", b""])
        self.assertEqual(list(stream), [])


class Connections(unittest.TestCase):
    def test_keep_few_messages_that_nobody_receives(self):
        platform = Platform()
        ws = platform.accept()
        piece = encode(BINARY, bytes(1000), MASK)
        while len(platform.sent) == 0 and platform.body.feed(piece):
            ws.pump()
        self.assertEqual(platform.credited, 0)
        self.assertFalse(ws.progresses())
        for _ in range(200):
            self.assertEqual(len(ws.receive()), 1000)
        self.assertGreater(platform.credited, 0)

    def test_count_messages_without_a_byte_too(self):
        platform = Platform()
        ws = platform.accept()
        for _ in range(WINDOW // 6000):
            platform.body.feed(encode(TEXT, b"", MASK) * 1000)
            ws.pump()
        self.assertLess(ws._kept, 200_000)
        self.assertEqual(platform.credited, 0)

    def test_answer_no_more_pings_than_the_peer_reads_pongs(self):
        platform = Platform()
        ws = platform.accept()
        platform.body.answer_credit = -WINDOW
        while platform.body.feed(encode(PING, bytes(100), MASK)):
            ws.pump()
        self.assertLess(ws._unsent_bytes, 70_000)
        self.assertFalse(ws.progresses())
        self.assertRaises(TimeoutError, ws.receive)
        self.assertRaises(TimeoutError, ws.send, "x")
        platform.body.credit_answer(2 * WINDOW)
        self.assertTrue(ws.progresses())
        ws.pump()
        self.assertGreater(len(platform.sent), 100_000)
        self.assertIn((TEXT, "x"), platform.heard())

    def test_let_a_message_through_as_the_peer_makes_room(self):
        platform = Platform()
        ws = platform.accept()
        self.assertRaises(TimeoutError, ws.send, b"x" * (2 * WINDOW))
        self.assertEqual(len(platform.sent), WINDOW)
        for _ in range(3):
            platform.body.credit_answer(100_000)
            ws.pump()
        self.assertEqual(platform.heard(), [(BINARY, b"x" * (2 * WINDOW))])

    def test_end_where_the_peer_neither_reads_nor_answers(self):
        platform = Platform()
        ws = platform.accept()
        self.assertRaises(TimeoutError, ws.send, b"x" * (2 * WINDOW))
        platform.body.break_off(ConnectionResetError("gone"))
        self.assertRaises(WebSocketClosed, ws.send, "x")
        self.assertRaises(WebSocketClosed, ws.receive)
        ws.close()
        ws.end(1000)
        self.assertEqual((ws.code, len(platform.sent)), (1006, WINDOW))
        self.assertFalse(list(ws))

    def test_send_nothing_after_their_end(self):
        platform = Platform()
        ws = platform.accept()
        ws.end(1001)
        self.assertEqual(platform.heard(), [(CLOSE, (1001, ""))])
        with self.assertRaises(WebSocketClosed) as raised:
            ws.send("x")
        self.assertEqual((raised.exception.code, str(raised.exception)), (1006, "the WebSocket is closed: 1006 (the peer did not answer the close)"))
        self.assertEqual(len(platform.heard()), 1)

    def test_never_wait_without_end_nor_raise_anything_else(self):
        dice = random.Random(2)
        for _ in range(300):
            platform = Platform()
            ws = platform.accept(max_message_bytes=500)
            for _ in range(dice.randint(1, 30)):
                data = self._frame(dice)
                if not platform.body.feed(data) or dice.random() < 0.02:
                    platform.body.end()
                platform.body.credit_answer(dice.randint(0, 100))
                try:
                    dice.choice((ws.receive, ws.pump, lambda: ws.send("x" * 50), lambda: ws.ping(b"p")))()
                except (TimeoutError, WebSocketClosed):
                    pass
            platform.body.end()
            for _ in ws:
                pass
            self.assertIsNotNone(ws.code)
            ws.close()
            ws.end(1000)
            self.assertTrue(all(kind in (TEXT, PING, websocket.PONG, CLOSE) for kind, _ in platform.heard()))

    def _frame(self, dice):
        kind = dice.randrange(12)
        if kind == 0:
            return bytes(dice.choices(range(256), k=dice.randint(1, 20)))
        if kind == 1:
            return encode_close(dice.choice((1000, 4000)), "", MASK)
        if kind == 2:
            return encode(CONTINUATION, b"abc", MASK)
        return encode(dice.choice((TEXT, BINARY, PING)), b"y" * dice.randint(0, 125), MASK)


if __name__ == "__main__":
    unittest.main()
