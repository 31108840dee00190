"""The errors: one family, of which an InputError can be said in other languages."""

import copy

import pytest

import fashion_model
from fashion_model.errors import CheckpointError, DataError, FashionModelError, InputError


@pytest.mark.parametrize("error", [CheckpointError, DataError, InputError])
def test_one_except_catches_them_all(error):
    assert issubclass(error, FashionModelError)
    assert getattr(fashion_model, error.__name__) is error
    with pytest.raises(FashionModelError, match="what to do"):
        raise error("what to do")


def test_an_input_error_is_a_value_error_and_the_others_are_not():
    assert issubclass(InputError, ValueError)
    assert not issubclass(CheckpointError, ValueError)
    assert not issubclass(DataError, ValueError)


def test_an_input_error_carries_what_its_message_is_made_from():
    error = InputError("too large: 9 MB", "large", megabytes=9)
    assert str(error) == "too large: 9 MB"
    assert (error.key, error.values) == ("large", {"megabytes": 9})
    plain = InputError("English only")
    assert (plain.key, plain.values) == ("", {})


def test_a_copy_carries_it_too():
    """As between processes, which pickle it by the same protocol."""
    error = copy.copy(InputError("too large: 9 MB", "large", megabytes=9))
    assert (str(error), error.key, error.values) == (
        "too large: 9 MB",
        "large",
        {"megabytes": 9},
    )
