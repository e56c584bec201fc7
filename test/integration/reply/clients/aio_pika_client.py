import asyncio
import functools
import json

import aio_pika
import case_runner


def case(act):
    """A case that is given an open connection, which is closed after it."""

    @functools.wraps(act)
    def run(port, correlation_id):
        async def main():
            connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
            async with connection:
                await act(connection, correlation_id)

        asyncio.run(main())

    return run


async def publish(channel, routing_key, body, **options):
    await channel.default_exchange.publish(aio_pika.Message(body, **options), routing_key)


@case
async def template(connection, correlation_id):
    channel = await connection.channel(publisher_confirms=False)
    await channel.declare_queue(correlation_id)
    await publish(channel, correlation_id, json.dumps({"body": {"Hello": "Valera"}}).encode())


@case
async def properties(connection, correlation_id):
    channel = await connection.channel()
    wanted = case_runner.PROPERTIES
    await publish(channel, correlation_id, b"typed", content_type=wanted["content_type"], headers=wanted["headers"])


@case
async def large(connection, correlation_id):
    await publish(await connection.channel(), correlation_id, case_runner.LARGE)


@case
async def empty(connection, correlation_id):
    await publish(await connection.channel(), correlation_id, b"")


@case
async def confirms(connection, correlation_id):
    channel = await connection.channel(publisher_confirms=True)
    for number in range(3):
        await publish(channel, correlation_id, str(number).encode())


@case
async def unknown(connection, correlation_id):
    await publish(await connection.channel(), correlation_id + "-unknown", b"lost")


@case
async def declare_unknown(connection, correlation_id):
    await (await connection.channel()).declare_queue(correlation_id + "-unknown")


@case
async def declare_passive(connection, correlation_id):
    await (await connection.channel()).declare_queue(correlation_id + "-unknown", passive=True)


@case
async def too_large(connection, correlation_id):
    try:
        await publish(await connection.channel(), correlation_id, case_runner.TOO_LARGE)
    finally:
        await publish(await connection.channel(), correlation_id, b"after")


@case
async def two_channels(connection, correlation_id):
    one, two = await connection.channel(), await connection.channel()
    await publish(one, correlation_id, b"one")
    await publish(two, correlation_id, b"two")
    await one.close()
    await publish(two, correlation_id, b"three")


@case
async def forced(connection, correlation_id):
    closed = asyncio.get_running_loop().create_future()
    connection.close_callbacks.add(lambda _connection, reason: closed.done() or closed.set_result(reason))
    await connection.channel()
    case_runner.ready()
    raise await asyncio.wait_for(closed, 30)


def many(port, correlation_id):
    async def one():
        connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
        async with connection:
            channel = await connection.channel()
            await channel.declare_queue(correlation_id)
            await publish(channel, correlation_id, json.dumps({"body": {"Hello": "Valera"}}).encode())

    async def main():
        await asyncio.gather(*(one() for _ in range(case_runner.MANY)))

    asyncio.run(main())


def code_of(error):
    """aiormq puts the server's code into the exception's arguments or says it in the text."""
    for value in (getattr(error, "errno", None), *error.args):
        if isinstance(value, int):
            return value
    return getattr(error, "code", None)


if __name__ == "__main__":
    case_runner.run({name: value for name, value in globals().items() if callable(value)}, code_of)
