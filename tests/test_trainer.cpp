// Training in this process on a tiny drawn set: what a run leaves, refuses, skips and survives.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "acol/evaluate/class_maps.h"
#include "acol/train/checkpoint.h"
#include "acol/train/trainer.h"
#include "autograd/ops.h"
#include "tests/compare.h"
#include "tests/small_network.h"
#include "tests/tiny_run.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::vector<Json> lines_of_log(const fs::path& out) {
  std::ifstream in(out / "log.jsonl");
  std::vector<Json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

bool all_finite(const SafetensorsFile& file) {
  for (const auto& [name, tensor] : file.tensors)
    for (std::int64_t i = 0; i < tensor.count(); ++i)
      if (!std::isfinite(tensor.at(i))) {
        MESSAGE(name, " holds ", tensor.at(i));
        return false;
      }
  return true;
}

}  // namespace

TEST_CASE("a run leaves its settings, a log in order, the last and the best state") {
  const Runs runs;
  const fs::path out = runs("deep/run");
  const TrainConfig config = tiny_config();
  std::vector<std::int64_t> steps;
  std::vector<EpochReport> epochs;
  TrainEvents events;
  events.on_step = [&](const StepReport& report) {
    steps.push_back(report.step);
    CHECK(report.total_steps == 6);
    CHECK(report.epoch == (report.step - 1) / 3);
    CHECK(report.loss_b.has_value());
    CHECK(report.gradient_norm > 0);
  };
  events.on_epoch = [&](const EpochReport& report) { epochs.push_back(report); };
  const TrainResult result = train(config, set().train, &set().val, into(out), events);
  CHECK(result.end == TrainEnd::finished);
  CHECK(result.step == 6);
  CHECK(result.skipped_images == 0);
  CHECK(steps == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
  REQUIRE(epochs.size() == 2);

  TrainConfig with_classes = config;
  with_classes.network.classes = 2;
  CHECK(text_of_file(out / "config.json") == to_json(with_classes, 2) + "\n");
  CHECK(to_json(run_config(out)) == to_json(with_classes));

  const std::vector<Json> log = lines_of_log(out);
  REQUIRE(log.size() == 8);
  std::int64_t before = 0;
  for (const Json& line : log) {
    CAPTURE(line.dump());
    const std::int64_t step = line.at("step");
    CHECK(step == (line.at("type") == "step" ? before + 1 : before));  // an epoch's line follows its last step
    before = step;
    CHECK(line.at("epoch") == (step - 1) / 3);
    CHECK(line.at("loss_a").get<double>() > 0);
    CHECK(line.at("loss_b").get<double>() > 0);
    CHECK_FALSE(line.contains("seconds"));  // or no two logs were alike
  }
  // The epoch's losses are the means of its steps, which all have four images.
  for (const std::size_t at : {std::size_t{3}, std::size_t{7}})
    for (const char* loss : {"loss_a", "loss_b"}) {
      CAPTURE(loss);
      double mean = 0;
      for (std::size_t i = at - 3; i < at; ++i) mean += log[i].at(loss).get<double>() / 3;
      CHECK(log[at].at(loss).get<double>() == doctest::Approx(mean).epsilon(1e-12));
    }
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& line = log[4 * i + 3];
    CHECK(line.at("type") == "epoch");
    CHECK(line.at("val_error") == *epochs[i].val_error);
    CHECK(line.at("val_error_b") == *epochs[i].val_error_b);
    CHECK(line.at("train_error") == epochs[i].train_error);
  }
  CHECK(epochs[0].best);
  CHECK(epochs[1].best == (*epochs[1].val_error < *epochs[0].val_error));

  const Checkpoint last = load_checkpoint(out / "last.safetensors");
  CHECK(last.state.step == 6);
  CHECK(last.state.epoch == 2);
  CHECK(last.state.batch == 0);
  CHECK(last.state.best_error == std::min(*epochs[0].val_error, *epochs[1].val_error));
  CHECK(load_model(out / "best.safetensors").class_ids == set().train.class_ids);
  CHECK_THROWS_WITH_AS(load_checkpoint(out / "best.safetensors"), doctest::Contains("last.safetensors"), Error);
}

