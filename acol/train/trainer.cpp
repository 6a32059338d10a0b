#include "acol/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "acol/data/loader.h"
#include "acol/evaluate/class_maps.h"
#include "acol/train/checkpoint.h"
#include "acol/train/run_log.h"
#include "tensor/check.h"
#include "tensor/file.h"
#include "tensor/simd/level.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

// What rounds: kernels of another name can differ in the last bits.
std::string arithmetic() {
  if (device_in_use() == Device::cpu) return simd_name(simd_in_use());
  return device_in_use() == Device::reference ? "reference" : message("cuda ", name_of(precision_in_use()));
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

double percent(std::int64_t part, std::int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::int64_t count_wrong(const std::vector<int>& got, const std::vector<int>& truth) {
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) wrong += got[i] != truth[i];
  return wrong;
}

Schedule schedule_for(const TrainConfig& config, std::int64_t batches) {
  Schedule schedule;
  schedule.kind = config.schedule;
  schedule.base_rate = config.rate;
  schedule.total_steps = config.epochs * batches;
  schedule.warmup_steps = std::llround(config.warmup_epochs * static_cast<double>(batches));
  for (const int epoch : config.decay_epochs) schedule.milestones.push_back(epoch * batches);
  schedule.factor = config.decay_factor;
  schedule.power = config.poly_power;
  validate(schedule);
  return schedule;
}

LoaderOptions loader_options(const TrainConfig& config, const RunOptions& run, bool training) {
  LoaderOptions options;
  options.how = config.preprocessing;
  options.batch_size = config.batch_size;
  options.training = training;
  options.seed = config.seed;
  options.workers = run.workers;
  options.cache_bytes = run.cache_bytes / 2;  // one half for training pictures, one for validation pictures
  return options;
}

// Of the pictures and their order, which decide what every step sees: FNV-1a over ids and labels.
std::string fingerprint(const Dataset& data) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  };
  for (const Sample& sample : data.samples) add(message(sample.id, '\n', sample.label, '\n'));
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

// One run from its start or its last checkpoint to its end.
class Run {
 public:
  Run(const TrainConfig& config, const Dataset& data, const Dataset* val, const RunOptions& run,
      const TrainEvents& events)
      : data_(data), run_(run), events_(events), loader_(data, loader_options(config, run, true)) {
    if (val != nullptr) val_loader_ = std::make_unique<Loader>(*val, loader_options(config, run, false));
    schedule_ = schedule_for(config, loader_.batches());  // fails, if it does, before anything is written
    if (run.resume)
      continue_from_checkpoint(config);
    else
      start_anew(config);
  }

  TrainResult train() {
    RunLog log(run_.out / "log.jsonl", state_.step);
    const int epochs = model_.config.epochs;
    while (state_.epoch < epochs) {
      std::optional<TrainEnd> end = train_epoch(log);
      if (!end && !end_epoch(log)) end = TrainEnd::stopped;
      if (end) {
        save();
        return result(*end);
      }
      if (limit_reached()) return result(state_.epoch < epochs ? TrainEnd::limit : TrainEnd::finished);
    }
    return result(TrainEnd::finished);
  }

 private:
  fs::path last_path() const { return run_.out / "last.safetensors"; }
  void note(const std::string& text) const {
    if (events_.on_note) events_.on_note(text);
  }
  bool stop_requested() const { return events_.stop_requested && events_.stop_requested(); }
  bool limit_reached() const { return run_.limit_steps > 0 && state_.step >= run_.limit_steps; }
  TrainResult result(TrainEnd end) const { return {end, state_.step, loader_.skipped()}; }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  void make_optimizer() {
    optimizer_ = std::make_unique<Sgd>(parameter_groups(*model_.network, model_.config),
                                       SgdOptions{model_.config.momentum, model_.config.nesterov});
  }

  void start_anew(const TrainConfig& config) {
    check(!fs::exists(last_path()), run_.out.string(),
          " already holds a run; go on with --resume or choose another --out");
    model_ = make_model(config, data_.class_ids, data_.class_names);
    if (!run_.weights.empty()) {
      const WeightsReport report = load_pretrained(*model_.network, run_.weights, run_.weights_preprocessing);
      note(message("weights: ", report.loaded.size(), " tensors from ", run_.weights.string(),
                   " (names: ", report.names, "), ", report.kept.size(), " of the network not in it, ",
                   report.ignored.size(), " of the file not used"));
      for (const std::string& text : report.notes) note("weights: " + text);
    }
    make_optimizer();
    state_.data = fingerprint(data_);
    state_.simd = arithmetic();
    std::error_code error;
    fs::create_directories(run_.out, error);
    check(!error && fs::is_directory(run_.out), "cannot make the folder ", run_.out.string(), ": ", error.message());
    fs::remove(run_.out / "log.jsonl", error);
    write_file_atomically(run_.out / "config.json", to_json(model_.config, 2) + "\n");
    save();  // from here on a kill can be resumed
  }

