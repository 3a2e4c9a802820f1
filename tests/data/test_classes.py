"""Names of classes: their order, and which of them say nothing."""

from cnncli.data.classes import ordered


def test_numbers_are_in_the_order_of_numbers():
    assert ordered(["10", "9", "-1", "9"]) == ["-1", "9", "10"]


def test_one_name_that_is_no_number_makes_all_of_them_names():
    assert ordered(["10", "9", "b"]) == ["10", "9", "b"]


def test_digits_without_end_are_a_name():
    """Python turns no more than 4,300 digits into a number."""
    long = "9" * 5000
    assert ordered(["10", "9", long]) == ["10", "9", long]
