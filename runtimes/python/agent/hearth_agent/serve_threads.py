"""A synchronous handler, several at a time: threads, made when needed, kept and reused."""

from _thread import allocate_lock, get_ident

from .handler import run_sync


def serve(server, concurrency):
    import threading
    from queue import SimpleQueue

    variable = server.use_context_variable()
    server.reader = get_ident()
    calls = SimpleQueue()
    lock = allocate_lock()
    busy = 0
    threads = 0

    def work():
        nonlocal busy
        while True:
            call = calls.get()
            token = variable.set(call[0])
            run_sync(server, *call)
            variable.reset(token)
            del call
            with lock:
                busy -= 1
                last = busy == 0
            if last and server.closing and not server.incomplete:
                server.exit()

    while True:
        call = server.accept(server.channel.receive())
        if call is None:
            if server.closing and not server.incomplete:
                with lock:
                    idle = busy == 0
                if idle:
                    server.exit()
            continue
        if call[0] == "cancel":
            continue  # a thread can't be stopped; the platform ends the sandbox
        with lock:
            busy += 1
            if busy > threads and threads < concurrency:
                threads += 1
                threading.Thread(target=work, name="hearth-%d" % threads, daemon=True).start()
        calls.put(call)
