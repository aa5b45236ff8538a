"""Builds a program with the package by CMake, and one by pkg-config alone, and runs them."""

import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout
from conan.tools.gnu import PkgConfigDeps


class TestPackage(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeToolchain", "CMakeDeps", "PkgConfigDeps"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    @property
    def _split(self):
        return self.dependencies["weft"].options.get_safe("split_stack", False)

    def build(self):
        cmake = CMake(self)
        cmake.configure(variables={"EXPECT_SPLIT_STACK": bool(self._split)})
        cmake.build()
        for module in ["weft"] + (["weft-split-stack"] if self._split else []):
            pkg_config = f"PKG_CONFIG_PATH={self.generators_folder} pkg-config"
            self.run(
                f"c++ -std=c++20 -O2 $({pkg_config} --cflags {module}) {self.source_folder}/main.cpp "
                f"$({pkg_config} --libs {module}) -o {self.build_folder}/pkg-config-{module}"
            )

    def test(self):
        if not can_run(self):
            return
        programs = ["program", "pkg-config-weft"]
        if self._split:
            programs += ["program_split", "pkg-config-weft-split-stack"]
        for program in programs:
            self.run(os.path.join(self.build_folder, program), env="conanrun")
