// Makes the stubs in front of the runtime for programs with split stacks, from what the compiler says about its calls.
//
//     weft-split-stubs [--lenient] <out> <calls.txt> <symbols.txt> <file.ci> ...
//
// makes <out>.S, <out>.renames (for objcopy), <out>.deep (a list of names) and <out>.report (for people).
// symbols.txt is `readelf -sW` of the runtime's objects. What is called from outside gets the name <name>.body, and a stub
// that has its old name and goes there by one of the ways of src/arch/x86_64/enter.S:
//
//     here    by its greatest depth in the call graph, if that is known
//     far     when it neither parks nor calls the program
//     room    else: it gets a large segment when there is not enough left
//
// What the runtime calls of others gets the name far.<name> or user.<name>, and a stub that takes it to where there is
// room. calls.txt says what the call graph does not know; its lines are
//
//     calls <function> <function>...    these are what the first one calls through a pointer
//     near <function>...                of others, and needs hardly any stack: called as it is
//     large <function>...               of others, called as it is, and needs much: who calls it must have a large stack
//     user <function>...                of others, and may call the program
//     deep <function>...                needs much stack, and neither parks nor calls the program: other objects call it on
//                                       the scheduler stack
//     parks <function>...               may park, and must be of the first kind: a build where it is not fails
//     entered <function>...             is called by assembly in the program's mode, as enter.<function>
//     fits <function> <bytes>           must not need more
#include "call_graph.hpp"

#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using weft::tools::call_graph;

// A far call's own frame, and what a function of others that is called as it is may take.
constexpr std::size_t foreign_depth = 64;
// A call of the program's: the way out, and a preemption at the first call there; in a prologue, or in a thunk where the
// callee does not check.
constexpr std::size_t program_depth = 200;
constexpr std::size_t user_depth = 144;
// What fits at any call without growing: the red zone, less a small frame and the stub's.
constexpr std::size_t fits_anywhere = 224;
// From here on a large segment is as good.
constexpr std::size_t here_max = 3000;
constexpr std::size_t call_room = 16384;

constexpr const char* parking = "weft_jump";
constexpr const char* program = "weft_call_user";

struct symbol {
    std::string name;
    bool defined = false;
    bool function = false;
    bool exported = false;
    std::string place;  // The same for aliases, as constructors and destructors have them.
};

struct knowledge {
    std::set<std::string> near, user, parks, deep, entered;
    std::map<std::string, std::size_t> fits;
};

std::vector<symbol> read_symbols(const std::string& path) {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("can't read " + path);
    std::vector<symbol> all;
    std::string file;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("File: ")) file = line;
        std::istringstream words(line);
        std::string number, value, size, type, bind, visibility, section, name;
        if (!(words >> number >> value >> size >> type >> bind >> visibility >> section >> name))
            continue;
        if (number.empty() || number.back() != ':' || number == "Num:") continue;
        all.push_back({name, section != "UND", type == "FUNC" && bind == "GLOBAL",
                       bind != "LOCAL" && visibility == "DEFAULT", file + section + ":" + value});
    }
    return all;
}

std::set<std::string> find(const call_graph& graph, const std::string& name) {
    const std::set<std::string> found = graph.named(name);
    if (found.empty()) throw std::runtime_error("calls.txt: no such function: " + name);
    return found;
}

knowledge read_calls(const std::string& path, call_graph& graph) {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("can't read " + path);
    knowledge known;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string what;
        if (!(words >> what) || what.front() == '#') continue;
        std::vector<std::string> names;
        for (std::string name; words >> name;) names.push_back(name);
        if (what == "calls") {
            std::vector<std::string> callees;
            for (std::size_t i = 1; i < names.size(); ++i) {
                if (names[i] == "nothing") continue;
                for (const std::string& one : find(graph, names[i])) callees.push_back(one);
            }
            for (const std::string& one : find(graph, names.at(0))) {
                graph.resolve_indirect(one, callees);
            }
        } else if (what == "near") {
            known.near.insert(names.begin(), names.end());
        } else if (what == "large") {
            known.near.insert(names.begin(), names.end());
            for (const std::string& name : names) graph.make_unbounded(name);
        } else if (what == "user") {
            known.user.insert(names.begin(), names.end());
        } else if (what == "parks") {
            for (const std::string& name : names) known.parks.merge(find(graph, name));
        } else if (what == "entered") {
            for (const std::string& name : names) known.entered.merge(find(graph, name));
        } else if (what == "fits") {
            for (const std::string& one : find(graph, names.at(0))) {
                known.fits[one] = std::stoul(names.at(1));
            }
        } else if (what == "deep") {
            for (const std::string& name : names) {
                for (const std::string& one : find(graph, name)) {
                    graph.make_deep(one);
                    known.deep.insert(one);
                }
            }
        } else {
            throw std::runtime_error("calls.txt: what is '" + what + "'?");
        }
    }
    return known;
}

