// Loops over threads. Work is cut into chunks whose borders depend on the problem only, never on the number of threads:
// that is what makes results equal bit for bit on any number of them.
#pragma once

#include <algorithm>
#include <cstdint>

#ifdef ACOL_STD_THREADS
#include <thread>
#include <vector>

#include "tensor/threads.h"
#else
#include <omp.h>
#endif

namespace acol {

#ifdef ACOL_STD_THREADS

// For the thread sanitizer alone: it does not see how the threads of libgomp wait for each other, and reports races
// where there are none. Those of the standard library it does see.
inline thread_local bool in_parallel_chunks = false;

inline bool inside_parallel_chunks() { return in_parallel_chunks; }

// Chunks are dealt out in turn: neighbours are always another thread's, and nothing but the end of the loop orders
// them, so a race between them is seen however short the loop is.
template <class Run>
void run_chunks(std::int64_t chunks, const Run& run) {
  const std::int64_t threads = std::min<std::int64_t>(threads_in_use(), chunks);
  const auto work = [&](std::int64_t first) {
    in_parallel_chunks = true;
    for (std::int64_t chunk = first; chunk < chunks; chunk += threads) run(chunk);
    in_parallel_chunks = false;
  };
  std::vector<std::thread> helpers;
  for (std::int64_t i = 1; i < threads; ++i) helpers.emplace_back(work, i);
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

#else

inline bool inside_parallel_chunks() { return omp_in_parallel() != 0; }

template <class Run>
void run_chunks(std::int64_t chunks, const Run& run) {
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run(chunk);
}

#endif

// Calls body(begin, end) for chunks of `grain` items of [0, count). Chunks go to whichever thread is free; inside a
// chunk of another loop they run one after the other. The one place of the library that starts threads for a loop.
template <class Body>
void parallel_chunks(std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t chunks = (count + grain - 1) / grain;
  const auto run = [&](std::int64_t chunk) { body(chunk * grain, std::min(count, (chunk + 1) * grain)); };
  if (chunks <= 1 || inside_parallel_chunks()) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run(chunk);
    return;
  }
  run_chunks(chunks, run);
}

// Items of one chunk for loops that do a few operations an element.
constexpr std::int64_t elementwise_grain = 1 << 15;

// Rows a chunk for loops over (rows, channels).
inline std::int64_t row_grain(int channels) {
  return std::max<std::int64_t>(1, elementwise_grain / std::max(1, channels));
}

}  // namespace acol
