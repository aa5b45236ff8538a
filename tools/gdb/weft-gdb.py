"""Coroutines of weft in gdb: in a live process, behind gdbserver, or in a core; with or without symbols.

    (gdb) source weft-gdb.py
    (gdb) info coroutines [TEXT]        a line for each; with TEXT, those whose line holds it
    (gdb) coroutine 7 bt                a gdb command on the stack of coroutine 7
    (gdb) coroutine apply all bt        on each
    (gdb) info processors               what runs where

How it finds them: an ELF note of the program, or of a library of it, says where weft's record of its own layout is
(src/report/debug_layout.hpp). How it shows a stack: an unwinder says of the selected thread's innermost frame that its
caller is the context in which the coroutine is parked. From there on gdb unwinds as always. For a coroutine that runs, the
command runs on its thread instead.

Nothing in the process is changed, and nothing of it runs.
"""

import re
import struct

import gdb
import gdb.unwinder

NOTE_NAME = b"weft\0"
MAGIC = b"weftdbg\0"
LAYOUT_VERSION = 1


class WeftError(gdb.GdbError):
    """Something that the user should read without a traceback."""


# ------------------------------------------------------------------------------------------------ reading memory


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError as error:
        raise WeftError(f"weft: no memory at {address:#x}: {error}") from error


def u8(address):
    return read(address, 1)[0]


def u16(address):
    return struct.unpack("<H", read(address, 2))[0]


def u32(address):
    return struct.unpack("<I", read(address, 4))[0]


def u64(address):
    return struct.unpack("<Q", read(address, 8))[0]


def text_at(address, most=512):
    """The bytes up to a 0; cut, not refused, where memory ends: a core may lack what the program's file has."""
    if address == 0:
        return ""
    found = b""
    while len(found) < most:
        try:
            found += bytes(gdb.selected_inferior().read_memory(address + len(found), 1))
        except gdb.MemoryError:
            return found.decode(errors="replace") or "?"
        if found.endswith(b"\0"):
            return found[:-1].decode(errors="replace")
    return found.decode(errors="replace")


# ----------------------------------------------------------------------------------------------- finding the record


def auxiliary_vector():
    found = {}
    for line in gdb.execute("info auxv", to_string=True).splitlines():
        match = re.match(r"(\d+)\s+AT_\w+\s.*?(0x[0-9a-f]+|\d+)\s*$", line)
        if match:
            found[int(match.group(1))] = int(match.group(2), 0)
    return found


PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_PHDR = 1, 2, 4, 6
AT_PHDR, AT_PHENT, AT_PHNUM = 3, 4, 5
DT_DEBUG = 21


def program_headers(address, count, size=56):
    for i in range(count):
        kind, _, _, where, _, _, length, _ = struct.unpack(
            "<IIQQQQQQ", read(address + i * size, 56)
        )
        yield kind, where, length


def record_in_notes(base, headers):
    """The address of the record, if one of these notes names it."""
    for kind, where, length in headers:
        if kind != PT_NOTE:
            continue
        at, end = base + where, base + where + length
        while at + 12 <= end:
            name_size, size, note_type = struct.unpack("<III", read(at, 12))
            description = at + 12 + (name_size + 3) // 4 * 4
            if name_size == 5 and note_type == 1 and read(at + 12, 5) == NOTE_NAME:
                return description + struct.unpack("<i", read(description, 4))[0]
            at = description + (size + 3) // 4 * 4
    return None


def modules():
    """Base address and program headers of the program, and then of its libraries."""
    auxv = auxiliary_vector()
    if AT_PHDR not in auxv:
        raise WeftError("weft: there is no process, or its auxiliary vector is not known")
    headers = list(program_headers(auxv[AT_PHDR], auxv[AT_PHNUM], auxv.get(AT_PHENT, 56)))
    base = 0
    for kind, where, _ in headers:
        if kind == PT_PHDR:
            base = auxv[AT_PHDR] - where
    yield base, headers
    for kind, where, length in headers:
        if kind != PT_DYNAMIC:
            continue
        for at in range(base + where, base + where + length, 16):
            tag, value = struct.unpack("<QQ", read(at, 16))
            if tag == 0:
                break
            if tag != DT_DEBUG or value == 0:
                continue
            link = u64(value + 8)
            while link:
                library = u64(link)
                link = u64(link + 24)
                if library in (0, base):
                    continue
                try:
                    header = read(library, 64)
                    if header[:4] != b"\x7fELF":
                        continue
                    offset, size, count = (
                        struct.unpack_from("<Q", header, 32)[0],
                        struct.unpack_from("<H", header, 54)[0],
                        struct.unpack_from("<H", header, 56)[0],
                    )
                    yield library, list(program_headers(library + offset, count, size))
                except WeftError:
                    continue  # A core without this library's first page.


