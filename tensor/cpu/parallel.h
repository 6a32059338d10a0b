// Loops over threads. Work is cut into chunks whose borders depend on the problem only, never on the number of threads:
// that is what makes results equal bit for bit on any number of them.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace acol {

// Calls body(begin, end) for chunks of `grain` items of [0, count). Chunks go to whichever thread is free; inside a
// chunk of another loop they run one after the other.
template <class Body>
void parallel_chunks(std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t chunks = (count + grain - 1) / grain;
  const auto run = [&](std::int64_t chunk) { body(chunk * grain, std::min(count, (chunk + 1) * grain)); };
  if (chunks <= 1 || omp_in_parallel()) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run(chunk);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run(chunk);
}

// Items of one chunk for loops that do a few operations an element.
constexpr std::int64_t elementwise_grain = 1 << 15;

// Rows a chunk for loops over (rows, channels).
inline std::int64_t row_grain(int channels) {
  return std::max<std::int64_t>(1, elementwise_grain / std::max(1, channels));
}

}  // namespace acol
