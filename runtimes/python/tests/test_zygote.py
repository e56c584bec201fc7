"""What a zygote imports in advance, and what its control channel is made of."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zygote"))

from hearth_zygote import libraries, wire  # noqa: E402


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


class ControlChannel(unittest.TestCase):
    def test_messages_come_out_whole_however_they_are_cut(self):
        token = bytes(range(16))
        data = wire.encode(wire.FORK, token, b"payload") + wire.encode(wire.BOOTED)
        for size in range(1, len(data) + 1):
            decoder = wire.Decoder()
            found = []
            for at in range(0, len(data), size):
                found += decoder.feed(data[at : at + size])
            self.assertEqual(found, [(wire.FORK, token, b"payload"), (wire.BOOTED, wire.NO_TOKEN, b"")])

    def test_a_message_that_announces_too_much_is_refused(self):
        with self.assertRaises(ValueError):
            wire.Decoder().feed(b"\xff\xff\xff\xff" + bytes(17))


if __name__ == "__main__":
    unittest.main()
