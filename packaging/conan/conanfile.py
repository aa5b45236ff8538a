"""weft as a Conan 2 package, from the checkout that this file lies in.

    conan create packaging/conan --build=missing

Its dependencies are the system's: packages of apt, which Conan checks for, or installs under
-c tools.system.package_manager:mode=install -c tools.system.package_manager:sudo=True.
"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir
from conan.tools.scm import Version
from conan.tools.system.package_manager import Apt

required_conan_version = ">=2.0"


class WeftRecipe(ConanFile):
    name = "weft"
    description = "A coroutine runtime for C++20"
    license = "Apache-2.0"
    topics = ("coroutines", "concurrency", "scheduler", "channels")
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"
    # As CMake's WEFT_MIMALLOC and WEFT_STATIC_BOOST. CMake itself decides about split stacks by what it finds; here it is
    # the package's users who must know.
    options = {
        "mimalloc": [True, False],
        "static_boost": [True, False],
        "split_stack": [True, False],
    }
    default_options = {"mimalloc": True, "static_boost": False, "split_stack": True}

    @property
    def _weft(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        project = load(self, os.path.join(self._weft, "CMakeLists.txt"))
        self.version = re.search(r"project\(weft VERSION ([0-9.]+)", project).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "tools/*", "packaging/*"):
            copy(self, pattern, self._weft, self.export_sources_folder, excludes="packaging/conan/*")

    def config_options(self):
        if self.settings.compiler != "gcc":
            del self.options.split_stack

    def layout(self):
        cmake_layout(self)

    def validate(self):
        if self.settings.os != "Linux" or self.settings.arch != "x86_64":
            raise ConanInvalidConfiguration("weft is for Linux on x86_64 only")
        check_min_cppstd(self, 20)
        oldest = {"gcc": "11", "clang": "14"}.get(str(self.settings.compiler))
        if oldest and Version(self.settings.compiler.version) < oldest:
            raise ConanInvalidConfiguration(f"weft needs {self.settings.compiler} {oldest} or later")

    def system_requirements(self):
        packages = ["libboost-context-dev"]
        if self.options.mimalloc:
            packages.append("libmimalloc-dev")
        if self.options.get_safe("split_stack"):
            packages.append("libcapstone-dev")
        Apt(self).install(packages)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update(
            {
                "WEFT_BUILD_TESTS": False,
                "WEFT_BUILD_BENCH": False,
                "WEFT_BUILD_EXAMPLES": False,
                "WEFT_INSTALL": True,
                "WEFT_SBOM": False,
                "WEFT_MIMALLOC": bool(self.options.mimalloc),
                "WEFT_STATIC_BOOST": bool(self.options.static_boost),
            }
        )
        if not self.options.get_safe("split_stack"):
            # No split stacks without Capstone; an empty name is not looked for.
            toolchain.cache_variables["WEFT_CAPSTONE_LIBRARY"] = ""
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        rmdir(self, os.path.join(self.package_folder, "share"))

    def _pkg_config(self, name):
        """The fields Cflags and Libs of an installed .pc file, as lists of words."""
        text = load(self, os.path.join(self.package_folder, "lib", "pkgconfig", name + ".pc"))
        variables = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
        variables["prefix"] = self.package_folder

        def words(field):
            value = re.search(rf"^{field}: (.*)$", text, re.MULTILINE).group(1)
            while "${" in value:
                value = re.sub(r"\$\{(\w+)\}", lambda found: variables[found.group(1)], value)
            return value.split()

        return words("Cflags"), words("Libs")

    def package_info(self):
        # CMake finds weft's own package file, which gives weft::weft and weft::split_stack: its targets know more than
        # can be said here. The components are for other generators, and say what weft's files for pkg-config say.
        self.cpp_info.set_property("cmake_find_mode", "none")

        weft = self.cpp_info.components["weft"]
        weft.set_property("pkg_config_name", "weft")
        weft.set_property("cmake_target_name", "weft::weft")
        # Where there are components Conan reads the folders of these, and none of the package's own.
        weft.builddirs = [os.path.join("lib", "cmake", "weft")]
        weft.libs = ["weft"]
        weft.system_libs = [w[2:] for w in self._pkg_config("weft")[1] if w.startswith("-l") and w != "-lweft"]
        weft.cxxflags = ["-pthread"]
        weft.exelinkflags = weft.sharedlinkflags = ["-pthread"]

        if self.options.get_safe("split_stack"):
            split = self.cpp_info.components["split_stack"]
            split.set_property("pkg_config_name", "weft-split-stack")
            split.set_property("cmake_target_name", "weft::split_stack")
            compiled, linked = self._pkg_config("weft-split-stack")
            split.defines = [w[2:] for w in compiled if w.startswith("-D")]
            split.cxxflags = [w for w in compiled if not w.startswith(("-D", "-I"))]
            # One of the words is an object, which must come before the libraries that it calls; so all are kept together.
            split.exelinkflags = [w for w in linked if not w.startswith("-L")]
