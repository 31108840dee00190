"""The errors a caller can act on; every message says what to do next."""


class FashionModelError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(FashionModelError, ValueError):
    """The picture cannot be read, or there is nothing in it to recognize.

    key and values: what the page makes the message from in another language; "" where there is
    only the English message.
    """

    def __init__(self, message: str, key: str = "", **values: object) -> None:
        super().__init__(message)
        self.key, self.values = key, values


class CheckpointError(FashionModelError):
    """A checkpoint is missing, damaged, or not what the code expects."""


class DataError(FashionModelError):
    """Training or evaluation data is missing, damaged, or not what it claims to be."""
