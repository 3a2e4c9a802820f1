"""No network loop touches a byte beyond its arrays, at any vector width: see ``guarded_networks``."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
RUN = "import runpy; runpy.run_module('guarded_networks', run_name='__main__', alter_sys=False)"


@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_loops_stay_within_their_arrays(python, target):
    paths = [HERE, HERE.parent / "filters"]
    done = python(RUN, path=paths, env={"CNNCLI_TARGET": target}, check=False)
    last = (done.stdout.splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, f"{last}\n{done.stderr}"
    assert last == "17 cases"
