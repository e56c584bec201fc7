"""The heads of what passes between callers and a program of style `server`: hop-by-hop headers are taken out, and the way of the request is told."""

from . import errors

#: RFC 9110 section 7.6.1; and what concerns the framing, which is ours. Expect: the body is there.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length")
)


def _named_by_connection(pairs):
    """Lower-case names of headers that a Connection header makes hop-by-hop."""
    named = set()
    for name, value in pairs:
        if name.lower() == "connection":
            named.update(part.strip().lower() for part in value.split(","))
    return named


def passed(head):
    """Headers of an answer, for ReplyHead: names and values in turn."""
    dropped = _named_by_connection(head.headers) | _HOP_BY_HOP
    headers = []
    for name, value in head.headers:
        if name.lower() not in dropped:
            headers += (name, value)
    return headers


def request_bytes(invoke, body):
    """The request as the program gets it: target, headers and body as they came, hop-by-hop headers aside."""
    has_length = body or invoke["verb"] not in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT")
    return request_head(invoke, ["Content-Length: %d" % len(body)] if has_length else []) + body


def request_head(invoke, framing):
    """Its head alone. `framing`: lines of headers, in the place of those of the caller's connection."""
    pairs = list(zip(invoke["headers"][::2], invoke["headers"][1::2]))
    dropped = _named_by_connection(pairs) | _HOP_BY_HOP
    known = {name.lower() for name, _ in pairs}
    lines = ["%s %s HTTP/1.1" % (invoke["verb"], _target(invoke))]
    for name, value in pairs:
        if name.lower() not in dropped:
            lines.append("%s: %s" % (name, value))
    host = next((value for name, value in pairs if name.lower() == "host"), None)
    if host is None:
        host = "localhost"
        lines.insert(1, "Host: localhost")
    if "x-forwarded-host" not in known:
        lines.append("X-Forwarded-Host: %s" % host)
    if "x-correlation-id" not in known:
        lines.append("X-Correlation-Id: %s" % invoke["correlationId"])
    lines += framing
    text = "\r\n".join(lines)
    if "\0" in text or any("\r" in line or "\n" in line for line in lines):
        raise errors.FunctionError("InvalidRequest", "a header of the request can't be passed on: it has a line break or NUL")
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        data = text.encode("utf-8")
    return data + b"\r\n\r\n"


def _target(invoke):
    target = invoke["rawPath"] or invoke["path"]
    if target.isascii() and not any(character <= " " or character == "\x7f" for character in target):
        return target
    from urllib.parse import quote

    return quote(target, safe="/?&=%:@!$'()*+,;~-._#[]", encoding="utf-8", errors="surrogateescape")
