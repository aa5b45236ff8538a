// Calls between the program and the runtime where no stack is split: just calls. With split stacks
// arch/x86_64/enter.S and split/calls.cpp take the place of this file.
extern "C" {

void* weft_call_user(void (*f)(), void* a, void* b) {
    return reinterpret_cast<void* (*)(void*, void*)>(f)(a, b);
}
bool weft_call_user_with_room(void (*)(void*), void*, unsigned long) { return false; }
bool weft_call_inside_with_room(void (*)(void*), void*, unsigned long) { return false; }
void weft_on_scheduler_stack(void (*f)(void*), void* argument) { f(argument); }
bool weft_splits_stacks() noexcept { return false; }
extern const unsigned weft_first_class_min = 0;
}
