// acol bench net, train and memory: the whole network as `acol localize` and `acol train` run it.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <fstream>

#include "acol/evaluate/class_maps.h"
#include "acol/train/step.h"
#include "autograd/ops.h"
#include "bench.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/safetensors.h"
#include "tensor/threads.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

std::vector<Tensor> image_sets(const BenchOptions& options) {
  std::vector<Tensor> sets;
  for (int i = 0; i < options.input_sets; ++i) sets.push_back(bench_images(options, i));
  return sets;
}

// The way of `acol localize`: branch A, then the maps of its answer, for which branch B runs with that answer's hole.
class Inference {
 public:
  explicit Inference(const BenchOptions& options)
      : model_(bench_model(options)), network_(*model_.network), sets_(image_sets(options)) {
    if (!options.save.empty()) write_safetensors(options.save / "model.safetensors", model_file(model_));
    network_.set_training(false);
    network_.fold_batch_norm();
    if (!options.save.empty()) save(options.save / "net.safetensors");
  }

  void run() {
    const PassA a = forward_a(network_, next_images());
    class_maps(network_, a, answers(a.probabilities));
  }

  // The maps of all classes stay where they are.
  void run_network() {
    const NoGrad no_grad;
    const PassA a = forward_a(network_, next_images());
    if (network_.has_branch_b())
      network_.branch_b(Variable(a.features), normalized_map(a.maps, answers(a.probabilities)));
  }

 private:
  const Tensor& next_images() { return sets_[turn_++ % sets_.size()]; }

  void save(const fs::path& path) {
    const NoGrad no_grad;
    const PassA a = forward_a(network_, sets_[0]);
    SafetensorsFile file;
    file.tensors = {{"input", sets_[0]},
                    {"features", a.features.to(DType::float32)},
                    {"maps_a", a.maps},
                    {"probabilities", a.probabilities}};
    if (network_.has_branch_b()) {
      const Tensor heat = normalized_map(a.maps, answers(a.probabilities));
      const Network::Branch b = network_.branch_b(Variable(a.features), heat);
      file.tensors["maps_b"] = b.maps.value();
      file.tensors["logits_b"] = b.logits.value();
    }
    write_safetensors(path, file);
  }

  Model model_;
  Network& network_;
  std::vector<Tensor> sets_;
  std::size_t turn_ = 0;
};

// A step of `acol train` on the same batches again and again, with the paper's settings.
class Training {
 public:
  explicit Training(const BenchOptions& options)
      : memory_(options.memory),
        model_(bench_model(options)),
        network_(*model_.network),
        sets_(image_sets(options)),
        labels_(bench_labels(options)),
        optimizer_(parameter_groups(network_, model_.config),
                   SgdOptions{model_.config.momentum, model_.config.nesterov}) {
    network_.set_training(true);
    if (!options.save.empty()) save(options.save);
  }

  void run() { step(memory_); }

 private:
  StepResult step(MemoryMode memory) {
    const StepInput input{.images = sets_[static_cast<std::size_t>(step_) % sets_.size()],
                          .labels = labels_,
                          .step = step_++,
                          .rate = model_.config.rate,
                          .use_branch_b = network_.has_branch_b()};
    const StepResult result = train_step(network_, optimizer_, model_.config, memory, input);
    check(std::isfinite(result.gradient_norm), "bench: the training on random pictures diverged");
    return result;
  }

  // Branch A's maps, by which branch B's features are erased. Not in training mode, in which batch norm would count the
  // pass; without it, they are those of the step.
  Tensor maps_a() {
    network_.set_training(false);
    const Tensor maps = forward_a(network_, sets_[0]).maps;
    network_.set_training(true);
    return maps;
  }

  // The model, one step's inputs, losses and gradients, and the weights after it.
  void save(const fs::path& folder) {
    write_safetensors(folder / "model.safetensors", model_file(model_));
    const Tensor maps = maps_a();
    const StepResult result = step(MemoryMode::plain);  // lean keeps no gradients, but has the same bits
    SafetensorsFile file = model_file(model_);
    file.metadata.clear();
    file.tensors["input"] = sets_[0];
    file.tensors["maps_a"] = maps;
    file.tensors["labels"] = vector_of({labels_.begin(), labels_.end()});
    file.tensors["loss_a"] = vector_of({result.loss_a});
    if (result.loss_b) file.tensors["loss_b"] = vector_of({*result.loss_b});
    for (const NamedParameter& parameter : network_.parameters()) {
      const Tensor& gradient = parameter.variable.grad();
      file.tensors["gradient." + parameter.name] = gradient.shape().rank() == 4 ? filter_to_file(gradient) : gradient;
    }
    write_safetensors(folder / "train.safetensors", file);
  }
  static Tensor vector_of(const std::vector<double>& values) {
    return Tensor::from({static_cast<int>(values.size())}, values);
  }

  MemoryMode memory_;
  Model model_;
  Network& network_;
  std::vector<Tensor> sets_;
  std::vector<int> labels_;
  Sgd optimizer_;
  std::int64_t step_ = 0;
};

// Multiply-adds of a forward pass of the batch. A training step is taken as three of them, as usual; the gradient of
// the pictures, which nobody computes, is 0.2 % of that in VGG16, the classifiers' last layer at every pixel, which
// training does not compute either, 0.8 % with 200 classes and 3.7 % with 1000.
double multiply_adds(const BenchOptions& options) {
  Network network(options.network);
  return static_cast<double>(network.multiply_adds(options.size, options.size)) * options.batch_size;
}

