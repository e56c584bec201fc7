"""Runs under awslambdaric, AWS's own runtime client for Python: started as `python -m awslambdaric function.handler`."""

import json


def handler(request, context):
    if (request.get("queryStringParameters") or {}).get("fail"):
        raise RuntimeError("asked to fail")
    body = {
        "runtime": "python",
        "method": request["requestContext"]["http"]["method"],
        "path": request["rawPath"],
        "query": request.get("queryStringParameters"),
        "body": request.get("body"),
        "id": context.aws_request_id,
    }
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "cookies": ["a=1", "b=2"], "body": json.dumps(body)}
