// Ends a test that hangs, with its name and not by a bare timeout from outside.
#pragma once

namespace weft::test {

/// Aborts the process when it is still there after `seconds`. By a signal and not by a thread: a thread that
/// is not weft's would keep deadlocks from being declared. One at a time.
class watchdog {
public:
    explicit watchdog(unsigned seconds);
    ~watchdog();
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
};

}  // namespace weft::test
