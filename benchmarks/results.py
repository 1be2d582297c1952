"""What the experiments have in common: their options, and their part of RESULTS.md."""

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from kgan.training import devices

PATH = Path(__file__).with_name("RESULTS.md")
HEADING = "# Results\n\nEach part is written by the command that it names."


class Row(TypedDict):
    """One figure beside its reference."""

    setting: str
    ours: str
    reference: str
    passes: bool


def arguments(about: str | None, seeds: int) -> argparse.Namespace:
    """Read --seeds (0 to `seeds` - 1 when left out) and --threads (1), and set the threads."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(seeds)), help="one run each")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, 0 for all cores")
    given = parser.parse_args()
    devices.set_up(devices.Devices(threads=given.threads), given.seeds[0])
    return given


def with_amx() -> str:
    """Whether the processor has instructions for matrices, on which ratios depend: "with AMX" or "without AMX"."""
    about = Path("/proc/cpuinfo")
    return "with AMX" if about.exists() and "amx_bf16" in about.read_text() else "without AMX"


def record(
    title: str, rows: Sequence[Row], *, command: str, seeds: Sequence[int], protocol: str, path: Path = PATH
) -> bool:
    """Print the rows, and put them where this experiment's earlier rows were.

    Args:
        title: what the part is found by; at the end of the file where there is none of this title.
        rows: the figures.
        command: that writes them again.
        seeds: that were run.
        protocol: what was done and how it was measured.
        path: the file, made where there is none.

    Returns:
        Whether every row passes.
    """
    table = ["| setting | ours | reference | passes |", "| --- | --- | --- | --- |"]
    table += [
        f"| {row['setting']} | {row['ours']} | {row['reference']} | {'yes' if row['passes'] else '**no**'} |"
        for row in rows
    ]
    ran = f"`{command}`; seeds {', '.join(map(str, seeds))}; {datetime.date.today():%d %B %Y}"
    part = f"## {title}\n\n{protocol}\n\n{ran}\n\n" + "\n".join(table) + "\n"
    print(f"\n{part}", flush=True)
    heading, *parts = (path.read_text("utf-8") if path.exists() else HEADING).split("\n## ")
    parts = [f"## {kept.rstrip()}\n" for kept in parts]
    index = next((i for i, kept in enumerate(parts) if kept.startswith(f"## {title}\n")), len(parts))
    parts[index : index + 1] = [part]
    path.write_text("\n".join([f"{heading.rstrip()}\n", *parts]), "utf-8")
    return all(row["passes"] for row in rows)
