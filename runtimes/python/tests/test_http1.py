import unittest

import support  # noqa: F401
from hearth_agent import http1


def read(data, is_response=True, bodiless=False, step=None):
    """Events of the bytes, fed in pieces of `step`; bodies joined."""
    reader = http1.Reader(is_response)
    reader.bodiless = bodiless
    events = []
    for at in range(0, len(data), step or max(1, len(data))):
        events += reader.feed(data[at : at + (step or len(data))])
    body = b"".join(value for kind, value in events if kind == "body")
    head = next((value for kind, value in events if kind == "head"), None)
    return head, body, [kind for kind, _ in events if kind != "body"], reader


class Reading(unittest.TestCase):
    def test_messages_are_read_the_same_in_whatever_pieces_they_come(self):
        messages = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello",
        ]
        for message in messages:
            for step in (None, 1, 2, 3, 7):
                head, body, kinds, _ = read(message, step=step)
                self.assertEqual((head.start[1], body, kinds), ("200", b"hello", ["head", "end"]), (message, step))

    def test_trailers_are_told(self):
        reader = http1.Reader(False)
        events = reader.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n")
        self.assertEqual(events[-1], ("end", [("A", "1"), ("B", "2")]))

    def test_answers_that_have_no_body_end_with_their_head(self):
        for start, bodiless in ((b"HTTP/1.1 204 No Content", False), (b"HTTP/1.1 304 Not Modified", False), (b"HTTP/1.1 200 OK", True)):
            _, body, kinds, reader = read(start + b"\r\nContent-Length: 5\r\n\r\n", bodiless=bodiless)
            self.assertEqual((body, kinds, reader.idle), (b"", ["head", "end"], False))
            reader.next()
            self.assertTrue(reader.idle)

    def test_a_body_without_length_ends_with_the_connection(self):
        _, body, kinds, reader = read(b"HTTP/1.1 200 OK\r\n\r\nhello")
        self.assertEqual((body, kinds), (b"hello", ["head"]))
        self.assertEqual(reader.eof(), [("end", [])])

    def test_the_end_in_the_middle_of_a_message_is_an_error(self):
        for part in (b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"):
            _, _, _, reader = read(part)
            with self.assertRaises(http1.HttpError):
                reader.eof()

    def test_the_next_message_waits_its_turn(self):
        reader = http1.Reader(False)
        events = reader.feed(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        self.assertEqual([kind for kind, _ in events], ["head", "end"])
        self.assertEqual(reader.next()[0][1].start[1], "/b")

    def test_what_is_no_http_is_refused(self):
        bad = [
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"A" * (http1.MAX_HEAD + 1),
        ]
        for message in bad:
            with self.assertRaises(http1.HttpError, msg=message[:60]):
                http1.Reader(True).feed(message)

    def test_keeping_a_connection_follows_version_and_header(self):
        def keeps(start, header=b""):
            return read(start + b"\r\nContent-Length: 0\r\n" + header + b"\r\n")[0].keeps_alive

        self.assertTrue(keeps(b"HTTP/1.1 200 OK"))
        self.assertFalse(keeps(b"HTTP/1.1 200 OK", b"Connection: Close\r\n"))
        self.assertFalse(keeps(b"HTTP/1.0 200 OK"))
        self.assertTrue(keeps(b"HTTP/1.0 200 OK", b"Connection: keep-alive\r\n"))


if __name__ == "__main__":
    unittest.main()
