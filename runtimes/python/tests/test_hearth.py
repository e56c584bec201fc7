import importlib.util
import os
import subprocess
import sys
import unittest

import support  # noqa: F401

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent", "hearth", "__init__.py")


def load():
    spec = importlib.util.spec_from_file_location("hearth", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Outside(unittest.TestCase):
    def test_without_the_agent_it_says_so(self):
        code = "import sys, importlib.util as u\ns = u.spec_from_file_location('hearth', %r)\nm = u.module_from_spec(s)\ns.loader.exec_module(m)\n" % FILE
        code += "try:\n    m.invoke('x')\nexcept RuntimeError as error:\n    print(error)\n"
        told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        self.assertEqual((told.stdout, told.stderr), ("hearth.invoke works inside a function that Hearth runs, and this is none; hearth.testing calls one elsewhere\n", ""))


class Requests(unittest.TestCase):
    def test_carry_json_bytes_or_nothing(self):
        request = load()._request
        self.assertEqual(request("f", {"a": "ü"}, "sync", None)[1], b'{"a": "\\u00fc"}')
        self.assertEqual(request("f", b"\0", "async", 5)[0]["contentType"], "application/octet-stream")
        self.assertEqual(request("f", None, "sync", None), ({"function": "f", "mode": "sync", "timeoutMs": None, "contentType": None, "bodyLength": 0}, b""))

    def test_are_checked(self):
        request = load()._request
        self.assertRaises(TypeError, request, 1, None, "sync", None)
        self.assertRaises(ValueError, request, "f", None, "later", None)
        for wrong in (0, -1, float("nan")):
            self.assertRaises(ValueError, request, "f", None, "sync", wrong)
        self.assertRaises(TypeError, request, "f", object(), "sync", None)

    def test_and_answers_are_what_their_type_says(self):
        parse = load()._parse
        self.assertEqual(parse(["Content-Type", "application/problem+json"], b'{"a": 1}'), {"a": 1})
        self.assertEqual(parse(["Content-Type", "application/json"], b"no"), "no")
        self.assertEqual(parse([], b"1"), "1")
        self.assertEqual(parse(["Content-Type", "application/json"], b"\xff"), b"\xff")
        self.assertIsNone(parse([], b""))


if __name__ == "__main__":
    unittest.main()
