// gc_lru_cache: a cache that keeps its latest entries, and finds the others as long as somebody else uses them.
//
//     strong     [ newest | ... | oldest ]      a list of gc::ptr, of limited length: keeps them alive
//     weak       name -> gc::weak               of everything that was ever loaded, as long as it is there
//
// The cache does not free what falls out of the strong part: the collector frees it when nobody uses it any more,
// and the weak pointer is null then. So no picture is in memory twice, and none is taken away from who looks at it. A
// function that waits for the picture's end (gc::cleanup) takes its name out of the table. It runs on a coroutine of
// its own, hence the lock.
#include <weft/gc.hpp>
#include <weft/runtime.hpp>
#include <weft/sync.hpp>

#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>

namespace {

namespace gc = weft::gc;

struct picture {
    gc::string name;
    gc::ptr<unsigned char[]> pixels;
};

class picture_cache {
public:
    explicit picture_cache(std::size_t strong) : limit_(strong) {}

    gc::ptr<picture> get(const gc::string& name) {
        const std::lock_guard hold(lock_);
        gc::ptr<picture> found = look_up(name);
        if (found == nullptr) found = load(name);
        touch(found);
        return found;
    }

    [[nodiscard]] int loads() {
        const std::lock_guard hold(lock_);
        return loads_;
    }
    [[nodiscard]] std::size_t known() {
        const std::lock_guard hold(lock_);
        return known_.size();
    }

private:
    gc::ptr<picture> look_up(const gc::string& name) const {
        const auto at = known_.find(name);
        return at == known_.end() ? nullptr : at->second.lock();
    }

    gc::ptr<picture> load(const gc::string& name) {
        ++loads_;
        auto p = gc::make<picture>(name, gc::make_array<unsigned char>(std::size_t{64} * 1024));
        known_.insert_or_assign(name, gc::weak<picture>(p));
        // It may have been loaded anew by the time that the old one is gone.
        gc::cleanup(p, [this, name] {
            const std::lock_guard hold(lock_);
            const auto at = known_.find(name);
            if (at != known_.end() && at->second.expired()) known_.erase(at);
        });
        return p;
    }

    // To the front of the strong part.
    void touch(const gc::ptr<picture>& p) {
        const auto at = places_.find(p);
        if (at != places_.end()) {
            latest_.splice(latest_.begin(), latest_, at->second);
            return;
        }
        latest_.push_front(p);
        places_.emplace(p, latest_.begin());
        if (latest_.size() > limit_) {
            places_.erase(latest_.back());
            latest_.pop_back();
        }
    }

    weft::mutex lock_;
    const std::size_t limit_;
    gc::list<gc::ptr<picture>> latest_;
    gc::unordered_map<gc::ptr<picture>, gc::list<gc::ptr<picture>>::iterator> places_;
    gc::unordered_map<gc::string, gc::weak<picture>> known_;
    int loads_ = 0;
};

gc::string name_of(int i) { return gc::string("picture-") + gc::string(std::to_string(i)); }

void use_cache() {
    const auto cache = gc::make<picture_cache>(std::size_t{10});

    for (int i = 0; i != 1000; ++i) static_cast<void>(cache->get(name_of(i)));
    std::printf("1000 pictures: %d loads\n", cache->loads());

    for (int i = 990; i != 1000; ++i) static_cast<void>(cache->get(name_of(i)));
    std::printf("the last 10 again: %d loads\n", cache->loads());

    // Somebody looks at one, while many others pass through the cache.
    const gc::ptr<picture> in_use = cache->get(name_of(7));
    const int before = cache->loads();
    for (int i = 2000; i != 2100; ++i) static_cast<void>(cache->get(name_of(i)));
    gc::collect();
    const bool same = cache->get(name_of(7)) == in_use;
    std::printf("the one in use: %s, %d loads\n", same ? "the same" : "another",
                cache->loads() - before);

    // Pictures that nobody uses are gone: all but the ten latest, the one in use, and what a stack may seem to point
    // to.
    gc::collect();
    std::printf("of 1100 pictures there are %s\n", cache->known() <= 30 ? "few left" : "many left");
    std::printf("%s, %zu bytes\n", in_use->name.c_str(), in_use->pixels.size());
}

}  // namespace

int main() { return weft::run(use_cache); }
