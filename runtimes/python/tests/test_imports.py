import unittest

import support  # noqa: F401
from hearth_agent import imports, load


def find(source):
    tree, _ = load.compile_function(source, "/function/test.py")
    return [module if not names else (module, *names) for module, names, _ in imports.find(tree)]


class FindingImports(unittest.TestCase):
    def test_top_level_imports_are_found_in_order_and_once(self):
        self.assertEqual(
            find('"""Doc."""\nimport os\nimport a.b as c, d\nfrom e.f import g, h\nfrom i import *\nimport os\n'),
            ["os", "a.b", "d", ("e.f", "g", "h"), "i"],
        )

    def test_relative_and_future_imports_are_not(self):
        self.assertEqual(find("from __future__ import annotations\nfrom . import a\nfrom ..b import c\nimport d\n"), ["d"])

    def test_imports_inside_if_def_and_class_are_not(self):
        self.assertEqual(find("def f():\n    import a\nclass C:\n    import b\nimport c\nif c:\n    import d\nimport e\n"), ["c"])

    def test_the_body_of_a_try_is_looked_into_but_not_its_handlers(self):
        self.assertEqual(find("try:\n    import a\nexcept ImportError:\n    import b\nelse:\n    import c\nimport d\n"), ["a", "d"])

    def test_an_import_whose_failure_the_script_answers_with_deeds_is_decisive(self):
        tree, _ = load.compile_function("import x\ntry:\n    import a\nexcept ImportError:\n    print(1)\nimport d\n", "/function/test.py")
        self.assertEqual(imports.find(tree), [("x", (), False), ("a", (), True), ("d", (), False)])

    def test_constants_and_definitions_may_stand_before_an_import(self):
        source = "A = 1\nB: int = -2\nC = ['x', {'y': None}]\ndef f(a=1): return g()\nclass D:\n    x = 1\n    def m(self): pass\nimport z\n"
        self.assertEqual(find(source), ["z"])

    def test_nothing_is_found_behind_a_statement_that_may_change_what_an_import_does(self):
        for statement in (
            "os.environ['A'] = 'b'",
            "sys.path.insert(0, '/x')",
            "patch_all()",
            "x = f()",
            "del x[0]",
            "@decorate\ndef f(): pass",
            "class C(metaclass=M): pass",
            "class C:\n    x = f()",
            "def f(a=g()): pass",
            "for x in y: pass",
            "with a: pass",
            "x.y = 1",
            "try:\n    f()\nexcept E:\n    pass",
            "if True: pass",
        ):
            with self.subTest(statement):
                self.assertEqual(find("import a\n%s\nimport b\n" % statement), ["a"])


if __name__ == "__main__":
    unittest.main()
