"""Names of images: what is one image's alone, and what tells files of one name apart."""

import pytest

from cnncli.data.image_names import SEVERAL, names_of, number_of, positions_of, told_apart


def test_a_file_is_called_by_any_end_of_its_path():
    assert names_of("in/a/01.png") == {"in/a/01.png", "a/01.png", "01.png", "01"}
    assert names_of("01.png") == {"01.png", "01"}


def test_a_name_of_several_images_is_the_name_of_none():
    places = positions_of(map(names_of, ["a/1.png", "b/1.png", "b/2.png"]))
    assert {name: at for name, at in places.items() if at == SEVERAL} == {"1.png": SEVERAL, "1": SEVERAL}
    assert (places["a/1.png"], places["b/1.png"], places["2.png"], places["2"]) == (0, 1, 2, 2)


@pytest.mark.parametrize(
    ("name", "number"), [("in/007.png", 7), ("7", 7), ("a7.png", None), ("1" * 16, None), ("-", None)]
)
def test_numbers_of_names(name, number):
    assert number_of(name) == number


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["in/a.png", "in/b.png"], ["a.png", "b.png"]),
        (["in/a/1.png", "in/b/1.png", "in/2.png"], ["a/1.png", "b/1.png", "2.png"]),
        (["1.png", "a/1.png", "b/a/1.png"], ["1.png", "a/1.png", "b/a/1.png"]),
        (["/a/1.png", "a/1.png"], ["/a/1.png", "a/1.png"]),
        (["a.png", "a.png"], ["a.png", "a.png"]),
        ([], []),
    ],
)
def test_as_much_of_a_path_as_tells_it_apart(names, told):
    found = told_apart(names)
    assert [found[name] for name in names] == told