class stub_writer {
public:
    explicit stub_writer(const std::string& out)
        : assembly_(out + ".S"), renames_(out + ".renames"), deep_(out + ".deep"),
          report_(out + ".report") {
        assembly_
            << "// Made by tools/split/stubs.cpp. How to get there: src/arch/x86_64/enter.S.\n"
               "#if defined(__x86_64__)\n"
               "        .section weft_split_text, \"ax\", @progbits\n";
    }

    void entry(const std::string& name, const char* how, std::size_t need, bool from_inside) {
        begin(name);
        if (from_inside) {
            assembly_ << "        .globl  enter." << name << "\nenter." << name << ":\n";
        }
        assembly_ << "        leaq    " << name << ".body(%rip), %r11\n";
        if (need != 0) assembly_ << "        movl    $" << need << ", %r10d\n";
        assembly_ << "        jmp     weft_enter_" << (std::string(how) == "far" ? "far" : "here")
                  << "\n";
        end(name);
        renames_ << name << " " << name << ".body\n";
        entered_.insert(name);
        report_ << how << " " << need << " " << name << "\n";
    }

    void outward(const std::string& name, const char* how) {
        const std::string stub = std::string(how) + "." + name;
        begin(stub);
        assembly_ << "        movq    " << name << "@GOTPCREL(%rip), %r11\n"
                  << "        jmp     weft_" << (how[0] == 'u' ? "user" : "far") << "\n";
        end(stub);
        renames_ << name << " " << stub << "\n";
    }

    void deep(const std::string& name) {
        const std::string stub = "far." + name;
        begin(stub);
        assembly_ << "        leaq    " << name << (entered_.contains(name) ? ".body" : "")
                  << "(%rip), %r11\n        jmp     weft_far\n";
        end(stub);
        deep_ << name << "\n";
    }

    void note(const std::string& line) { report_ << line << "\n"; }

    void finish() {
        assembly_ << "        .section .note.GNU-split-stack, \"\", @progbits\n"
                     "        .section .note.GNU-no-split-stack, \"\", @progbits\n"
                     "#endif\n"
                     "        .section .note.GNU-stack, \"\", @progbits\n";
        assembly_.close();
        renames_.close();
        deep_.close();
        report_.close();
        if (!assembly_ || !renames_ || !deep_ || !report_)
            throw std::runtime_error("can't write the stubs");
    }

private:
    void begin(const std::string& name) {
        assembly_ << "        .globl  " << name << "\n        .type   " << name << ", @function\n"
                  << "        .p2align 4\n"
                  << name << ":\n        .cfi_startproc\n        endbr64\n";
    }
    void end(const std::string& name) {
        assembly_ << "        .cfi_endproc\n        .size   " << name << ", . - " << name << "\n";
    }

    std::ofstream assembly_, renames_, deep_, report_;
    std::set<std::string> entered_;
};