// Adds a row. With a progress line, since a step can take long.
void measure(BenchReport& report, const BenchOptions& options, const std::string& what, double passes, double peak,
             const std::function<void()>& run) {
  BenchRow row{.what = what, .layer = "net", .batch = options.batch_size};
  Progress progress("bench " + what);
  std::int64_t done = 0;
  measure_row(row, options, passes * multiply_adds(options), peak, [&] {
    progress.update(done++, options.warm_up + options.repeats);
    run();
  });
  row.peak_rss_mb = peak_rss_mb();
  report.lines.push_back(message(what, ": ", fixed_text(1000 * options.batch_size / row.ms->median, 2), " images/s"));
  report.rows.push_back(std::move(row));
}

// Runs `body` in a process of its own, so that no other measurement's memory counts, and returns the most that it had
// in use. Before this process starts threads: a forked one has none of them.
double peak_of_child(const std::function<void()>& body) {
  std::array<int, 2> ends{};
  check(::pipe(ends.data()) == 0, "bench: no pipe for the measuring process");
  const pid_t child = ::fork();
  check(child >= 0, "bench: cannot start the measuring process");
  if (child == 0) {  // leaves by _exit alone: what the parent has buffered is the parent's to write
    int status = exit_failure;
    std::string answer;
    try {
      body();
      answer = number_text(peak_rss_mb());
      status = exit_done;
    } catch (const Interrupted&) {
      status = exit_interrupted;
    } catch (const std::bad_alloc&) {
      answer = "out of memory";
    } catch (const std::exception& error) {
      answer = error.what();
    }
    const bool written = ::write(ends[1], answer.data(), answer.size()) == static_cast<ssize_t>(answer.size());
    ::_exit(written ? status : exit_failure);
  }
  ::close(ends[1]);
  std::string answer;
  std::array<char, 512> part{};
  for (ssize_t got = 0; (got = ::read(ends[0], part.data(), part.size())) > 0;)
    answer.append(part.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  stop_if_interrupted();
  check(!WIFSIGNALED(status), "bench: the measuring process was ended by signal ", WTERMSIG(status),
        WTERMSIG(status) == SIGKILL ? ", as the system does when memory runs out" : "");
  if (WEXITSTATUS(status) == exit_interrupted) throw Interrupted();
  check(WEXITSTATUS(status) == exit_done, "bench: ", answer.empty() ? "the measuring process failed" : answer);
  return std::stod(answer);
}

BenchRow memory_row(const BenchOptions& options, const std::string& what, const std::function<void()>& body) {
  BenchRow row{.what = what, .layer = "net", .batch = options.batch_size};
  row.peak_rss_mb = peak_of_child(body);
  return row;
}

}  // namespace

double peak_rss_mb() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (double kilobytes = 0; word == "VmHWM:" && file >> kilobytes) return kilobytes / 1024;
  fail("bench: no VmHWM in /proc/self/status");
}

Model bench_model(const BenchOptions& options) {
  TrainConfig config = preset_config(Preset::paper);
  config.network = options.network;
  config.initialiser = Initialiser::he;
  config.batch_size = options.batch_size;
  config.micro_batch = options.micro_batch;
  config.preprocessing.crop = options.size;
  config.preprocessing.resize = std::max(options.size, config.preprocessing.resize);
  std::vector<std::string> classes;
  for (int i = 0; i < options.network.classes; ++i) classes.push_back(std::to_string(i));
  Model model = make_model(config, classes, classes);
  std::uint32_t number = 100;
  for (NamedParameter& parameter : model.network->parameters())
    if (parameter.name.ends_with(".bias")) {
      Tensor& bias = parameter.variable.value();
      bias.copy_from(bench_numbers(bias.shape(), number++, -0.1f, 0.1f));
    }
  return model;
}

Tensor bench_images(const BenchOptions& options, int set) {
  return bench_numbers({options.batch_size, options.size, options.size, 3}, static_cast<std::uint32_t>(10 + set), -2,
                       2);
}

std::vector<int> bench_labels(const BenchOptions& options) {
  std::vector<int> labels;
  for (int n = 0; n < options.batch_size; ++n) labels.push_back((7 * n + 3) % options.network.classes);
  return labels;
}

BenchReport bench_net(const BenchOptions& options) {
  const double peak = core_peak() * threads_in_use();
  Inference inference(options);
  BenchReport report;
  measure(report, options, "forward", 1, peak, [&] { inference.run(); });
  // What a card computes, without bringing the maps to the host.
  if (device_memory() != nullptr)
    measure(report, options, "forward_network", 1, peak, [&] { inference.run_network(); });
  return report;
}

BenchReport bench_train(const BenchOptions& options) {
  const double peak = core_peak() * threads_in_use();
  Training training(options);
  BenchReport report;
  measure(report, options, "train", 3, peak, [&] { training.run(); });
  return report;
}

BenchReport bench_memory(const BenchOptions& options) {
  BenchReport report;
  // The second step has the velocities beside it from its start, as all later ones.
  report.rows.push_back(memory_row(options, "train", [&] {
    Training training(options);
    training.run();
    stop_if_interrupted();
    training.run();
  }));
  BenchOptions one = options;
  one.batch_size = 1;
  report.rows.push_back(memory_row(one, "forward", [&] { Inference(one).run(); }));
  return report;
}

}  // namespace acol
