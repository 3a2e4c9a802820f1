"""Records behave as frozen dataclasses do, which are the oracle."""

import copy
import dataclasses
import pickle

import pytest

from cnncli.records import fields, record, replace


@record
class Place:
    x: int
    y: int = 2

    @property
    def sum(self):
        return self.x + self.y


@dataclasses.dataclass(frozen=True)
class Oracle:
    x: int
    y: int = 2


@record(kw_only=True, eq=False)
class Base:
    name: str
    size: int = 3


@record(kw_only=True, eq=False)
class Derived(Base):
    weight: float
    size: int = 5


@record
class Checked:
    count: int

    def __post_init__(self):
        if self.count < 1:
            raise ValueError("too few")


@pytest.mark.parametrize(
    ("given", "named"), [((1,), {}), ((1, 7), {}), ((1,), {"y": 7}), ((), {"y": 4, "x": 3})]
)
def test_fields_are_set_as_those_of_a_dataclass(given, named):
    ours, oracle = Place(*given, **named), Oracle(*given, **named)
    assert (ours.x, ours.y) == (oracle.x, oracle.y) == dataclasses.astuple(oracle)
    assert repr(ours) == repr(oracle).replace("Oracle", "Place")
    assert ours.sum == oracle.x + oracle.y


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})]
)
def test_wrong_fields_are_refused(given, named):
    for kind in (Place, Oracle):
        with pytest.raises(TypeError):
            kind(*given, **named)


def test_equal_fields_make_equal_records():
    assert Place(1) == Place(1, 2) != Place(1, 3)
    assert hash(Place(1)) == hash(Place(1, 2))
    assert Place(1) != Oracle(1)
    assert len({Place(1), Place(1, 2), Place(2, 1)}) == 2


def test_records_are_frozen():
    place = Place(1)
    with pytest.raises(AttributeError, match="'x'"):
        place.x = 2
    with pytest.raises(AttributeError, match="'z'"):
        place.z = 2
    with pytest.raises(AttributeError, match="'x'"):
        del place.x
    assert place == Place(1)


def test_fields_are_inherited_and_given_by_name():
    derived = Derived(name="a", weight=0.5)
    assert fields(derived) == ("name", "size", "weight")
    assert (derived.size, Base(name="b").size) == (5, 3)
    assert derived == derived
    assert derived != Derived(name="a", weight=0.5)
    with pytest.raises(TypeError):
        Base("a")
    with pytest.raises(TypeError, match="weight"):
        Derived(name="a")


def test_replace_changes_some_fields_and_checks_again():
    assert replace(Place(1, 5), x=3) == Place(3, 5)
    assert replace(Derived(name="a", weight=0.5, size=9), weight=1.5).size == 9
    with pytest.raises(TypeError):
        replace(Place(1), z=3)
    with pytest.raises(ValueError, match="too few"):
        replace(Checked(1), count=0)


def test_records_match_copy_and_pickle():
    match Place(1, 4):
        case Place(x, y):
            assert (x, y) == (1, 4)
    for again in (
        copy.copy(Place(1, 4)),
        copy.deepcopy(Place(1, 4)),
        pickle.loads(pickle.dumps(Place(1, 4))),
    ):
        assert again == Place(1, 4)
