"""The logger of a function: Python's own, writing where `print` writes. Loaded when it is first asked for."""

import logging
import os
import sys


class _Lines(logging.StreamHandler):
    """To what standard error is at the moment: whose output it becomes is decided there."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stderr


def function_logger(name):
    """By `name`, of which there is one. Where the function has set up logging itself, that counts."""
    logger = logging.getLogger(name)
    if not logger.handlers and not logging.getLogger().handlers:
        handler = _Lines()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
        level = os.environ.get("LOG_LEVEL", "INFO").upper()
        logger.setLevel(level if isinstance(logging.getLevelName(level), int) else "INFO")
    return logger
