import os
import sys
import unittest

import support  # noqa: F401
from hearth_agent import forks

PRINT = compile("import os\nos.write(1, os.environ['HTTP_BODY'].encode('utf-8', 'surrogateescape'))", "/function/example.py", "exec")


class Forks(unittest.TestCase):
    def setUp(self):
        sys.stdout.flush()
        self.before = self.descriptors()
        self.forks = forks.Forks(PRINT, None, lambda: 64)
        self.addCleanup(self.end)

    def descriptors(self):
        return set(os.listdir("/proc/self/fd"))

    def end(self):
        for pid in self.forks.spares:
            self.forks.discard()
            os.waitpid(pid, 0)

    def outcome(self, process):
        """(what it printed, wait status)"""
        os.close(process.err)
        _, status = os.waitpid(process.pid, 0)
        with open(process.out, "rb") as out:
            return out.read(), status

    def test_run_the_script_in_a_new_process(self):
        self.assertEqual(self.outcome(self.forks.start({"HTTP_BODY": "x"})), (b"x", 0))

    def test_run_the_script_in_the_spare_once_one_was_made(self):
        self.assertIsNone(self.forks.hand_over({"HTTP_BODY": "x"}))
        for body in ("one", "two"):
            self.assertTrue(self.forks.prepare())
            (pid,) = self.forks.spares
            process = self.forks.hand_over({"HTTP_BODY": body})
            self.assertEqual((process.pid, self.forks.spares), (pid, ()))
            self.assertEqual(self.outcome(process), (body.encode(), 0))
        self.assertEqual(len(self.descriptors()), len(self.before))

    def test_hand_over_what_is_no_text(self):
        self.forks.prepare()
        self.assertEqual(self.outcome(self.forks.hand_over({"HTTP_BODY": "a\udcff\u00e4"})), (b"a\xff\xc3\xa4", 0))

    def test_keep_the_spare_when_the_environment_is_too_long_for_it(self):
        self.forks.prepare()
        before = self.forks.spares
        self.assertIsNone(self.forks.hand_over({"HTTP_BODY": "x" * forks.MAX_HANDED_BYTES}))
        self.assertEqual(self.forks.spares, before)
        longest = "x" * (forks.MAX_HANDED_BYTES - 64)
        self.assertEqual(self.outcome(self.forks.hand_over({"HTTP_BODY": longest})), (longest.encode(), 0))

    def test_make_one_spare_and_no_more(self):
        self.forks.prepare()
        before = self.forks.spares
        self.assertTrue(self.forks.prepare())
        self.assertEqual(self.forks.spares, before)

    def test_hand_nothing_to_a_spare_that_is_dead(self):
        self.forks.prepare()
        (pid,) = self.forks.spares
        os.kill(pid, 9)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertIsNone(self.forks.hand_over({"HTTP_BODY": "x"}))
        self.assertEqual(self.forks.spares, ())
        os.waitpid(pid, 0)
        self.assertEqual(len(self.descriptors()), len(self.before))

    def test_forget_a_spare_that_was_reaped(self):
        self.forks.prepare()
        (pid,) = self.forks.spares
        self.forks.ended(pid + 1)
        self.assertEqual(self.forks.spares, (pid,))
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        self.forks.ended(pid)
        self.assertEqual(self.forks.spares, ())
        self.assertEqual(len(self.descriptors()), len(self.before))

    def test_have_a_spare_that_ends_when_its_template_does(self):
        self.forks.prepare()
        (pid,) = self.forks.spares
        self.forks._control.close()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.forks.ended(pid)


if __name__ == "__main__":
    unittest.main()
