"""Counts the visits of pages in Redis, since instances share no memory, and come and go."""

import re

import redis

# Once, when the function is loaded: its connections are kept from call to call.
cache = redis.Redis(host="cache_service", socket_connect_timeout=2, socket_timeout=2)

PAGE = re.compile(r"[a-z0-9-]{1,64}")
# Pages that strangers make up are forgotten some day.
KEEP_S = 30 * 24 * 3600


def handler(message, context):
    page = message["params"]["page"]
    if not PAGE.fullmatch(page):
        return {"statusCode": 400, "body": {"error": "a page is 1 to 64 small letters, digits and dashes"}}
    key = f"visits:{page}"
    try:
        if message["verb"] == "POST":
            # One after another would lose visits: two instances may both read 5 and both write 6. INCR is one step in Redis.
            visits, _ = cache.pipeline().incr(key).expire(key, KEEP_S).execute()
        elif message["verb"] == "GET":
            visits = int(cache.get(key) or 0)
        else:
            return {"statusCode": 405, "headers": {"Allow": "GET, POST"}, "body": {"error": "GET or POST"}}
    except redis.RedisError as error:
        context.logger.error("Redis: %s", error)
        return {"statusCode": 503, "headers": {"Retry-After": "5"}, "body": {"error": "the counter is away"}}
    return {"page": page, "visits": visits}
