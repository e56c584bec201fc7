import functools
import subprocess
import sys
import tempfile
import unittest

import support  # noqa: F401
from hearth_agent import processes, resolve, signature
from hearth_agent.errors import FunctionError


class Signatures(unittest.TestCase):
    def arity(self, handler):
        return signature.Function(handler).arity

    def test_of_functions(self):
        for handler, arity in (
            (lambda: 0, 0),
            (lambda m: 0, 1),
            (lambda m, c: 0, 2),
            (lambda m, c=None: 0, 2),
            (lambda m, c, x=1: 0, 2),
            (lambda *a: 0, 2),
            (lambda m, *a: 0, 2),
            (lambda m, *, k=1: 0, 1),
            (lambda m, **k: 0, 1),
            (functools.partial(lambda a, m: 0, 1), 1),
        ):
            self.assertEqual(self.arity(handler), arity)

    def test_of_callable_objects_and_methods(self):
        class Handler:
            def __call__(self, message):
                pass

            async def method(self, message, context):
                pass

        self.assertEqual(self.arity(Handler()), 1)
        self.assertEqual(self.arity(Handler().method), 2)
        self.assertFalse(signature.Function(Handler()).is_async)
        self.assertTrue(signature.Function(Handler().method).is_async)

    def test_of_decorated_functions(self):
        async def inner(message):
            pass

        @functools.wraps(inner)
        def greedy(*args, **kwargs):
            pass

        @functools.wraps(inner)
        def own(message, context):
            pass

        self.assertEqual((self.arity(greedy), self.arity(own)), (1, 2))
        self.assertTrue(signature.Function(greedy).is_async)

    def test_asynchronous_ones(self):
        async def coroutine():
            pass

        async def generator():
            yield

        class Callable:
            async def __call__(self):
                pass

        for handler in (coroutine, generator, Callable(), functools.partial(coroutine)):
            self.assertTrue(signature.Function(handler).is_async)

    def test_that_can_not_be_met(self):
        for handler in (lambda a, b, c: 0, lambda m, *, k: 0, 5, None):
            self.assertRaises(FunctionError, signature.Function, handler)


class Hosts(unittest.TestCase):
    def known(self, text):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            return resolve._hosts(file.name).get("message_queue") == "127.0.0.9"

    def test_a_name_in_the_hosts_file_is_found(self):
        self.assertTrue(self.known("127.0.0.1 localhost\n127.0.0.9\tother message_queue # x\n"))

    def test_the_first_address_of_a_name_holds(self):
        self.assertFalse(self.known("127.0.0.8 message_queue\n127.0.0.9 message_queue\n"))

    def test_a_comment_or_another_address_is_not(self):
        self.assertFalse(self.known("# 127.0.0.9 message_queue\n"))
        self.assertFalse(self.known("127.0.0.8 message_queue\n"))
        self.assertEqual(resolve._hosts("/no/such/file"), {})


class Children(unittest.TestCase):
    def test_are_listed_with_and_without_the_kernels_list(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            self.assertIn(child.pid, processes.children())
            self.assertIn(child.pid, processes._children_by_parent())
        finally:
            child.communicate(b"\n")
        self.assertNotIn(child.pid, processes.children())
        self.assertNotIn(child.pid, processes._children_by_parent())


class ExitObjects(unittest.TestCase):
    def test_of_codes_and_signals(self):
        self.assertEqual(processes.exit_object(0), {"code": 0})
        self.assertEqual(processes.exit_object(256 * 3), {"code": 3})
        self.assertEqual(processes.exit_object(9), {"signal": "SIGKILL"})
        self.assertEqual(processes.exit_object(128 + 11), {"signal": "SIGSEGV"})
        self.assertEqual(processes.exit_object(50), {"signal": "SIG50"})


if __name__ == "__main__":
    unittest.main()
