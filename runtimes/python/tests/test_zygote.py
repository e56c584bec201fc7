"""What a zygote's control channel is made of."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zygote"))

from hearth_zygote import wire  # noqa: E402


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
