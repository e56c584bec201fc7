import os
import json

import pika

message_queue_uri = "message_queue"

headers = {kv_pair.split(": ")[0]: kv_pair.split(": ")[1] for kv_pair in os.environ.get("HTTP_HEADER").splitlines()}
body = json.loads(os.environ.get("HTTP_BODY"))
path = os.environ.get("HTTP_PATH")
verb = os.environ.get("HTTP_VERB")

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host=message_queue_uri))
channel = connection.channel()
channel.queue_declare(queue=headers["X-Correlation-Id"])

channel.basic_publish(exchange='', routing_key=headers["X-Correlation-Id"], body=json.dumps(body))
connection.close()
