"""What a sandbox in stock does while it waits."""

import linecache
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent"))

from hearth_agent import dry_run  # noqa: E402


class DryRun(unittest.TestCase):
    def test_it_leaves_nothing_behind(self):
        dry_run.run()  # what it imports stays
        before = (dict(sys.modules), dict(os.environ), dict(linecache.cache), sys.stdout, sys.stderr, sorted(os.listdir("/proc/self/fd")))
        dry_run.run()
        after = (dict(sys.modules), dict(os.environ), dict(linecache.cache), sys.stdout, sys.stderr, sorted(os.listdir("/proc/self/fd")))
        self.assertEqual(after, before)


if __name__ == "__main__":
    unittest.main()
