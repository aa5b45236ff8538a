"""Building the programs. What cannot be built is left out, with the reason, and stops nobody."""

import os
import shutil
import subprocess
import sys

GO = ("go_workloads", "go_hello")
TOKIO = ("tokio_workloads", "tokio_hello")
WEFT = ("weft_workloads", "weft_channels", "weft_disturbed", "weft_fairness", "weft_hello")
WEFT_SPLIT = ("weft_split", "weft_channels_split", "weft_disturbed_split")
WEFT_STATIC = ("weft_hello_static",)
C = ("coldstart", "c_hello", "c_hello_static", "floor")


class Builder:
    """`executables` has the programs there are by name, `missing` the reasons for those not."""

    def __init__(self, source, out, build_dir=None):
        self.source, self.out = source, out
        self.bin = out / "bin"
        self.bin.mkdir(parents=True, exist_ok=True)
        self.weft_dir = build_dir or source / "build" / "release"
        self.configured = build_dir is not None
        self.static_dir = source / "build" / "bench-static"
        self.executables, self.missing = {}, {}

    def _path(self, name):
        places = {"weft_workloads": self.weft_dir / "bench" / "weft_workloads",
                  "weft_channels": self.weft_dir / "bench" / "weft_channels",
                  "weft_disturbed": self.weft_dir / "bench" / "weft_disturbed",
                  "weft_fairness": self.weft_dir / "bench" / "weft_fairness",
                  "weft_hello": self.weft_dir / "bench" / "hello",
                  "weft_hello_static": self.static_dir / "bench" / "hello"}
        if name in WEFT_SPLIT:
            return self.weft_dir / "bench" / name
        if name in TOKIO:
            return self.out / "tokio" / "release" / name
        return places.get(name, self.bin / name)

    def _take(self, names):
        for name in names:
            path = self._path(name)
            if path.is_file() and os.access(path, os.X_OK):
                self.executables[name] = path

    def _step(self, log, command, cwd=None, env=None):
        """Runs one step, its output to a log. Returns whether it worked."""
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(map(str, command))}\n")
            file.flush()
            try:
                done = subprocess.run(command, cwd=cwd or self.source, stdout=file, stderr=file,
                                      env=os.environ | (env or {}), check=False)
            except OSError as error:
                file.write(f"{error}\n")
                return False
        return done.returncode == 0

    def _build(self, title, names, alternatives, cwd=None, env=None):
        """Runs the steps of the first alternative that works, and takes what it has built."""
        log = self.out / f"build-{title.replace(' ', '-')}.log"
        log.unlink(missing_ok=True)
        print(f"building {title}", file=sys.stderr, flush=True)
        for steps in alternatives:
            if all(self._step(log, step, cwd, env) for step in steps):
                self._take(names)
                return
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(*(f"    {line}" for line in lines[-15:]), sep="\n", file=sys.stderr)
        self.missing[title] = f"could not be built; see {os.path.relpath(log, self.source)}"

    def weft(self):
        """The workloads and hello, from the release preset or the build directory given."""
        configure = [] if self.configured else [["cmake", "--preset", "release"]]
        build = ["cmake", "--build", self.weft_dir, "--target",
                 "weft_workloads", "weft_channels", "weft_disturbed", "weft_fairness",
                 "hello"]
        self._build("weft", WEFT, [configure + [build]])
        # Where there are no split stacks, there are no such targets.
        build = ["cmake", "--build", self.weft_dir, "--target", *WEFT_SPLIT]
        self._build("weft with split stacks", WEFT_SPLIT, [[build]])

    def weft_static(self):
        """hello with as few shared libraries as weft can do with: those of the C library."""
        configure = ["cmake", "--preset", "release", "-B", self.static_dir,
                     "-DWEFT_MIMALLOC=OFF", "-DWEFT_STATIC_BOOST=ON", "-DWEFT_BUILD_TESTS=OFF",
                     "-DWEFT_BUILD_EXAMPLES=OFF",
                     "-DCMAKE_EXE_LINKER_FLAGS=-static-libstdc++ -static-libgcc"]
        build = ["cmake", "--build", self.static_dir, "--target", "hello"]
        self._build("weft static", WEFT_STATIC, [[configure, build]])

    def go(self):
        if not shutil.which("go"):
            self.missing["go"] = "there is no go command"
            return
        steps = [["go", "build", "-buildvcs=false", "-o", self.bin / name, package]
                 for name, package in zip(GO, (".", "./hello"))]
        self._build("go", GO, [steps], self.source / "bench" / "peers" / "go",
                    {"GOTOOLCHAIN": "local", "GOWORK": "off"})

    def tokio(self):
        if not shutil.which("cargo"):
            self.missing["tokio"] = "there is no cargo command"
            return
        build = ["cargo", "build", "--release"]
        # The second try is for a machine without a network that has the crates already.
        self._build("tokio", TOKIO, [[build], [build + ["--offline"]]],
                    self.source / "bench" / "peers" / "tokio",
                    {"CARGO_TARGET_DIR": str(self.out / "tokio")})
        if "tokio" in self.missing:
            self.missing["tokio"] += " (the first time, cargo needs a network)"

    def c(self):
        """The cold-start timer, the smallest C program, and what the machine charges."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if not compiler:
            self.missing["C"] = "there is no C compiler"
            return
        sources = ("coldstart.c", "hello.c", "hello.c", "floor.c")
        flags = ([], [], ["-static"], ["-lboost_context"])
        for name, source, more in zip(C, sources, flags):
            file = self.source / "bench" / "peers" / "c" / source
            self._build(f"C {name}", (name,),
                        [[[compiler, "-O2", "-o", self.bin / name, file, *more]]])

    def build(self, with_weft):
        self.c()
        self.go()
        self.tokio()
        if with_weft:
            self.weft()
            self.weft_static()

    def take_built(self):
        """What an earlier run has built, without looking whether it is up to date."""
        self._take(GO + TOKIO + WEFT + WEFT_SPLIT + WEFT_STATIC + C)
