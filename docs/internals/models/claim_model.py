#!/usr/bin/env python3
"""Every order of the steps of edge *claim* (src/sched/claim.hpp): one switcher, several claimers.

    claim_model.py [--claimers N] [--without-numbers]

The switcher's store of `running` waits in a store buffer, as on x86, until a fence, a locked instruction or the
machine itself writes it out; it may load the claim word before that. Claimers write by locked instructions only. The
coroutine runs, parks and is queued again, three times. Ends with status 1, and prints the steps, if the coroutine can run
while a claimer holds it, be lost, or be queued twice. --without-numbers leaves the claimers' numbers out of the word,
as it was at first: then two claimers are enough to go wrong.
"""
import argparse
from collections import deque
from typing import NamedTuple, Optional

ROUNDS = 3
NONE = ("none", None)


class World(NamedTuple):
    state: str  # of the coroutine, in memory: parked or running
    buffered: Optional[str]  # the switcher's store that nobody else sees yet
    claim: tuple  # ("none" | "requested" | "held" | "held_ready", the claimer's number)
    queued: int  # how many queue entries there are
    switcher: str  # what it does next
    round: int  # how often it has run
    claimers: tuple  # what each does next


def steps(w: World, numbers: bool):
    """All (description, world) that may come next."""
    if w.buffered is not None:
        yield "the store buffer writes " + w.buffered, w._replace(state=w.buffered, buffered=None)

    # The switcher. `seen` is what it really sees: its own store first.
    if w.switcher == "idle" and w.queued and w.buffered is None:
        yield "S takes it off the queue and stores running", w._replace(
            queued=w.queued - 1, buffered="running", switcher="look")
    if w.switcher == "look":
        if w.claim == NONE:
            yield "S sees no claim, and runs it", w._replace(switcher="runs", round=w.round + 1)
        else:
            yield "S sees a claim", w._replace(switcher="settle")
    if w.switcher == "settle":  # A CAS writes the buffer out first.
        now = w._replace(state=w.buffered or w.state, buffered=None)
        kind, _ = w.claim
        if kind in ("none", "requested"):
            yield "S withdraws the request, and runs it", now._replace(
                claim=NONE, switcher="runs", round=w.round + 1)
        elif kind == "held":
            yield "S stores parked", now._replace(buffered="parked", switcher="give up")
    if w.switcher == "give up":
        now = w._replace(state=w.buffered or w.state, buffered=None)
        if w.claim[0] == "held":
            yield "S leaves it to the claimer", now._replace(
                claim=("held_ready", w.claim[1]), switcher="idle")
        else:
            yield "S finds it released, and stores running", now._replace(
                buffered="running", switcher="look")
    if w.switcher == "runs":
        # Parking is a locked instruction; somebody makes it ready at some time, or nobody.
        parked = w._replace(state="parked", buffered=None, switcher="idle")
        yield "it parks", parked
        if w.round < ROUNDS:
            yield "it parks, and is made ready", parked._replace(queued=w.queued + 1)

    for i, step in enumerate(w.claimers):
        def goes_to(after: str, **changes) -> World:
            all_steps = w.claimers[:i] + (after,) + w.claimers[i + 1:]
            return w._replace(claimers=all_steps, **changes)

        mine = i if numbers else None
        if step == "request" and w.state == "parked" and w.claim == NONE:
            yield f"C{i} requests", goes_to("fence", claim=("requested", mine))
        if step == "fence":
            yield f"C{i} passes the heavy fence", goes_to(
                "look", state=w.buffered or w.state, buffered=None)
        if step == "look":
            yield f"C{i} finds it {w.state}", goes_to(
                "hold" if w.state == "parked" else "retreat")
        if step in ("hold", "retreat"):
            if w.claim != ("requested", mine):
                yield f"C{i} finds its request withdrawn", goes_to("done")
            elif step == "hold":
                yield f"C{i} holds it", goes_to("release", claim=("held", i))
            else:
                yield f"C{i} retreats", goes_to("done", claim=NONE)
        if step == "release":
            ready = w.claim[0] == "held_ready"
            yield f"C{i} releases it" + (" and queues it" if ready else ""), goes_to(
                "done", claim=NONE, queued=w.queued + ready)


def fault(w: World) -> Optional[str]:
    holders = [i for i, step in enumerate(w.claimers) if step == "release"]
    if w.switcher == "runs" and holders:
        return f"it runs while C{holders[0]} holds it"
    if len(holders) > 1:
        return "two claimers hold it"
    if w.queued > 1 or (w.queued and w.switcher not in ("idle",)):
        return "it is queued twice"
    return None


def search(claimers: int, numbers: bool) -> int:
    begin = World("parked", None, NONE, 1, "idle", 0, ("request",) * claimers)
    before = {begin: None}
    left = deque([begin])
    while left:
        w = left.popleft()
        wrong = fault(w)
        if wrong:
            path = []
            at = w
            while before[at] is not None:
                at, what = before[at]
                path.append(what)
            print(f"{claimers} claimers: {wrong}, after {len(path)} steps:")
            for number, what in enumerate(reversed(path), 1):
                print(f"  {number:2} {what}")
            return 1
        moved = False
        for what, after in steps(w, numbers):
            moved = True
            if after not in before:
                before[after] = (w, what)
                left.append(after)
        if not moved and w.queued:
            print("it is queued, and nobody can take it:", w)
            return 1
    print(f"{claimers} claimers: {len(before)} states, none of them wrong")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--claimers", type=int, default=2)
    parser.add_argument("--without-numbers", action="store_true")
    chosen = parser.parse_args()
    raise SystemExit(search(chosen.claimers, not chosen.without_numbers))
