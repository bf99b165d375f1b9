"""Why a bar was missed, where profiles tell: said on the page for the bars that it explains."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.bars import Bar

_REASONS = (
    (
        "produce, of direct",
        "Clients, brokers and proxy share two cores that are never idle meanwhile, so what a hop costs in CPU it "
        "costs in throughput. Seen with py-spy, perf and vmstat: of some 25 CPU seconds for each GB (brokers 18, "
        "clients 6) the gateway takes a little more than one, and the clients, which wait longer, another. Of the "
        "gateway's, sending is 23%, waiting 20%, receiving 12%, and the exchange with its ledger 25%. Requests "
        "come whole, some 140 KB at each read, so that there is nothing to gather; waiting for more at each read, "
        "or between reads, brought nothing. A relay in C that only copies (epoll, recv, send: 0.3 CPU seconds for each "
        "GB) had 0.85 and 0.82 of direct in 16 and 40 paired turns, one that moves pages (splice) 0.81; the gateway "
        "had 0.88 and 0.85 in them. It is the hop that costs, whatever makes it.",
    ),
    (
        "CPU per GB produced, of kroxylicious's",
        "More than half of what the gateway spends is the kernel's: sending, receiving, waiting. Any proxy pays that.",
    ),
    (
        "two workers of one",
        "The load is closed: brokers that have the same two cores set its pace, and no worker is busy for more than "
        "a quarter of a core. Two workers, each with half of the connections, find fewer of them ready at a time, and "
        "pay more wake-ups, and colder caches, for the same requests. Counted (voluntary context switches, 4 turns, "
        "120 connections): 0.27 for a request with one worker, 0.41 with two; with batches of 60 KiB 0.38 and 0.59; "
        "so two spend 1.45 and 1.35 times the CPU of one for a request. The connections are dealt out evenly: the "
        "busier worker had 3 to 5 % more than half.",
    ),
    (
        "added p50, one in flight",
        "A bar in milliseconds is as high as the machine is slow. Where it was missed a round trip took 0.45 ms "
        "directly, and there a relay in C that only copies added 0.07 ms, one in Python that only copies (epoll, recv, "
        "send; no frames, no ledger) 0.13 ms, the bare relay 0.27 ms and the gateway 0.25 ms (15 rounds each): it is "
        "Python between two sleeps, whose code the processor has forgotten meanwhile; run over and over, with nothing "
        "beside it, both ways take the gateway 0.04 ms. On a machine about 2.5 times as fast it added 0.10 ms.",
    ),
    (
        "p99 at a fixed rate",
        "Look at the spread: what one request in a hundred waits for is the brokers' and the scheduler's doing, "
        "and changes its sign from round to round.",
    ),
)
"""How a bar's name begins, and the reason."""
_UNDECIDED = (
    "Its rounds lie on both sides of the bar: what is missing is less than what one round differs from the next on "
    "this machine, and has no profile of its own."
)


def missed_bars(bars: Sequence[Bar]) -> str:
    """Return the section on bars that were missed; empty where none was."""
    missed = [bar for bar in bars if not bar.met]
    paragraphs = []
    for begins, reason in _REASONS:
        explained = [bar for bar in missed if bar.name.startswith(begins)]
        if explained:
            paragraphs.append(_paragraph(explained, reason))
            missed = [bar for bar in missed if bar not in explained]
    undecided = [bar for bar in missed if bar.figure.low <= bar.limit <= bar.figure.high]
    if undecided:
        paragraphs.append(_paragraph(undecided, _UNDECIDED))
    if unknown := [bar for bar in missed if bar not in undecided]:
        paragraphs.append(f"- Not explained yet: {'; '.join(bar.name for bar in unknown)}.")
    return "### Why bars are missed\n\n" + "\n".join(paragraphs) + "\n" if paragraphs else ""


def _paragraph(bars: Sequence[Bar], reason: str) -> str:
    return f"- **{', '.join(bar.name for bar in bars)}**: {reason}"
