#!/usr/bin/env python3
"""Every order of the steps by which the stack of one coroutine is read while it runs, parks and is entered again
(src/gc/stacks.hpp), in one round of marking.

    scan_model.py [--without-lists]

Two processors acknowledge the round at any time. Before that they enter and leave the coroutine without a look at its
stamp but for the list; behind it, who enters reads the stack if the stamp is not the round's. The collector walks once it
pleases, and goes through the list of this round once both have acknowledged. The stack changes while the coroutine runs;
its version counts that. Ends with status 1, and prints the steps, if the round may end although nobody has read the
coroutine's present stack, it is not running behind a reading of this round, and it is in no list for the next one.
--without-lists does not list those who leave: then the stack is lost in six steps.
"""
import argparse
from collections import deque
from typing import NamedTuple, Optional, Tuple

PROCESSORS = (0, 1)
CHANGES = 3


class World(NamedTuple):
    runs_on: Optional[int]  # None: parked
    stamp: str  # old, reading, round, listed
    version: int  # of the stack
    read: int  # the newest version that somebody has read in this round
    acknowledged: Tuple[bool, bool]
    listed_now: bool  # in the list that this round goes through
    listed_next: bool
    clean: bool  # runs behind a reading of this round
    entries: int  # how often it may still be entered
    walker: int  # 0 1 2: the walk; 3 4 5: the list; 6: done
    seen: Optional[int]  # the version that the walker has just read


def steps(w: World, lists: bool):
    """All (description, world) that may come next."""
    for p in PROCESSORS:
        if not w.acknowledged[p]:
            done = tuple(a or q == p for q, a in enumerate(w.acknowledged))
            if w.runs_on == p:
                yield f"P{p} answers and reads what runs", w._replace(
                    acknowledged=done, stamp="round", read=w.version, clean=True)
            else:
                yield f"P{p} answers", w._replace(acknowledged=done)
        if w.runs_on is None and w.entries:
            entered = w._replace(runs_on=p, entries=w.entries - 1)
            if not w.acknowledged[p]:
                yield f"P{p} enters", entered._replace(clean=False)
            elif w.stamp == "round":
                yield f"P{p} enters what has been read", entered._replace(clean=True)
            else:
                yield f"P{p} reads and enters", entered._replace(
                    stamp="round", read=w.version, clean=True)
    if w.runs_on is not None:
        if w.version < CHANGES:
            yield "the stack changes", w._replace(version=w.version + 1)
        left = w._replace(runs_on=None, clean=False)
        if not lists:
            yield "it parks", left
        elif w.acknowledged[w.runs_on]:
            yield "it parks, listed for the next round", left._replace(
                stamp="listed", listed_next=True)
        else:
            yield "it parks, listed", left._replace(stamp="listed", listed_now=True)

    if w.walker == 0 or (w.walker == 3 and all(w.acknowledged)):
        skipped = w._replace(walker=3 if w.walker == 0 else 6)
        if w.walker == 3 and not w.listed_now:
            yield "the collector finds no list", skipped
        elif w.runs_on is None and w.stamp != "round":
            yield "the collector stamps it `reading`", w._replace(
                stamp="reading", walker=w.walker + 1)
        else:
            yield "the collector leaves it to others", skipped
    if w.walker in (1, 4):
        yield "the collector reads", w._replace(walker=w.walker + 1, seen=w.version)
    if w.walker in (2, 5):
        done = w._replace(walker=3 if w.walker == 2 else 6)
        if w.stamp == "reading":
            yield "the collector stamps it `round`", done._replace(
                stamp="round", read=max(w.read, w.seen))
        else:
            yield "the collector finds another stamp", done


def lost(w: World) -> bool:
    over = w.walker == 6 and all(w.acknowledged)
    return over and not (w.read == w.version or w.listed_next or
                         (w.runs_on is not None and w.clean))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-lists", action="store_true")
    lists = not parser.parse_args().without_lists

    first = World(runs_on=None, stamp="old", version=1, read=0, acknowledged=(False, False),
                  listed_now=False, listed_next=False, clean=False, entries=2, walker=0, seen=None)
    before = {first: None}
    queue = deque([first])
    while queue:
        w = queue.popleft()
        if lost(w):
            path = []
            while before[w] is not None:
                w, step = before[w]
                path.append(step)
            print("the stack is lost:")
            for step in reversed(path):
                print("   ", step)
            return 1
        for step, next_world in steps(w, lists):
            if next_world not in before:
                before[next_world] = (w, step)
                queue.append(next_world)
    print(f"{len(before)} states, none of which loses the stack")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
