// Makes the runtime for programs with split stacks: one object of libweft's, with stubs in front.
//
//     weft-make-split-runtime [--strict] --out FILE --objects FILE --foreign FILE
//                             --objcopy PROGRAM --linker PROGRAM --compiler PROGRAM
//
//     --objects   a list of the objects, one a line. They carry the compiler's call graph and the facts that the sources
//                 state (src/base/stack_facts.hpp).
//     --foreign   what is known of functions of others: src/arch/x86_64/foreign_calls.txt
//     --strict    a function that parks, or must fit somewhere, and has no such bound, is an error
//
// It makes FILE, and beside it FILE.S (the stubs) and FILE.report (what each function needs and why, for people). A
// function that programs call gets the name <name>.body, and a stub that has its old name and goes there by one of the
// ways of src/arch/x86_64/enter.S:
//
//     here    by its greatest depth in the call graph, if that is known
//     far     when it neither parks nor calls the program: on the scheduler stack
//     room    otherwise: it gets a large segment when there is not enough left
//
// What the runtime calls of others gets the name far.<name> or user.<name>, and a stub that takes it to where there is
// room.
//
// Without --strict no compiler can fail a build: where a bound is missing, coroutines begin with as much as is needed
// and hold a large segment while they wait, and one line says so.
#include "elf.hpp"
#include "process.hpp"
#include "runtime.hpp"
#include "stub_writer.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace weft::tools;

// What fits at any call without growing: the red zone, less a small frame and the stub's.
constexpr std::size_t fits_anywhere = 224;
// From here on a large segment is as good.
constexpr std::size_t here_max = 3000;
constexpr std::size_t call_room = 16384;

// Class c of segments has 1 KiB << c, and its header takes 64 bytes of that. What has no bound begins with 16 KiB.
constexpr unsigned class_without_bound = 4;
constexpr std::size_t header_size = 64;

struct settings {
    bool strict = false;
    std::string out, objects, foreign, objcopy, linker, compiler;
};

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }

settings settings_from(int argc, char** argv) {
    settings s;
    const std::map<std::string_view, std::string*> options{
        {"--out", &s.out},         {"--objects", &s.objects}, {"--foreign", &s.foreign},
        {"--objcopy", &s.objcopy}, {"--linker", &s.linker},   {"--compiler", &s.compiler}};
    for (int i = 1; i < argc; ++i) {
        const auto option = options.find(argv[i]);
        if (std::string_view(argv[i]) == "--strict") {
            s.strict = true;
        } else if (option != options.end() && i + 1 != argc) {
            *option->second = argv[++i];
        } else {
            fail("don't know what to do with '" + std::string(argv[i]) +
                 "'; the head of tools/split/make_runtime.cpp says how it is called");
        }
    }
    for (const auto& [name, value] : options) {
        if (value->empty()) fail(std::string(name) + " is missing");
    }
    return s;
}

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream in(path);
    if (!in) fail("can't read " + path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    return lines;
}

void write(const std::string& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    out.close();
    if (!out) fail("can't write " + path);
}

void execute(const std::vector<std::string>& command) {
    const int status = run(command);
    if (status == 0) return;
    std::string shown;
    for (const std::string& word : command) shown += " " + word;
    constexpr std::size_t shown_most = 500;
    if (shown.size() > shown_most) {
        shown.resize(shown_most);
        shown += "...";
    }
    fail("status " + std::to_string(status) + " from:" + shown);
}

// A way down, from caller to callee, for people.
std::string readable(const std::vector<std::string>& way) {
    std::string text;
    for (const std::string& name : way) text += "\n        " + weft::tools::readable(name);
    return text;
}

// Decides how each function of the runtime is entered, and judges what the sources demand.
class maker {
public:
    explicit maker(runtime_parts& parts) : parts_(parts), graph_(parts.graph) {}

    void make() {
        for (const std::string& note : parts_.notes) note_line("note: " + note);
        for (const runtime_symbol& s : parts_.symbols) {
            if (!s.defined || !s.function || !s.exported || !done_.insert(s.name).second) continue;
            if (graph_.defines(s.name)) enter(s.name);  // Else it is assembly.
        }
        for (const auto& [name, most] : parts_.fits) judge_fit(name, most);
        for (const std::string& name : parts_.deep) judge_deep(name);
        leave();
        stubs_.first_class(first_class_);
    }

