// The list of what the runtime calls of others (src/arch/x86_64/foreign_calls.txt).
#include "../../tools/split/runtime.hpp"

#include "fuzz.hpp"

#include <algorithm>
#include <stdexcept>

using weft::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weft::tools::runtime_parts parts;
    try {
        parts.read_foreign(weft::fuzz::text_of(data, size));
    } catch (const std::runtime_error& e) {
        promise(e.what()[0] != '\0', "an error has a message");
        return 0;
    }
    for (const auto* names : {&parts.near, &parts.user}) {
        for (const std::string& name : *names) {
            promise(!name.empty() && std::none_of(name.begin(), name.end(),
                                                  [](char c) { return c == ' ' || c == '\n'; }),
                    "a name is one word");
        }
    }
    return 0;
}