class Layout:
    """weft's record, read."""

    def __init__(self, address):
        head = read(address, 40)
        if head[:8] != MAGIC:
            raise WeftError(f"weft: there is no record at {address:#x}")
        version, count = struct.unpack_from("<II", head, 8)
        if version != LAYOUT_VERSION:
            raise WeftError(
                f"weft: the program's record has version {version}, this script knows {LAYOUT_VERSION}: "
                "use the weft-gdb.py of the program's weft"
            )
        self.scheduler, self.resume, self.dump = struct.unpack_from("<QQQ", head, 16)
        self.values = {}
        for i in range(count):
            entry = read(address + 40 + 32 * i, 32)
            self.values[entry[:24].split(b"\0")[0].decode()] = struct.unpack_from("<Q", entry, 24)[0]
        kinds = address + 40 + 32 * 64
        self.kinds = [read(kinds + 24 * i, 24).split(b"\0")[0].decode() for i in range(32)]

    def __getitem__(self, name):
        return self.values[name]


class Found:
    """Where the record of the process is; looked for again when that is another one."""

    key = None
    layout = None


def layout():
    inferior = gdb.selected_inferior()
    key = (inferior.num, inferior.pid, tuple(sorted(auxiliary_vector().items())))
    if Found.key == key:
        return Found.layout
    for base, headers in modules():
        address = record_in_notes(base, headers)
        if address is not None:
            Found.layout, Found.key = Layout(address), key
            return Found.layout
    raise WeftError("weft: this program has no weft in it, or one that is too old for this script")


# ------------------------------------------------------------------------------------------------------ coroutines


class Coroutine:
    def __init__(self, lay, address):
        self.lay = lay
        self.address = address
        self.state = u8(address + lay["co.state"])
        self.id = u64(address + lay["co.id"])
        self.context = u64(address + lay["co.context"])
        self.traits = u8(address + lay["co.traits"])
        self.word = u64(address + lay["co.word"])

    @property
    def name(self):
        extras = u64(self.address + self.lay["co.extras"])
        return text_at(extras + self.lay["extras.name"], 64) if extras else ""

    @property
    def origin(self):
        lay = self.lay
        line = u16(self.address + lay["co.line_low"]) | u8(self.address + lay["co.line_high"]) << 16
        return f"{text_at(u64(self.address + lay['co.file'])) or '?'}:{line}"

    @property
    def waits(self):
        reason = self.word & self.lay["word.reason_mask"]
        return reason in (self.lay["word.waiting"], self.lay["word.cancellable"])

    @property
    def is_split(self):
        stack = u64(self.address + self.lay["co.stack"])
        return stack != 0 and stack & 63 == 0

    @property
    def status(self):
        lay = self.lay
        if self.traits & lay["trait.blocking"]:
            return "in a blocking call"
        if self.state == lay["state.runnable"]:
            return "runnable, not started"
        if self.state == lay["state.running"]:
            return "running"
        if self.state != lay["state.parked"]:
            return "parking"
        if not self.waits:
            return "runnable"
        kind = lay.kinds[self.word >> lay["word.kind_shift"] & lay["word.kind_mask"]]
        if not kind or kind == "parked":
            return "parked"
        target = u64(self.address + lay["co.link"])
        if kind == "join" and target:
            return f"join of coroutine {u64(target + lay['co.id'])}"
        # What a select waits for is not one object.
        return f"{kind} {target:#x}" if target and kind != "select" else kind

    @property
    def has_context(self):
        return self.state == self.lay["state.parked"] and not self.traits & self.lay["trait.blocking"]

    def __str__(self):
        name = f" '{self.name}'" if self.name else ""
        return f"coroutine {self.id}{name} [{self.status}], created at {self.origin}"


def coroutines():
    """All that have not ended, by id."""
    lay = layout()
    found = []
    slab = u64(lay.scheduler + lay["sched.slabs"])
    while slab:
        constructed = u64(slab + lay["slab.constructed"])
        size = lay["co.size"]
        states = read(slab + lay["slab.first"], constructed * size)
        for i in range(constructed):
            if states[i * size + lay["co.state"]] != 0:
                found.append(Coroutine(lay, slab + lay["slab.first"] + i * size))
        slab = u64(slab + lay["slab.next"])
    return sorted(found, key=lambda c: c.id)


def processors():
    """Index, machine (0: idle), running coroutine's address and thread of each."""
    lay = layout()
    table = u64(lay.scheduler + lay["sched.processors"])
    if table == 0:
        return
    for i in range(u32(lay.scheduler + lay["sched.slot_count"])):
        p = u64(table + 8 * i)
        machine = u64(p + lay["p.holder"])
        current = u64(machine + lay["m.current"]) if machine else 0
        thread = u32(machine + lay["m.thread_id"]) if machine else 0
        yield i, u64(p + lay["p.tick"]), machine, current, thread


def thread_with_id(lwp):
    for thread in gdb.selected_inferior().threads():
        pid, thread_lwp, _ = thread.ptid
        if (thread_lwp or pid) == lwp:
            return thread
    return None


def thread_of(c):
    for _, _, _, current, lwp in processors():
        if current == c.address and lwp:
            return thread_with_id(lwp)
    return None


