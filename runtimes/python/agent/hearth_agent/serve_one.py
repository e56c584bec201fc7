"""One invocation at a time in the main thread: the shortest way through the runtime, so nothing more than needed is on it."""

from .handler import run_sync


def serve(server, _concurrency):
    receive = server.channel.receive
    accept = server.accept
    current = server.current
    while True:
        call = accept(receive())
        if call is None:
            if server.closing and not server.incomplete:
                server.exit()
            continue
        if call[0] == "cancel":
            continue  # what runs in this thread can't be stopped; the platform ends the sandbox
        current.ident = call[0]
        run_sync(server, *call)
        current.ident = 0
        if server.closing:
            server.exit()
