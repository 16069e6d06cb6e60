"""The command line of the crash tests; see the package."""

import argparse
import functools
import itertools
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the helpers of the tests

from . import trial  # noqa: E402
from .checks import LITTER, differing, files_of, half_written, litter  # noqa: E402
from .scenarios import SCENARIOS, Scenario  # noqa: E402
from .trial import Course, Ended, Operation  # noqa: E402

CUTS = {"kills": "programs that are killed", "full": "disks that fill up", "vanish": "folders that vanish"}


@dataclass
class Known:
    """A scenario that was run to its end twice: its place, its course, and what it leaves."""

    scenario: Scenario
    prepared: Path
    before: dict[str, str]
    course: Course
    after: dict[str, bytes]
    changing: set[str]  # files whose bytes are of the day

    @property
    def made(self) -> list[str]:
        """The folders of results."""
        return sorted({name.partition("/")[0] for name in self.after if name not in self.before})


@dataclass
class Counts:
    """What was tried, and what broke a rule."""

    tried: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def known(scenario: Scenario, base: Path) -> Known:
    """Prepare a scenario and run it to its end, twice, for what is never the same."""
    prepared = base / f"{scenario.name} prepared"
    prepared.mkdir()
    done = trial.forked(prepared, [scenario.prepare], lambda: None)
    assert done.code == 0, done.output
    ends, before = [], files_of(prepared)
    works, log = scenario.works, base / f"{scenario.name}.log"
    for follow in (trial.load_what_they_load, trial.followed):
        place = fresh(prepared, base)
        course, done = follow(place, works, log)
        assert done.code == 0, done.output
        ends.append({name: (place / name).read_bytes() for name in files_of(place)})
    changing = {name for name in ends[0] if ends[0][name] != ends[1].get(name)}
    return Known(scenario, prepared, before, course, ends[0], changing)


def fresh(prepared: Path, base: Path) -> Path:
    """A copy of a prepared place, always under the same name."""
    place = base / "place"
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(prepared, place))


def cut(known: Known, how: str, base: Path, chance: random.Random, counts: Counts) -> None:
    """Cut a scenario short, up to three times, and go on; what breaks a rule is kept in `counts`."""
    place, times = fresh(known.prepared, base), chance.choice([1, 1, 2, 3]) if how == "kills" else 1
    told = f"{known.scenario.name}, {how}"
    for _ in range(times):
        operation, ended, moment = one_cut(known, how, place, chance)
        told += f", {moment}"
        counts.tried[how, known.scenario.name, operation.phase] += 1
        counts.wrong += [f"{told}: {wrong}" for wrong in judged(known, how, place, ended)]
    counts.wrong += [f"{told}: {wrong}" for wrong in gone_on(known, how, place)]


def gone_on(known: Known, how: str, place: Path) -> list[str]:
    """Go on where a scenario was cut short; tells what is then not as if nothing had happened.

    Beside half of what vanished, what is left may be refused in one line; then it goes on without it.
    """
    if how == "vanish":
        shutil.copytree(known.prepared, place, dirs_exist_ok=True)
    done = trial.forked(place, known.scenario.works, lambda: None)
    if how == "vanish" and done.code == 2 and "Traceback" not in done.output:
        for folder in known.made:
            shutil.rmtree(place / folder, ignore_errors=True)
        shutil.copytree(known.prepared, place, dirs_exist_ok=True)
        done = trial.forked(place, known.scenario.works, lambda: None)
    if done.code or done.hung:
        return [f"did not go on: {done.code} {done.output[-2000:]}"]
    return differing(place, known.after, known.changing)


def one_cut(known: Known, how: str, place: Path, chance: random.Random) -> tuple[Operation, Ended, str]:
    """Cut the works short in a phase, and there at an operation, by chance; tells which, how it ended, and when."""
    operations, works = known.course.operations, known.scenario.works
    phase = chance.choice(sorted({operation.phase for operation in operations}))
    number = chance.choice([n for n, operation in enumerate(operations) if operation.phase == phase])
    operation, delay = operations[number], 0.0
    if how == "kills":
        if chance.random() < 0.5 and number + 1 < len(operations):
            delay = chance.uniform(0, operations[number + 1].seconds - operation.seconds) + 1e-6
        ended = trial.killed(place, works, number, delay)
    elif how == "full":
        ended = trial.full(place, works, number)
    else:
        ended = trial.vanishing(place, works, number, known.made)
    return operation, ended, f"{1000 * delay:.0f} ms after {number} ({phase}: {operation.what} {operation.path})"


def judged(known: Known, how: str, place: Path, ended: Ended) -> list[str]:
    """What is wrong in a place that was cut short, and with how the program ended."""
    wrong = ["hangs"] if ended.hung else []
    if "Traceback" in ended.output:
        wrong.append(f"a traceback: {ended.output[-2000:]}")
    last = (ended.output.splitlines() or [""])[-1]
    if how != "kills" and ended.code not in (0, 2) or ended.code == 2 and not last.startswith("error: "):
        wrong.append(f"ended with {ended.code}: {ended.output[-500:]}")
    if how == "full" and ended.code == 0:
        wrong += differing(place, known.after, known.changing)
    wrong += half_written(place, known.before, known.after, known.course.contents, known.changing)
    if len(left := litter(place)) > LITTER:
        wrong.append(f"{len(left)} leftovers: {', '.join(left)}")
    return wrong


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    for how, text in CUTS.items():
        parser.add_argument(f"--{how}", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="scenarios", choices=[scenario.name for scenario in SCENARIOS])
    given = parser.parse_args()
    chance, counts = random.Random(given.seed), Counts()
    chosen = [scenario for scenario in SCENARIOS if not given.only or scenario.name in given.only]
    with tempfile.TemporaryDirectory(prefix="msflow-crash-") as folder:
        base, turns = Path(folder), itertools.cycle(chosen)
        found = functools.cache(functools.partial(known, base=base))
        for how in CUTS:
            while sum(number for (done, *_), number in counts.tried.items() if done == how) < getattr(given, how):
                cut(found(next(turns)), how, base, chance, counts)
    for (how, name, phase), number in sorted(counts.tried.items()):
        print(f"{how:7} {name:9} {phase:11} {number:4}")
    print(f"{sum(counts.tried.values())} cuts, {len(counts.wrong)} broken rules")
    for wrong in counts.wrong:
        print(wrong)
    return bool(counts.wrong)


if __name__ == "__main__":
    sys.exit(main())
