"""Makes an SQLite database of a CSV file, and answers with the file or with what a query finds in it."""

import csv
import io
import math
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

MAX_COLUMNS = 100
MAX_ROWS_OUT = 1000
# Instructions of SQLite's virtual machine: a second or so.
MAX_STEPS = 20_000_000
MAY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class Refused(Exception):
    """What the caller has to mend."""


def handler(message):
    query = message["query"].get("sql")
    # /tmp is memory of this one instance: another call may meet another instance, or this one once more. So everything of a call goes with it.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.db")
        try:
            with closing(sqlite3.connect(file)) as database:
                load(database, message["raw_body"])
                if query is not None:
                    return answer(database, query)
        except Refused as error:
            return {"statusCode": 400, "body": {"error": str(error)}}
        return {"statusCode": 200, "headers": {"Content-Type": "application/vnd.sqlite3"}, "body": file.read_bytes()}


def load(database, body):
    try:
        # With or without the mark that spreadsheets put in front.
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        columns = [name.strip() for name in next(rows, [])]
        if not 0 < len(columns) <= MAX_COLUMNS or not all(columns):
            raise Refused(f"the first line has the names of 1 to {MAX_COLUMNS} columns")
        # Names can't be parameters; in quotes, with quotes doubled, they can be nothing else than names. NUMERIC makes a number of what looks like
        # one, also a 7 of 007.
        names = ", ".join('"%s" NUMERIC' % name.replace('"', '""') for name in columns)
        database.execute(f"CREATE TABLE data ({names})")
        insert = f"INSERT INTO data VALUES ({', '.join('?' * len(columns))})"
        for row in filter(None, rows):
            if len(row) != len(columns):
                raise Refused(f"line {rows.line_num} has {len(row)} values, and there are {len(columns)} columns")
            database.execute(insert, row)
        database.commit()
    except UnicodeDecodeError:
        raise Refused("the body is no UTF-8") from None
    except (csv.Error, sqlite3.Error) as error:
        raise Refused(f"the CSV can't be read: {error}") from None


def answer(database, query):
    # The caller's SQL may read this database, and neither write nor attach another file; and not for ever.
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in MAY else sqlite3.SQLITE_DENY)
    budget = iter(range(MAX_STEPS // 100_000))
    database.set_progress_handler(lambda: next(budget, None) is None, 100_000)
    try:
        found = database.execute(query)
        rows = [[as_json(value) for value in row] for row in found.fetchmany(MAX_ROWS_OUT)]
        return {"columns": [name for name, *_ in found.description or ()], "rows": rows, "more": found.fetchone() is not None}
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise Refused(f"the query can't be run: {error}") from None


def as_json(value):
    # SQLite has values that JSON doesn't have: bytes, and infinity.
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
