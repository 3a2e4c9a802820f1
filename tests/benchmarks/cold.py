"""What a user waits for in a fresh process: a prediction, and the first commands ever.

The PyTorch script does what `cnncli predict` does with the same weights and picture: `torch_predict.py`.
"""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cnncli.data.shipped import sample_path
from cnncli.training.checkpoint import Checkpoint, load_checkpoint

from . import peers, twins
from .limits import limit_of_command
from .model import Case, Contest, Cost, Goal
from .timing import Launcher

GROUP = "cold"
PREDICT, FIRST = Goal(5), Goal(seconds=5)
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("torch_predict.py")
MODEL = "digits.safetensors"  # ships
PICTURE = ROOT / "samples" / "digits" / "7.png"


def cases(folder: Path, launcher: Launcher) -> Iterator[Case]:
    """All rows about fresh processes.

    Parameters
    ----------
    folder : Path
        To work in.
    launcher : Launcher
        Runs the commands.
    """
    yield Case(GROUP, "predict one digit", "", PREDICT, functools.partial(_predict, folder, launcher))
    first = {"predict one digit": _first_predict, "train an epoch on 512 digits": _first_train}
    for work, words in first.items():
        prepare = functools.partial(_first, words, folder, launcher)
        yield Case(GROUP, f"first command ever: {work}", "", FIRST, prepare)


def _predict(folder: Path, launcher: Launcher) -> Contest:
    ours = [*peers.cnncli(), "predict", PICTURE, "--csv", "--top", "1"]
    if peers.torch() is None:
        return Contest(_measure(launcher, ours), {}, missing=("PyTorch script",))
    checkpoint = load_checkpoint(sample_path(MODEL))
    weights = folder / "digits.pt"
    _save_for_torch(checkpoint, weights)
    mean, std = (f"{values[0]!r}" for values in (checkpoint.preprocessing.mean, checkpoint.preprocessing.std))
    theirs = [sys.executable, SCRIPT, weights, PICTURE, mean, std]
    answers = [_label(argv) for argv in (ours, theirs)]
    if answers[0] != answers[1]:
        raise ArithmeticError(f"cnncli answers {answers[0]!r}, PyTorch {answers[1]!r}")
    return Contest(
        _measure(launcher, ours),
        {"PyTorch script": _measure(launcher, theirs)},
        limit=functools.partial(limit_of_command, launcher, 1),
    )


def _save_for_torch(checkpoint: Checkpoint, path: Path) -> None:
    """The weights as PyTorch's users keep them."""
    torch = peers.torch()
    twin = twins.torch_twin(checkpoint.network())
    torch.save(twin.state_dict(), path)


def _label(argv: list[str | Path]) -> str:
    """The label in the last line, which ours and the script write after the name of the picture."""
    done = subprocess.run(list(map(str, argv)), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split(",")[1]


def _measure(launcher: Launcher, argv: list[str | Path]) -> Callable[[], Cost]:
    return lambda: launcher.cost(argv, cwd=ROOT)


def _first_predict(_: Path) -> list[str | Path]:
    return ["predict", PICTURE]


def _first_train(folder: Path) -> list[str | Path]:
    """Few enough images that compiling is what takes the time."""
    images = folder / "digits.npz"
    if not images.exists():
        rng = np.random.default_rng(4)
        labels = np.arange(640) % 10
        pixels = rng.integers(0, 256, (640, 28, 28)).astype(np.uint8)
        np.savez(images, x_train=pixels[:512], y_train=labels[:512], x_test=pixels[512:], y_test=labels[512:])
    return ["train", images, "--epochs", "1"]


def _first(words: Callable[[Path], list[str | Path]], folder: Path, launcher: Launcher) -> Contest:
    """With an empty folder for compiled code each time."""
    command = words(folder)

    def measure() -> Cost:
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            argv = [*peers.cnncli(), *command]
            argv += ["-o", Path(empty) / "run"] if command[0] == "train" else []
            return launcher.cost(argv, cwd=ROOT, env={"CNNCLI_CACHE_DIR": f"{empty}/cache"})

    return Contest(measure, {})
