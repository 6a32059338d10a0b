// acol bench peak: what the machine can do, as a measure for everything else.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "bench.h"
#include "interrupt.h"
#include "tensor/simd/kernels.h"
#include "tensor/threads.h"

namespace acol {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Something to time: `run` does `flop` floating-point operations.
struct Work {
  double flop;
  std::function<void()> run;
};

// Multiply-adds of registers with registers: what no kernel can exceed.
Work registers_only() {
  constexpr long steps = 10000;
  const PeakLoop& loop = simd_kernels().peak_loop;
  return {2.0 * loop.multiply_adds * steps, [&loop] {
            float numbers[] = {0.5f, 0.25f};
            loop.run(steps, numbers);
          }};
}

// The tile under Winograd's products, on operands that stay in the first-level cache.
Work micro_kernel() {
  constexpr int depth = 128, calls = 64;
  const GemmStrip& strip = simd_kernels().gemm.wide;
  const auto a = std::make_shared<Tensor>(bench_numbers({strip.rows * depth}, 1, -1, 1));
  const auto b = std::make_shared<Tensor>(bench_numbers({strip.columns * depth}, 2, -1, 1));
  const auto c = std::make_shared<Tensor>(Tensor::zeros({strip.rows * strip.columns}));
  return {2.0 * strip.rows * strip.columns * depth * calls, [=, &strip] {
            for (int i = 0; i < calls; ++i)  // not accumulating, since the sums would grow without end
              strip.by_channels[strip.rows - 1](depth, a->f32(), 0, b->f32(), 0, c->f32(), strip.columns, false);
          }};
}

// Runs that take about a millisecond: long for the clock, short enough that some round goes undisturbed.
int runs_a_round(const Work& work) {
  const auto start = Clock::now();
  int runs = 0;
  for (; seconds_since(start) < 2e-3; ++runs) work.run();
  return std::max(1, runs / 2);
}

// GFLOP/s of the best of many rounds.
double best_rate(const Work& work) {
  const int runs = runs_a_round(work);
  double best = 0;
  for (int round = 0; round < 40; ++round) {
    const auto start = Clock::now();
    for (int i = 0; i < runs; ++i) work.run();
    best = std::max(best, work.flop * runs / seconds_since(start) / 1e9);
  }
  return best;
}

// GFLOP/s of all threads at once; the best of several rounds that they start together.
double rate_of_threads(const std::function<Work()>& make_work, int threads) {
  const Work sample = make_work();
  const int runs = 5 * runs_a_round(sample);
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
      const Work work = make_work();
      for (int i = 0; i <= rounds; ++i) {
        meet.arrive_and_wait();
        for (int run = 0; run < runs; ++run) work.run();
      }
      meet.arrive_and_wait();
    });
  for (std::thread& thread : team) thread.join();
  return sample.flop * runs * threads / *std::min_element(seconds.begin(), seconds.end()) / 1e9;
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

double core_peak() { return best_rate(registers_only()); }

BenchReport bench_peak(const BenchOptions& options) {
  const int threads = threads_in_use();
  const double core = core_peak(), tile = best_rate(micro_kernel());
  stop_if_interrupted();
  const double all = rate_of_threads(registers_only, threads), all_tiles = rate_of_threads(micro_kernel, threads);
  stop_if_interrupted();

  BenchReport report;
  const auto add = [&](const char* what, double rate) {
    report.rows.push_back({.what = what, .gflops = rate, .share_of_peak = rate / (threads * core)});
  };
  add("fma_peak_1_thread", core);
  add("fma_peak", all);
  add("micro_kernel_1_thread", tile);
  add("micro_kernel", all_tiles);

  constexpr int megabytes = 256;
  const Tensor from = Tensor::full({megabytes << 18}, 1);
  Tensor to = Tensor::zeros(from.shape());
  const BenchTimes copy = copy_times(from, to, threads, options.repeats);
  report.rows.push_back({.what = message("copy_", megabytes, "_mb"), .ms = copy});

  const GemmStrip& strip = simd_kernels().gemm.wide;
  report.lines.push_back("fma_peak: multiply-adds of registers with registers, best of many rounds.");
  report.lines.push_back(message("micro_kernel: the tile under Winograd's products (", strip.rows, " x ", strip.columns,
                                 ") on operands in the first-level cache: ", fixed_text(100 * tile / core, 1),
                                 " % of one thread's peak."));
  report.lines.push_back(message("copy: ", fixed_text(2 * megabytes * 1.048576 / copy.median, 1),
                                 " GB/s of memory traffic, reads and writes counted once each."));
  return report;
}

}  // namespace acol
