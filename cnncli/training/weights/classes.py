"""Names of a network's classes, from a file of them."""

from pathlib import Path

from cnncli.checked import MalformedError, parse_json
from cnncli.data.classes import class_name
from cnncli.data.shipped import MODELS, model_path
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

Classes = tuple[str, ...]

_FORMS = 'a name a line, or JSON: ["cat", "dog"], {"0": "cat", "1": "dog"} or {"cat": 0, "dog": 1}'


def read_classes(source: str) -> Classes:
    """The names that a file holds, or those of a model that ships (``imagenet``).

    Raises
    ------
    CnncliError
        Where there are none, or the file cannot be read.
    """
    if source in MODELS:
        from cnncli.training.checkpoint import load_checkpoint

        return load_checkpoint(model_path(source)).task.outputs
    try:
        text = Path(source).read_bytes().decode("utf-8-sig")
        return _of_text(text)
    except OSError as error:
        raise reading_fault(error, source) from error
    except UnicodeDecodeError as error:
        why = f"byte {error.start + 1} is not UTF-8"
    except (MalformedError, ValueError) as error:  # a NUL byte in the name
        why = str(error)
    raise CnncliError(
        f"--classes: {shown(source)} gives no names: {why}; expected {_FORMS}", "Write a name a line."
    )


def _of_text(text: str) -> Classes:
    if text.lstrip()[:1] in ("[", "{"):
        return classes_of(parse_json(text))
    return classes_of(text.rstrip().splitlines())


def classes_of(value: object) -> Classes:
    """Names in the order of their numbers, from a list of them or an object with names and numbers.

    Raises
    ------
    MalformedError
        Where a number or a name is missing.
    """
    if isinstance(value, dict):
        value = _in_order(value)
    if not isinstance(value, list) or not value:
        raise MalformedError("it holds no list of names")
    names = [each[-1] if isinstance(each, list) and each else each for each in value]
    for number, name in enumerate(names):
        if not isinstance(name, str) or not class_name(name):
            raise MalformedError(f"class {number} has no name")
    return tuple(map(class_name, names))


def _in_order(names: dict[str, object]) -> list[object]:
    """Names from ``{"0": name}`` or ``{name: 0}``."""
    if all(type(number) is int for number in names.values()):
        names = {str(number): name for name, number in names.items()}
    wanted = list(map(str, range(len(names))))
    if lacking := [number for number in wanted if number not in names]:
        raise MalformedError(f"there is no class {lacking[0]} among its {len(names):,}")
    return [names[number] for number in wanted]
