#include "stub_writer.hpp"

namespace weft::tools {

const char* name_of(way_in how) {
    switch (how) {
    case way_in::here:
        return "here";
    case way_in::far:
        return "far";
    case way_in::room:
        return "room";
    }
    return "";
}

stub_writer::stub_writer() {
    assembly_
        << "// Made by tools/split/make_runtime.cpp. How to get there: src/arch/x86_64/enter.S.\n"
           "#if defined(__x86_64__)\n"
           "        .section weft_split_text, \"ax\", @progbits\n";
}

void stub_writer::entry(const std::string& name, way_in how, std::size_t need, bool from_inside) {
    begin(name);
    if (from_inside) {
        assembly_ << "        .globl  enter." << name << "\nenter." << name << ":\n";
    }
    assembly_ << "        leaq    " << name << ".body(%rip), %r11\n";
    if (how != way_in::far) assembly_ << "        movl    $" << need << ", %r10d\n";
    assembly_ << "        jmp     weft_enter_" << (how == way_in::far ? "far" : "here") << "\n";
    end(name);
    renames_ << name << " " << name << ".body\n";
    entered_.insert(name);
}

void stub_writer::outward(const std::string& name, bool may_call_program) {
    const std::string stub = (may_call_program ? "user." : "far.") + name;
    begin(stub);
    assembly_ << "        movq    " << name << "@GOTPCREL(%rip), %r11\n"
              << "        jmp     weft_" << (may_call_program ? "user" : "far") << "\n";
    end(stub);
    renames_ << name << " " << stub << "\n";
}

void stub_writer::deep(const std::string& name) {
    const std::string stub = "far." + name;
    begin(stub);
    assembly_ << "        leaq    " << name << (entered_.contains(name) ? ".body" : "")
              << "(%rip), %r11\n        jmp     weft_far\n";
    end(stub);
}

void stub_writer::first_class(unsigned size_class) {
    assembly_ << "        .section .rodata.weft_first_class_min, \"a\", @progbits\n"
                 "        .globl  weft_first_class_min\n"
                 "        .hidden weft_first_class_min\n"
                 "        .type   weft_first_class_min, @object\n"
                 "        .size   weft_first_class_min, 4\n"
                 "        .p2align 2\n"
                 "weft_first_class_min:\n"
                 "        .long   "
              << size_class << "\n        .previous\n";
}

std::string stub_writer::assembly() const {
    return assembly_.str() + "        .section .note.GNU-split-stack, \"\", @progbits\n"
                             "        .section .note.GNU-no-split-stack, \"\", @progbits\n"
                             "#endif\n"
                             "        .section .note.GNU-stack, \"\", @progbits\n";
}

void stub_writer::begin(const std::string& name) {
    assembly_ << "        .globl  " << name << "\n        .type   " << name << ", @function\n"
              << "        .p2align 4\n"
              << name << ":\n        .cfi_startproc\n        endbr64\n";
}

void stub_writer::end(const std::string& name) {
    assembly_ << "        .cfi_endproc\n        .size   " << name << ", . - " << name << "\n";
}

}  // namespace weft::tools
