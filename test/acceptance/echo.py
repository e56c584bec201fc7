"""Answers with what it was called with, the way the first functions were written: top to bottom, over a message queue."""

import json
import os

import pika

head = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
reply_queue = head["X-Correlation-Id"]
request = json.loads(os.environ["HTTP_BODY"])

with pika.BlockingConnection(pika.ConnectionParameters(host="message_queue")) as connection:
    channel = connection.channel()
    channel.queue_declare(queue=reply_queue)
    channel.basic_publish(exchange="", routing_key=reply_queue, body=json.dumps(request))
