"""Two acol processes at once, each with all threads: how much slower each is than one alone. Used by bench_peer.py. 2
is what sharing the cores costs anyway. No PyTorch here."""

import concurrent.futures
import math
import statistics
import sys

# maps, kind of acol bench, map stride, batch
WORK = [("28x28", "net", 8, 1), ("28x28", "train", 8, 8)]
# So long does each of the two measure, ms, that they run at the same time but for a small part at the ends, which a
# median does not see.
LEAST_MS, LEAST_REPEATS = 4000, 5


def measure(acol):
    rounds, rows = acol.options.rounds, []
    for maps, kind, map_stride, batch in WORK:

        def median_ms(repeats):
            return acol.bench(kind, map_stride, batch, acol.options.threads, repeats)["rows"][0]["ms_median"]

        repeats = max(LEAST_REPEATS, acol.options.repeats, math.ceil(LEAST_MS / median_ms(1)))
        alone, pairs = [], []
        for turn in range(rounds):
            print(f"bench_peer: two processes, {kind}: round {turn + 1} of {rounds}", file=sys.stderr)
            alone.append(median_ms(repeats))
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                pairs.append(sorted(pool.map(median_ms, [repeats] * 2)))
        one, faster, slower = (statistics.median(times) for times in (alone, *zip(*pairs)))
        row = {"maps": maps, "what": "forward" if kind == "net" else "train", "batch": batch, "alone_ms": one}
        row.update(two_ms=[faster, slower], slowdown=[faster / one, slower / one])
        row["throughput"] = one / faster + one / slower
        rows.append(row)
    return rows


def table(rows):
    head = ["maps", "what", "batch", "one alone", "two at once", "slowdown of each", "work done by both"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        two, slowdown = row["two_ms"], row["slowdown"]
        cells = [row["maps"], "training step" if row["what"] == "train" else row["what"], str(row["batch"])]
        cells += [f"{row['alone_ms']:.1f} ms", f"{two[0]:.1f} and {two[1]:.1f} ms"]
        cells += [f"**{slowdown[0]:.2f}** and **{slowdown[1]:.2f}**", f"{100 * row['throughput']:.0f} % of one's"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + ["\nTwo acol processes, each with all threads; of each pair the faster first; medians."])