  void continue_from_checkpoint(const TrainConfig& config) {
    check(fs::exists(last_path()), "nothing to resume: there is no ", last_path().string());
    Checkpoint checkpoint = load_checkpoint(last_path());
    model_ = checkpoint.model;
    check(model_.class_ids == data_.class_ids, last_path().string(), " was trained on other classes than ",
          data_.root.string(), " has (", model_.class_ids.size(), " and ", data_.class_ids.size(), ")");
    TrainConfig same_classes = config;
    same_classes.network.classes = model_.config.network.classes;
    check(to_json(same_classes) == to_json(model_.config), last_path().string(),
          " was trained with other settings; resume with those of its config.json");
    make_optimizer();
    restore_velocities(*optimizer_, checkpoint, last_path());
    state_ = checkpoint.state;
    check(state_.batch <= loader_.batches(), last_path().string(), " stands at batch ", state_.batch,
          " of an epoch, but ", data_.root.string(), " has only ", loader_.batches(), ": is it another data set?");
    check(state_.data == fingerprint(data_), last_path().string(), " was trained on other pictures than ",
          data_.root.string(), " holds now; a resumed run needs the same files");
    note(message("resumed from ", last_path().string(), " at step ", state_.step));
    if (state_.simd != arithmetic())
      note(message("the run was started with ", state_.simd, " instructions and goes on with ", arithmetic(),
                   ": the last bits can differ from an uninterrupted run's"));
  }

  // The steps of the epoch that are still to do. An end if there is one before the epoch's.
  std::optional<TrainEnd> train_epoch(RunLog& log) {
    if (state_.batch < loader_.batches() && limit_reached()) return TrainEnd::limit;  // by an earlier part of the run
    loader_.start_epoch(state_.epoch, state_.batch);
    model_.network->set_training(true);
    seconds_waited_ = 0;
    for (Batch batch; next(batch);) {
      step(batch, log);
      report_warnings(loader_);
      if (stop_requested()) return TrainEnd::stopped;
      if (state_.batch == loader_.batches()) break;  // a limit here is one at the end of an epoch
      if (limit_reached()) return TrainEnd::limit;
      if (run_.save_every > 0 && state_.step % run_.save_every == 0) save();
    }
    return std::nullopt;
  }

  bool next(Batch& batch) {
    const double before = seconds();
    const bool more = loader_.next(batch);
    seconds_waited_ += seconds() - before;
    return more;
  }

  void save() {
    check_state();
    save_checkpoint(last_path(), model_, *optimizer_, state_);
  }

  // A step can overflow though its loss and gradient did not: nothing of it may replace a good state.
  void check_state() const {
    if (state_.step == 0) return;
    const auto check_all = [&](const std::string& name, const Tensor& tensor) {
      const Tensor host = tensor.to_host();
      const float* values = host.f32();
      check(std::all_of(values, values + tensor.count(), [](float v) { return std::isfinite(v); }), "train: ", name,
            " is not finite after step ", state_.step, advice());
    };
    for (const NamedParameter& parameter : model_.network->parameters())
      check_all(parameter.name, parameter.variable.value());
    for (const NamedBuffer& buffer : model_.network->buffers()) check_all(buffer.name, buffer.tensor);
    for (const auto& [name, velocity] : optimizer_->velocities()) check_all("the velocity of " + name, velocity);
  }

  void step(const Batch& batch, RunLog& log) {
    StepReport report;
    report.epoch = state_.epoch;
    report.total_steps = schedule_.total_steps;
    report.rate = schedule_.rate_at(state_.step);
    const int images = static_cast<int>(batch.labels.size());
    if (images > 0) {
      learn(batch, report);
      state_.sums.images += images;
      state_.sums.loss_a += report.loss_a * images;
      if (report.loss_b) {
        state_.sums.images_b += images;
        state_.sums.loss_b += *report.loss_b * images;
      }
    }
    ++state_.step;
    ++state_.batch;
    report.step = state_.step;
    report.seconds = seconds();
    if (images == 0) return;
    if (state_.step % run_.log_every == 0) {
      Json line;
      line["type"] = "step";
      line["step"] = report.step;
      line["epoch"] = report.epoch;
      line["loss_a"] = report.loss_a;
      line["loss_b"] = number_or_null(report.loss_b);
      line["lr"] = report.rate;
      line["gradient_norm"] = report.gradient_norm;
      log.write(line.dump());
    }
    if (events_.on_step) events_.on_step(report);
  }

