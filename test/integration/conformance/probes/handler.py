"""The probe as a handler in Python."""

from common import body_of, data_of, grouped, obey, order_of, pieces_of, surroundings


def handler(message, context):
    pairs = list(message["headers"].items())
    order = order_of(pairs)
    obey(order)
    if order["act"] == "invoke":
        import hearth

        return hearth.invoke(order["function"], order["payload"])
    if order["act"] == "answer":
        if "value" in order:
            return order["value"]
        if "pieces" in order:
            return (piece for piece in pieces_of(order))
        if order.keys() == {"act", "text"}:
            return order["text"]
        answer = {"statusCode": order.get("status", 200), "headers": grouped(order.get("headers", []))}
        data = order.get("text") or data_of(order)
        return {**answer, "body": data} if data else answer
    if order["act"] != "report":
        return "done"
    return {
        **surroundings(),
        "method": message["verb"],
        "path": message["path"],
        "target": message["raw_path"],
        "query": message["raw_path"].partition("?")[2],
        "queries": message["query_all"],
        "headers": pairs,
        "params": message["params"],
        "body": body_of(message["raw_body"]),
        "parsed": message["body"] if len(message["raw_body"]) < 4096 else None,
        "deadline": context.deadline * 1000,
        "name": context.function_name,
        "secret": context.secrets["API_TOKEN"],
    }
