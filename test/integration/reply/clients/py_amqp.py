import json
import threading
import time

import amqp
import case_runner


def connect(port, **options):
    connection = amqp.Connection(f"127.0.0.1:{port}", **options)
    connection.connect()
    return connection


def template(port, correlation_id):
    connection = connect(port)
    channel = connection.channel()
    channel.queue_declare(correlation_id)
    channel.basic_publish(amqp.Message(json.dumps({"body": {"Hello": "Valera"}})), exchange="", routing_key=correlation_id)
    connection.close()


def properties(port, correlation_id):
    connection = connect(port)
    wanted = case_runner.PROPERTIES
    message = amqp.Message(b"typed", content_type=wanted["content_type"], application_headers=wanted["headers"])
    connection.channel().basic_publish(message, routing_key=correlation_id)
    connection.close()


def large(port, correlation_id):
    connection = connect(port)
    connection.channel().basic_publish(amqp.Message(case_runner.LARGE), routing_key=correlation_id)
    connection.close()


def empty(port, correlation_id):
    connection = connect(port)
    connection.channel().basic_publish(amqp.Message(b""), routing_key=correlation_id)
    connection.close()


def confirms(port, correlation_id):
    connection = connect(port, confirm_publish=True)
    channel = connection.channel()
    for number in range(3):
        channel.basic_publish(amqp.Message(str(number)), routing_key=correlation_id, mandatory=True)
    connection.close()


def unknown(port, correlation_id):
    connection = connect(port, confirm_publish=True)
    connection.channel().basic_publish(amqp.Message(b"lost"), routing_key=correlation_id + "-unknown", mandatory=True)


def declare_unknown(port, correlation_id):
    connect(port).channel().queue_declare(correlation_id + "-unknown")


def declare_passive(port, correlation_id):
    connect(port).channel().queue_declare(correlation_id + "-unknown", passive=True)


def too_large(port, correlation_id):
    connection = connect(port, confirm_publish=True)
    try:
        connection.channel().basic_publish(amqp.Message(case_runner.TOO_LARGE), routing_key=correlation_id)
    finally:
        connection.channel().basic_publish(amqp.Message(b"after"), routing_key=correlation_id)
        connection.close()


def two_channels(port, correlation_id):
    connection = connect(port)
    one, two = connection.channel(), connection.channel()
    one.basic_publish(amqp.Message(b"one"), routing_key=correlation_id)
    two.basic_publish(amqp.Message(b"two"), routing_key=correlation_id)
    one.close()
    two.basic_publish(amqp.Message(b"three"), routing_key=correlation_id)
    connection.close()


def forced(port, correlation_id):
    connection = connect(port)
    connection.channel()
    case_runner.ready()
    connection.drain_events(timeout=30)


def heartbeats(port, correlation_id):
    connection = connect(port, heartbeat=1)
    channel = connection.channel()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        connection.heartbeat_tick()
        try:
            connection.drain_events(timeout=0.3)
        except TimeoutError:
            pass
    channel.basic_publish(amqp.Message(b"still here"), routing_key=correlation_id)
    connection.close()


def many(port, correlation_id):
    threads = [threading.Thread(target=template, args=(port, correlation_id)) for _ in range(case_runner.MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    case_runner.run({name: value for name, value in globals().items() if callable(value)}, lambda error: getattr(error, "code", None))
