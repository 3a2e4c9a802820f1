"""An observer that takes down what it is told."""


class Watcher:
    """Takes down what an observer is told."""

    def __init__(self):
        self.steps, self.rows = [], []

    def on_step(self, report):
        self.steps.append(report)

    def on_epoch(self, row, *, best):
        self.rows.append(row | {"best": best})


def never():
    return False
