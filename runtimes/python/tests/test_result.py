import json
import unittest

import support  # noqa: F401
from hearth_agent import fast_json, frames, result
from hearth_agent.errors import FunctionError


def shape(value):
    head, body = result.shape(value)
    head = json.loads(head)
    return head["status"], head["headers"], body


class Text(str):
    def __str__(self):
        raise SystemExit

    def encode(self, *_):
        raise SystemExit


class Shaping(unittest.TestCase):
    def test_subclasses_count_as_what_they_extend(self):
        class Mapping(dict):
            pass

        self.assertEqual(shape(Text("x")), (200, ["Content-Type", result.TEXT], b"x"))
        self.assertEqual(shape(Mapping(a=1)), (200, ["Content-Type", result.JSON], b'{"a": 1}'))
        self.assertEqual(shape(Mapping(statusCode=404, body=Text("x")))[0], 404)

    def test_other_values_are_json(self):
        for value, body in ((True, b"true"), (0, b"0"), (1.5, b"1.5"), ((1, 2), b"[1, 2]"), ([], b"[]"), ({}, b"{}"), ({1: None}, b'{"1": null}')):
            self.assertEqual(shape(value), (200, ["Content-Type", result.JSON], body))

    def test_bytes_of_every_kind(self):
        for value in (b"x", bytearray(b"x"), memoryview(b"x")):
            self.assertEqual(shape(value), (200, ["Content-Type", result.BYTES], b"x"))

    def test_a_boolean_is_no_status(self):
        self.assertEqual(shape({"statusCode": True})[0], 200)

    def test_lone_surrogates_in_json_are_escaped(self):
        self.assertEqual(shape({"a": "\ud800"})[2], b'{"a": "\\ud800"}')

    def test_what_can_not_be_written_is_named(self):
        for value, words in (
            (float("inf"), "JSON"),
            ({"a": {1, 2}}, "set"),
            ({(1, 2): 3}, "tuple"),
            (object(), "object"),
            ({"statusCode": 200, "headers": []}, "headers is a dict, not list"),
            ({"statusCode": 200, "headers": {1: "a"}}, "name of a header"),
            ({"statusCode": 200, "headers": {"A": {}}}, "header A"),
            ({"statusCode": 200, "body": object()}, "object"),
            ({"statusCode": 200, "body": "a", "isBase64Encoded": True}, "base64"),
            ("\ud800", "UTF-8"),
            ({"statusCode": 200, "headers": {"A": "x" * frames.MAX_PAYLOAD}}, "too large"),
        ):
            with self.assertRaises(FunctionError) as caught:
                result.shape(value)
            self.assertIn(words, str(caught.exception))

    def test_header_values_of_other_types(self):
        headers = shape({"statusCode": 200, "headers": {"A": 1, "B": True, "C": None, "D": b"d", "E": 1.5, "F": [2, "x"]}})[1]
        self.assertEqual(headers, ["A", "1", "B", "true", "D", "d", "E", "1.5", "F", "2", "F", "x"])

    def test_iterators_stream(self):
        for value in (iter([]), (x for x in "ab"), map(str, [1]), {"statusCode": 200, "body": iter([])}):
            self.assertIsInstance(result.shape(value), result.Streamed)

    def test_a_whole_reply_is_one_piece_unless_it_is_large(self):
        def decoded(pieces):
            decoder = frames.Decoder()
            return [frame for piece in pieces for frame in decoder.feed(piece)]

        for body, count in ((b"", 2), (b"x", 3), (bytes(frames.MAX_PAYLOAD), 3), (bytes(frames.MAX_PAYLOAD + 1), 4)):
            got = decoded(result.complete(5, b"{}", body))
            self.assertEqual(len(got), count)
            self.assertEqual(got[0], (frames.REPLY_HEAD, 5, b"{}"))
            self.assertEqual(got[-1], (frames.REPLY_END, 5, b""))
            self.assertEqual(b"".join(payload for kind, _, payload in got if kind == frames.REPLY_BODY), body)


class FastJson(unittest.TestCase):
    def test_agrees_with_json(self):
        for value in (None, "ä", {"a": [1, 2.5, {"b": "\n\u2028"}]}, [True, {}, []], {1: 2, None: 3}):
            self.assertEqual(fast_json.dumps(value), json.dumps(value, ensure_ascii=False))
        for text in ("1", ' {"a": 1}\n', "[]", '"\\ud83d\\ude00"'):
            self.assertEqual(fast_json.loads(text), json.loads(text))

    def test_refuses_what_json_refuses(self):
        for text in ("", " ", "1 2", "{", "[1,]", "x"):
            self.assertRaises(ValueError, fast_json.loads, text)
        circle = []
        circle.append(circle)
        self.assertRaisesRegex(ValueError, "Circular", fast_json.dumps, circle)
        self.assertRaises(ValueError, fast_json.dumps, float("nan"))
        self.assertRaises(TypeError, fast_json.dumps, {"a": object()})


if __name__ == "__main__":
    unittest.main()
