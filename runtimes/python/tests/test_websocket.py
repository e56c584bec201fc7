import random
import unittest

import support  # noqa: F401
from hearth_agent import websocket
from hearth_agent.websocket import BINARY, CLOSE, CONTINUATION, FAILED, PING, PONG, TEXT, Decoder, encode, encode_close

MASK = b"\x37\xfa\x21\x3d"


def frame(opcode, payload=b"", fin=True, mask=MASK, reserved=0):
    """A client's frame, right or wrong."""
    data = bytearray(encode(opcode, payload, mask))
    data[0] = (0x80 if fin else 0) | reserved | opcode
    return bytes(data)


def close(payload):
    return frame(CLOSE, payload)


def events(data, size=None, limit=websocket.MAX_MESSAGE_BYTES):
    decoder = Decoder(limit)
    size = size or len(data) or 1
    return [event for i in range(0, len(data), size) for event in decoder.feed(data[i : i + size])]


class Handshake(unittest.TestCase):
    def test_answers_the_key_of_the_specification(self):
        self.assertEqual(websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


class Frames(unittest.TestCase):
    def check(self, data, expected, limit=websocket.MAX_MESSAGE_BYTES):
        """However the bytes are cut."""
        for size in (len(data), 1, 3):
            self.assertEqual(events(data, size, limit), expected)

    def test_are_those_of_the_specification(self):
        self.check(bytes.fromhex("818537fa213d7f9f4d5158"), [(TEXT, "Hello")])
        self.assertEqual(encode(TEXT, b"Hello").hex(), "810548656c6c6f")
        self.assertEqual(encode(TEXT, b"Hello", MASK).hex(), "818537fa213d7f9f4d5158")
        self.assertEqual(encode(PONG, b"Hello").hex(), "8a0548656c6c6f")
        self.assertEqual(encode(BINARY, bytes(256))[:4].hex(), "827e0100")
        self.assertEqual(encode(BINARY, bytes(65536))[:10].hex(), "827f0000000000010000")

    def test_of_each_size_come_through(self):
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537):
            payload = bytes(i & 0xFF for i in range(size))
            data = frame(BINARY, payload) + frame(TEXT, b"*" * size)
            self.assertEqual(events(data), [(BINARY, payload), (TEXT, "*" * size)])
            self.assertEqual(events(data, 997), [(BINARY, payload), (TEXT, "*" * size)])
        decoder = Decoder(masked=False)
        self.assertEqual(decoder.feed(encode(BINARY, b"x" * 70000)), [(BINARY, b"x" * 70000)])

    def test_make_up_messages_with_control_frames_between_them(self):
        data = frame(TEXT, "gr\u00fc".encode(), False) + frame(PING, b"1") + frame(CONTINUATION, b"", False) + frame(PONG) + frame(CONTINUATION, b"n")
        self.check(data + frame(BINARY, b"a", False) + frame(CONTINUATION, b"b"), [(PING, b"1"), (PONG, b""), (TEXT, "gr\u00fcn"), (BINARY, b"ab")])
        self.check(frame(TEXT, b"", False) + frame(CONTINUATION, b"", False) + frame(CONTINUATION, b""), [(TEXT, "")])

    def test_with_texts_cut_inside_characters_are_put_together(self):
        text = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-\U0001f600!"
        data = text.encode()
        pieces = [frame(CONTINUATION if i else TEXT, data[i : i + 1], i == len(data) - 1) for i in range(len(data))]
        self.check(b"".join(pieces), [(TEXT, text)])

    def test_that_break_the_rules_end_it(self):
        bad = {
            "unmasked": encode(TEXT, b"Hello"),
            "the first reserved bit": frame(TEXT, b"x", reserved=0x40),
            "reserved bits of a ping": frame(PING, b"", reserved=0x30),
            "a reserved data opcode": frame(3, b""),
            "a reserved control opcode": frame(11, b""),
            "a long ping": frame(PING, bytes(126)),
            "a fragmented ping": frame(PING, b"x", False),
            "a fragmented close": frame(CLOSE, b"", False),
            "a continuation of nothing": frame(CONTINUATION, b"x"),
            "a last continuation of nothing": frame(CONTINUATION, b"x", False),
            "a message inside another": frame(TEXT, b"x", False) + frame(TEXT, b"y"),
            "a continuation after the end": frame(TEXT, b"x", False) + frame(CONTINUATION, b"y") + frame(CONTINUATION, b"z"),
            "two bytes for a short length": b"\x82\xfe\x00\x7d" + MASK,
            "eight bytes for a short length": b"\x82\xff" + bytes(6) + b"\xff\xff" + MASK,
            "a length beyond 63 bits": b"\x82\xff\x80" + bytes(7) + MASK,
        }
        for name, data in bad.items():
            with self.subTest(name):
                for size in (len(data), 1):
                    found = events(frame(BINARY, b"before") + data + frame(TEXT, b"after"), size)
                    self.assertEqual(found[0], (BINARY, b"before"))
                    self.assertEqual((found[-1][0], found[-1][1][0]), (FAILED, 1002))
                    self.assertNotIn((TEXT, "after"), found)

    def test_with_text_that_is_no_utf8_end_it_as_soon_as_that_is_plain(self):
        for bad in (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\x80", b"\xf8\x88\x80\x80\x80", b"\xff"):
            with self.subTest(bad):
                for data in (frame(TEXT, bad), frame(TEXT, bad[:1], False) + frame(CONTINUATION, bad[1:], False), close(b"\x03\xe8" + bad)):
                    for size in (len(data), 1):
                        self.assertEqual([(kind, value[0]) for kind, value in events(data, size)], [(FAILED, 1007)])
        for cut in (b"\xce", b"\xe2\x82", b"\xf0\x9f\x98"):
            self.assertEqual(events(frame(TEXT, cut))[0][1][0], 1007)
            self.assertEqual(events(frame(TEXT, cut, False) + frame(CONTINUATION))[0][1][0], 1007)
        # Before the message, even the frame, is complete.
        self.assertEqual(events(frame(TEXT, b"\xff" + bytes(1000))[:20])[0][1][0], 1007)
        self.assertEqual(events(frame(BINARY, b"\xff\xc0")), [(BINARY, b"\xff\xc0")])

    def test_above_the_bound_end_it_before_their_bytes_have_come(self):
        self.check(frame(TEXT, b"12345") + frame(BINARY, b"x" * 5), [(TEXT, "12345"), (BINARY, b"xxxxx")], limit=5)
        for data in (frame(BINARY, bytes(6))[:2], b"\x82\xff\x7f" + b"\xff" * 7, frame(TEXT, b"123", False) + frame(CONTINUATION, b"456")[:2]):
            found = events(data, limit=5)
            self.assertEqual([(kind, value[0]) for kind, value in found], [(FAILED, 1009)])
        self.check(b"".join(frame(CONTINUATION if i else BINARY, b"x", False) for i in range(5)) + frame(PING), [(PING, b"")], limit=5)

    def test_close_with_a_code_and_a_reason(self):
        self.check(close(b""), [(CLOSE, (1005, ""))])
        self.check(close(b"\x03\xe8"), [(CLOSE, (1000, ""))])
        self.check(close(b"\x03\xe9going") + frame(PING), [(CLOSE, (1001, "going"))])
        self.check(close(b"\x03\xe8" + b"x" * 123), [(CLOSE, (1000, "x" * 123))])
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
            self.assertEqual(events(encode_close(code, "r", MASK)), [(CLOSE, (code, "r"))])
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            self.assertEqual(events(close(code.to_bytes(2, "big")))[0][1][0], 1002)
        self.assertEqual(events(close(b"\x03"))[0][1][0], 1002)

    def test_of_a_close_that_may_not_be_sent_are_not_made(self):
        for code in (0, 999, 1004, 1006, 1015, 2000, 5000, "1000", None):
            self.assertRaises(ValueError, encode_close, code)
        self.assertRaises(ValueError, encode_close, 1000, "x" * 124)
        self.assertEqual(encode_close(1005), encode(CLOSE, b""))


class Hostile(unittest.TestCase):
    def test_bytes_give_events_and_an_end_and_nothing_else(self):
        dice = random.Random(6455)
        for _ in range(1500):
            data = bytearray(self._conversation(dice))
            for _ in range(dice.randint(0, 3)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            whole = events(bytes(data), limit=2000)
            decoder = Decoder(2000)
            cut = []
            offset = 0
            while offset < len(data):
                size = dice.randint(1, 40)
                cut += decoder.feed(bytes(data[offset : offset + size]))
                offset += size
            self.assertEqual(cut, whole)
            self.assertTrue(all(kind in (TEXT, BINARY, PING, PONG) for kind, _ in whole[:-1]))
            self.assertTrue(all(len(value) <= 2000 for kind, value in whole if kind in (TEXT, BINARY)))

    def _conversation(self, dice):
        data = b""
        for _ in range(dice.randint(1, 6)):
            opcode = dice.choice((TEXT, BINARY, PING, PONG, CLOSE))
            payload = bytes(dice.choices(b"ab\xc3\xa4\xe2\x82\xac", k=dice.choice((0, 1, 7, 125, 126, 300)) if opcode < CLOSE else dice.randint(0, 125)))
            pieces = [payload]
            if opcode < CLOSE and dice.random() < 0.4:
                middle = dice.randint(0, len(payload))
                pieces = [payload[:middle], b"", payload[middle:]]
            for number, piece in enumerate(pieces):
                data += frame(CONTINUATION if number else opcode, piece, number == len(pieces) - 1, bytes(dice.choices(range(256), k=4)))
        return data

    def test_noise_ends_it_or_is_waited_for(self):
        dice = random.Random(1)
        for _ in range(1000):
            found = events(bytes(dice.choices(range(256), k=dice.randint(1, 200))), dice.randint(1, 50))
            self.assertTrue(all(kind in (TEXT, BINARY, PING, PONG, CLOSE, FAILED) for kind, _ in found))


if __name__ == "__main__":
    unittest.main()
