// How the results of `acol bench` are shown and stored.
#pragma once

#include <filesystem>
#include <ostream>

#include "bench.h"

namespace acol {

// The machine in one line, the rows in columns (those with nothing in them are left out), the lines below.
void print_bench(std::ostream& out, const BenchReport& report);

// {"cpu", "level", "threads", on a card "device", "precision", "rows": [{"what", "layer", "batch", "ms_median",
// "ms_min", "ms_max", "gflops", "share_of_peak", "peak_rss_mb"}]}; null where a value has no meaning. On a card a row
// has besides "ms" (of each run), "device_peak_mb", "device_held_mb", "launches" (a run), and of a convolution "conv":
// {"in_h", "in_w", "in_c", "out_c", "filter", "stride", "pad", "dilation", "relu", "uses"}. Written beside and renamed.
void write_bench_json(const std::filesystem::path& path, const BenchReport& report);

}  // namespace acol
