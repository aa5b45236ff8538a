/* The same with a table of differences, in C, which needs no relocations. */
__attribute__((noinline)) int interpret(const unsigned char* program) {
    static const int offsets[] = {&&add - &&add, &&twice - &&add, &&end - &&add};
    int n = 0;
    goto *(&&add + offsets[*program]);
add:
    ++n;
    goto *(&&add + offsets[*++program]);
twice:
    n *= 2;
    goto *(&&add + offsets[*++program]);
end:
    return n;
}

int main(void) {
    const unsigned char program[] = {0, 1, 0, 2};
    return interpret(program);
}
