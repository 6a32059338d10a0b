// One training step: the same bits with little memory, parts that add up, and no memory from the system in a steady
// run.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

#include "acol/evaluate/class_maps.h"
#include "acol/train/step.h"
#include "tensor/memory.h"
#include "tensor/threads.h"
#include "tests/golden_file.h"
#include "tests/small_network.h"
#include "tests/tiny_run.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

// Every large block of this program that does not come from the arena, whoever asks.
namespace {
std::atomic<std::int64_t> large_news{0};
void* counted(std::size_t bytes, std::size_t alignment) {
  if (bytes >= smallest_in_arena) ++large_news;
  return alignment == 0 ? std::malloc(bytes)
                        : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
void* or_throw(void* memory) { return memory != nullptr ? memory : throw std::bad_alloc(); }
}  // namespace
void* operator new(std::size_t bytes) { return or_throw(counted(bytes, 0)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return or_throw(counted(bytes, static_cast<std::size_t>(alignment)));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

// A network with its optimizer, and a batch for it.
struct Learner {
  TrainConfig config;
  Network network;
  Sgd optimizer;
  Tensor images;
  std::vector<int> truth;
  std::int64_t step = 0;

  Learner(const TrainConfig& how, int batch, int side, DType dtype = DType::float32)
      : config(how), network(prepared(how)), optimizer({}), images(random_tensor({batch, side, side, 3}, 5, dtype)) {
    randomise(network, 3);
    network.convert(dtype);
    optimizer = Sgd(parameter_groups(network, config), {config.momentum, config.nesterov});
    for (int n = 0; n < batch; ++n) truth.push_back(n % config.network.classes);
  }
  static NetworkConfig prepared(const TrainConfig& how) { return how.network; }

  StepResult learn(MemoryMode memory = MemoryMode::plain, double rate = 0.01) {
    return train_step(network, optimizer, config, memory, {images, truth, step++, rate, network.has_branch_b()});
  }
};

// VGG16 with 8 to 64 channels, which makes large activations of medium pictures.
TrainConfig medium_config() {
  TrainConfig config;
  config.network.width = 1.0 / 8;
  config.network.classes = 4;
  return config;
}

TrainConfig small_train_config(const std::string& arch = "vgg16") {
  TrainConfig config;
  config.network = small_config(arch);
  return config;
}

double worst_difference(const Network& a, const Network& b) {
  const auto left = a.parameters(), right = b.parameters();
  double worst = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    for (std::int64_t k = 0; k < left[i].variable.value().count(); ++k) {
      const double difference = std::abs(left[i].variable.value().at(k) - right[i].variable.value().at(k));
      worst = std::isfinite(difference) ? std::max(worst, difference) : infinite;
    }
  return worst;
}

// A precision as long as this lives.
struct InPrecision {
  explicit InPrecision(Precision precision) { use_precision(precision); }
  ~InPrecision() { use_precision(before); }
  Precision before = precision_in_use();
};

// The losses of one pass and the gradients of all parameters.
struct OnePass {
  double loss_a, loss_b;
  DType features, maps;
  std::vector<std::string> names;
  std::vector<Tensor> gradients;

  OnePass(const TrainConfig& config, Precision precision) {
    const InPrecision in(precision);
    Learner learner(config, 2, 32);
    Network& network = learner.network;
    const Variable trunk = network.features(Variable(learner.images));
    const Network::Branch a = network.branch_a(trunk);
    features = trunk.dtype(), maps = a.maps.dtype();
    StepLosses losses = forward_losses(network, learner.images, learner.truth, EraseLabel::truth, true);
    losses.total.backward();
    loss_a = losses.loss_a.value().at(0), loss_b = losses.loss_b.value().at(0);
    for (const NamedParameter& parameter : network.parameters()) {
      names.push_back(parameter.name);
      gradients.push_back(parameter.variable.grad().to_host());
    }
  }
};

bool same_weights(const Network& a, const Network& b) {
  const auto left = a.parameters(), right = b.parameters();
  bool same = left.size() == right.size();
  for (std::size_t i = 0; same && i < left.size(); ++i)
    same = same_bits(left[i].variable.value(), right[i].variable.value());
  return same;
}

}  // namespace

TEST_CASE("runs with lean memory leave the files of runs with plain memory") {
  struct Case {
    const char* name;
    void (*change)(TrainConfig&);
  };
  const Case cases[] = {
      {"a map made again, updates as gradients come", [](TrainConfig& c) { c.network.arch = "vgg16"; }},
      {"dropout, B joins late",
       [](TrainConfig& c) { c.network.arch = "vgg13", c.network.dropout = 0.3, c.erase_after = 1; }},
      {"clipping: gradients are kept", [](TrainConfig& c) { c.network.arch = "vgg16", c.clip_norm = 0.5; }},
      {"a pool behind the first convolution", [](TrainConfig& c) { c.network.arch = "vgg11"; }},
      {"batch norm", [](TrainConfig&) {}},
      {"in parts", [](TrainConfig& c) { c.network.arch = "vgg16", c.network.dropout = 0.2, c.micro_batch = 3; }},
  };
  for (const Case& one : cases) {
    const std::string name = one.name;
    CAPTURE(name);
    const Runs runs;
    TrainConfig config = tiny_config();
    config.clip_norm = 0;
    one.change(config);
    RunOptions plain = into(runs("plain")), lean = into(runs("lean"));
    lean.memory = MemoryMode::lean;
    train(config, set().train, &set().val, plain, {});
    train(config, set().train, &set().val, lean, {});
    for (const char* file : {"last.safetensors", "best.safetensors", "log.jsonl", "config.json"}) {
      CAPTURE(file);
      CHECK(text_of_file(runs("lean") / file) == text_of_file(runs("plain") / file));
    }
  }
}

TEST_CASE("from the third step on nothing of an activation's size comes from the system") {
  // On several threads a kernel's scratch memory comes with the first chunk that a thread happens to get.
  const int threads = threads_in_use();
  use_threads(1);
  for (const MemoryMode memory : {MemoryMode::plain, MemoryMode::lean})
    for (const int micro_batch : {0, 3}) {
      const std::string mode = name_of(memory);
      CAPTURE(mode);
      CAPTURE(micro_batch);
      TrainConfig config = medium_config();
      config.micro_batch = micro_batch;
      config.network.dropout = 0.1;
      Learner learner(config, 5, 64);
      learner.learn(memory);
      learner.learn(memory);
      const std::int64_t arena = memory_use().allocations_from_system, elsewhere = large_news;
      for (int i = 0; i < 3; ++i) learner.learn(memory);
      CHECK(memory_use().allocations_from_system == arena);
      CHECK(large_news == elsewhere);
    }
  if (device_memory() == nullptr) CHECK(large_news > 0);  // or it does not count
  use_threads(threads);
}

TEST_CASE("lean needs less: no map of conv1_1, no gradients of all weights at once") {
  TrainConfig config = medium_config();
  config.network.width = 1.0 / 16;  // much in activations, little in weights
  const int threads = threads_in_use();
  use_threads(1);  // how many threads hold a buffer at once is chance
  const auto peak = [&](MemoryMode memory, int micro_batch) {
    config.micro_batch = micro_batch;
    Learner learner(config, 4, 128);
    const std::size_t before = memory_use().bytes_in_use;
    learner.learn(memory);
    restart_memory_peak();
    learner.learn(memory);
    return static_cast<double>(memory_use().peak_bytes_in_use - before);
  };
  peak(MemoryMode::plain, 0);  // what kernels keep for themselves
  const double plain = peak(MemoryMode::plain, 0), lean = peak(MemoryMode::lean, 0);
  const double first_map = 4.0 * 128 * 128 * 4 * sizeof(float);
  CHECK(lean <= plain - 0.9 * first_map);
  CHECK(peak(MemoryMode::lean, 1) <= 0.5 * lean);
  use_threads(threads);
}

TEST_CASE("a step makes no maps of all classes") {
  const int threads = threads_in_use();
  use_threads(1);
  const auto peak = [&](int classes) {
    TrainConfig config = medium_config();
    config.network.width = 1.0 / 32;
    config.network.classes = classes;
    const std::size_t before = memory_use().bytes_in_use;
    Learner learner(config, 4, 128);
    learner.learn();
    restart_memory_peak();
    learner.learn();
    return static_cast<double>(memory_use().peak_bytes_in_use - before);
  };
  peak(1);  // what kernels keep for themselves
  constexpr int classes = 2000;
  const double weights = 2.0 * 32 * classes * sizeof(float), maps = 4.0 * 16 * 16 * classes * sizeof(float);
  const double more = peak(classes) - peak(1);
  CHECK(more >= 2 * weights);  // they and their velocities
  CHECK(more <= 2 * weights + 0.5 * maps);
  use_threads(threads);
}

TEST_CASE("without gradients every activation goes as soon as it is used") {
  Learner learner(medium_config(), 4, 128);
  learner.network.set_training(false);
  const auto forward = [&] {
    const PassA a = forward_a(learner.network, learner.images);
    logits_b(learner.network, a, learner.truth);
  };
  const int threads = threads_in_use();
  use_threads(1);  // the buffers of kernels grow with the threads
  forward();       // what kernels keep for themselves
  restart_memory_peak();
  const std::size_t before = memory_use().bytes_in_use;
  forward();
  use_threads(threads);
  const std::size_t first_map = std::size_t{4} * 128 * 128 * 8 * sizeof(float);
  CHECK(memory_use().peak_bytes_in_use >= before + 2 * first_map);                  // conv1_2 reads one and writes one
  CHECK(memory_use().peak_bytes_in_use <= before + 2 * first_map + first_map / 2);  // its own buffers, and no third map
  CHECK(memory_use().bytes_in_use == before);
}

// The last bits of 16 decide which of two near maxima a pool takes and what a ReLU lets through, and so where gradients
// go: the farther back, the farther apart. test_saved holds them to what the same roundings give in double. Measured:
// 0.001 for the losses, 0.04 in the heads, 0.16 in the trunk.
TEST_CASE("with bf16 activations losses and gradients are near those in float") {
  if (device_in_use() != Device::cuda) return;  // others have float activations alone
  TrainConfig config = medium_config();
  config.network.arch = "vgg11";
  const OnePass want(config, Precision::fp32), got(config, Precision::bf16);
  CHECK(want.features == DType::float32);
  CHECK(got.features == DType::bfloat16);
  CHECK(got.maps == DType::float32);
  CHECK(std::abs(got.loss_a - want.loss_a) <= 0.005 * want.loss_a);
  CHECK(std::abs(got.loss_b - want.loss_b) <= 0.005 * want.loss_b);
  CHECK(got.loss_a != want.loss_a);
  REQUIRE(got.names == want.names);
  for (std::size_t i = 0; i < want.names.size(); ++i) {
    CAPTURE(want.names[i]);
    CHECK(got.gradients[i].dtype() == DType::float32);
    const double off = relative_distance(got.gradients[i], want.gradients[i]);
    CHECK(off <= (want.names[i].starts_with("classifier_") ? 0.08 : 0.3));
    CHECK(off > 0);
  }
}

TEST_CASE("a step with bf16 activations needs little more than half the memory, and repeats to the bit, lean or not") {
  if (device_in_use() != Device::cuda) return;
  const auto learner = [] { return Learner(medium_config(), 2, 64); };
  const auto peak_of_step = [&](Precision precision) {
    const InPrecision in(precision);
    Learner learning = learner();
    learning.learn();
    restart_memory_peak();
    const std::size_t before = memory_use().bytes_in_use;
    learning.learn();
    return static_cast<double>(memory_use().peak_bytes_in_use - before);
  };
  // All activations are halved; the pictures and the gradients of the parameters are not.
  CHECK(peak_of_step(Precision::bf16) <= 0.65 * peak_of_step(Precision::fp32));

  const InPrecision in(Precision::bf16);
  Learner first = learner(), again = learner(), lean = learner(), untouched = learner();
  for (int step = 0; step < 2; ++step) {
    first.learn();
    again.learn();
    lean.learn(MemoryMode::lean);
  }
  CHECK(same_weights(first.network, again.network));
  CHECK(same_weights(first.network, lean.network));
  CHECK(!same_weights(first.network, untouched.network));
}

TEST_CASE("the parts of a batch add up to the whole") {
  for (const int micro_batch : {1, 3, 4}) {
    CAPTURE(micro_batch);
    TrainConfig config = small_train_config();
    config.clip_norm = 1;
    Learner whole(config, 7, 20, DType::float64);
    config.micro_batch = micro_batch;
    Learner parts(config, 7, 20, DType::float64);
    const StepResult expected = whole.learn(), got = parts.learn();
    CHECK(std::abs(got.loss_a - expected.loss_a) <= 1e-13 * expected.loss_a);
    CHECK(std::abs(*got.loss_b - *expected.loss_b) <= 1e-13 * *expected.loss_b);
    CHECK(std::abs(got.gradient_norm - expected.gradient_norm) <= 1e-12 * expected.gradient_norm);
    CHECK(got.answers == expected.answers);
    CHECK(worst_difference(whole.network, parts.network) <= 1e-13);
    Learner untouched(config, 7, 20, DType::float64);
    CHECK(worst_difference(whole.network, untouched.network) > 1e-4);  // a step that does something
  }
}

TEST_CASE("a part as large as the batch is the batch, bit for bit; smaller parts draw apart in dropout") {
  TrainConfig config = small_train_config();
  config.network.dropout = 0.5;
  config.batch_size = 2;
  const auto first_loss = [&](int images, int micro_batch, std::int64_t step) {
    TrainConfig how = config;
    how.micro_batch = micro_batch;
    Learner learner(how, 1, 32);
    const Tensor one = learner.images;  // the same picture as often as wanted
    learner.images = Tensor::empty({images, 32, 32, 3});
    for (std::int64_t i = 0; i < learner.images.count(); ++i) learner.images.set(i, one.at(i % one.count()));
    learner.truth.assign(static_cast<std::size_t>(images), 1);
    learner.step = step;
    return learner.learn(MemoryMode::plain, 0).loss_a;
  };
  for (const int micro_batch : {2, 3}) CHECK(first_loss(2, micro_batch, 1) == first_loss(2, 0, 1));
  // Two parts of one picture each: steps 0 and 1 make four draws, no two alike.
  std::vector<double> losses;
  for (const std::int64_t step : {0, 1}) {
    losses.push_back(first_loss(1, 1, step));
    losses.push_back(2 * first_loss(2, 1, step) - losses.back());
  }
  for (std::size_t i = 0; i < losses.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) CHECK(std::abs(losses[i] - losses[k]) > 1e-6);
}

TEST_CASE("gradients left over from elsewhere are dropped; what is not finite is not learnt in plain") {
  Learner clean(small_train_config(), 3, 20), dirty(small_train_config(), 3, 20);
  for (NamedParameter& parameter : dirty.network.parameters()) parameter.variable.grad_or_zeros().fill(9);
  clean.learn();
  dirty.learn();
  CHECK(same_weights(clean.network, dirty.network));

  for (const MemoryMode memory : {MemoryMode::plain, MemoryMode::lean}) {
    Learner before(small_train_config(), 3, 20), spoilt(small_train_config(), 3, 20);
    spoilt.images.set(100, infinite);
    const StepResult result = spoilt.learn(memory);
    CHECK(std::isnan(result.gradient_norm));
    CHECK(same_weights(before.network, spoilt.network));
  }
  CHECK_THROWS_WITH_AS(
      [] {
        Learner learner(small_train_config(), 3, 20);
        learner.truth.pop_back();
        learner.learn();
      }(),
      doctest::Contains("2 labels"), Error);
  for (const MemoryMode mode : {MemoryMode::plain, MemoryMode::lean}) CHECK(parse_memory_mode(name_of(mode)) == mode);
  CHECK_THROWS_WITH_AS(parse_memory_mode("tight"), doctest::Contains("plain or lean"), Error);
}
