"""What is imported before the function is known, and the conversations that are held then."""

import os
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent"))

from hearth_agent import libraries, rehearsal  # noqa: E402


def distribution(layer, name, files, requested=True):
    folder = os.path.join(layer, name + ".dist-info")
    os.makedirs(folder)
    for file, text in files.items():
        with open(os.path.join(folder, file), "w", encoding="utf-8") as stream:
            stream.write(text)
    if requested:
        open(os.path.join(folder, "REQUESTED"), "w").close()


class RequestedLibraries(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.layer = self._folder.name

    def tearDown(self):
        self._folder.cleanup()

    def test_only_distributions_that_were_asked_for_count(self):
        distribution(self.layer, "asked-1", {"top_level.txt": "asked\n"})
        distribution(self.layer, "needed-1", {"top_level.txt": "needed\n"}, requested=False)
        self.assertEqual(libraries.requested([self.layer]), ["asked"])

    def test_without_top_level_txt_the_record_tells(self):
        record = "one/__init__.py,,\none/deep/__init__.py,,\ntwo.py,,\n_native.py,,\nbin/tool,,\none-1.dist-info/RECORD,,\n"
        distribution(self.layer, "one-1", {"RECORD": record})
        self.assertEqual(libraries.requested([self.layer]), ["one", "two"])

    def test_private_modules_and_names_that_are_none_are_left_out(self):
        distribution(self.layer, "odd-1", {"top_level.txt": "_odd\nodd-name\nodd\n"})
        self.assertEqual(libraries.requested([self.layer]), ["odd"])

    def test_a_layer_without_distributions_has_none(self):
        self.assertEqual(libraries.requested([self.layer]), [])


class Rehearsals(unittest.TestCase):
    def test_the_peer_answers_what_it_is_asked_and_is_gone_afterwards(self):
        with rehearsal._Peer() as port, socket.socket() as client:
            client.connect(("127.0.0.1", port))
            client.sendall(b"AMQP\0\0\x09\x01")
            self.assertEqual(self._frame(client)[:4], b"\0\x0a\0\x0a")
            client.sendall(b"\1\0\0\0\0\0\x04\0\x0a\0\x32\xce")
            self.assertEqual(self._frame(client), b"\0\x0a\0\x33")
            self.assertEqual(client.recv(1), b"")
        with self.assertRaises(ConnectionRefusedError), socket.socket() as client:
            client.connect(("127.0.0.1", port))
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    def test_a_library_that_breaks_off_is_excluded_by_name_and_stays_imported(self):
        with tempfile.TemporaryDirectory() as layer:
            distribution(layer, "pika-1", {"top_level.txt": "pika\n"})
            with open(os.path.join(layer, "pika.py"), "w", encoding="utf-8") as module:
                module.write("class ConnectionParameters:\n    def __init__(self, *_, **__): raise RuntimeError\nBlockingConnection = None\n")
            sys.path.insert(0, layer)
            try:
                self.assertEqual(_in_child(lambda: libraries.import_all(["pika"], [])), (["pika"], [], ["rehearsal of pika"], None))
            finally:
                sys.path.remove(layer)

    @staticmethod
    def _frame(client):
        data = b""
        while len(data) < 7 or len(data) < 8 + int.from_bytes(data[3:7], "big"):
            data += client.recv(4096)
        return data[7:-1]


def _in_child(task):
    """What the task returns in a process of its own: it changes what is imported, and ends children."""
    import marshal

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(write, 3)
            os.write(write, marshal.dumps(task()))
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as stream:
        return marshal.loads(stream.read())


if __name__ == "__main__":
    unittest.main()
