#!/usr/bin/env python3
"""Benchmarks tfc, and peers where there are any, in turns: `make bench`. Prints a table, writes bench/results.json, bench/table.md and bench/chart.svg;
with DOCUMENT=1 also into docs/performance.md and docs/performance.svg.

BENCH_PEERS names other programs, one a line: `NAME = COMMAND`. The command is called with `--config tiny|small124 --batch N
--what train|fwd|decode --prec f32|amp|bf16w` appended (amp: bf16 products on f32 weights; bf16w: weights in bf16) and prints a line of JSON
with `tok_s` and, where it knows them, `gflops` and `rss_mb`. ROWS picks rows by a part of their name, ROUNDS says how often each is run (1),
TFC is the program (target/release/tfc), THREADS how many threads it gets (2).
"""
import json, os, shlex, statistics, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TFC = os.environ.get("TFC", str(ROOT / "target/release/tfc"))
THREADS = os.environ.get("THREADS", "2")
ROUNDS = int(os.environ.get("ROUNDS", "1"))
OUT = ROOT / "bench"
# Seconds that one measurement may take.
LONGEST = 300

# Name, config, what, precision, batch. The batch of decoding is one text.
ROWS = [
    ("tiny train f32", "tiny", "train", "f32", 16),
    ("tiny train bf16", "tiny", "train", "bf16", 16),
    ("tiny forward f32", "tiny", "forward", "f32", 16),
    ("tiny forward bf16", "tiny", "forward", "bf16", 16),
    ("tiny decode f32", "tiny", "decode", "f32", 1),
    ("tiny decode bf16", "tiny", "decode", "bf16", 1),
    ("small124 train f32", "small124", "train", "f32", 1),
    ("small124 train bf16", "small124", "train", "bf16", 1),
    ("small124 train f32, batch 2", "small124", "train", "f32", 2),
    ("small124 train bf16, batch 2", "small124", "train", "bf16", 2),
    ("small124 forward f32", "small124", "forward", "f32", 1),
    ("small124 forward bf16", "small124", "forward", "bf16", 1),
    ("small124 decode f32", "small124", "decode", "f32", 1),
    ("small124 decode bf16", "small124", "decode", "bf16", 1),
]
# The marks in docs/performance.md.
BEGIN, END = "<!-- results of scripts/bench.py -->", "<!-- end of results -->"
PEER_WHAT = {"train": "train", "forward": "fwd", "decode": "decode"}


def peers():
    """By name, the command's words."""
    lines = [line for line in os.environ.get("BENCH_PEERS", "").splitlines() if line.strip()]
    pairs = [line.split("=", 1) for line in lines]
    return {name.strip(): shlex.split(command) for name, command in pairs}


