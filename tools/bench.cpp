// acol bench: how fast the kernels and the whole network are on this machine, and how much memory they take.
#include "bench.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "bench_table.h"
#include "interrupt.h"
#include "network_layers.h"
#include "tensor/random.h"
#include "train_flags.h"

namespace acol {

namespace {

using Measurement = BenchReport (*)(const BenchOptions&);

// `acol bench NAME`: its own options with its own defaults.
struct Kind {
  CLI::App* app = nullptr;
  BenchOptions options;
  Measurement measure = nullptr;
};

void add_network_options(CLI::App& app, BenchOptions& options) {
  add_network_options(app, options.network, options.size);
}

void add_batch_option(CLI::App& app, BenchOptions& options, int standard, const std::string& help) {
  options.batch_size = standard;
  app.add_option("--batch-size", options.batch_size, help)->capture_default_str()->check(at_least(1));
}

void add_repeats_option(CLI::App& app, BenchOptions& options, int standard) {
  options.repeats = standard;
  app.add_option("--repeats", options.repeats, "timed runs, after one to warm up")
      ->capture_default_str()
      ->check(at_least(1));
}

void add_runs_options(CLI::App& app, BenchOptions& options, int standard) {
  options.repeats = standard;
  app.add_option("--repeats", options.repeats, "timed runs, after those that warm up")
      ->capture_default_str()
      ->check(at_least(1));
  app.add_option("--warm-up", options.warm_up, "runs that warm up")->capture_default_str()->check(at_least(1));
  app.add_option("--input-sets", options.input_sets, "different random inputs that the runs take in turn")
      ->capture_default_str()
      ->check(at_least(1));
}

void add_training_options(CLI::App& app, BenchOptions& options) {
  add_memory_option(app, options.memory);
  app.add_option("--micro-batch", options.micro_batch, "pictures in the network at a time; 0: the whole batch")
      ->capture_default_str()
      ->check(at_least(0));
}

void add_save_option(CLI::App& app, BenchOptions& options, const std::string& help) {
  app.add_option("--save", options.save, help)->type_name("DIR");
}

Kind& add_kind(CLI::App& bench, std::vector<Kind>& kinds, const std::string& name, const std::string& help,
               Measurement measure) {
  Kind& kind = kinds.emplace_back();
  kind.app = bench.add_subcommand(name, help);
  kind.measure = measure;
  kind.app->add_option("--json", kind.options.json, "write the rows there, too")->type_name("FILE");
  add_threads_option(*kind.app, kind.options.compute);
  return kind;
}

int run_kind(const Kind& kind) {
  const BenchOptions& options = kind.options;
  options.compute.use();
  validate(options.network);
  if (!options.json.empty()) prepare_output_file(options.json);
  if (!options.save.empty()) prepare_output_folder(options.save);
  const BenchReport report = kind.measure(options);
  stop_if_interrupted();
  print_bench(std::cout, report);
  if (!options.json.empty()) write_bench_json(options.json, report);
  return exit_done;
}

}  // namespace

BenchTimes time_repeats(int repeats, const std::function<void()>& run, int warm_up) {
  using Clock = std::chrono::steady_clock;
  const auto body = [&] {
    stop_if_interrupted();
    run();
  };
  for (int i = 0; i < warm_up; ++i) body();
  std::vector<double> ms;
  if (const DeviceMemory* device = device_memory()) {
    device->wait();
    ms = device->time_runs(repeats, body);
  } else {
    for (int i = 0; i < repeats; ++i) {
      const auto start = Clock::now();
      body();
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
  }
  stop_if_interrupted();
  return times_of(std::move(ms));
}

BenchTimes times_of(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const std::size_t half = ms.size() / 2;
  return {ms.size() % 2 == 1 ? ms[half] : (ms[half - 1] + ms[half]) / 2, ms.front(), ms.back(), ms};
}

void set_speed(BenchRow& row, const BenchTimes& ms, double multiply_adds, double peak) {
  row.ms = ms;
  row.gflops = 2 * multiply_adds / ms.median / 1e6;
  if (device_memory() == nullptr) row.share_of_peak = *row.gflops / peak;
}

void measure_row(BenchRow& row, const BenchOptions& options, double multiply_adds, double peak,
                 const std::function<void()>& run) {
  const DeviceMemory* const device = device_memory();
  if (device == nullptr)
    return set_speed(row, time_repeats(options.repeats, run, options.warm_up), multiply_adds, peak);
  device->restart_peak();
  const std::int64_t before = device->launches();
  set_speed(row, time_repeats(options.repeats, run, options.warm_up), multiply_adds, peak);
  const MemoryUse use = device->use();
  constexpr double megabyte = 1 << 20;
  row.device = {static_cast<double>(use.peak_bytes_in_use) / megabyte,
                static_cast<double>(use.bytes_from_system) / megabyte,
                static_cast<double>(device->launches() - before) / (options.warm_up + options.repeats)};
}

Tensor bench_numbers(const Shape& shape, std::uint32_t number, float low, float high) {
  Tensor tensor = Tensor::empty(shape);
  // Drawing is slow, so beyond this count, a prime, the numbers come again.
  const std::int64_t drawn = std::min<std::int64_t>(tensor.count(), 1'000'003);
  RandomStream random(1, Purpose::test, number);
  const auto draw = [&](float* values) {
    for (std::int64_t i = 0; i < drawn; ++i) values[i] = random.uniform(low, high);
  };
  if (const DeviceMemory* device = device_memory()) {  // where large tensors are slow to bring
    std::vector<float> values(static_cast<std::size_t>(drawn));
    draw(values.data());
    auto* const begin = tensor.data<float>();
    device->copy_in(begin, values.data(), values.size() * sizeof(float));
    for (std::int64_t done = drawn, part = 0; done < tensor.count(); done += part) {
      part = std::min(done, tensor.count() - done);
      device->copy_within(begin + done, begin, static_cast<std::size_t>(part) * sizeof(float));
    }
    return tensor;
  }
  float* values = tensor.f32();
  draw(values);
  for (std::int64_t i = drawn; i < tensor.count(); ++i) values[i] = values[i - drawn];
  return tensor;
}

Command add_bench(CLI::App& program) {
  const auto kinds = std::make_shared<std::vector<Kind>>();
  kinds->reserve(6);  // options are bound to where they lie
  CLI::App* app = program.add_subcommand("bench", "measure the speed and memory of this program on this machine");
  app->require_subcommand(1);

  Kind& peak = add_kind(*app, *kinds, "peak", "what one core and all threads can do, and the memory", bench_peak);
  add_repeats_option(*peak.app, peak.options, 7);

  Kind& conv = add_kind(*app, *kinds, "conv", "every convolution of the network alone", bench_conv);
  add_network_options(*conv.app, conv.options);
  add_batch_option(*conv.app, conv.options, 8, "pictures at once");
  add_runs_options(*conv.app, conv.options, 7);
  add_device_options(*conv.app, conv.options.compute);
  add_save_option(*conv.app, conv.options, "write each layer's inputs and results there, NAME.safetensors");
  conv.app->footer(
      "By the kernels of training: forward with bias and ReLU as the network has it, backward_data, backward_weights\n"
      "with the bias's. Equal shapes are timed once, under the first one's name. --save computes without ReLU.");

  Kind& net = add_kind(*app, *kinds, "net", "a forward pass, as acol localize does it: both branches", bench_net);
  add_network_options(*net.app, net.options);
  add_batch_option(*net.app, net.options, 1, "pictures at once");
  add_runs_options(*net.app, net.options, 15);
  add_device_options(*net.app, net.options.compute);
  add_save_option(*net.app, net.options, "write model.safetensors and, with what came out, net.safetensors there");

  Kind& train = add_kind(*app, *kinds, "train", "a step of acol train: forward, backward, SGD", bench_train);
  add_network_options(*train.app, train.options);
  add_batch_option(*train.app, train.options, 8, "pictures at once");
  add_runs_options(*train.app, train.options, 5);
  add_device_options(*train.app, train.options.compute);
  add_training_options(*train.app, train.options);
  add_save_option(*train.app, train.options, "write model.safetensors and, after one step, train.safetensors there");
  train.app->footer("Its GFLOP/s count three forward passes a step.");

  Kind& memory = add_kind(*app, *kinds, "memory", "peak memory of one inference and of training", bench_memory);
  add_network_options(*memory.app, memory.options);
  add_batch_option(*memory.app, memory.options, 8, "pictures of a training step; inference has one");
  add_training_options(*memory.app, memory.options);

  Kind& score = add_kind(*app, *kinds, "score", "MaxBoxAcc of maps in files, as acol score does it", bench_score);
  score.options.repeats = 1;
  score.app->add_option("--maps", score.options.maps, "how many; also a tenth of them, to see if memory grows")
      ->capture_default_str()
      ->check(at_least(1));
  score.app->add_option("--size", score.options.size, "side of a map, pixels")
      ->capture_default_str()
      ->check(number("in [16, 4096]", [](double side) { return side >= 16 && side <= 4096; }));
  score.app->add_option("--repeats", score.options.repeats, "timed runs")->capture_default_str()->check(at_least(1));
  score.app->footer(
      "Milliseconds are per map, float64, read from the system's folder for temporary files: 64 files, all others are\n"
      "links to them. 1,000 thresholds. smooth: hills as a network draws them. noise: the worst case.");

  app->footer(
      "Weights and pictures are random. GFLOP/s count the multiplications and additions of direct convolution, "
      "whatever\n"
      "the algorithm, and the share of peak is that over threads x the FMA peak of one core: Winograd's algorithm\n"
      "multiplies less, so it can exceed 100 %. `acol bench conv --help` lists the options of conv.");
  return {app, [kinds] {
            const auto chosen =
                std::find_if(kinds->begin(), kinds->end(), [](const Kind& kind) { return kind.app->parsed(); });
            return run_kind(*chosen);
          }};
}

}  // namespace acol
