#include "rules.hpp"

#include "disassembler.hpp"
#include "functions.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace weft::tools {
namespace {

bool is_jump(const cs_insn& i) {
    // The jumps on conditions are all relative, and in the group.
    const cs_detail& d = *i.detail;
    return std::find(d.groups, d.groups + d.groups_count, X86_GRP_JUMP) !=
           d.groups + d.groups_count;
}

std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

class examination {
public:
    explicit examination(const elf_file& file) : file_(file), functions_(file) {}

    std::vector<finding> run() {
        if (!functions_.any_split()) return {};
        if (functions_.has_runtime() || !functions_.morestack().empty()) check_runtime();
        if (file_.binds_lazily()) found_.insert({problem::lazy_binding, "", ""});
        find_words();
        for (std::size_t i = 0; i != functions_.all().size(); ++i) {
            if (functions_[i].is_split && !functions_[i].is_runtime) examine(i);
        }
        judge_gotos();
        return {found_.begin(), found_.end()};
    }

private:
    // A function with its parts.
    struct gotos {
        std::size_t labels = 0;       // Addresses inside of it that its data or code holds.
        std::string_view thunk_jump;  // The thunk that it jumps to.
        std::string_view table_jump;  // The same, with an offset out of a table.
    };
    // How a register came by an address, as far as it tells a switch.
    struct recent {
        unsigned since_load = 100;  // Instructions since an offset was loaded from a table, and
        bool added = false;         // whether it was added to something.
    };

    void report(problem what, const function& caller, std::string_view callee) {
        found_.insert({what, std::string(caller.name), std::string(callee)});
    }

    void check_runtime() {
        for (const std::uint64_t at : functions_.morestack()) {
            if (functions_.in_runtime(at)) return;
        }
        const auto& all = functions_.all();
        const auto first =
            std::find_if(all.begin(), all.end(), [](const function& f) { return f.is_split; });
        report(problem::other_runtime, *first, "__morestack");
    }

    [[nodiscard]] bool is_inside_split(std::uint64_t address) const {
        const std::size_t at = functions_.at(address);
        if (at == function_table::none || !functions_[at].is_split) return false;
        // The beginning of a part is inside of its function.
        return functions_[at].address != address || functions_[at].whole != at;
    }

    // Words of data that may be labels.
    void find_words() {
        if (!file_.is_fixed()) {
            for (const std::uint64_t a : file_.moved()) {
                if (is_inside_split(a)) words_.push_back(a);
            }
            return;
        }
        for (const elf_file::section& s : file_.sections()) {
            if (s.type != SHT_PROGBITS || s.has(SHF_EXECINSTR) || s.name.starts_with(".eh_frame") ||
                s.name == ".gcc_except_table") {
                continue;
            }
            for (std::size_t i = 0; i + 8 <= s.bytes.size(); i += 8) {
                std::uint64_t word = 0;
                std::memcpy(&word, s.bytes.data() + i, sizeof word);
                if (word != 0 && is_inside_split(word)) words_.push_back(word);
            }
        }
        std::sort(words_.begin(), words_.end());
    }

    void examine(std::size_t index) {
        const function& f = functions_[index];
        std::span<const std::byte> code = file_.bytes_at(f.address);
        code = code.first(std::min<std::size_t>(code.size(), f.size));
        gotos& g = gotos_[f.whole];
        recent table;
        const bool readable = disassembler_.read(code, f.address, [&](const cs_insn& i) {
            if (std::binary_search(words_.begin(), words_.end(), i.address)) ++g.labels;
            see(i, f, g, table);
        });
        if (!readable) report(problem::unreadable, f, "");
    }

    void see(const cs_insn& i, const function& f, gotos& g, recent& table) {
        const cs_x86& x = i.detail->x86;
        const bool jump = is_jump(i);
        ++table.since_load;
        if ((i.id == X86_INS_CALL || jump) && x.op_count == 1) {
            if (x.operands[0].type == X86_OP_IMM) {
                direct(unsigned_of(x.operands[0].imm), f, jump, g, table);
            } else {
                indirect(i, f, jump, table);
            }
            return;
        }
        if (x.op_count != 2) return;
        const cs_x86_op& to = x.operands[0];
        const cs_x86_op& from = x.operands[1];
        if (i.id == X86_INS_MOVSXD && from.type == X86_OP_MEM && from.mem.scale == 4) {
            table = {0, false};
        } else if (i.id == X86_INS_ADD && to.type == X86_OP_REG && from.type == X86_OP_REG) {
            table.added = true;
        } else if (i.id == X86_INS_LEA && from.mem.base == X86_REG_RIP) {
            label_in_code(i.address + i.size + unsigned_of(from.mem.disp), f, g);
        } else if (file_.is_fixed() && from.type == X86_OP_IMM &&
                   (i.id == X86_INS_MOV || i.id == X86_INS_MOVABS)) {
            label_in_code(unsigned_of(from.imm), f, g);
        }
    }

    void label_in_code(std::uint64_t address, const function& f, gotos& g) {
        if (!is_inside_split(address)) return;
        if (functions_[functions_.at(address)].whole == f.whole) ++g.labels;
    }

    static bool is_switch(const recent& table) { return table.since_load <= 4 && table.added; }

