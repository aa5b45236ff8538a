// The standard library in anger, from coroutines: nothing in it may be called without room, nor looks so to the verifier.
#include <weft/weft.hpp>

#include <algorithm>
#include <any>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

std::size_t words() {
    const std::string text = "one two, three; four 55 and 666 or 7777";
    const std::regex word("([a-z]+)|([0-9]{2,})");
    std::unordered_map<std::string, std::size_t> seen;
    for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end; ++i) {
        seen[i->str()] += static_cast<std::size_t>(i->length());
    }
    return std::accumulate(seen.begin(), seen.end(), std::size_t{0},
                           [](std::size_t sum, const auto& entry) { return sum + entry.second; });
}

std::size_t streams() {
    std::ostringstream out;
    out << std::setw(8) << std::setfill('.') << std::hex << 255 << ' ' << std::fixed
        << std::setprecision(3) << 3.14159 << ' ' << std::quoted("a \"b\"") << '\n';
    std::istringstream in(out.str());
    std::string first;
    double second = 0;
    in >> first >> second;
    char buffer[64];
    const int n = std::snprintf(buffer, sizeof buffer, "%s %.2f %d %s", first.c_str(), second, 12,
                                std::to_string(std::sqrt(2.0)).c_str());
    return out.str().size() + static_cast<std::size_t>(n);
}

std::size_t algorithms() {
    std::vector<int> numbers(2000);
    std::mt19937 random(7);
    std::generate(numbers.begin(), numbers.end(), std::ref(random));
    const std::function<bool(int, int)> by_digit = [](int a, int b) { return a % 10 < b % 10; };
    std::stable_sort(numbers.begin(), numbers.end(), by_digit);
    std::sort(numbers.begin(), numbers.end(), std::greater<>());
    std::partial_sort(numbers.begin(), numbers.begin() + 10, numbers.end());
    std::nth_element(numbers.begin(), numbers.begin() + 100, numbers.end());
    std::make_heap(numbers.begin(), numbers.end());
    auto even = numbers | std::views::filter([](int n) { return n % 2 == 0; }) |
                std::views::transform([](int n) { return n / 2; });
    return static_cast<std::size_t>(std::ranges::distance(even) != 0) + numbers.size();
}

struct base {
    virtual ~base() = default;
    [[nodiscard]] virtual std::size_t size() const = 0;
};
template <int N>
struct derived : base {
    std::string name = std::string(N, 'x');
    [[nodiscard]] std::size_t size() const override { return name.size(); }
};

std::size_t containers() {
    std::map<std::string, std::shared_ptr<base>> tree;
    tree["a"] = std::make_shared<derived<3>>();
    tree.emplace("b", std::make_shared<derived<40>>());
    std::weak_ptr<base> weak = tree["a"];
    std::list<std::unique_ptr<base>> list;
    list.push_back(std::make_unique<derived<5>>());
    std::deque<std::tuple<int, std::string>> deque;
    for (int i = 0; i != 100; ++i) deque.emplace_front(i, std::to_string(i));
    std::priority_queue<int> queue;
    for (const auto& [i, s] : deque) queue.push(i + static_cast<int>(s.size()));
    std::multiset<std::string_view> set{"b", "a", "b"};
    std::pmr::monotonic_buffer_resource memory;
    std::pmr::vector<std::pmr::string> strings(&memory);
    strings.emplace_back("longer than what fits into the string itself");
    const std::any any = std::string("any");
    return tree["b"]->size() + weak.lock()->size() + list.front()->size() +
           static_cast<std::size_t>(queue.top()) + set.count("b") + strings.front().size() +
           std::any_cast<const std::string&>(any).size();
}

std::size_t values() {
    std::variant<int, std::string, std::vector<double>> variant = std::vector<double>{1, 2, 3};
    std::optional<std::string> optional;
    if (variant.index() == 2) optional = "there";
    int parsed = 0;
    const std::string_view digits = "1234";
    std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
    const std::size_t visited = std::visit(
        [](const auto& value) -> std::size_t {
            if constexpr (requires { value.size(); })
                return value.size();
            else
                return static_cast<std::size_t>(value);
        },
        variant);
    return visited + optional.value_or("").size() + static_cast<std::size_t>(parsed);
}

struct [[nodiscard]] failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::size_t deep(int n) {
    const std::string guard(static_cast<std::size_t>(n), '-');
    if (n != 0) return deep(n - 1) + guard.size();
    if (guard.empty()) std::throw_with_nested(failure("deep"));
    return 0;
}

std::size_t exceptions() {
    std::size_t caught = 0;
    try {
        try {
            throw std::system_error(std::make_error_code(std::errc::io_error));
        } catch (const std::system_error& e) {
            caught += std::string(e.what()).size() / 100 + 1;
            deep(50);
        }
    } catch (const failure& e) {
        try {
            std::rethrow_if_nested(e);
        } catch (const std::exception&) {
            ++caught;
        }
    }
    try {
        static_cast<void>(std::vector<int>().at(1));
    } catch (const std::out_of_range&) {
        ++caught;
    }
    return caught;
}

std::size_t threads() {
    std::atomic<std::size_t> count = 0;
    std::mutex mutex;
    std::once_flag once;
    std::vector<std::thread> all;
    for (int i = 0; i != 3; ++i) {
        all.emplace_back([&] {
            std::call_once(once, [&] { ++count; });
            const std::lock_guard lock(mutex);
            ++count;
        });
    }
    for (std::thread& t : all) t.join();
    std::promise<int> promise;
    auto future = promise.get_future();
    promise.set_value(1);
    return count + static_cast<std::size_t>(future.get());
}

std::size_t places() {
    const auto before = std::chrono::steady_clock::now();
    const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    const std::chrono::year_month_day date(today);
    std::error_code error;
    const bool there =
        std::filesystem::exists(std::filesystem::temp_directory_path(error) / "x", error);
    std::ifstream none("/nonexistent/file");
    const auto passed =
        std::chrono::duration_cast<std::chrono::hours>(std::chrono::steady_clock::now() - before);
    return static_cast<std::size_t>(passed.count()) + (date.ok() ? 1U : 0U) + (none ? 1U : 0U) +
           (there && error ? 1U : 0U);
}

}  // namespace

int main() {
    return weft::run([] {
        const std::vector<std::function<std::size_t()>> all{
            words, streams, algorithms, containers, values, exceptions, threads, places};
        std::vector<std::size_t> expected;
        for (const auto& f : all) expected.push_back(f());
        std::atomic<int> wrong = 0;
        for (int round = 0; round != 3; ++round) {
            weft::scope running;
            for (std::size_t i = 0; i != all.size(); ++i) {
                running.go([&, i] { wrong += all[i]() != expected[i]; });
            }
            running.join();
        }
        std::cout << "exceptions " << expected[5] << ", wrong " << wrong << std::endl;
    });
}
