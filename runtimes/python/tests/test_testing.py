import contextlib
import io
import logging
import unittest

import support  # noqa: F401
import hearth
from hearth.testing import call
from hearth_agent import errors


class Calls(unittest.TestCase):
    def test_give_what_the_platform_gives(self):
        seen = []

        def handler(message, context):
            seen.append((message, context))
            return {"statusCode": 201, "headers": {"X-N": 1}, "cookies": ["a=1", "b=2"], "body": {"ok": True}}

        answer = call(
            handler, {"name": "ü"}, verb="PUT", path="/cats/7", query={"a": "1 2"}, headers={"X-Who": "me"}, params={"id": "7"}, secrets={"KEY": "s"}
        )
        message, context = seen[0]
        self.assertEqual((message["verb"], message["path"], message["raw_path"]), ("PUT", "/cats/7", "/cats/7?a=1+2"))
        self.assertEqual((message["body"], message["query"], message["params"]), ({"name": "ü"}, {"a": "1 2"}, {"id": "7"}))
        self.assertEqual(message["headers"], {"X-Who": "me", "Content-Type": "application/json"})
        self.assertLess(0, context.remaining_ms())
        self.assertEqual((answer.status, answer.json(), answer.header("x-n"), answer.streamed), (201, {"ok": True}, "1", False))
        self.assertEqual([value for name, value in answer.headers if name == "Set-Cookie"], ["a=1", "b=2"])

    def test_give_secrets_for_their_time(self):
        self.assertEqual(call(lambda message, context: context.secrets["KEY"], secrets={"KEY": "s"}).text, "s")
        with self.assertRaises(KeyError):
            call(lambda message, context: context.secrets["KEY"])

    def test_take_any_shape_of_a_handler(self):
        async def later(message):
            return {"got": message["body"]}

        async def pieces(message):
            yield "a"
            yield b"b"

        def plain_pieces():
            yield "a"
            yield "b"

        self.assertEqual(call(later, "text").json(), {"got": "text"})
        for streaming in (pieces, plain_pieces, lambda: pieces(None)):
            answer = call(streaming)
            self.assertEqual((answer.pieces, answer.streamed, answer.header("content-type")), ([b"a", b"b"], True, "text/plain; charset=utf-8"))
        answer = call(lambda: None)
        self.assertEqual((answer.status, answer.body), (204, b""))

    def test_raise_what_the_handler_raises_and_refuse_what_is_no_response(self):
        def broken(message):
            raise ZeroDivisionError("here")

        with self.assertRaisesRegex(ZeroDivisionError, "here"):
            call(broken)
        with self.assertRaisesRegex(errors.FunctionError, "JSON"):
            call(lambda: object())

    def test_stand_in_for_other_functions(self):
        async def handler(message, context):
            small = await hearth.ainvoke("resize", {"width": 1})
            hearth.invoke("notify", b"raw", mode="async")
            return small

        answer = call(handler, invokes={"resize": lambda payload: {"w": payload["width"] * 2}, "notify": print})
        self.assertEqual(answer.json(), {"w": 2})
        self.assertEqual(answer.invoked, [("resize", {"width": 1}, "sync"), ("notify", b"raw", "async")])
        with self.assertRaises(hearth.InvokeError) as raised:
            call(lambda: hearth.invoke("other"))
        self.assertEqual(raised.exception.code, "invoke_not_allowed")
        with self.assertRaises(hearth.InvokeError) as raised:
            call(lambda: hearth.invoke("other"), invokes={"other": lambda payload: {"statusCode": 404, "body": "none"}})
        self.assertEqual((raised.exception.status, raised.exception.body), (404, "none"))
        with self.assertRaises(RuntimeError):
            hearth.invoke("resize")

    def test_pass_on_the_trace(self):
        sent = {"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1", "X-Other": "1"}
        got = call(lambda message, context: context.trace_headers(), headers=sent).json()
        self.assertEqual(got, {"traceparent": sent["Traceparent"], "tracestate": "a=1"})
        self.assertEqual(call(lambda message, context: context.trace_headers()).json(), {})

    def test_have_a_logger_that_writes_where_print_writes(self):
        def handler(message, context):
            context.logger.info("hello %s", "log")
            context.logger.debug("nobody asked")
            hearth.logger.warning("from the module")

        with contextlib.redirect_stderr(io.StringIO()) as written:
            call(handler, function_name="cats")
            call(handler, function_name="cats")
        self.assertEqual(written.getvalue(), "INFO hello log\nWARNING from the module\n" * 2)
        self.assertEqual(len(logging.getLogger("cats").handlers), 1)

    def test_give_bodies_in_pieces(self):
        def plain(message):
            return [message["body"], message["stream"].read(3).decode(), [piece.decode() for piece in message["stream"]]]

        async def later(message):
            start = await message.stream.read(3)
            return [message.body, start.decode(), [piece.decode() async for piece in message.stream]]

        async def pieces(message):
            async for piece in message["stream"]:
                yield piece.upper()

        for handler in (plain, later):
            self.assertEqual(call(handler, stream=["ab", b"cd", "ef"]).json(), [None, "abc", ["d", "ef"]])
            self.assertEqual(call(handler, stream=[]).json(), [None, "", []])
        self.assertEqual(call(pieces, stream=["a", "b"]).pieces, [b"A", b"B"])

    def test_be_the_peer_of_a_websocket(self):
        def plain(message):
            ws = message["websocket"].accept(subprotocol="chat")
            ws.send("hello")
            for data in ws:
                if data == "end":
                    return ws.close(4000, "as you wish")
                ws.send(data * 2)

        async def later(message):
            ws = await message.websocket.accept(subprotocol="chat")
            await ws.send("hello")
            while True:
                data = await ws.receive()
                if data == "end":
                    return await ws.close(4000, "as you wish")
                await ws.send(data * 2)

        for handler in (plain, later):
            answer = call(handler, websocket=["a", b"b"], subprotocols=["chat", "other"])
            self.assertEqual((answer.status, answer.header("sec-websocket-protocol")), (101, "chat"))
            self.assertEqual((answer.messages, answer.closed), (["hello", "aa", b"bb"], (1000, "")))
            answer = call(handler, websocket=iter(["end", "a"]), subprotocols=["chat"])
            self.assertEqual((answer.messages, answer.closed), (["hello"], (4000, "as you wish")))
            with self.assertRaisesRegex(ValueError, "chat"):
                call(handler, websocket=[])
        self.assertEqual(call(lambda message: {"statusCode": 403}, websocket=["a"]).status, 403)
        self.assertTrue(issubclass(hearth.WebSocketClosed, Exception))

    def test_have_types_to_annotate_with(self):
        self.assertIn("body", hearth.Message.__annotations__)
        self.assertIn("websocket", hearth.AsyncMessage.__annotations__)
        for name in ("Context", "Response", "Handler", "WebSocket", "AsyncWebSocket"):
            self.assertTrue(hasattr(hearth, name))
        with self.assertRaises(AttributeError):
            hearth.nothing  # noqa: B018


if __name__ == "__main__":
    unittest.main()
