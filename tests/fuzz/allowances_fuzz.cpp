// Files of what the verifier is to let pass (--allow-from), and the names that they are held against.
#include "../../tools/split/findings.hpp"
#include "fuzz.hpp"

#include <sstream>
#include <string>

using weft::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(weft::fuzz::text_of(data, size));
    std::istringstream in(text);
    weft::tools::allowances allowed;
    allowed.read(in);

    // The first line as a name, as a symbol table may hold it.
    const std::string name = text.substr(0, text.find('\n'));
    const weft::tools::finding found{weft::tools::problem::plain_callee, name, "callee"};
    static_cast<void>(allowed.covers(found));
    allowed.allow(name);
    promise(allowed.covers(found), "what is allowed is covered");
    std::ostringstream report;
    weft::tools::report(report, "input", {found});
    promise(report.view().find("callee") != std::string_view::npos, "a report names both ends");
    return 0;
}
