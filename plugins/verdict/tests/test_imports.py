"""What the numbers cost to import, and that scipy is silent, each in a fresh interpreter."""

import subprocess
import sys

MODULES = ["distributions", "efficiency", "evidence", "intervals", "power", "ratio", "room"]
D1 = "[(3, 18), (2, 10), (4, 20)]"


def run(code):
    """The program's output, where every warning is an error."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def loaded(code):
    return run(f"import sys\n{code}\nprint(*[name for name in ('scipy', 'numpy') if name in sys.modules])")


def test_no_module_imports_scipy_or_numpy():
    assert loaded(f"from tracker_verdict.stats import {', '.join(MODULES)}") == []


def test_what_prints_no_interval_does_not_pay_for_one():
    few = "found = measure([(3, 18, 1.0), (2, 10, 0.8)])"
    asked = "found.efficiency, found.efficiency_quality, found.ci_kind, found.n_eff, found.se"
    assert loaded(f"from tracker_verdict.stats.efficiency import measure\n{few}\n{asked}") == []
    spread = f"found = measure({D1})\n{asked}"
    assert loaded(f"from tracker_verdict.stats.efficiency import measure\n{spread}") == []


def test_an_interval_loads_scipy_special_alone_and_without_a_warning():
    code = f"from tracker_verdict.stats.efficiency import measure\nmeasure({D1}).figures()\nimport sys"
    assert run(f"{code}\nprint('scipy.special' in sys.modules, 'scipy.stats' in sys.modules)") == ["True", "False"]