TEST_CASE("what does not fit is refused before anything is written") {
  const Runs runs;
  const fs::path out = runs("run");
  TrainConfig config = tiny_config();
  CHECK_THROWS_WITH_AS(train(config, set().train, nullptr, into(out, true), {}), doctest::Contains("nothing to resume"),
                       Error);
  CHECK_THROWS_WITH_AS(run_config(out), doctest::Contains("nothing to resume"), Error);
  train(config, set().train, nullptr, into(out), {});
  const std::string state = text_of_file(out / "last.safetensors"), log = text_of_file(out / "log.jsonl");
  const auto refused = [&](const TrainConfig& how, const Dataset& data, bool resume, const char* part) {
    CAPTURE(part);
    CHECK_THROWS_WITH_AS(train(how, data, nullptr, into(out, resume), {}), doctest::Contains(part), Error);
    CHECK(text_of_file(out / "last.safetensors") == state);
    CHECK(text_of_file(out / "log.jsonl") == log);
  };
  refused(config, set().train, false, "already holds a run");

  TrainConfig other = config;
  other.rate *= 2;
  refused(other, set().train, true, "other settings");
  other = config;
  other.network.method = Method::cam;
  refused(other, set().train, true, "other settings");
  Dataset renamed = set().train;
  renamed.class_ids[1] += "-too";
  refused(config, renamed, true, "other classes");
  Dataset more = set().train;
  more.class_ids.push_back("third");
  more.class_names.push_back("third");
  refused(config, more, true, "other classes");
  CHECK_THROWS_WITH_AS(train(config, set().train, &renamed, into(runs("val")), {}), doctest::Contains("validation"),
                       Error);
  CHECK_FALSE(fs::exists(runs("val")));

  // A run that ended in the middle of an epoch, and fewer pictures.
  train(config, set().train, nullptr, into(runs("middle"), false, 2), {});
  CHECK_THROWS_WITH_AS(train(config, subset(set().train, 1), nullptr, into(runs("middle"), true), {}),
                       doctest::Contains("another data set"), Error);
  // As many pictures, but others, or in another order: every step would see something else.
  Dataset reordered = set().train;
  std::swap(reordered.samples.front(), reordered.samples.back());
  CHECK_THROWS_WITH_AS(train(config, reordered, nullptr, into(runs("middle"), true), {}),
                       doctest::Contains("other pictures"), Error);

  const auto bad = [&](const char* part, const auto& change) {
    CAPTURE(part);
    TrainConfig how = config;
    RunOptions run = into(runs("bad"));
    change(how, run);
    CHECK_THROWS_WITH_AS(train(how, set().train, nullptr, run, {}), doctest::Contains(part), Error);
    CHECK_FALSE(fs::exists(runs("bad")));
  };
  bad("log-every", [](auto&, auto& run) { run.log_every = 0; });
  bad("save-every", [](auto&, auto& run) { run.save_every = -1; });
  bad("limit-steps", [](auto&, auto& run) { run.limit_steps = -1; });
  bad("run folder", [](auto&, auto& run) { run.out.clear(); });
  bad("none.safetensors", [](auto&, auto& run) { run.weights = "none.safetensors"; });
  bad("lr", [](auto& how, auto&) { how.rate = -1; });
  // Warm-up of 1.4 epochs, 4 steps, ends after epoch 1 begins: only the number of batches tells.
  bad("warm-up", [](auto& how, auto&) {
    how.epochs = 3;
    how.schedule = ScheduleKind::step;
    how.warmup_epochs = 1.4;
    how.decay_epochs = {1};
  });
  std::ofstream(runs("file")) << "in the way";
  CHECK_THROWS_WITH_AS(train(config, set().train, nullptr, into(runs("file")), {}), doctest::Contains("file"), Error);
}

TEST_CASE("erase-after: branch B keeps its first bits until it joins") {
  const Runs runs;
  const fs::path out = runs("run");
  TrainConfig config = tiny_config();
  config.epochs = 3;
  config.erase_after = 2;
  config.weight_decay = 0.1;  // decay must wait too
  std::vector<bool> with_b;
  TrainEvents events;
  events.on_step = [&](const StepReport& report) { with_b.push_back(report.loss_b.has_value()); };
  CHECK(train(config, set().train, &set().val, into(out, false, 6), events).end == TrainEnd::limit);

  const Model fresh = make_model(config, set().train.class_ids, set().train.class_names);
  const auto compare = [&](bool b_as_drawn) {
    const Checkpoint now = load_checkpoint(out / "last.safetensors");
    const auto before = fresh.network->parameters(), after = now.model.network->parameters();
    REQUIRE(before.size() == after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      const std::string& name = before[i].name;
      CAPTURE(name);
      const bool in_b = name.starts_with("classifier_b.");
      CHECK(same_bits(before[i].variable.value(), after[i].variable.value()) == (in_b && b_as_drawn));
      const Tensor velocity = now.file.read("optimizer." + name);
      double largest = 0;
      for (std::int64_t k = 0; k < velocity.count(); ++k) largest = std::max(largest, std::abs(velocity.at(k)));
      CHECK((largest == 0) == (in_b && b_as_drawn));
    }
  };
  compare(true);
  CHECK(train(config, set().train, &set().val, into(out, true), events).end == TrainEnd::finished);
  compare(false);
  CHECK(with_b == std::vector<bool>{false, false, false, false, false, false, true, true, true});
  for (const Json& line : lines_of_log(out)) CHECK(line.at("loss_b").is_null() == (line.at("step") <= 6));
}

