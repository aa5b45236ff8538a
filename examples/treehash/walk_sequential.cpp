#include "walk.hpp"

#include <string>
#include <utility>
#include <vector>

namespace treehash {

tally walk_sequential(int top, progress& shown) {
    visitor hand(shown);
    std::vector<std::string> waiting{""};  // Directories found and not yet entered.
    while (!waiting.empty()) {
        const std::string path = std::move(waiting.back());
        waiting.pop_back();

        directory here;
        for (const listed& entry : hand.enter(top, path, here)) {
            hand.visit(here, entry);
            if (entry.what == kind::directory) waiting.push_back(here.path_of(entry.name));
        }
    }
    return std::move(hand).take();
}

}  // namespace treehash