# ---------------------------------------------------------------------------------------------------------- stacks


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While a coroutine is looked at: the thread's innermost frame was called by the parked context."""

    def __init__(self):
        super().__init__("weft-parked")
        self.context = 0
        self.innermost = None
        self.registers = {}

    def __call__(self, pending):
        if self.context == 0 or int(pending.read_register("rsp")) != self.innermost:
            return None
        word = gdb.lookup_type("unsigned long")

        def value(number):
            return gdb.Value(number).cast(word)

        info = pending.create_unwind_info(FrameId(value(self.context), pending.read_register("rip")))
        for register, content in self.registers.items():
            info.add_saved_register(register, value(content))
        return info

    def show(self, lay, context, innermost):
        self.registers = {
            register: u64(context + lay["context." + register])
            for register in ("r12", "r13", "r14", "r15", "rbx", "rbp", "rip")
        }
        self.registers["rsp"] = context + lay["context.size"]
        self.innermost = innermost
        self.context = context

    def hide(self):
        self.context = 0
        self.innermost = None


UNWINDER = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


class WithoutThread:
    """Leaves the thread's own frame out of backtraces of a coroutine."""

    def __init__(self):
        self.name = "weft-parked"
        self.priority = 1000
        self.enabled = True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        if UNWINDER.context != 0:
            next(frames, None)
        return frames


WithoutThread()


class on_stack_of:
    """gdb's frames are those of the coroutine, frame 1 being the innermost, until the end of the block."""

    def __init__(self, c):
        self.c = c

    def __enter__(self):
        lay = layout()
        if "context.rip" not in lay.values:
            raise WeftError("weft: this script knows stacks of x86-64 only")
        if u64(self.c.context + lay["context.rip"]) != lay.resume:
            raise WeftError(f"weft: the context of coroutine {self.c.id} is none that this script knows")
        gdb.newest_frame().select()
        UNWINDER.show(lay, self.c.context, int(gdb.newest_frame().read_register("rsp")))
        gdb.invalidate_cached_frames()
        older = gdb.newest_frame().older()
        if older is None:
            self.__exit__()
            raise WeftError(f"weft: gdb can't unwind to coroutine {self.c.id}")
        older.select()

    def __exit__(self, *_):
        UNWINDER.hide()
        gdb.invalidate_cached_frames()
        gdb.newest_frame().select()


def run_on(c, command, from_tty):
    """Runs the command where the coroutine is."""
    if c.has_context:
        with on_stack_of(c):
            gdb.execute(command, from_tty)
        return
    if c.traits & c.lay["trait.blocking"]:
        print("(in a blocking call: it is on one of the threads of `info threads`)")
        return
    if c.state == c.lay["state.runnable"]:
        print("(not started: it has no stack)")
        return
    thread = thread_of(c)
    if thread is None:
        print("(running; its thread is not known)")
        return
    before = gdb.selected_thread()
    thread.switch()
    try:
        gdb.execute(command, from_tty)
    finally:
        if before is not None and before.is_valid():
            before.switch()


# -------------------------------------------------------------------------------------------------------- commands


class InfoCoroutines(gdb.Command):
    """Coroutines of weft: info coroutines [TEXT]
A line for each that has not ended. With TEXT, those whose line holds TEXT."""

    def __init__(self):
        super().__init__("info coroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        shown = 0
        for c in coroutines():
            line = str(c)
            if argument in line:
                print(line)
                shown += 1
        if shown == 0:
            print("no coroutines")


class InfoProcessors(gdb.Command):
    """Processors of weft: info processors
For each its thread, and which coroutine runs there."""

    def __init__(self):
        super().__init__("info processors", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        lay = layout()
        for index, tick, machine, current, lwp in processors():
            if machine == 0:
                print(f"processor {index}: idle, {tick} dispatches")
                continue
            thread = thread_with_id(lwp)
            where = f"thread {thread.num} (LWP {lwp})" if thread else f"LWP {lwp}"
            what = Coroutine(lay, current) if current else "looks for work"
            print(f"processor {index}: {where}, {tick} dispatches, {what}")


class OnCoroutine(gdb.Command):
    """A gdb command on a coroutine's stack: coroutine ID COMMAND, coroutine apply all COMMAND
For a coroutine that runs, the command runs on its thread."""

    def __init__(self):
        super().__init__("coroutine", gdb.COMMAND_STACK, prefix=False)

    def invoke(self, argument, from_tty):
        parts = argument.split(None, 1)
        if argument.startswith("apply"):
            match = re.match(r"apply\s+all\s+(\S.*)", argument)
            if not match:
                raise WeftError("coroutine apply all COMMAND")
            for c in coroutines():
                print(f"\n{c}")
                try:
                    run_on(c, match.group(1), from_tty)
                except gdb.error as error:
                    print(error)
            return
        if len(parts) != 2 or not parts[0].isdigit():
            raise WeftError("coroutine ID COMMAND, or: coroutine apply all COMMAND")
        for c in coroutines():
            if c.id == int(parts[0]):
                run_on(c, parts[1], from_tty)
                return
        raise WeftError(f"weft: there is no coroutine {parts[0]}")


InfoCoroutines()
InfoProcessors()
OnCoroutine()
