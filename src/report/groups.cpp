#include "report/groups.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace weft::detail {
namespace {

struct group_key {
    std::uint64_t stack;
    const char* file;
    std::uint32_t line;
    co_status status;
    wait_kind kind;
    bool operator==(const group_key&) const noexcept = default;
};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

struct hash_of_key {
    std::size_t operator()(const group_key& k) const noexcept {
        std::uint64_t hash = mix(k.stack, reinterpret_cast<std::uintptr_t>(k.file));
        hash = mix(hash, k.line);
        return mix(hash,
                   static_cast<std::uint64_t>(k.status) << 8 | static_cast<std::uint64_t>(k.kind));
    }
};

std::uint64_t object_of(const snapshot& all, const coroutine_record& r) noexcept {
    if (r.status != co_status::waiting) return 0;
    if (r.joined != 0) return r.joined;
    std::uint64_t object = reinterpret_cast<std::uintptr_t>(r.object);
    if (r.kind != wait_kind::select) return object;
    object = r.case_count;
    for (const waited_case& one : all.cases(r)) {
        object = mix(object, reinterpret_cast<std::uintptr_t>(one.channel) | (one.sends ? 1u : 0u));
    }
    return object;
}

// Appends to `out` what `members`, which are alike but for their objects, come to.
void append_groups(std::vector<coroutine_group>& out, const snapshot& all,
                   std::vector<std::uint32_t> members) {
    std::unordered_map<std::uint64_t, std::size_t> objects;  // And which comes when.
    for (const std::uint32_t at : members) {
        objects.try_emplace(object_of(all, all.coroutines()[at]), objects.size());
    }
    const std::size_t first = out.size();
    if (objects.size() > objects_apart_max) {
        out.push_back({std::move(members), objects.size(), 0});
    } else {
        out.resize(first + objects.size());
        for (const std::uint32_t at : members) {
            coroutine_group& g = out[first + objects[object_of(all, all.coroutines()[at])]];
            g.members.push_back(at);
            g.objects = 1;
        }
    }
    for (std::size_t i = first; i != out.size(); ++i) {
        for (const std::uint32_t at : out[i].members) {
            out[i].longest_ns = std::max(out[i].longest_ns, all.coroutines()[at].waited_ns);
        }
    }
}

}  // namespace

std::vector<coroutine_group>
group_coroutines(const snapshot& all,
                 const std::function<std::uint64_t(const coroutine_record&)>& stack_of) {
    std::unordered_map<group_key, std::size_t, hash_of_key> known;
    std::vector<std::vector<std::uint32_t>> alike;
    const auto records = all.coroutines();
    for (std::size_t i = 0; i != records.size(); ++i) {
        const coroutine_record& r = records[i];
        const group_key key{stack_of(r), r.created_at.file, r.created_at.line, r.status, r.kind};
        const auto [it, fresh] = known.try_emplace(key, alike.size());
        if (fresh) alike.emplace_back();
        alike[it->second].push_back(static_cast<std::uint32_t>(i));
    }
    std::vector<coroutine_group> groups;
    for (auto& members : alike) append_groups(groups, all, std::move(members));
    std::sort(groups.begin(), groups.end(),
              [](const auto& a, const auto& z) { return a.members.front() < z.members.front(); });
    return groups;
}

}  // namespace weft::detail
