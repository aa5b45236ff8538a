// Second and virtual bases: thunks that put `this` right and jump, without a prologue.
namespace app {
struct first {
    virtual ~first() = default;
    virtual int one() = 0;
};
struct second {
    virtual ~second() = default;
    virtual int two() = 0;
};
struct top {
    virtual ~top() = default;
    virtual int three() = 0;
};
struct all final : first, second, virtual top {
    int n = 0;
    int one() override { return n + 1; }
    int two() override { return n + 2; }
    int three() override { return n + 3; }
};
[[gnu::noinline]] int use(first& f, second& s, top& t) { return f.one() + s.two() + t.three(); }
}  // namespace app

int main() {
    app::all a;
    return app::use(a, a, a);
}
