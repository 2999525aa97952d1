"""The one exception that reaches the parent with a code of its own (node/src/render/errors.ts)."""


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
