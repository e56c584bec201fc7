"""The handler under AWS's runtime client for Python that is measured."""

import json


def handler(event, context):
    return {"hello": json.loads(event["body"])["name"]}
