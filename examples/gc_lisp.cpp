// gc_lisp [FILE]: a small Lisp whose heap is the collected heap. Evaluates FILE, or its standard input for `-`, or a
// program of its own, and prints the value of each expression.
//
//     (define (square x) (* x x))          numbers, #t and #f, symbols, lists; quote if cond define lambda let set! begin and or;
//     (map square '(1 2 3))                + - * quotient remainder = < > cons car cdr list null? pair? eq? not print spawn join
//
// Everything is an object of the heap and points to others as it likes: a closure to its environment, which names the
// closure. There is nothing in here that frees memory. (spawn f) runs a function on a coroutine of its own, and (join
// c) gives its value: the coroutines share the heap, and the collector works beside them.
#include <weft/gc.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/sync.hpp>

#include <cctype>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <iterator>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

namespace gc = weft::gc;

// Objects. -----------------------------------------------------------------------------------------------------------

enum class kind : unsigned char { number, boolean, symbol, pair, primitive, closure, coroutine };

struct object {
    explicit object(kind k) : what(k) {}
    const kind what;
};
// The empty list is null.
using value = gc::ptr<object>;

struct number : object {
    explicit number(long v) : object(kind::number), n(v) {}
    const long n;
};
struct boolean : object {
    explicit boolean(bool yes) : object(kind::boolean), is(yes) {}
    const bool is;
};
struct symbol : object {
    explicit symbol(std::string_view text) : object(kind::symbol), name(text) {}
    const gc::string name;
};
struct pair : object {
    pair(value a, value b) : object(kind::pair), first(std::move(a)), rest(std::move(b)) {}
    value first;
    value rest;
};
struct primitive : object {
    using function = value (*)(const value& arguments);
    explicit primitive(function f) : object(kind::primitive), call(f) {}
    const function call;
};

// Names and their values, innermost first. As with any map, coroutines may read one together, and change values that
// they do not share; a new name is for one that is alone with it.
struct environment {
    gc::ptr<environment> outer;
    gc::unordered_map<gc::ptr<symbol>, value> names;
};
struct closure : object {
    closure(value p, value b, gc::ptr<environment> e)
        : object(kind::closure), parameters(std::move(p)), body(std::move(b)), where(std::move(e)) {
    }
    const value parameters;
    const value body;
    const gc::ptr<environment> where;
};
struct coroutine : object {
    coroutine() : object(kind::coroutine) {}
    weft::join_handle<value> handle;
};

struct error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class T>
[[nodiscard]] gc::ptr<T> as(const value& v, kind k, const char* what) {
    if (v == nullptr || v->what != k) throw error(std::string("not ") + what);
    return gc::static_pointer_cast<T>(v);
}
gc::ptr<pair> as_pair(const value& v) { return as<pair>(v, kind::pair, "a pair"); }
long as_number(const value& v) { return as<number>(v, kind::number, "a number")->n; }
gc::ptr<symbol> as_symbol(const value& v) { return as<symbol>(v, kind::symbol, "a symbol"); }

const value& first(const value& list) { return as_pair(list)->first; }
const value& rest(const value& list) { return as_pair(list)->rest; }
const value& second(const value& list) { return first(rest(list)); }

value make(long n) { return gc::make<number>(n); }
value make(bool yes) { return gc::make<boolean>(yes); }
value cons(value a, value b) { return gc::make<pair>(std::move(a), std::move(b)); }
value list_of(std::initializer_list<value> values) {
    value list;
    for (const value* v = values.end(); v != values.begin();) list = cons(*--v, list);
    return list;
}

// Only #f is false.
bool is_true(const value& v) {
    return v == nullptr || v->what != kind::boolean || gc::static_pointer_cast<boolean>(v)->is;
}

// Symbols with the same name are the same object. Several coroutines may ask.
weft::mutex symbols_lock;
gc::root<gc::unordered_map<gc::string, gc::ptr<symbol>>> symbols;

gc::ptr<symbol> intern(std::string_view name) {
    const std::lock_guard hold(symbols_lock);
    gc::ptr<symbol>& s = (*symbols)[gc::string(name)];
    if (s == nullptr) s = gc::make<symbol>(name);
    return s;
}

// Printing. ----------------------------------------------------------------------------------------------------------