    [[nodiscard]] const stub_writer& stubs() const { return stubs_; }
    [[nodiscard]] const std::string& report() const { return report_; }
    [[nodiscard]] unsigned first_class() const { return first_class_; }
    /// Demands that this compiler's frames do not meet.
    [[nodiscard]] const std::vector<std::string>& missed() const { return missed_; }
    [[nodiscard]] const std::vector<std::string>& parked_in_room() const { return in_room_; }

private:
    void note_line(const std::string& line) { report_ += line + "\n"; }

    std::optional<std::size_t> measure(const std::string& name, const std::string& what) {
        const std::optional<std::size_t> depth = graph_.depth(name, foreign_depth);
        note_line(what + " " + (depth ? std::to_string(*depth) : "unbounded") + " " + name);
        for (const std::string& at :
             depth ? graph_.deepest(name, foreign_depth) : graph_.way_to_unbounded(name)) {
            const auto found = graph_.functions().find(at);
            const bool known = found != graph_.functions().end() && found->second.stack;
            note_line("        " + (known ? std::to_string(*found->second.stack) + " " : "") + at);
        }
        return depth;
    }

    // What calls through a pointer that nobody has explained may call the program.
    [[nodiscard]] bool stays_on_coroutine(const std::string& name) const {
        if (graph_.reaches(name, parking) || graph_.reaches(name, program) ||
            graph_.reaches(name, call_graph::indirect)) {
            return true;
        }
        return std::any_of(
            parts_.user.begin(), parts_.user.end(),
            [&](const std::string& callback) { return graph_.reaches(name, callback); });
    }

    void enter(const std::string& name) {
        const std::optional<std::size_t> depth = graph_.depth(name, foreign_depth);
        const bool stays = stays_on_coroutine(name);
        way_in how = way_in::room;
        std::size_t need = call_room;
        if (depth && *depth <= (stays ? here_max : fits_anywhere)) {
            how = way_in::here;
            need = *depth;
        } else if (!stays) {
            how = way_in::far;
            need = 0;
        }
        stubs_.entry(name, how, need, parts_.entered.contains(name));
        measure(name, name_of(how));
        if (!parts_.parks.contains(name) || (depth && *depth <= here_max)) return;
        in_room_.push_back(weft::tools::readable(name));
        miss(name, "is where coroutines wait, and may need", depth);
    }

    void judge_fit(const std::string& name, std::size_t most) {
        const std::optional<std::size_t> depth = measure(name, "fits");
        if (depth && *depth <= most) return;
        unsigned wanted = 0;
        while (wanted < class_without_bound &&
               !(depth && *depth <= (std::size_t{1024} << wanted) - header_size)) {
            ++wanted;
        }
        first_class_ = std::max(first_class_, wanted);
        miss(name, "has " + std::to_string(most) + " bytes, and may need", depth);
    }

    void judge_deep(const std::string& name) {
        if (graph_.reaches(name, parking) || graph_.reaches(name, program)) {
            fail(parts_.where[name] + ": " + weft::tools::readable(name) +
                 " may park or call the program, so it is not WEFT_DEEP: it can't be on the "
                 "scheduler stack");
        }
        stubs_.deep(name);
    }

    void miss(const std::string& name, const std::string& what,
              const std::optional<std::size_t>& depth) {
        missed_.push_back(
            parts_.where[name] + ": " + weft::tools::readable(name) + " " + what + " " +
            (depth ? std::to_string(*depth) + " bytes" : "any amount") + " of stack:" +
            readable(depth ? graph_.deepest(name, foreign_depth) : graph_.way_to_unbounded(name)));
    }

    // What others define, and is called; what only has its address taken may be data.
    void leave() {
        std::set<std::string> called{"_Unwind_Resume"};
        for (const auto& [name, f] : graph_.functions()) {
            called.insert(f.callees.begin(), f.callees.end());
        }
        for (const runtime_symbol& s : parts_.symbols) {
            if (s.defined || parts_.ours.contains(s.name) || parts_.near.contains(s.name)) continue;
            if (!called.contains(s.name) || !done_.insert(s.name).second) continue;
            stubs_.outward(s.name, parts_.user.contains(s.name));
        }
    }

    runtime_parts& parts_;
    call_graph& graph_;
    stub_writer stubs_;
    std::string report_;
    std::set<std::string> done_;
    std::vector<std::string> missed_, in_room_;
    unsigned first_class_ = 0;
};

