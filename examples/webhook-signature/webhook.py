"""Takes GitHub's webhooks, and believes nothing in them before their signature is checked."""

import hashlib
import hmac


def handler(message, context):
    # Names of headers have no case, and proxies change it.
    headers = {name.lower(): value for name, value in message["headers"].items()}
    if not is_signed(message["raw_body"], headers.get("x-hub-signature-256", ""), context.secrets["GITHUB_WEBHOOK_SECRET"]):
        # Which part was wrong is nobody's business.
        return {"statusCode": 401, "body": {"error": "the signature is missing or wrong"}}
    event, payload = headers.get("x-github-event"), message["body"]
    if event == "ping":
        return {"pong": payload["zen"]}
    if event == "push":
        context.logger.info("push of %d commits to %s", len(payload["commits"]), payload["ref"])
        return {"ref": payload["ref"], "commits": len(payload["commits"])}
    # GitHub shows other statuses than 2xx as failed deliveries.
    return {"statusCode": 202, "body": {"ignored": event}}


def is_signed(body, signature, secret):
    # Over the bytes as they came: JSON that was parsed and written again is other bytes.
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # `==` ends at the first difference, and so tells by its time how much of a guess was right. Bytes, since str may be ASCII only.
    return hmac.compare_digest(expected.encode(), signature.encode())
