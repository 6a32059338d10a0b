// acol bench peak: what the machine can do, as a measure for everything else.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <thread>

#include "bench.h"
#include "interrupt.h"
#include "tensor/simd/kernels.h"
#include "tensor/threads.h"

namespace acol {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One tile shape on operands that stay in the first-level cache, `calls` times over. The product is tall (many steps of
// the inner dimension), so that loading and storing the tile of C costs little beside it.
class PeakRun {
 public:
  PeakRun(const GemmShape& shape, bool by_depth)
      : shape_(shape),
        by_depth_(by_depth),
        depth_(std::min(gemm_depth, cache_floats / (shape.rows + shape.columns))),
        a_(bench_numbers({shape.rows * gemm_stride}, 1, -1, 1)),
        b_(bench_numbers({shape.columns * depth_}, 2, -1, 1)),
        c_(Tensor::zeros({shape.rows * shape.columns})) {}

  // FLOP of one call.
  double work() const { return 2.0 * shape_.rows * shape_.columns * depth_; }
  void run(int calls) {
    const GemmTile tile = by_depth_ ? shape_.by_depth : shape_.by_rows;
    const long stride = by_depth_ ? shape_.rows : gemm_stride;
    // Not accumulating, since the sums would grow without end.
    for (int i = 0; i < calls; ++i)
      tile(depth_, a_.f32(), stride, b_.f32(), shape_.columns, c_.f32(), shape_.columns, false);
  }

 private:
  static constexpr int cache_floats = 6 << 10;  // 24 of the 32 KB that the smallest first-level caches have
  const GemmShape& shape_;
  bool by_depth_;
  int depth_;
  Tensor a_, b_, c_;
};

// Calls that take about a millisecond: long for the clock, short enough that some run goes undisturbed.
int calls_a_round(PeakRun& run) {
  const auto start = Clock::now();
  int calls = 0;
  for (; seconds_since(start) < 2e-3; calls += 16) run.run(16);
  return std::max(1, calls / 2);
}

// GFLOP/s of the best of `rounds`.
double best_rate(PeakRun& run, int rounds) {
  const int calls = calls_a_round(run);
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    run.run(calls);
    best = std::max(best, run.work() * calls / seconds_since(start) / 1e9);
  }
  return best;
}

struct FastestTile {
  int shape = 0;
  bool by_depth = false;
  double rate = 0;
};

FastestTile fastest_tile() {
  const GemmTiles& tiles = simd_kernels().gemm;
  FastestTile best;
  for (int i = 0; i < tiles.count; ++i)
    for (const bool by_depth : {false, true}) {
      PeakRun run(tiles.shapes[i], by_depth);
      if (const double rate = best_rate(run, 8); rate > best.rate) best = {i, by_depth, rate};
    }
  PeakRun run(tiles.shapes[best.shape], best.by_depth);
  best.rate = std::max(best.rate, best_rate(run, 40));
  return best;
}

// GFLOP/s of all threads at once, each on its own operands; the best of several rounds that they start together.
double rate_of_threads(const FastestTile& tile, int threads) {
  const GemmShape& shape = simd_kernels().gemm.shapes[tile.shape];
  PeakRun sample(shape, tile.by_depth);
  const int calls = 5 * calls_a_round(sample);
  constexpr int rounds = 20;
  std::vector<double> seconds(rounds, 0);
  Clock::time_point start;
  int round = -1;  // the first one warms up
  // Runs on one thread each time all have arrived, while the others wait.
  std::barrier meet(threads, [&]() noexcept {
    if (round >= 0 && round < rounds) seconds[static_cast<std::size_t>(round)] = seconds_since(start);
    ++round;
    start = Clock::now();
  });
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t)
    team.emplace_back([&] {
      PeakRun run(shape, tile.by_depth);
      for (int i = 0; i <= rounds; ++i) {
        meet.arrive_and_wait();
        run.run(calls);
      }
      meet.arrive_and_wait();
    });
  for (std::thread& thread : team) thread.join();
  return sample.work() * calls * threads / *std::min_element(seconds.begin(), seconds.end()) / 1e9;
}

// All threads copy their part of an array that no cache holds.
BenchTimes copy_times(const Tensor& from, Tensor& to, int threads, int repeats) {
  const std::int64_t part = from.count() / threads;
  return time_repeats(repeats, [&] {
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t)
      team.emplace_back([&, t] {
        std::memcpy(to.f32() + t * part, from.f32() + t * part, static_cast<std::size_t>(part) * sizeof(float));
      });
    for (std::thread& thread : team) thread.join();
  });
}

}  // namespace

double core_peak() { return fastest_tile().rate; }

BenchReport bench_peak(const BenchOptions& options) {
  const int threads = threads_in_use();
  const FastestTile tile = fastest_tile();
  stop_if_interrupted();
  const double all = rate_of_threads(tile, threads);
  stop_if_interrupted();

  BenchReport report;
  report.rows.push_back({.what = "fma_peak_1_thread", .gflops = tile.rate, .share_of_peak = 1 / double(threads)});
  report.rows.push_back({.what = "fma_peak", .gflops = all, .share_of_peak = all / (threads * tile.rate)});

  constexpr int megabytes = 256;
  const Tensor from = Tensor::full({megabytes << 18}, 1);
  Tensor to = Tensor::zeros(from.shape());
  const BenchTimes copy = copy_times(from, to, threads, options.repeats);
  report.rows.push_back({.what = message("copy_", megabytes, "_mb"), .ms = copy});

  const GemmShape& shape = simd_kernels().gemm.shapes[tile.shape];
  report.lines.push_back(message("fma_peak: the rate of the matrix micro-kernel (", shape.rows, " x ", shape.columns,
                                 ", A by ", tile.by_depth ? "depth" : "rows",
                                 ") on operands in the first-level cache, best of many runs."));
  report.lines.push_back(message("copy: ", fixed_text(2 * megabytes * 1.048576 / copy.median, 1),
                                 " GB/s of memory traffic, reads and writes counted once each."));
  return report;
}

}  // namespace acol
