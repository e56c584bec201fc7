"""The probe as an HTTP server in Python."""

import http.server
import json
import os

from common import body_of, data_of, obey, order_of, pieces_of, queries, surroundings


class Probe(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.body()
        order = order_of(self.headers.items())
        obey(order)
        if order["act"] == "report":
            self.send(200, [("Content-Type", "application/json")], json.dumps(self.report(body)).encode())
        elif "value" in order:
            self.send(200, [("Content-Type", "application/json")], json.dumps(order["value"]).encode())
        elif "pieces" in order:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (*pieces_of(order), ""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece.encode()), piece.encode()))
        else:
            headers = order.get("headers", [])
            if not headers:
                headers = [("Content-Type", "text/plain; charset=utf-8")]
            self.send(order.get("status", 200), headers, data_of(order))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def send(self, status, headers, data):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(data)

    def report(self, data):
        path, _, query = self.path.partition("?")
        return {
            **surroundings(),
            "method": self.command,
            "path": path,
            "target": self.path,
            "query": query,
            "queries": queries(query),
            "headers": self.headers.items(),
            "params": None,
            "body": body_of(data),
            "parsed": None,
            "deadline": None,
            "name": None,
            "secret": os.environ["API_TOKEN"],
        }

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Probe).serve_forever()
