// sieve [N]: the first N primes (100, unless told otherwise), by coroutines that know one prime each.
//
//     2, 3, 4, ...  -->  not by 2  -->  not by 3  -->  not by 5  -->  ...  -->  the next prime
//
// The classic of communicating processes (Hoare, after McIlroy). Each arrow is an unbuffered channel, each stage a
// coroutine that passes on what its prime does not divide. What comes out at the end is a prime, and
// becomes a stage of its own. The stages would go on for ever; leaving the scope cancels them, wherever
// they wait.
#include <weft/chan.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace {

void count(weft::sender<int> out) {
    for (int n = 2;; ++n) out.send(n);
}

void filter(weft::receiver<int> in, weft::sender<int> out, int prime) {
    for (const int n : in)
        if (n % prime != 0) out.send(n);
}

void print_primes(int wanted) {
    weft::scope stages;
    weft::chan<int> last;
    stages.go([last] { count(last); });
    for (int i = 0; i != wanted; ++i) {
        const int prime = *last.recv();
        std::printf("%d\n", prime);
        const weft::chan<int> next;
        stages.go([last, next, prime] { filter(last, next, prime); });
        last = next;
    }
}

bool parse(std::string_view text, int& wanted) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, wanted);
    return error == std::errc() && stop == end && wanted >= 1 && wanted <= 10'000;
}

}  // namespace

int main(int argc, char** argv) {
    int wanted = 100;
    if (argc > 2 || (argc == 2 && !parse(argv[1], wanted))) {
        std::fputs("usage: sieve [N]\nPrints the first N primes, 100 unless told otherwise.\n",
                   stderr);
        return 2;
    }
    return weft::run([wanted] { print_primes(wanted); });
}
