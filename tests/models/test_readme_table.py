"""The numbers of the README's table of networks are those of the code."""

from readme_table import MARK, README, networks, renewed


def test_the_readme_has_the_numbers_of_the_code():
    text = README.read_text(encoding="utf-8")
    assert renewed(text) == text, "run: python -m tests.models.readme_table"


def test_published_numbers():
    rows = networks()
    assert rows["`vgg16`"]["parameters"] == "138,357,544"
    assert rows["`resnet50`"] == {
        "paper": "He et al. 2015",
        "image, classes": "224x224x3, 1,000",
        "parameters": "25,557,032",
        "multiply-adds": "4.09 G",
        "receptive field": "427x427",
        "names of": "torchvision `resnet50`",
    }
    assert rows["`googlenet:aux`"]["parameters"] == "13,004,888"


def test_columns_of_others_are_kept():
    table = "| `-m` | parameters | accuracy |\n| --- | --- | --- |\n| `lenet5` | 1 | 99 % |\n"
    text = f"before\n{MARK}{table}\nafter\n"
    lines = renewed(text).splitlines()
    assert lines[2].startswith("| `-m` | parameters | accuracy | paper |")
    (row,) = (line for line in lines if line.startswith("| `lenet5`"))
    assert row.startswith("| `lenet5` | 61,706 | 99 % | LeCun et al. 1998 |")
    assert renewed("\n".join(lines)) == "\n".join(lines)