  void learn(const Batch& batch, StepReport& report) {
    const TrainConfig& config = model_.config;
    const bool use_b = config.network.method == Method::acol && state_.epoch >= config.erase_after;
    const StepResult result = train_step(*model_.network, *optimizer_, config, run_.memory,
                                         {batch.images, batch.labels, state_.step, report.rate, use_b});
    report.loss_a = result.loss_a;
    report.loss_b = result.loss_b;
    report.gradient_norm = result.gradient_norm;
    check_finite(report.loss_a + report.loss_b.value_or(0), "loss");
    check_finite(report.gradient_norm, "gradient");
    state_.sums.wrong += count_wrong(result.answers, batch.labels);
  }

  void check_finite(double value, const char* what) const {
    check(std::isfinite(value), "train: the ", what, " is not finite at step ", state_.step + 1, advice());
  }
  std::string advice() const {
    return message("; the last good state is kept in ", last_path().string(),
                   "; start anew with a lower --lr, more --warmup-epochs or a --clip-norm");
  }

  void report_warnings(Loader& loader) const {
    for (const std::string& warning : loader.take_warnings()) note("skipped: " + warning);
  }

  // Validates, logs, saves. False, with nothing changed, if asked to stop on the way: a resumed run starts here again.
  bool end_epoch(RunLog& log) {
    const EpochSums& sums = state_.sums;
    check(sums.images > 0, "train: none of the ", data_.samples.size(), " pictures of ", data_.root.string(),
          " could be read");
    check_state();
    EpochReport report;
    report.epoch = state_.epoch;
    report.epochs = model_.config.epochs;
    report.loss_a = sums.loss_a / static_cast<double>(sums.images);
    if (sums.images_b > 0) report.loss_b = sums.loss_b / static_cast<double>(sums.images_b);
    report.train_error = percent(sums.wrong, sums.images);
    if (val_loader_ && !validate_epoch(report)) return false;

    report.best = !report.val_error || !state_.best_error || *report.val_error < *state_.best_error;
    if (report.best) state_.best_error = report.val_error;
    state_.epoch += 1;
    state_.batch = 0;
    state_.sums = {};
    report.seconds = seconds();
    report.seconds_waited = seconds_waited_;

    Json line;
    line["type"] = "epoch";
    line["step"] = state_.step;
    line["epoch"] = report.epoch;
    line["loss_a"] = report.loss_a;
    line["loss_b"] = number_or_null(report.loss_b);
    line["train_error"] = report.train_error;
    line["val_error"] = number_or_null(report.val_error);
    line["val_error_b"] = number_or_null(report.val_error_b);
    log.write(line.dump());

    if (report.best) {
      Json training = line;
      training.erase("type");
      model_.training = training.dump();
      write_safetensors(run_.out / "best.safetensors", model_file(model_));
    }
    save();
    if (events_.on_epoch) events_.on_epoch(report);
    return true;
  }

  // Error of A, and of B with the hole that A's answer cuts. False if asked to stop on the way.
  bool validate_epoch(EpochReport& report) {
    model_.network->set_training(false);
    val_loader_->start_epoch(0);
    std::int64_t images = 0, wrong = 0, wrong_b = 0;
    Batch batch;
    while (val_loader_->next(batch)) {
      if (stop_requested()) return false;
      if (batch.labels.empty()) continue;
      const PassA a = forward_a(*model_.network, batch.images);
      const std::vector<int> predicted = answers(a.probabilities);
      images += static_cast<std::int64_t>(batch.labels.size());
      wrong += count_wrong(predicted, batch.labels);
      if (model_.network->has_branch_b())
        wrong_b += count_wrong(answers(logits_b(*model_.network, a, predicted)), batch.labels);
    }
    report_warnings(*val_loader_);
    if (images == 0) return true;
    report.val_error = percent(wrong, images);
    if (model_.network->has_branch_b()) report.val_error_b = percent(wrong_b, images);
    return true;
  }

  const Dataset& data_;
  const RunOptions& run_;
  const TrainEvents& events_;
  Loader loader_;
  std::unique_ptr<Loader> val_loader_;
  Model model_;
  std::unique_ptr<Sgd> optimizer_;
  Schedule schedule_;
  TrainState state_;
  double seconds_waited_ = 0;  // in this epoch
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

TrainResult train(const TrainConfig& config, const Dataset& data, const Dataset* val, const RunOptions& run,
                  const TrainEvents& events) {
  validate(config);
  check(run.log_every >= 1, "train: log-every must be at least 1 step, got ", run.log_every);
  check(run.save_every >= 0, "train: save-every must be 0 or more steps, got ", run.save_every);
  check(run.limit_steps >= 0, "train: limit-steps must be 0 or more, got ", run.limit_steps);
  check(!run.out.empty(), "train: no run folder given");
  if (val != nullptr)
    check(val->class_ids == data.class_ids, "train: the validation split has other classes than the training split");
  return Run(config, data, val, run, events).train();
}

TrainConfig run_config(const fs::path& out) {
  const fs::path path = out / "last.safetensors";
  check(fs::exists(path), "nothing to resume: there is no ", path.string());
  return read_model_card(path).config;
}

}  // namespace acol