void write(std::string& out, const value& v) {
    if (v == nullptr) {
        out += "()";
        return;
    }
    switch (v->what) {
    case kind::number:
        out += std::to_string(as_number(v));
        break;
    case kind::boolean:
        out += is_true(v) ? "#t" : "#f";
        break;
    case kind::symbol:
        out += std::string_view(as_symbol(v)->name);
        break;
    case kind::primitive:
    case kind::closure:
        out += "<function>";
        break;
    case kind::coroutine:
        out += "<coroutine>";
        break;
    case kind::pair: {
        out += '(';
        write(out, first(v));
        value at = rest(v);
        for (; at != nullptr && at->what == kind::pair; at = rest(at)) {
            out += ' ';
            write(out, first(at));
        }
        if (at != nullptr) {
            out += " . ";
            write(out, at);
        }
        out += ')';
    }
    }
}
std::string text_of(const value& v) {
    std::string text;
    write(text, v);
    return text;
}

// Reading. -----------------------------------------------------------------------------------------------------------

class reader {
public:
    explicit reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() {
        skip();
        return text_.empty();
    }

    value read() {
        if (at_end()) throw error("the program ends in the middle of an expression");
        const char c = take();
        if (c == '(') return read_list();
        if (c == ')') throw error("one ) too many");
        if (c == '\'') return list_of({intern("quote"), read()});
        std::size_t n = 0;
        while (n != text_.size() && !is_delimiter(text_[n])) ++n;
        const std::string_view word(text_.data() - 1, n + 1);
        text_.remove_prefix(n);
        return atom(word);
    }

private:
    static bool is_delimiter(char c) {
        return c == '(' || c == ')' || c == '\'' || c == ';' ||
               std::isspace(static_cast<unsigned char>(c)) != 0;
    }
    char take() {
        const char c = text_.front();
        text_.remove_prefix(1);
        return c;
    }
    void skip() {
        while (!text_.empty()) {
            if (text_.front() == ';') {
                while (!text_.empty() && take() != '\n') {}
            } else if (std::isspace(static_cast<unsigned char>(text_.front())) != 0) {
                text_.remove_prefix(1);
            } else {
                return;
            }
        }
    }
    value read_list() {
        if (at_end()) throw error("a ) is missing");
        if (text_.front() == ')') {
            take();
            return nullptr;
        }
        value head = read();
        return cons(std::move(head), read_list());
    }
    static value atom(std::string_view word) {
        long n = 0;
        const char* const end = word.data() + word.size();
        if (const auto [stop, failed] = std::from_chars(word.data(), end, n);
            failed == std::errc() && stop == end) {
            return make(n);
        }
        if (word == "#t" || word == "#f") return make(word == "#t");
        return intern(word);
    }

    std::string_view text_;
};

// Evaluating. --------------------------------------------------------------------------------------------------------

value& find(const gc::ptr<environment>& in, const gc::ptr<symbol>& name) {
    for (environment* e = in.get(); e != nullptr; e = e->outer.get()) {
        const auto at = e->names.find(name);
        if (at != e->names.end()) return at->second;
    }
    throw error("no such name: " + std::string(std::string_view(name->name)));
}

value evaluate(value expression, gc::ptr<environment> in);

value evaluate_all(const value& list, const gc::ptr<environment>& in) {
    if (list == nullptr) return nullptr;
    value v = evaluate(first(list), in);
    return cons(std::move(v), evaluate_all(rest(list), in));
}

gc::ptr<environment> bind(const closure& f, value arguments) {
    auto inner = gc::make<environment>();
    inner->outer = f.where;
    value name = f.parameters;
    for (; name != nullptr; name = rest(name), arguments = rest(arguments)) {
        if (arguments == nullptr) throw error("too few arguments");
        inner->names[as_symbol(first(name))] = first(arguments);
    }
    if (arguments != nullptr) throw error("too many arguments");
    return inner;
}

value apply(const value& f, const value& arguments) {
    if (f != nullptr && f->what == kind::primitive) {
        return gc::static_pointer_cast<primitive>(f)->call(arguments);
    }
    const auto c = as<closure>(f, kind::closure, "a function");
    return evaluate(c->body, bind(*c, arguments));
}

// The special forms, as symbols: comparing them is comparing pointers.
struct forms {
    gc::ptr<symbol> quote = intern("quote"), if_ = intern("if"), cond = intern("cond"),
                    else_ = intern("else"), define = intern("define"), lambda = intern("lambda"),
                    let = intern("let"), set = intern("set!"), begin = intern("begin"),
                    and_ = intern("and"), or_ = intern("or");
};
gc::root<forms> special;

value sequence(const value& body) {
    return rest(body) == nullptr ? first(body) : cons(special->begin, body);
}
value make_closure(const value& parameters, const value& body, const gc::ptr<environment>& in) {
    return gc::make<closure>(parameters, sequence(body), in);
}

