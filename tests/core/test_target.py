"""Which target a processor gets, and what forces another."""

import pytest

from cnncli.core.choices import TARGETS
from cnncli.core.target import choose_target, held_to
from cnncli.errors import CnncliError

SKYLAKE_X = frozenset({"sse2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512dq"})
ZEN3 = frozenset({"sse2", "sse4.2", "avx", "avx2", "fma"})
SANDY_BRIDGE = frozenset({"sse2", "sse4.2", "avx"})


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch):
    monkeypatch.delenv("CNNCLI_TARGET", raising=False)


@pytest.mark.parametrize(
    ("architecture", "features", "expected"),
    [
        ("x86_64", SKYLAKE_X, "avx512"),
        ("x86_64", SKYLAKE_X - {"avx512vl"}, "avx2"),  # Knights Landing
        ("x86_64", ZEN3, "avx2"),
        ("x86_64", ZEN3 - {"fma"}, "sse"),
        ("x86_64", SANDY_BRIDGE, "sse"),
        ("x86_64", frozenset(), "sse"),
        ("aarch64", frozenset({"neon"}), "neon"),
        ("arm64", frozenset(), "neon"),
        ("riscv64", frozenset(), "sse"),
    ],
)
def test_the_widest_that_the_processor_has(architecture, features, expected):
    assert choose_target(architecture, features).name == expected


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_forced_by_name(monkeypatch, name):
    monkeypatch.setenv("CNNCLI_TARGET", name)
    assert choose_target("x86_64", frozenset()).name == name


def test_an_empty_name_forces_nothing(monkeypatch):
    monkeypatch.setenv("CNNCLI_TARGET", "")
    assert choose_target("x86_64", ZEN3).name == "avx2"


@pytest.mark.parametrize("name", ["avx", "AVX2", "avx2 ", "cuda"])
def test_a_bad_name_is_an_error(monkeypatch, name):
    monkeypatch.setenv("CNNCLI_TARGET", name)
    with pytest.raises(
        CnncliError, match=f"CNNCLI_TARGET is '{name}'; expected one of avx512, avx2, neon, sse"
    ):
        choose_target("x86_64", ZEN3)


@pytest.mark.parametrize(
    ("architecture", "features", "levels"),
    [
        ("x86_64", SKYLAKE_X, {"avx2": "x86-64-v3", "sse": "x86-64-v2"}),
        ("x86_64", ZEN3, {"sse": "x86-64-v2"}),
        ("x86_64", SANDY_BRIDGE, {}),
        ("aarch64", frozenset({"neon"}), {}),
        ("riscv64", frozenset(), {}),
    ],
)
def test_a_target_below_the_processor_is_held_to_its_own_instructions(architecture, features, levels):
    for name, target in TARGETS.items():
        assert held_to(target, architecture, features) == levels.get(name, "")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_accumulators_weights_and_a_load_fit_the_registers(target):
    registers = 32 if target.name in ("avx512", "neon") else 16
    assert 2 * target.tap_vectors + target.tap_rows + 1 <= registers
    assert 2 * target.tap_vectors % target.tap_rows == 0
    # Loops tell tiles apart by their rows.
    assert len({1, target.gemm_rows, target.gemm_half_rows, target.gemm_narrow_rows}) == 4
    assert target.gemm_rows * 2 + 2 <= registers
    assert target.gemm_narrow_rows + 2 <= registers
    assert target.lanes & (target.lanes - 1) == 0
