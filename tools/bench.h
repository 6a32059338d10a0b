// What the measurements of `acol bench` share: the options, a clock, random numbers, and the rows that they make.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acol/network/config.h"
#include "acol/train/model.h"
#include "acol/train/step.h"
#include "command.h"
#include "tensor/geometry.h"
#include "tensor/tensor.h"

namespace acol {

struct BenchOptions {
  NetworkConfig network;
  int size = 224;  // pixels, the side of a picture
  int batch_size = 8;
  int repeats = 7;
  int warm_up = 1;                        // runs before the clock starts
  int input_sets = 1;                     // different random inputs that the runs take in turn
  int maps = 5000;                        // to score
  int micro_batch = 0;                    // of training; 0: the whole batch at once
  MemoryMode memory = MemoryMode::plain;  // of training
  ComputeOptions compute;
  std::filesystem::path json;  // empty: none
  std::filesystem::path save;  // a folder for inputs and results, or empty
};

// Milliseconds of one run, over the repeats.
struct BenchTimes {
  double median = 0, min = 0, max = 0;
  std::vector<double> all{};  // ascending
};
// Runs `run` `warm_up` times before the clock starts (pages, caches, plans and threads get ready), then `repeats`
// times. On a device the clock is the device's, and nothing is waited for between the runs.
BenchTimes time_repeats(int repeats, const std::function<void()>& run, int warm_up = 1);
BenchTimes times_of(std::vector<double> ms);  // at least one

// Of a device, while a row's runs were timed.
struct DeviceFigures {
  double peak_mb = 0;         // the most memory in use at once, 2^20 bytes
  double held_mb = 0;         // what the process has taken from the driver, in use or not
  double launches_a_run = 0;  // kernels
};

// A convolution that a row is about.
struct BenchConv {
  Conv2dGeometry geometry;
  bool relu = false;
  int uses = 1;  // layers of the network with this shape
};

// One line of the table and one object of the JSON file. What has no meaning for a measurement stays empty: null.
struct BenchRow {
  std::string what{};   // forward, backward_data, backward_weights, train, fma_peak_1_thread, ...
  std::string layer{};  // conv1_2, a1, net; empty: none
  std::optional<int> batch{};
  std::optional<BenchTimes> ms{};
  std::optional<double> gflops{};         // of direct convolution, whatever the algorithm: 2 x its multiply-adds
  std::optional<double> share_of_peak{};  // gflops / (threads x one core's FMA peak); Winograd can exceed 1
  std::optional<double> peak_rss_mb{};    // 2^20 bytes
  // Both only on a device, and in the file only.
  std::optional<DeviceFigures> device{};
  std::optional<BenchConv> conv{};
  std::string remark{};  // in the table only
};

struct BenchReport {
  std::vector<BenchRow> rows;
  std::vector<std::string> lines;  // below the table
};

// Time, rate and, on the CPU, share of a row, from the multiply-adds of one run. `peak`: GFLOP/s of all threads.
void set_speed(BenchRow& row, const BenchTimes& ms, double multiply_adds, double peak);

// time_repeats() as `options` has it, into the row, with the device's figures.
void measure_row(BenchRow& row, const BenchOptions& options, double multiply_adds, double peak,
                 const std::function<void()>& run);

// GFLOP/s of the matrix micro-kernel at the SIMD level in use on operands in the first-level cache: what one core can
// do. The best of many short runs, since anything else on the machine only slows it. Takes about 0.1 s.
double core_peak();

// The most memory that this process ever had in use, MB.
double peak_rss_mb();

// The measurements, one file each. Every one throws Interrupted soon after Ctrl-C.
BenchReport bench_peak(const BenchOptions& options);
BenchReport bench_conv(const BenchOptions& options);
BenchReport bench_net(const BenchOptions& options);
BenchReport bench_train(const BenchOptions& options);
BenchReport bench_memory(const BenchOptions& options);
BenchReport bench_score(const BenchOptions& options);

// Numbers from [low, high) that depend on `number` and the shape alone, none of them denormal.
Tensor bench_numbers(const Shape& shape, std::uint32_t number, float low, float high);
// The network with random weights (He) and biases, the same for the same options; and a batch of random pictures.
Model bench_model(const BenchOptions& options);
Tensor bench_images(const BenchOptions& options, int set = 0);
std::vector<int> bench_labels(const BenchOptions& options);

}  // namespace acol
