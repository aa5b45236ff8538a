#!/usr/bin/env bash
# gc_lisp_test.sh GC_LISP CASE
set -euo pipefail

lisp=$1

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

case_evaluates_its_own_program() {
    diff - <(timeout 200 "$lisp") <<'END'
1
2
(1 4 9 16 25 36 49 64 81 100)
(23 26 31 41 53 58 59 84 93 97)
(2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59)
6765
done
(<coroutine> <coroutine> <coroutine>)
(1060 4227 8275)
error: not a pair in (car (quote ()))
END
}

# evaluates PROGRAM EXPECTED
evaluates() {
    local out
    out=$(printf '%s' "$1" | timeout 100 "$lisp" -) || true
    [[ "$out" == "$2" ]] || fail "'$1' is '$2', not '$out'"
}

case_evaluates_standard_input() {
    evaluates '(+ 1 2 3)' 6
    evaluates "'(1 (2) #t x)" '(1 (2) #t x)'
    evaluates '(cons 1 2)' '(1 . 2)'
    evaluates '(let ((x 2) (y 3)) (* x y))' 6
    evaluates '(and 1 #f 2)' '#f'
    evaluates '(or #f 7)' 7
    evaluates '(if #f 1)' '()'
    evaluates '((lambda (x) (set! x 5) x) 1)' 5
    evaluates '(define x 1) (set! x (+ x 1)) x' $'2\n2'
    evaluates '; nothing' ''
    evaluates '(join (spawn (lambda () 42)))' 42
}

case_says_what_is_wrong() {
    evaluates 'y' 'error: no such name: y in y'
    evaluates '(quotient 1 0)' 'error: division by 0 in (quotient 1 0)'
    evaluates '((lambda (x) x))' 'error: too few arguments in ((lambda (x) x))'
    evaluates '(1 2)' 'error: not a function in (1 2)'
    evaluates '(1 2' 'error: a ) is missing'
    evaluates ')' 'error: one ) too many'
}

case_loops_need_neither_stack_nor_memory() {
    evaluates '(define (loop n) (if (= n 0) (quote end) (loop (- n 1)))) (loop 1000000)' end
}

"case_$2"