int make(int argc, char** argv) {
    // Without optimisation the call graph has pointers where there are none, and frames are larger: what does not fit is
    // no error, and the first segment is larger (first_class_min).
    const bool lenient = argc > 1 && std::string(argv[1]) == "--lenient";
    if (lenient) {
        --argc;
        ++argv;
    }
    if (argc < 5) {
        std::cerr << "usage: weft-split-stubs [--lenient] OUT CALLS SYMBOLS FILE.ci...\n";
        return 2;
    }
    call_graph graph;
    for (int i = 4; i != argc; ++i) graph.read(argv[i]);
    const std::vector<symbol> symbols = read_symbols(argv[3]);
    std::map<std::string, std::string> known_at;
    for (const symbol& s : symbols) {
        if (s.defined && graph.defines(s.name)) known_at[s.place] = s.name;
    }
    for (const symbol& s : symbols) {
        if (!s.defined || graph.defines(s.name)) continue;
        const auto real = known_at.find(s.place);
        if (real != known_at.end()) graph.alias(s.name, real->second);
    }
    const knowledge known = read_calls(argv[2], graph);
    for (const std::string& name : known.user) graph.set_depth(name, user_depth);
    for (const char* name : {program, "weft_call_user_with_room"})
        graph.set_depth(name, program_depth);
    stub_writer out(argv[1]);

    std::set<std::string> ours;
    for (const symbol& s : symbols) {
        if (s.defined) ours.insert(s.name);
    }
    bool failed = false;
    std::set<std::string> done;
    for (const symbol& s : symbols) {
        if (!s.defined || !s.function || !s.exported || !done.insert(s.name).second) continue;
        if (!graph.defines(s.name)) continue;  // Assembly.
        const std::optional<std::size_t> depth = graph.depth(s.name, foreign_depth);
        // What calls through a pointer that nobody has explained may call the program.
        bool stays = graph.reaches(s.name, parking) || graph.reaches(s.name, program) ||
                     graph.reaches(s.name, call_graph::indirect);
        for (const std::string& name : known.user) stays = stays || graph.reaches(s.name, name);
        const bool from_inside = known.entered.contains(s.name);
        if (depth && *depth <= (stays ? here_max : fits_anywhere)) {
            out.entry(s.name, "here", *depth, from_inside);
        } else if (!stays) {
            out.entry(s.name, "far", 0, from_inside);
        } else {
            out.entry(s.name, "room", call_room, from_inside);
        }
        if (depth) {
            for (const std::string& on_the_way : graph.deepest(s.name, foreign_depth)) {
                out.note("        " + on_the_way);
            }
        }
        for (const std::string& why : graph.reasons(s.name)) out.note("        " + why);
        if (known.parks.contains(s.name) && !(depth && *depth <= here_max)) {
            std::cerr << s.name << " may park, and needs "
                      << (depth ? std::to_string(*depth) + " bytes" : "an unknown amount")
                      << " of stack\n";
            for (const std::string& why : graph.reasons(s.name)) std::cerr << "    " << why << "\n";
            failed = true;
        }
    }

    for (const auto& [name, most] : known.fits) {
        const std::optional<std::size_t> depth = graph.depth(name, foreign_depth);
        out.note("fits " + std::to_string(depth.value_or(0)) + " " + name);
        for (const std::string& on_the_way : graph.deepest(name, foreign_depth)) {
            out.note("        " + on_the_way);
        }
        for (const std::string& why : graph.reasons(name)) out.note("        " + why);
        if (depth && *depth <= most) continue;
        std::cerr << name << " needs " << (depth ? std::to_string(*depth) : "an unknown number of")
                  << " bytes of stack, and has " << most << "\n";
        failed = true;
    }
    for (const std::string& name : known.deep) {
        if (graph.reaches(name, parking) || graph.reaches(name, program)) {
            std::cerr << name
                      << " may park or call the program: it can't be on the scheduler stack\n";
            failed = true;
        }
        out.deep(name);
    }
    if (failed && !lenient) return 1;

    // What others define, and is called; what only has its address taken may be data.
    std::set<std::string> called{"_Unwind_Resume"};
    for (const auto& [name, f] : graph.functions())
        called.insert(f.callees.begin(), f.callees.end());
    for (const symbol& s : symbols) {
        if (s.defined || ours.contains(s.name) || known.near.contains(s.name)) continue;
        if (!called.contains(s.name) || !done.insert(s.name).second) continue;
        out.outward(s.name, known.user.contains(s.name) ? "user" : "far");
    }
    out.finish();
    return failed && !lenient ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return make(argc, argv);
    } catch (const std::exception& e) {
        std::cerr << "weft-split-stubs: " << e.what() << "\n";
        return 1;
    }
}
