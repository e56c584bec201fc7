import json
import threading

import case_runner
import pika


def connect(port, **options):
    return pika.BlockingConnection(pika.ConnectionParameters(host="127.0.0.1", port=port, **options))


def template(port, correlation_id):
    """The lines of the function template, with the port as the only difference."""
    body = {"body": {"Hello": "Valera"}}
    headers = {"X-Correlation-Id": correlation_id}

    connection = pika.BlockingConnection(
        pika.ConnectionParameters(host="127.0.0.1", port=port))
    channel = connection.channel()
    channel.queue_declare(queue=headers["X-Correlation-Id"])

    channel.basic_publish(exchange='', routing_key=headers["X-Correlation-Id"], body=json.dumps(body))
    connection.close()


def properties(port, correlation_id):
    connection = connect(port)
    wanted = case_runner.PROPERTIES
    connection.channel().basic_publish(
        "", correlation_id, b"typed", pika.BasicProperties(content_type=wanted["content_type"], headers=wanted["headers"], delivery_mode=2, priority=3,
                                                           message_id="m", timestamp=1_700_000_000, type="t", app_id="a", reply_to="r", expiration="9"))
    connection.close()


def large(port, correlation_id):
    connection = connect(port)
    connection.channel().basic_publish("", correlation_id, case_runner.LARGE)
    connection.close()


def empty(port, correlation_id):
    connection = connect(port)
    connection.channel().basic_publish("", correlation_id, b"")
    connection.close()


def confirms(port, correlation_id):
    connection = connect(port)
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(3):
        channel.basic_publish("", correlation_id, str(number), mandatory=True)
    connection.close()


def unknown(port, correlation_id):
    channel = connect(port).channel()
    channel.confirm_delivery()
    channel.basic_publish("", correlation_id + "-unknown", b"lost", mandatory=True)


def unknown_without_confirms(port, correlation_id):
    connection = connect(port)
    channel = connection.channel()
    channel.basic_publish("", correlation_id + "-unknown", b"lost")
    channel.queue_declare(correlation_id)


def other_exchange(port, correlation_id):
    connection = connect(port)
    channel = connection.channel()
    channel.basic_publish("logs", correlation_id, b"lost")
    channel.queue_declare(correlation_id)


def declare_unknown(port, correlation_id):
    connect(port).channel().queue_declare(correlation_id + "-unknown")


def declare_passive(port, correlation_id):
    connect(port).channel().queue_declare(correlation_id + "-unknown", passive=True)


def too_large(port, correlation_id):
    connection = connect(port)
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("", correlation_id, case_runner.TOO_LARGE)
    finally:
        connection.channel().basic_publish("", correlation_id, b"after")
        connection.close()


def two_channels(port, correlation_id):
    connection = connect(port)
    one, two = connection.channel(), connection.channel()
    one.basic_publish("", correlation_id, b"one")
    two.basic_publish("", correlation_id, b"two")
    one.close()
    two.basic_publish("", correlation_id, b"three")
    connection.close()


def forced(port, correlation_id):
    connection = connect(port)
    connection.channel()
    case_runner.ready()
    connection.process_data_events(time_limit=30)


def heartbeats(port, correlation_id):
    connection = connect(port, heartbeat=1)
    channel = connection.channel()
    connection.sleep(4)
    channel.basic_publish("", correlation_id, b"still here")
    connection.close()


def many(port, correlation_id):
    threads = [threading.Thread(target=template, args=(port, correlation_id)) for _ in range(case_runner.MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def broker_calls(port, correlation_id):
    """What scripts written for a real broker also call."""
    connection = connect(port, credentials=pika.PlainCredentials("any", "body"))
    channel = connection.channel()
    channel.queue_declare(correlation_id, durable=True, arguments={"x-expires": 1000, "x-nested": {"a": [1, 2]}})
    channel.exchange_declare("amq.topic", "topic", durable=True)
    channel.exchange_declare("amq.fanout", passive=True)
    own = channel.queue_declare("", exclusive=True).method.queue
    assert own.startswith("amq.gen-"), own
    channel.queue_bind(own, "amq.topic", "a.b")
    channel.queue_unbind(own, "amq.topic", "a.b")
    channel.queue_purge(own)
    channel.basic_qos(prefetch_count=1)
    tag = channel.basic_consume(own, lambda *_: None)
    channel.basic_cancel(tag)
    assert channel.basic_get(correlation_id) == (None, None, None)
    channel.basic_recover()
    channel.flow(True)
    channel.queue_delete(own)
    channel.basic_publish("", correlation_id, b"all went well")
    connection.close()


def one_too_many(port, correlation_id):
    """One connection more than the server allows; the first ones go on."""
    first = connect(port)
    try:
        connect(port)
    finally:
        first.channel().basic_publish("", correlation_id, b"first")
        first.close()


def transactions(port, correlation_id):
    connect(port).channel().tx_select()


def declare_exchange(port, correlation_id):
    connect(port).channel().exchange_declare("mine", "topic")


if __name__ == "__main__":
    case_runner.run(
        {name: value for name, value in globals().items() if callable(value)},
        lambda error: getattr(error, "reply_code", None),
    )
