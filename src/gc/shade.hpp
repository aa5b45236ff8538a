// Reporting pointers to the collector, by threads that are mutators and by others.
#pragma once

#include <cstddef>

namespace weft::detail {

/// gc_shade() for each aligned word of memory: collector_hooks::shade_words.
void report_words(const void* words, std::size_t bytes) noexcept;

/// Hands over what threads have reported that are no mutators. The collector.
void flush_foreign_words() noexcept;

/// The lock of what such threads have reported, around a fork().
void lock_foreign_words() noexcept;
void unlock_foreign_words() noexcept;

/// In between, the answer to the collector is put off if a signal asks for it: the calling thread is looking at what may be about to
/// be freed.
void gc_enter_busy() noexcept;
void gc_leave_busy() noexcept;

}  // namespace weft::detail
