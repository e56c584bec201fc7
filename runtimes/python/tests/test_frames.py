import json
import os
import random
import unittest

import support  # noqa: F401
from hearth_agent import frames

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "protocol-vectors.json")
with open(VECTORS, encoding="utf-8") as file:
    VECTORS = json.load(file)


def payload_of(vector):
    return vector["json"].encode() if "json" in vector else bytes.fromhex(vector["payloadHex"])


def decode(chunks):
    decoder = frames.Decoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


def bytewise(data):
    return [data[i : i + 1] for i in range(len(data))]


class GoldenFrames(unittest.TestCase):
    def test_each_is_what_its_parts_encode_to(self):
        for vector in VECTORS["frames"]:
            with self.subTest(vector["name"]):
                self.assertEqual(frames.encode(vector["type"], vector["id"], payload_of(vector)).hex(), vector["frameHex"])

    def test_each_decodes_in_one_piece_and_byte_by_byte(self):
        for vector in VECTORS["frames"]:
            data = bytes.fromhex(vector["frameHex"])
            expected = [(vector["type"], vector["id"], payload_of(vector))]
            with self.subTest(vector["name"]):
                self.assertEqual(decode([data]), expected)
                self.assertEqual(decode(bytewise(data)), expected)

    def test_all_decode_from_one_buffer_however_it_is_cut(self):
        data = bytes.fromhex("".join(vector["frameHex"] for vector in VECTORS["frames"]))
        expected = [(vector["type"], vector["id"], payload_of(vector)) for vector in VECTORS["frames"]]
        self.assertEqual(decode([data]), expected)
        dice = random.Random(7)
        for _ in range(200):
            chunks = []
            offset = 0
            while offset < len(data):
                size = dice.randint(1, 90)
                chunks.append(data[offset : offset + size])
                offset += size
            self.assertEqual(decode(chunks), expected)

    def test_malformed_bytes_are_refused_or_waited_for(self):
        for case in VECTORS["malformed"]:
            data = bytes.fromhex(case["bytesHex"])
            for chunks in ([data], bytewise(data)):
                with self.subTest(case["name"]):
                    if case["outcome"] == "error":
                        self.assertRaises(frames.ProtocolError, decode, chunks)
                    else:
                        self.assertEqual(decode(chunks), [])

    def test_the_bound_is_that_of_the_specification(self):
        self.assertEqual(frames.MAX_PAYLOAD, VECTORS["maxPayloadBytes"])

    def test_every_constant_is_a_type_of_the_specification(self):
        names = [name for name in vars(frames) if name.isupper() and name not in ("MAX_PAYLOAD", "STREAM_WINDOW", "HEADER")]
        self.assertEqual({getattr(frames, name) for name in names}, {vector["type"] for vector in VECTORS["frames"]})

    def test_a_payload_above_the_bound_is_not_encoded(self):
        self.assertRaises(frames.ProtocolError, frames.encode, frames.REPLY_BODY, 1, bytes(frames.MAX_PAYLOAD + 1))

    def test_a_long_body_is_split_and_an_empty_one_takes_no_frame(self):
        body = bytes(range(256)) * 8193
        pieces = [payload for _, _, payload in decode(frames.encode_body(frames.REPLY_BODY, 1, body))]
        self.assertEqual(b"".join(pieces), body)
        self.assertEqual(len(pieces), 3)
        self.assertEqual(list(frames.encode_body(frames.REPLY_BODY, 1, b"")), [])


if __name__ == "__main__":
    unittest.main()