// Puts the objects together, with stubs in front.
class assembler {
public:
    explicit assembler(const settings& s) : s_(s) {}
    ~assembler() {
        std::error_code ignored;
        for (const std::string& path : temporary_) std::filesystem::remove(path, ignored);
    }
    assembler(const assembler&) = delete;
    assembler& operator=(const assembler&) = delete;

    void assemble(const runtime_parts& parts, const maker& made) {
        const std::string list = temporary(".list");
        const std::string all = temporary(".all.o");
        const std::string renamed = temporary(".renamed.o");
        const std::string stubs = temporary(".stubs.o");
        const std::string renames = temporary(".renames");
        const std::string changes = temporary(".changes");

        std::string paths;
        for (const runtime_object& object : parts.objects) {
            paths += quoted(by_way_of_stubs(object, parts.deep)) + "\n";
        }
        write(list, paths);
        execute({s_.linker, "-r", "--force-group-allocation", "-o", all, "@" + list});
        write(renames, made.stubs().renames());
        execute({s_.objcopy, "--redefine-syms=" + renames, "--remove-section=weft_stack_facts",
                 "--remove-section=.relaweft_stack_facts", "--remove-section=weft_call_graph", all,
                 renamed});
        write(changes, own_copies(renamed));
        execute({s_.objcopy, "@" + changes, renamed});
        execute({s_.compiler, "-c", s_.out + ".S", "-o", stubs});
        execute({s_.linker, "-r", "-o", s_.out, renamed, stubs});
    }

private:
    std::string temporary(const std::string& suffix) {
        temporary_.push_back(s_.out + suffix);
        return temporary_.back();
    }

    // As binutils read words in a file.
    static std::string quoted(const std::string& word) {
        std::string text = "\"";
        for (const char c : word) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        return text + "\"";
    }

    // The object, in which what is deep and defined elsewhere is called through its stub.
    std::string by_way_of_stubs(const runtime_object& object, const std::set<std::string>& deep) {
        std::string renames;
        for (const std::string& name : object.wanted) {
            if (deep.contains(name)) renames += name + " far." + name + "\n";
        }
        if (renames.empty()) return object.path;
        const std::string names = temporary(".far");
        write(names, renames);
        const std::string changed = temporary("." + std::to_string(++count_) + ".o");
        execute({s_.objcopy, "--redefine-syms=" + names, object.path, changed});
        return changed;
    }

    // The copies of inline functions become the runtime's own: it must not run those of split objects, nor they its.
    static std::string own_copies(const std::string& path) {
        const elf_file file(path);
        std::string options;
        for (const elf_file::symbol& s : file.symbols()) {
            if (!s.defined) continue;
            if (s.type == STT_FUNC && s.bind == STB_WEAK) {
                options += "--localize-symbol=" + std::string(s.name) + "\n";
            } else if (s.type == STT_OBJECT && s.bind == STB_GNU_UNIQUE) {
                options += "--weaken-symbol=" + std::string(s.name) + "\n";
            }
        }
        return options;
    }

    const settings& s_;
    std::vector<std::string> temporary_;
    unsigned count_ = 0;
};

int make(const settings& s) {
    runtime_parts parts;
    parts.add_foreign(s.foreign);
    for (const std::string& path : lines_of(s.objects)) parts.add(path);
    parts.settle();
    maker made(parts);
    made.make();
    write(s.out + ".S", made.stubs().assembly());
    write(s.out + ".report", made.report());
    if (s.strict && !made.missed().empty()) {
        for (const std::string& demand : made.missed()) std::cerr << demand << "\n";
        return 1;
    }
    if (!made.missed().empty()) {
        std::cout << "weft: with this compiler coroutines on split stacks begin with "
                  << (1U << made.first_class()) << " KiB, and "
                  << (made.parked_in_room().empty()
                          ? "wait as they should"
                          : "hold a large segment while they wait in " +
                                std::to_string(made.parked_in_room().size()) + " operations")
                  << ": right, but they need more memory. " << s.out
                  << ".report says what each function needs\n";
    }
    assembler(s).assemble(parts, made);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return make(settings_from(argc, argv));
    } catch (const std::exception& e) {
        std::cerr << "weft-make-split-runtime: " << e.what() << "\n";
        return 1;
    }
}
