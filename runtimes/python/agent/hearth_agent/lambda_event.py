"""
Between HTTP and the events of AWS Lambda: API Gateway's proxy format, payload version 2.0
(docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
"""

import json
import time
from base64 import b64encode

from . import fast_json, result

ACCOUNT = "000000000000"
REGION = "us-east-1"
#: Between the prelude of a streamed HTTP answer and its body.
SEPARATOR = b"\0" * 8
HTTP_STREAM = "application/vnd.awslambda.http-integration-response"
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def make_event(invoke, raw, request_id):
    """The event as JSON bytes."""
    headers, cookies = _headers(invoke["headers"])
    path, _, _ = (invoke["rawPath"] or invoke["path"]).partition("?")
    query = invoke["query"]
    host = headers.get("host", "localhost")
    now = time.time()
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "hearth",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": invoke["verb"],
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": headers.get("x-forwarded-for", "127.0.0.1").rpartition(",")[2].strip(),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": _clf_time(now),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _query(query)
    if invoke["params"]:
        event["pathParameters"] = {"proxy" if name == "*" else name: value for name, value in invoke["params"].items()}
    if raw:
        event["body"], event["isBase64Encoded"] = _body(raw, headers.get("content-type"))
    return json.dumps(event).encode()


def _headers(pairs):
    """Lower-case names, repeated ones joined by commas; cookies apart."""
    headers = {}
    cookies = []
    for name, value in zip(pairs[::2], pairs[1::2]):
        name = name.lower()
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";") if part.strip()]
        else:
            headers[name] = headers[name] + "," + value if name in headers else value
    return headers, cookies


def _query(text):
    from urllib.parse import parse_qsl

    found = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found[name] = found[name] + "," + value if name in found else value
    return found


def _body(raw, content_type):
    kind = (content_type or "").partition(";")[0].strip().lower()
    if not kind or kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")):
        try:
            return raw.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return b64encode(raw).decode(), True


def _clf_time(seconds):
    at = time.gmtime(seconds)
    return "%02d/%s/%d:%02d:%02d:%02d +0000" % (at.tm_mday, _MONTHS[at.tm_mon - 1], at.tm_year, at.tm_hour, at.tm_min, at.tm_sec)


def shape(payload):
    """(ReplyHead's payload, body) of what the function answered. Raises FunctionError when no HTTP answer can be made of it."""
    try:
        value = fast_json.loads(payload.decode("utf-8")) if payload else None
    except (ValueError, RecursionError):
        # API Gateway would answer 500; a function's plain text is more use as it is.
        return result.head(200, ["Content-Type", result.TEXT]), payload
    if isinstance(value, dict) and _is_status(value.get("statusCode")):
        return result.shape({**value, "statusCode": int(value["statusCode"])})
    head = result.head(200, ["Content-Type", result.JSON])
    return head, result.to_text(value) if isinstance(value, str) else payload


def _is_status(value):
    return type(value) in (int, float) or (isinstance(value, str) and value.isdigit())


def shape_prelude(text):
    """ReplyHead's payload of a streamed HTTP answer. Raises FunctionError, or ValueError when it is no JSON object."""
    value = fast_json.loads(text.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    whole = {"statusCode": int(value.get("statusCode", 200)), "headers": value.get("headers"), "cookies": value.get("cookies")}
    head, _ = result.shape(whole)
    return _as_stream(head)


def _as_stream(head):
    value = json.loads(head)
    value["streaming"] = True
    return json.dumps(value).encode()


def stream_head(content_type):
    """Of a streamed answer that is no HTTP one: its bytes are the body."""
    return result.head(200, ["Content-Type", content_type or result.BYTES], True)