// (define x 1) or (define (f x) ...)
value define(const value& form, const gc::ptr<environment>& in) {
    const value& target = second(form);
    if (target != nullptr && target->what == kind::pair) {
        const auto name = as_symbol(first(target));
        in->names[name] = make_closure(rest(target), rest(rest(form)), in);
        return name;
    }
    const auto name = as_symbol(target);
    in->names[name] = evaluate(second(rest(form)), in);
    return name;
}

// The loop goes on with the expression that is left to be evaluated last: so recursion at the end needs no stack.
value evaluate(value expression, gc::ptr<environment> in) {
    for (;;) {
        weft::checkpoint();
        if (expression == nullptr) return nullptr;
        if (expression->what == kind::symbol) return find(in, as_symbol(expression));
        if (expression->what != kind::pair) return expression;
        const value head = first(expression);
        if (head == special->quote) return second(expression);
        if (head == special->define) return define(expression, in);
        if (head == special->lambda) {
            return make_closure(second(expression), rest(rest(expression)), in);
        }
        if (head == special->set) {
            value v = evaluate(second(rest(expression)), in);
            find(in, as_symbol(second(expression))) = v;
            return v;
        }
        if (head == special->if_) {
            const value& branches = rest(rest(expression));
            if (is_true(evaluate(second(expression), in))) {
                expression = first(branches);
            } else {
                expression = rest(branches) == nullptr ? nullptr : second(branches);
            }
            continue;
        }
        if (head == special->cond) {
            value clause = rest(expression);
            while (clause != nullptr && first(first(clause)) != special->else_ &&
                   !is_true(evaluate(first(first(clause)), in))) {
                clause = rest(clause);
            }
            expression = clause == nullptr ? nullptr : sequence(rest(first(clause)));
            continue;
        }
        if (head == special->begin || head == special->and_ || head == special->or_) {
            value at = rest(expression);
            if (at == nullptr) return make(head != special->or_);
            bool decided = false;
            for (; rest(at) != nullptr && !decided; at = rest(at)) {
                expression = evaluate(first(at), in);
                decided = (head == special->and_ && !is_true(expression)) ||
                          (head == special->or_ && is_true(expression));
            }
            if (decided) return expression;
            expression = first(at);
            continue;
        }
        if (head == special->let) {
            auto inner = gc::make<environment>();
            inner->outer = in;
            for (value at = second(expression); at != nullptr; at = rest(at)) {
                inner->names[as_symbol(first(first(at)))] = evaluate(second(first(at)), in);
            }
            expression = sequence(rest(rest(expression)));
            in = inner;
            continue;
        }
        const value f = evaluate(head, in);
        const value arguments = evaluate_all(rest(expression), in);
        if (f == nullptr || f->what != kind::closure) return apply(f, arguments);
        const auto c = gc::static_pointer_cast<closure>(f);
        in = bind(*c, arguments);
        expression = c->body;
    }
}

// Primitives. --------------------------------------------------------------------------------------------------------

template <class F>
value fold(const value& arguments, F&& f) {
    long n = as_number(first(arguments));
    for (value at = rest(arguments); at != nullptr; at = rest(at)) n = f(n, as_number(first(at)));
    return make(n);
}
long checked_divisor(const value& v) {
    const long n = as_number(v);
    if (n == 0) throw error("division by 0");
    return n;
}

gc::ptr<environment> make_globals() {
    struct entry {
        const char* name;
        primitive::function f;
    };
    static constexpr entry entries[] = {
        {"+", [](const value& a) { return fold(a, [](long x, long y) { return x + y; }); }},
        {"-", [](const value& a) { return fold(a, [](long x, long y) { return x - y; }); }},
        {"*", [](const value& a) { return fold(a, [](long x, long y) { return x * y; }); }},
        {"quotient",
         [](const value& a) { return make(as_number(first(a)) / checked_divisor(second(a))); }},
        {"remainder",
         [](const value& a) { return make(as_number(first(a)) % checked_divisor(second(a))); }},
        {"=", [](const value& a) { return make(as_number(first(a)) == as_number(second(a))); }},
        {"<", [](const value& a) { return make(as_number(first(a)) < as_number(second(a))); }},
        {">", [](const value& a) { return make(as_number(first(a)) > as_number(second(a))); }},
        {"cons", [](const value& a) { return cons(first(a), second(a)); }},
        {"car", [](const value& a) { return first(first(a)); }},
        {"cdr", [](const value& a) { return rest(first(a)); }},
        {"list", [](const value& a) { return a; }},
        {"null?", [](const value& a) { return make(first(a) == nullptr); }},
        {"pair?",
         [](const value& a) { return make(first(a) != nullptr && first(a)->what == kind::pair); }},
        {"eq?", [](const value& a) { return make(first(a) == second(a)); }},
        {"not", [](const value& a) { return make(!is_true(first(a))); }},
        {"print",
         [](const value& a) {
             std::puts(text_of(first(a)).c_str());
             return first(a);
         }},
        {"spawn",
         [](const value& a) -> value {
             auto c = gc::make<coroutine>();
             c->handle = weft::spawn([f = first(a)] { return apply(f, nullptr); });
             return c;
         }},
        {"join",
         [](const value& a) {
             return as<coroutine>(first(a), kind::coroutine, "a coroutine")->handle.join();
         }},
    };
    auto globals = gc::make<environment>();
    for (const entry& e : entries) globals->names[intern(e.name)] = gc::make<primitive>(e.f);
    return globals;
}

