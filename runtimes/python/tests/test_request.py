import json
import time
import unittest

import support  # noqa: F401
from hearth_agent import request

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def body_of(raw, verbatim=None):
    return request.script_body({"scriptBody": verbatim}, raw)


class HeaderLines(unittest.TestCase):
    def test_are_what_the_seeds_template_parses(self):
        text = request.header_lines(["Host", "localhost:5000", "X-Correlation-Id", "abc"])
        self.assertEqual({line.split(": ")[0]: line.split(": ")[1] for line in text.splitlines()}, {"Host": "localhost:5000", "X-Correlation-Id": "abc"})

    def test_hold_one_line_per_header_whatever_its_name_and_value_hold(self):
        for character in BREAKS:
            text = request.header_lines(["A" + character + "B", "x" + character + "C: d", "E", "f"])
            self.assertEqual(text.splitlines(), ["A B: x C: d", "E: f"])

    def test_know_every_character_that_splitlines_splits_at(self):
        for code in range(0x110000):
            text = request.one_line("a" + chr(code) + "b")
            if len(text.splitlines()) != 1 or "\0" in text:
                self.fail("U+%04X" % code)

    def test_can_be_encoded_whatever_they_hold(self):
        request.header_lines(["A", "\ud800", "B", "\udcff"]).encode("utf-8")

    def test_are_empty_without_headers(self):
        self.assertEqual(request.header_lines([]), "")


class ScriptEnvironment(unittest.TestCase):
    def test_sets_the_variables_that_it_says_it_sets(self):
        invoke = {"headers": ["A", "b"], "path": "/a", "verb": "GET", "query": "", "rawPath": "/a"}
        self.assertEqual(tuple(request.script_environment(invoke, b"")), request.VARIABLES)

    def test_names_the_trace_as_opentelemetry_does(self):
        invoke = {"headers": ["Traceparent", "00-1", "TRACESTATE", "a=1"], "path": "/a", "verb": "GET", "query": "", "rawPath": "/a"}
        environment = request.script_environment(invoke, b"")
        self.assertEqual((environment["TRACEPARENT"], environment["TRACESTATE"]), ("00-1", "a=1"))


class ScriptBody(unittest.TestCase):
    def test_is_not_encoded_anew_when_it_is_json(self):
        for raw in (b"1", b'{"a":1.0 , "\\u00e4": "\xc3\xa4"}', b" [true]\n", b'"x"', b"1e400", b"9" * 5000):
            self.assertEqual(body_of(raw), '{"body": %s}' % raw.decode())

    def test_is_null_without_one(self):
        self.assertEqual(body_of(b""), '{"body": null}')

    def test_is_the_text_when_it_is_no_strict_json(self):
        for raw in (b"x", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"'a'", b"1 2", b" ", b"\xef\xbb\xbf1", b"a\0b", b'"\x01"', b"\xff\xfe", b"[" * 100000):
            text = raw.decode("utf-8", "surrogateescape")
            self.assertEqual(json.loads(body_of(raw)), {"body": text})
            self.assertNotIn("\0", body_of(raw))

    def test_leads_back_to_the_bytes(self):
        raw = bytes(range(256))
        self.assertEqual(json.loads(body_of(raw))["body"].encode("utf-8", "surrogateescape"), raw)

    def test_is_verbatim_when_it_was_said(self):
        self.assertEqual(body_of(b"", "anything {"), "anything {")
        self.assertEqual(body_of(b"", ""), "")


class Message(unittest.TestCase):
    def test_joins_repeated_headers(self):
        self.assertEqual(request.header_dict(["A", "1", "B", "2", "A", "3"]), {"A": "1, 3", "B": "2"})
        self.assertEqual(request.header_dict(["Cookie", "a=1", "Cookie", "b=2"]), {"Cookie": "a=1; b=2"})

    def test_parses_queries(self):
        self.assertEqual(request.parse_query("a=1&a=2&b=&c&%C3%A4=x+y"), ({"a": "2", "b": "", "c": "", "ä": "x y"}, {"a": ["1", "2"], "b": [""], "c": [""], "ä": ["x y"]}))

    def test_parses_bodies(self):
        for raw, body in ((b"", None), (b"{}", {}), (b"null", None), (b" 1 ", 1), (b"1 x", "1 x"), (b"\xff", "\udcff"), (b"", None)):
            self.assertEqual(request.parse_body(raw), body)

    def test_context_keys_are_attributes(self):
        context = request.make_context({"correlationId": "c", "instanceId": "i", "deadline": (time.time() + 10) * 1000, "headers": []}, "f", "q")
        self.assertEqual((context.correlation_id, context["function_name"]), ("c", "f"))
        self.assertTrue(9000 < context.remaining_ms() <= 10000)
        context.deadline = 0
        self.assertEqual(context.remaining_ms(), 0)
        self.assertRaises(AttributeError, lambda: context.nothing)


if __name__ == "__main__":
    unittest.main()
