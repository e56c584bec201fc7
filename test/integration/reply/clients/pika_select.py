import json

import case_runner
import pika


class Session:
    """Opens a connection and a channel, hands the channel to `act`, and ends when the connection is closed."""

    def __init__(self, port, act):
        self.act = act
        self.error = None
        self.connection = pika.SelectConnection(
            pika.ConnectionParameters(host="127.0.0.1", port=port),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.channel_open),
            on_open_error_callback=self.closed,
            on_close_callback=self.closed,
        )
        self.connection.ioloop.start()
        if self.error is not None:
            raise self.error

    def channel_open(self, channel):
        channel.add_on_close_callback(self.channel_closed)
        self.act(self.connection, channel)

    def channel_closed(self, _channel, reason):
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self.error = reason
            self.connection.close()

    def closed(self, connection, reason):
        if not isinstance(reason, pika.exceptions.ConnectionClosedByClient):
            self.error = reason
        connection.ioloop.stop()


def template(port, correlation_id):
    def act(connection, channel):
        def declared(_frame):
            channel.basic_publish("", correlation_id, json.dumps({"body": {"Hello": "Valera"}}))
            connection.close()

        channel.queue_declare(correlation_id, callback=declared)

    Session(port, act)


def properties(port, correlation_id):
    def act(connection, channel):
        wanted = case_runner.PROPERTIES
        channel.basic_publish("", correlation_id, b"typed", pika.BasicProperties(content_type=wanted["content_type"], headers=wanted["headers"]))
        connection.close()

    Session(port, act)


def large(port, correlation_id):
    def act(connection, channel):
        channel.basic_publish("", correlation_id, case_runner.LARGE)
        connection.close()

    Session(port, act)


def confirms(port, correlation_id):
    def act(connection, channel):
        tags = []

        def confirmed(frame):
            assert isinstance(frame.method, pika.spec.Basic.Ack), frame
            tags.append(frame.method.delivery_tag)
            if tags == [1, 2, 3]:
                connection.close()

        channel.confirm_delivery(confirmed, callback=lambda _frame: [channel.basic_publish("", correlation_id, str(n)) for n in range(3)])

    Session(port, act)


def unknown(port, correlation_id):
    Session(port, lambda _connection, channel: channel.basic_publish("", correlation_id + "-unknown", b"lost"))


def declare_unknown(port, correlation_id):
    Session(port, lambda _connection, channel: channel.queue_declare(correlation_id + "-unknown"))


def declare_passive(port, correlation_id):
    Session(port, lambda _connection, channel: channel.queue_declare(correlation_id + "-unknown", passive=True))


def forced(port, correlation_id):
    Session(port, lambda _connection, _channel: case_runner.ready())


def two_channels(port, correlation_id):
    def act(connection, one):
        def second_open(two):
            one.basic_publish("", correlation_id, b"one")
            two.basic_publish("", correlation_id, b"two")
            one.add_on_close_callback(lambda *_: (two.basic_publish("", correlation_id, b"three"), connection.close()))
            one.close()

        connection.channel(on_open_callback=second_open)

    Session(port, act)


if __name__ == "__main__":
    case_runner.run(
        {name: value for name, value in globals().items() if callable(value)},
        lambda error: getattr(error, "reply_code", None),
    )
