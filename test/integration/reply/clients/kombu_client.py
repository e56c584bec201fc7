import threading

import case_runner
import kombu


def connect(port, **options):
    connection = kombu.Connection(f"amqp://guest:guest@127.0.0.1:{port}//", **options)
    connection.connect()
    return connection


def template(port, correlation_id):
    with connect(port) as connection:
        channel = connection.channel()
        kombu.Queue(correlation_id, channel=channel, durable=False).queue_declare()
        producer = kombu.Producer(channel, serializer="json")
        producer.publish({"body": {"Hello": "Valera"}}, exchange="", routing_key=correlation_id)


def properties(port, correlation_id):
    with connect(port) as connection:
        wanted = case_runner.PROPERTIES
        kombu.Producer(connection.channel()).publish(
            "typed", routing_key=correlation_id, content_type=wanted["content_type"], content_encoding="utf-8", headers=wanted["headers"])


def large(port, correlation_id):
    with connect(port) as connection:
        kombu.Producer(connection.channel()).publish(
            case_runner.LARGE, routing_key=correlation_id, content_type="application/octet-stream", content_encoding="binary")


def confirms(port, correlation_id):
    with connect(port, transport_options={"confirm_publish": True}) as connection:
        producer = kombu.Producer(connection.channel())
        for number in range(3):
            producer.publish(str(number), routing_key=correlation_id, mandatory=True)


def unknown(port, correlation_id):
    with connect(port, transport_options={"confirm_publish": True}) as connection:
        kombu.Producer(connection.channel()).publish("lost", routing_key=correlation_id + "-unknown")


def declare_unknown(port, correlation_id):
    with connect(port) as connection:
        kombu.Queue(correlation_id + "-unknown", channel=connection.channel()).queue_declare()


def declare_passive(port, correlation_id):
    with connect(port) as connection:
        kombu.Queue(correlation_id + "-unknown", channel=connection.channel()).queue_declare(passive=True)


def too_large(port, correlation_id):
    with connect(port, transport_options={"confirm_publish": True}) as connection:
        try:
            kombu.Producer(connection.channel()).publish(case_runner.TOO_LARGE, routing_key=correlation_id)
        finally:
            kombu.Producer(connection.channel()).publish("after", routing_key=correlation_id)


def two_channels(port, correlation_id):
    with connect(port) as connection:
        one, two = connection.channel(), connection.channel()
        kombu.Producer(one).publish("one", routing_key=correlation_id)
        kombu.Producer(two).publish("two", routing_key=correlation_id)
        one.close()
        kombu.Producer(two).publish("three", routing_key=correlation_id)


def forced(port, correlation_id):
    connection = connect(port)
    connection.channel()
    case_runner.ready()
    connection.drain_events(timeout=30)


def many(port, correlation_id):
    threads = [threading.Thread(target=template, args=(port, correlation_id)) for _ in range(case_runner.MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    case_runner.run({name: value for name, value in globals().items() if callable(value)}, lambda error: getattr(error, "code", None))
