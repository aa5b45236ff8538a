// Four programs with many calls, in two compilations: code.inc.
#pragma once

namespace bench {

namespace plain {
long fib();
long parse();
long regex();
long sort();
}  // namespace plain

namespace split {
long fib();
long parse();
long regex();
long sort();
}  // namespace split

}  // namespace bench