    void direct(std::uint64_t target, const function& f, bool jump, gotos& g, const recent& table) {
        if (target == 0 || target - f.address < f.size) return;  // Zero: weak, and not there.
        const std::size_t at = functions_.at(target);
        if (functions_.in_runtime(target)) {
            if (!jump || at == function_table::none) return;
            if (!functions_[at].name.starts_with("__x86_indirect_thunk")) return;
            (is_switch(table) ? g.table_jump : g.thunk_jump) = functions_[at].name;
            return;
        }
        const elf_file::section* in = file_.section_of(target);
        if (in != nullptr && (in->name.starts_with(".plt") || in->name == ".iplt")) {
            linkage_table(target, f, jump, g, table);
            return;
        }
        if (at == function_table::none) {
            report(problem::plain_callee, f, "a function without a name");
            return;
        }
        const function& callee = functions_[at];
        if (callee.is_split || leads_to_split(callee)) return;
        if (callee.name.starts_with("__morestack")) return;  // Said once, for the whole program.
        if (callee.name.starts_with("__x86_indirect_thunk")) {
            report(problem::own_thunk, f, callee.name);
        } else if (callee.name == "__tls_get_addr") {
            report(problem::tls_call, f, callee.name);
        } else {
            report(callee.weak ? problem::inline_copy : problem::plain_callee, f, callee.name);
        }
    }

    void linkage_table(std::uint64_t target, const function& f, bool jump, gotos& g,
                       const recent& table) {
        const std::string_view name = plt_target(file_, target);
        if (name.starts_with("__x86_indirect_thunk")) {
            if (jump) (is_switch(table) ? g.table_jump : g.thunk_jump) = name;
        } else if (name == "__tls_get_addr") {
            report(problem::tls_call, f, name);
        } else if (!name.starts_with("__morestack")) {
            report(problem::linkage_table, f,
                   name.empty() ? "a function chosen at load time" : name);
        }
    }

    void indirect(const cs_insn& i, const function& f, bool jump, const recent& table) {
        const cs_x86_op& operand = i.detail->x86.operands[0];
        std::string_view name;
        if (operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP) {
            name = file_.bound_at(i.address + i.size + unsigned_of(operand.mem.disp));
        }
        if (name == "__tls_get_addr") {
            report(problem::tls_call, f, name);
        } else if (jump && name.empty()) {
            if (!is_switch(table) && i.detail->x86.prefix[1] != X86_PREFIX_DS)
                raw_jumps_.insert({f.whole, &f});
        } else {
            report(problem::raw_call, f, name.empty() ? "what a pointer points to" : name);
        }
    }

    // A thunk for another base class: it puts `this` right, and jumps. Such have no prologue, and need no stack.
    bool leads_to_split(const function& f) {
        constexpr std::size_t most = 48;
        if (f.size > most) return false;
        std::span<const std::byte> code = file_.bytes_at(f.address);
        code = code.first(std::min<std::size_t>(code.size(), f.size));
        bool only_moves = true;
        std::optional<std::uint64_t> target;
        thunk_reader_.read(code, f.address, [&](const cs_insn& i) {
            const cs_x86& x = i.detail->x86;
            const bool on_stack = x.op_count != 0 && x.operands[0].type == X86_OP_REG &&
                                  x.operands[0].reg == X86_REG_RSP;
            if (target) {
                only_moves = only_moves && i.id == X86_INS_NOP;
            } else if (i.id == X86_INS_JMP && x.operands[0].type == X86_OP_IMM) {
                target = unsigned_of(x.operands[0].imm);
            } else {
                only_moves = only_moves && !on_stack &&
                             (i.id == X86_INS_ADD || i.id == X86_INS_SUB || i.id == X86_INS_MOV ||
                              i.id == X86_INS_LEA || i.id == X86_INS_ENDBR64);
            }
        });
        if (!only_moves || !target) return false;
        if (functions_.in_runtime(*target)) return true;
        const std::size_t at = functions_.at(*target);
        return at != function_table::none && functions_[at].is_split;
    }

    void judge_gotos() {
        for (const auto& [whole, g] : gotos_) {
            const function& f = functions_[whole];
            const std::string_view thunk = g.thunk_jump.empty() ? g.table_jump : g.thunk_jump;
            if (g.labels != 0 && !thunk.empty()) {
                report(problem::computed_goto, f, thunk);
            } else if (!g.table_jump.empty()) {
                report(problem::jump_table, f, thunk);
            }
        }
        // One that keeps its jumps has computed gotos, or a switch with addresses in its table.
        for (const auto& [whole, f] : raw_jumps_) {
            if (gotos_[whole].labels == 0)
                report(problem::raw_call, *f, "what a pointer points to");
        }
    }

    const elf_file& file_;
    function_table functions_;
    disassembler disassembler_;
    disassembler thunk_reader_;  // In the midst of the other's work.
    std::vector<std::uint64_t> words_;
    std::map<std::size_t, gotos> gotos_;
    std::set<std::pair<std::size_t, const function*>> raw_jumps_;
    std::set<finding> found_;
};

}  // namespace

std::vector<finding> find_problems(const elf_file& file) { return examination(file).run(); }

}  // namespace weft::tools