constexpr std::string_view demonstration = R"(
; Functions are values, and keep the environment that they were made in.
(define (make-counter)
  (let ((n 0))
    (lambda () (set! n (+ n 1)) n)))
(define counter (make-counter))
(counter)
(counter)

(define (map f list)
  (if (null? list) '() (cons (f (car list)) (map f (cdr list)))))
(define (filter keep? list)
  (cond ((null? list) '())
        ((keep? (car list)) (cons (car list) (filter keep? (cdr list))))
        (else (filter keep? (cdr list)))))
(define (append a b)
  (if (null? a) b (cons (car a) (append (cdr a) b))))
(define (range from to)
  (if (< from to) (cons from (range (+ from 1) to)) '()))
(define (sum list)
  (define (add list so-far)
    (if (null? list) so-far (add (cdr list) (+ so-far (car list)))))
  (add list 0))
(map (lambda (x) (* x x)) (range 1 11))

(define (sort list)
  (if (null? list) '()
      (let ((pivot (car list)) (others (cdr list)))
        (append (sort (filter (lambda (x) (< x pivot)) others))
                (cons pivot (sort (filter (lambda (x) (not (< x pivot))) others)))))))
(sort '(31 41 59 26 53 58 97 93 23 84))

(define (primes below)
  (define (sieve list)
    (if (null? list) '()
        (cons (car list)
              (sieve (filter (lambda (n) (not (= 0 (remainder n (car list))))) (cdr list))))))
  (sieve (range 2 below)))
(primes 60)

(define (fibonacci n)
  (if (< n 2) n (+ (fibonacci (- n 1)) (fibonacci (- n 2)))))
(fibonacci 20)

; A loop needs no stack, and what it leaves behind is collected.
(define (count-down n)
  (if (= n 0) 'done (count-down (- n 1))))
(count-down 200000)

; Each on a coroutine of its own.
(define workers '())
(set! workers (map (lambda (n) (spawn (lambda () (sum (primes n))))) '(100 200 300)))
(map join workers)

(car '())
)";

int run_program(std::string_view text) {
    symbols = gc::make<gc::unordered_map<gc::string, gc::ptr<symbol>>>();
    special = gc::make<forms>();
    const gc::ptr<environment> globals = make_globals();
    int status = 0;
    reader in(text);
    try {
        while (!in.at_end()) {
            const value expression = in.read();
            try {
                const value result = evaluate(expression, globals);
                if (result != nullptr && result->what == kind::symbol &&
                    expression->what == kind::pair && first(expression) == special->define) {
                    continue;
                }
                std::puts(text_of(result).c_str());
            } catch (const error& e) {
                std::printf("error: %s in %s\n", e.what(), text_of(expression).c_str());
            }
        }
    } catch (const error& e) {
        std::printf("error: %s\n", e.what());
        status = 1;
    }
    symbols = nullptr;
    special = nullptr;
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    std::string text(demonstration);
    if (argc == 2) {
        std::ifstream file;
        if (std::string_view(argv[1]) != "-") {
            file.open(argv[1]);
            if (!file) {
                std::fprintf(stderr, "gc_lisp: can't read %s\n", argv[1]);
                return 1;
            }
        }
        std::istream& in = file.is_open() ? file : std::cin;
        text.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    } else if (argc > 2) {
        std::fputs(
            "usage: gc_lisp [FILE | -]\nEvaluates a program, its own unless told otherwise.\n",
            stderr);
        return 2;
    }
    weft::options options;
    options.stack_size = std::size_t{8} << 20;  // Recursion in the program is recursion in here.
    return weft::run([&text] { return run_program(text); }, options);
}
