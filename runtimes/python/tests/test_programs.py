import json
import unittest

import support  # noqa: F401
from hearth_agent import lambda_event, proxy_head, runtime_api
from hearth_agent.errors import FunctionError


def invoke(**members):
    return {
        "correlationId": "c1",
        "verb": "GET",
        "path": "/a b",
        "rawPath": "/a%20b?x=1&x=2&y=",
        "query": "x=1&x=2&y=",
        "params": {},
        "headers": ["Host", "example.org", "Accept", "a", "accept", "b"],
        "deadline": 5,
        **members,
    }


class Requests(unittest.TestCase):
    def test_target_headers_and_body_are_passed_on_as_they_came(self):
        data = proxy_head.request_bytes(invoke(verb="POST", headers=["Host", "example.org", "X-b", "2", "x-A", "\xe9"]), b"\0body")
        self.assertEqual(
            data,
            b"POST /a%20b?x=1&x=2&y= HTTP/1.1\r\nHost: example.org\r\nX-b: 2\r\nx-A: \xe9\r\nX-Forwarded-Host: example.org\r\n"
            b"X-Correlation-Id: c1\r\nContent-Length: 5\r\n\r\n\0body",
        )

    def test_hop_by_hop_headers_stay_behind(self):
        headers = ["Host", "h", "Connection", "close, X-Mine", "X-Mine", "1", "TE", "trailers", "Transfer-Encoding", "chunked", "Upgrade", "x", "Expect", "100-continue", "Content-Length", "9", "X-Ours", "2"]
        text = proxy_head.request_bytes(invoke(headers=headers), b"").decode()
        self.assertEqual([line.partition(":")[0] for line in text.strip().split("\r\n")[1:]], ["Host", "X-Ours", "X-Forwarded-Host", "X-Correlation-Id"])

    def test_nothing_can_be_put_between_lines(self):
        with self.assertRaises(FunctionError):
            proxy_head.request_bytes(invoke(headers=["Host", "h", "X", "a\r\nY: b"]), b"")
        self.assertIn(b"GET /%0d%0a HTTP/1.1\r\n".lower(), proxy_head.request_bytes(invoke(rawPath="/\r\n"), b"").lower())


class Events(unittest.TestCase):
    def event(self, raw=b"", **members):
        return json.loads(lambda_event.make_event(invoke(**members), raw, "id"))

    def test_a_request_becomes_an_event_of_format_2(self):
        event = self.event(headers=["Host", "example.org", "Accept", "a", "accept", "b", "Cookie", "k=v; l=w", "X-Forwarded-For", "1.2.3.4, 5.6.7.8"], params={"id": "7"})
        self.assertEqual((event["version"], event["rawPath"], event["rawQueryString"]), ("2.0", "/a%20b", "x=1&x=2&y="))
        self.assertEqual(event["headers"], {"host": "example.org", "accept": "a,b", "x-forwarded-for": "1.2.3.4, 5.6.7.8"})
        self.assertEqual(event["cookies"], ["k=v", "l=w"])
        self.assertEqual(event["queryStringParameters"], {"x": "1,2", "y": ""})
        self.assertEqual(event["pathParameters"], {"id": "7"})
        self.assertEqual(event["requestContext"]["http"]["sourceIp"], "5.6.7.8")
        self.assertEqual(event["requestContext"]["http"]["method"], "GET")
        self.assertNotIn("body", event)

    def test_bodies_are_text_where_they_are_and_base64_where_not(self):
        for kind, raw, expected in (
            ("application/json", b'{"a": "\xc3\xa4"}', ('{"a": "ä"}', False)),
            ("text/plain; charset=utf-8", b"x", ("x", False)),
            ("application/vnd.api+json", b"{}", ("{}", False)),
            ("image/png", b"\x89PNG", ("iVBORw==", True)),
            ("application/x-www-form-urlencoded", b"a=1", ("YT0x", True)),
            ("text/plain", b"\xff", ("/w==", True)),
        ):
            event = self.event(raw, headers=["Content-Type", kind])
            self.assertEqual((event["body"], event["isBase64Encoded"]), expected, kind)

    def shaped(self, payload):
        head, body = lambda_event.shape(payload)
        head = json.loads(head)
        return head["status"], head["headers"], bytes(body)

    def test_answers_with_a_status_are_taken_apart(self):
        answer = {"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": True}
        status, headers, body = self.shaped(json.dumps(answer).encode())
        self.assertEqual((status, body), (201, b"hi"))
        self.assertEqual(headers[:6], ["X-A", "1", "Set-Cookie", "a=1", "Set-Cookie", "b=2"])
        self.assertEqual(self.shaped(b'{"statusCode": "404"}')[0], 404)

    def test_other_answers_are_inferred(self):
        for payload, expected in (
            (b'{"a": 1}', (200, "application/json", b'{"a": 1}')),
            (b"[1]", (200, "application/json", b"[1]")),
            (b'"Hello"', (200, "application/json", b"Hello")),
            (b"null", (200, "application/json", b"null")),
            (b"plain text", (200, "text/plain; charset=utf-8", b"plain text")),
        ):
            status, headers, body = self.shaped(payload)
            self.assertEqual((status, headers[1], body), expected)

    def test_the_prelude_of_a_streamed_answer_is_its_head(self):
        head = json.loads(lambda_event.shape_prelude(b'{"statusCode": 202, "headers": {"Content-Type": "text/html"}, "cookies": ["a=1"]}'))
        self.assertEqual(head, {"status": 202, "headers": ["Content-Type", "text/html", "Set-Cookie", "a=1"], "streaming": True})
        with self.assertRaises(ValueError):
            lambda_event.shape_prelude(b"[]")

    def test_trace_ids_are_those_of_the_caller(self):
        self.assertEqual(runtime_api.trace_id(["X-Amzn-Trace-Id", "Root=1-a"]), "Root=1-a")
        self.assertEqual(
            runtime_api.trace_id(["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]),
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
        )
        self.assertRegex(runtime_api.trace_id([]), r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$")

    def test_errors_are_read_however_they_are_written(self):
        self.assertEqual(runtime_api.read_error(b'{"errorType": "E", "errorMessage": "m", "stackTrace": ["a\\n", "b"]}', "X"), ("E", "m", "a\nb"))
        self.assertEqual(runtime_api.read_error(b"it broke", "X"), ("X", "it broke", ""))
        self.assertEqual(runtime_api.read_error(b'{"errorMessage": null}', None), ("Error", "", ""))


if __name__ == "__main__":
    unittest.main()