TEST_CASE("erase-label chooses whose map cuts the hole") {
  Network network(small_config("vgg11_bn"));
  randomise(network, 31);
  const Tensor images = random_tensor({3, 32, 32, 3}, 7, DType::float32);
  // By hand: the loss of B with the hole of these labels.
  const auto loss_of = [&](const std::vector<int>& holes, const std::vector<int>& truth) {
    const Variable features = network.features(Variable(images));
    const Tensor heat = normalized_map(network.map_a(network.hidden_a(features).value(), holes));
    return softmax_cross_entropy(network.logits_b(features, heat), truth).value().at(0);
  };
  const auto loss_b = [&](EraseLabel how, const std::vector<int>& truth) {
    return forward_losses(network, images, truth, how, true).loss_b.value().at(0);
  };
  const std::vector<int> answer =
      answers(forward_losses(network, images, {0, 0, 0}, EraseLabel::truth, false).logits_a);
  std::vector<int> wrong;
  for (const int label : answer) wrong.push_back((label + 1) % 4);
  CHECK(loss_b(EraseLabel::truth, answer) == loss_of(answer, answer));
  CHECK(loss_b(EraseLabel::predicted, answer) == loss_of(answer, answer));
  CHECK(loss_b(EraseLabel::truth, wrong) == loss_of(wrong, wrong));
  CHECK(loss_b(EraseLabel::predicted, wrong) == loss_of(answer, wrong));
  CHECK(loss_b(EraseLabel::predicted, wrong) != loss_b(EraseLabel::truth, wrong));

  const Runs runs;
  TrainConfig config = tiny_config();
  train(config, set().train, nullptr, into(runs("truth"), false, 2), {});
  config.erase_label = EraseLabel::predicted;
  train(config, set().train, nullptr, into(runs("predicted"), false, 2), {});
  const Model truth = load_model(runs("truth") / "last.safetensors"),
              predicted = load_model(runs("predicted") / "last.safetensors");
  for (const char* name : {"classifier_b.0.weight", "classifier_b.4.weight", "features.0.weight"}) {
    CAPTURE(name);
    CHECK_FALSE(same_bits(parameter_of(*truth.network, name).value(), parameter_of(*predicted.network, name).value()));
  }
}

TEST_CASE("a rate that explodes stops the run; the state that is kept is finite and loads") {
  for (const double rate : {1e30, 3e38})
    for (const int batch_size : {4, 12}) {  // 12: one step an epoch, so that each step ends in a save
      CAPTURE(rate);
      CAPTURE(batch_size);
      const Runs runs;
      const fs::path out = runs("run");
      TrainConfig config = tiny_config();
      config.epochs = 20;
      config.rate = rate;
      config.head_rate_factor = 10;
      config.warmup_epochs = 0;
      config.clip_norm = 0;
      config.batch_size = batch_size;
      RunOptions run = into(out);
      run.save_every = 1;
      CHECK_THROWS_WITH_AS(train(config, set().train, &set().val, run, {}), doctest::Contains("not finite"), Error);
      CHECK(load_checkpoint(out / "last.safetensors").state.step >= 0);  // it loads
      CHECK(all_finite(read_safetensors(out / "last.safetensors")));
      if (fs::exists(out / "best.safetensors")) CHECK(all_finite(read_safetensors(out / "best.safetensors")));
    }
}

TEST_CASE("the last step of a run may not leave numbers that are not finite") {
  const Runs runs;
  TrainConfig config = tiny_config();
  config.epochs = 1;
  config.rate = 3e38;
  config.head_rate_factor = 100;
  config.warmup_epochs = 0;
  config.clip_norm = 0;
  config.batch_size = 12;
  CHECK_THROWS_WITH_AS(train(config, set().train, nullptr, into(runs("run")), {}), doctest::Contains("not finite"),
                       Error);
  CHECK(all_finite(read_safetensors(runs("run") / "last.safetensors")));
  CHECK_FALSE(fs::exists(runs("run") / "best.safetensors"));
}

