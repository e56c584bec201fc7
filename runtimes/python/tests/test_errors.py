import json
import unittest

import support  # noqa: F401
from hearth_agent import errors


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


class ErrorObjects(unittest.TestCase):
    def check(self, error):
        made = errors.error_object(error)
        json.dumps(made).encode()
        for value in made.values():
            self.assertIs(type(value), str)
        self.assertLessEqual(len(made["message"].encode()), errors.MESSAGE_BYTES)
        self.assertLessEqual(len(made["trace"].encode()), errors.TRACE_BYTES)
        return made

    def test_an_ordinary_exception(self):
        made = self.check(raised(ValueError("no")))
        self.assertEqual((made["type"], made["message"]), ("ValueError", "no"))
        self.assertIn("test_errors.py", made["trace"])
        self.assertTrue(made["trace"].endswith("ValueError: no\n"))

    def test_methods_that_raise_or_recur(self):
        def fail(self):
            raise SystemExit

        def recur(self):
            return str(self) + repr(self)

        for method in (fail, recur, lambda self: 5, lambda self: None):
            hostile = type("Hostile", (Exception,), {"__str__": method, "__repr__": method})
            self.assertEqual(self.check(raised(hostile()))["type"], "Hostile")

    def test_a_metaclass_that_lies(self):
        class Meta(type):
            @property
            def __name__(cls):
                raise KeyboardInterrupt

        hostile = Meta("Hostile", (Exception,), {})
        self.assertEqual(self.check(raised(hostile("x")))["type"], "Hostile")

    def test_a_class_without_a_traceback_of_its_own(self):
        class Hostile(Exception):
            @property
            def __traceback__(self):
                raise ValueError

            @property
            def __cause__(self):
                raise ValueError

        self.assertEqual(self.check(raised(Hostile("x")))["message"], "x")

    def test_long_and_odd_texts_are_cut(self):
        self.assertTrue(self.check(raised(ValueError("ä" * 10**6)))["message"].endswith("…"))
        self.check(raised(ValueError("\ud800" * 5000)))
        self.check(raised(type("N" * 100000, (Exception,), {})("x")))

    def test_circles_of_causes(self):
        a, b = ValueError("a"), ValueError("b")
        a.__cause__, b.__cause__ = b, a
        self.assertEqual(self.check(raised(a))["message"], "a")

    def test_cut_keeps_what_fits(self):
        self.assertEqual(errors.cut("abc", 3), "abc")
        self.assertEqual(errors.cut("abcdef", 5), "ab…")
        self.assertEqual(errors.cut("äää", 6), "äää")
        self.assertLessEqual(len(errors.cut("äääääää", 8).encode()), 8)


if __name__ == "__main__":
    unittest.main()
