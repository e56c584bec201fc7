import asyncio
import json
import types
import unittest

import support
from hearth_agent import result, shapes
from hearth_agent.errors import FunctionError

inspect_code = support.inspect_code


def call(code, **members):
    """(status, headers, body) of one call of the function that the code defines."""
    module = types.ModuleType("function")
    exec(code, module.__dict__)
    function = shapes.find(module)
    raw = members.pop("raw", b"")
    message = {"headers": {}, "raw_body": raw, "path": "/p", "raw_path": "/p?" + members.pop("q", ""), "verb": "GET", "query": {}, "params": {}, **members}
    value = function.call(message, None)
    if function.is_async:
        value = asyncio.run(value)
    head, body = result.shape(value)
    head = json.loads(head)
    return head["status"], dict(zip(head["headers"][::2], head["headers"][1::2])), bytes(body)


class OpenFaas(unittest.TestCase):
    def test_event_and_context_are_those_of_its_template(self):
        code = """
def handle(event, context):
    return {"statusCode": 201, "headers": {"X-A": "1"}, "body": [event.body.decode(), event.method, event.path, event.query["a"], event.headers["X-Own"], event.headers.get("x-own"), bool(context.hostname)]}
"""
        status, headers, body = call(code, raw=b"hi", verb="POST", query={"a": "1"}, headers={"x-OWN": "v"})
        self.assertEqual((status, headers["X-A"]), (201, "1"))
        self.assertEqual(json.loads(body), ["hi", "POST", "/p", "1", "v", "v", True])

    def test_what_it_leaves_out_has_its_defaults(self):
        self.assertEqual(call("def handle(event, context): return {'body': 'x'}")[::2], (200, b"x"))
        self.assertEqual(call("def handle(event, context): return None")[::2], (200, b""))
        self.assertEqual(call("def handle(event, context): return {'statusCode': '404', 'body': {'a': 1}}")[::2], (404, b'{"a": 1}'))
        self.assertEqual(call("def handle(event, context): return {'a': 1}")[::2], (200, b'{"a": 1}'))

    def test_the_classic_template_has_the_body_and_nothing_else(self):
        self.assertEqual(call("def handle(req): return req + '!'", raw=b"hi")[::2], (200, b"hi!"))

    def test_it_may_be_asynchronous(self):
        self.assertEqual(call("async def handle(event, context): return {'body': event.method}")[::2], (200, b"GET"))


class OpenWhisk(unittest.TestCase):
    ECHO = "def main(args): return {'body': args}"

    def arguments(self, **members):
        return json.loads(call(self.ECHO, **members)[2])

    def test_parameters_are_path_query_and_body(self):
        arguments = self.arguments(params={"id": "7", "*": "a/b"}, query={"x": "1", "y": "2"}, raw=b'{"y": 3}', verb="POST", headers={"Content-Type": "application/json"}, q="x=1&y=2")
        self.assertEqual(
            arguments,
            {"id": "7", "x": "1", "y": 3, "__ow_method": "post", "__ow_headers": {"content-type": "application/json"}, "__ow_path": "/a/b", "__ow_query": "x=1&y=2"},
        )

    def test_bodies_that_are_no_object_come_as_ow_body(self):
        self.assertEqual(self.arguments(raw=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})["a"], "1")
        self.assertEqual(self.arguments(raw=b"text", headers={"Content-Type": "text/plain"})["__ow_body"], "text")
        self.assertEqual(self.arguments(raw=b"\x00\xff", headers={"Content-Type": "image/png"})["__ow_body"], "AP8=")

    def test_results_of_web_actions_become_answers(self):
        self.assertEqual(call("def main(args): return {'greeting': 'hi'}"), (200, {"Content-Type": "application/json"}, b'{"greeting": "hi"}'))
        self.assertEqual(call("def main(args): return {'statusCode': '302', 'headers': {'location': '/x'}}")[:2], (302, {"location": "/x"}))
        self.assertEqual(call("def main(args): return {'headers': {'Content-Type': 'image/png'}, 'body': 'AP8='}"), (200, {"Content-Type": "image/png"}, b"\x00\xff"))
        self.assertEqual(call("def main(args): return {'error': {'statusCode': 400, 'body': 'bad'}}")[::2], (400, b"bad"))
        self.assertEqual(call("def main(args): return None")[0], 204)

    def test_errors_fail(self):
        for code in ("def main(args): return {'error': 'no'}", "def main(args): return 1", "def main(args): return {'statusCode': 'x'}"):
            with self.assertRaises(FunctionError):
                call(code)


class Detection(unittest.TestCase):
    def test_definitions_alone_are_handlers(self):
        for code, expected in (
            ("def handle(event, context): pass", "handler"),
            ("'''doc'''\nimport os\nX = 1\ndef handle(req): pass", "handler"),
            ("async def main(args): pass", "handler"),
            ("def main(): pass", "script"),
            ("def main(args): pass\nmain({})", "script"),
            ("def main(args): pass\nif __name__ == '__main__':\n    main({})", "script"),
            ("def handle(a, b, c): pass", "script"),
            ("def handler(m, c): pass\ndef main(args): pass", "handler"),
        ):
            self.assertEqual(inspect_code.inspect(code.encode())["style"], expected, code)
        self.assertTrue(inspect_code.inspect(b"async def main(args): pass")["asynchronous"])


if __name__ == "__main__":
    unittest.main()