TEST_CASE("a broken picture is skipped, counted and reported; only broken pictures are an error") {
  const Runs runs;
  fs::copy(set().root(), runs("data"), fs::copy_options::recursive);
  const Dataset data = open_dataset(runs("data"), "train"), val = open_dataset(runs("data"), "val");
  const auto spoil = [](const fs::path& path) { std::ofstream(path, std::ios::trunc) << "no picture\n"; };
  spoil(data.path(data.samples[3]));
  spoil(val.path(val.samples[1]));
  std::vector<std::string> notes;
  std::int64_t steps = 0;
  TrainEvents events;
  events.on_note = [&](const std::string& text) { notes.push_back(text); };
  events.on_step = [&](const StepReport&) { ++steps; };
  const TrainResult result = train(tiny_config(), data, &val, into(runs("run")), events);
  CHECK(result.end == TrainEnd::finished);
  CHECK(result.step == 6);
  CHECK(steps == 6);
  CHECK(result.skipped_images == 1);
  REQUIRE(notes.size() == 2);  // each once, though two epochs met them
  CHECK(notes[0].find(data.samples[3].id) != std::string::npos);
  CHECK(notes[1].find(val.samples[1].id) != std::string::npos);

  for (const Sample& sample : data.samples) spoil(data.path(sample));
  CHECK_THROWS_WITH_AS(train(tiny_config(), data, nullptr, into(runs("nothing")), {}),
                       doctest::Contains("could be read"), Error);
}

TEST_CASE("without validation the last state is the best") {
  const Runs runs;
  const fs::path out = runs("run");
  int epochs = 0;
  TrainEvents events;
  events.on_epoch = [&](const EpochReport& report) {
    ++epochs;
    CHECK_FALSE(report.val_error.has_value());
    CHECK_FALSE(report.val_error_b.has_value());
    CHECK(report.best);
  };
  train(tiny_config(), set().train, nullptr, into(out), events);
  CHECK(epochs == 2);
  for (const Json& line : lines_of_log(out))
    if (line.at("type") == "epoch") CHECK(line.at("val_error").is_null());
  CHECK_FALSE(load_checkpoint(out / "last.safetensors").state.best_error.has_value());
  const SafetensorsFile last = read_safetensors(out / "last.safetensors"),
                        best = read_safetensors(out / "best.safetensors");
  for (const auto& [this_name, tensor] : best.tensors) {
    const auto& name = this_name;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(name);
    CHECK_FALSE(name.starts_with("optimizer."));
    CHECK(same_bits(tensor, last.tensors.at(name)));
  }
}

TEST_CASE("the reference device trains as the fast one does, up to rounding") {
  struct DeviceBack {
    ~DeviceBack() { use_device(Device::cpu); }
  } back;
  const Runs runs;
  const TrainConfig config = tiny_config();
  train(config, set().train, nullptr, into(runs("cpu"), false, 3), {});
  use_device(Device::reference);
  train(config, set().train, nullptr, into(runs("reference"), false, 3), {});
  use_device(Device::cpu);
  const SafetensorsFile cpu = read_safetensors(runs("cpu") / "last.safetensors"),
                        reference = read_safetensors(runs("reference") / "last.safetensors");
  REQUIRE(cpu.tensors.size() == reference.tensors.size());
  const auto largest = [&](const std::string& name) {
    double most = 0;
    const Tensor& tensor = cpu.tensors.at(name);
    for (std::int64_t i = 0; i < tensor.count(); ++i) most = std::max(most, std::abs(tensor.at(i)));
    return most;
  };
  // The longest sums, of the first layers' gradients, have 4 x 32 x 32 terms; 11 layers, three steps.
  const double roundings = 4096 * 11 * 3;
  bool differs = false;  // or the reference did not run at all
  for (const auto& [this_name, tensor] : cpu.tensors) {
    const auto& name = this_name;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(name);
    const Tensor& other = reference.tensors.at(name);
    REQUIRE(other.shape() == tensor.shape());
    differs = differs || !same_bits(tensor, other);
    // A bias in front of a norm has no gradient but rounding: it is held against its layer's weights.
    double magnitude = largest(name);
    if (name.ends_with(".bias")) magnitude = std::max(magnitude, largest(name.substr(0, name.size() - 4) + "weight"));
    const double tolerance = float_error(roundings, magnitude);
    std::int64_t beyond = 0;
    for (std::int64_t i = 0; i < tensor.count(); ++i) beyond += !(std::abs(tensor.at(i) - other.at(i)) <= tolerance);
    CHECK(beyond == 0);
  }
  CHECK(differs);
}
