// A loop over pictures on all threads.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>

#include "tensor/cpu/parallel.h"

namespace acol {

// Runs body(i) for all i below count on all threads; the first exception comes out here, after the loop.
template <class Body>
void for_each_parallel(std::size_t count, const Body& body) {
  std::exception_ptr failure;
  std::mutex mutex;
  parallel_chunks(static_cast<std::int64_t>(count), 1, [&](std::int64_t i, std::int64_t) {
    try {
      body(static_cast<std::size_t>(i));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace acol