def call(words):
    """The last line of JSON that a command prints, or why there is none."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return {"failed": f"it took longer than {LONGEST} s"}
    text = done.stdout.strip()
    try:
        return json.loads(text if text.startswith("{\n") else text.splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        words = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return {"failed": words}


def tfc(config, what, precision, batch):
    words = [TFC, "bench", f"specs/bench-{config}.tfm", "--what", what, "--threads", THREADS, "--format", "json"]
    words += ["--set", f"train.precision={precision}"]
    words += [] if what == "decode" else ["--batch", str(batch)]
    found = call(words)
    if "failed" in found:
        return found
    memory = found["peak_memory_bytes"]
    return {
        "tokens_per_s": found["tokens_per_s"],
        "gflops": found["gflops"],
        "fraction_of_peak": found["fraction_of_peak"],
        "fraction_of_bandwidth": (found["bandwidth"] or {}).get("fraction_of_bandwidth"),
        "gib": memory / 2**30 if memory else None,
        "compile_seconds": found["compile_seconds"],
        "target": found["target"],
    }


def peer(command, config, what, precision, batch):
    short = {"f32": "f32", "bf16": "amp" if what == "train" else "bf16w"}[precision]
    found = call(command + ["--config", config, "--batch", str(batch), "--what", PEER_WHAT[what], "--prec", short])
    if "failed" in found:
        return found
    return {"tokens_per_s": found["tok_s"], "gflops": found.get("gflops"), "gib": found.get("rss_mb", 0) / 1024 or None}


def median(runs):
    """Of several runs of one thing, number by number; a run that failed does not count."""
    good = [run for run in runs if "failed" not in run]
    if not good:
        return runs[0]
    def of(key):
        values = [run[key] for run in good if run.get(key) is not None]
        numbers = values and all(isinstance(value, (int, float)) for value in values)
        return statistics.median(values) if numbers else (values[0] if values else None)
    return {key: of(key) for key in good[0]}


def measure(rows, others):
    results = []
    for name, *row in rows:
        runs = {who: [] for who in ["tfc", *others]}
        # In turns, so that what else the machine does hits all alike.
        for _ in range(ROUNDS):
            runs["tfc"].append(tfc(*row))
            for who, command in others.items():
                runs[who].append(peer(command, *row))
        results.append({"row": name, **{who: median(all_runs) for who, all_runs in runs.items()}})
        said = [f"{who} {results[-1][who].get('failed') or cell(results[-1][who])}" for who in runs]
        print(f"{name}: " + ", ".join(said), file=sys.stderr, flush=True)
    return results


def cell(result):
    if "failed" in result:
        return "-"
    speed = result["tokens_per_s"]
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}"


def table(results, others):
    head = ["tokens/s", "tfc", *others, "tfc / best peer", "of the peak", "memory tfc", *(f"memory {who}" for who in others)]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for result in results:
        own = result["tfc"]
        best = max((result[who].get("tokens_per_s", 0) for who in others), default=0)
        ratio = f"{own['tokens_per_s'] / best:.2f}" if best and "failed" not in own else "-"
        limit = own.get("fraction_of_bandwidth") or own.get("fraction_of_peak")
        memory = lambda who: f"{result[who]['gib']:.2f} GiB" if result[who].get("gib") else "-"
        cells = [result["row"], cell(own), *(cell(result[who]) for who in others), ratio]
        cells += [f"{100 * limit:.0f} %" if limit else "-", memory("tfc"), *(memory(who) for who in others)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def chart(results, others):
    """Bars by row, each as long as its speed is a part of the row's best."""
    names = ["tfc", *others]
    colors = ["#c2410c", "#475569", "#94a3b8", "#cbd5e1"]
    bar, gap, left, width = 14, 16, 190, 420
    block = bar * len(names) + gap
    height = block * len(results) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 110}" height="{height}" font-family="sans-serif" font-size="12">']
    for place, who in enumerate(names):
        x = left + place * 130
        parts.append(f'<rect x="{x}" y="8" width="12" height="12" fill="{colors[place % len(colors)]}"/><text x="{x + 18}" y="18">{who}</text>')
    for index, result in enumerate(results):
        top = 34 + index * block
        best = max((result[who].get("tokens_per_s", 0) for who in names), default=0) or 1
        parts.append(f'<text x="{left - 8}" y="{top + bar}" text-anchor="end">{result["row"]}</text>')
        for place, who in enumerate(names):
            length = width * result[who].get("tokens_per_s", 0) / best
            y = top + place * bar
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 2}" fill="{colors[place % len(colors)]}"/>')
            parts.append(f'<text x="{left + length + 6:.1f}" y="{y + bar - 4}" font-size="10">{cell(result[who])}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def machine(results):
    """What was measured on, in a sentence."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    processor = f"{len(models)} × {models[0]}" if models else "an unknown processor"
    target = next((result["tfc"]["target"] for result in results if "target" in result["tfc"]), "none")
    day = time.strftime("%d %B %Y", time.gmtime())
    return f"Measured on {day}: {processor}, {THREADS} threads, target `{target}`."


def document(text, where):
    """Puts the table between the marks of the page."""
    page = ROOT / "docs/performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{where}\n\n{text}\n![Speed by row](performance.svg)\n{END}{after}")


def main():
    others = peers()
    wanted = os.environ.get("ROWS", "")
    rows = [row for row in ROWS if wanted in row[0]]
    start = time.time()
    results = measure(rows, others)
    OUT.mkdir(exist_ok=True)
    text = table(results, others)
    (OUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "table.md").write_text(text)
    (OUT / "chart.svg").write_text(chart(results, others))
    if os.environ.get("DOCUMENT"):
        document(text, machine(results))
        (ROOT / "docs/performance.svg").write_text(chart(results, others))
    print(text, end="")
    print(f"{time.time() - start:.0f} s; written to bench/", file=sys.stderr)


if __name__ == "__main__":
    main()
