#include "acol/evaluate/probe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "acol/data/loader.h"
#include "acol/evaluate/class_maps.h"
#include "tensor/check.h"
#include "tensor/random.h"

namespace acol {

namespace {

std::int64_t agreements(const std::vector<int>& a, const std::vector<int>& b) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] == b[i];
  return count;
}

// Uniform among the classes that are not `truth`.
int wrong_label(int truth, int classes, std::uint64_t seed, int sample) {
  RandomStream random(seed, Purpose::probe, static_cast<std::uint32_t>(sample));
  return (truth + 1 + random.below(classes - 1)) % classes;
}

}  // namespace

ProbeResult probe(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                  const ProbeOptions& options) {
  check(network.has_branch_b(), "probe: the model was trained with --method cam and has no branch B to probe");
  const int classes = network.config().classes;
  check(classes == data.classes(), "probe: the model has ", classes, " classes, ", data.root.string(), " has ",
        data.classes());
  check(classes >= 2, "probe: with one class there is no wrong label");
  network.set_training(false);
  Loader loader(data,
                {.how = preprocessing, .batch_size = options.batch_size, .workers = options.workers, .cache_bytes = 0});
  loader.start_epoch(0);

  std::int64_t images = 0, a_right = 0, b_truth = 0, b_predicted = 0, b_wrong = 0, b_follows = 0, done = 0;
  for (Batch batch; loader.next(batch);) {
    if (!batch.labels.empty()) {
      const std::vector<int>& truth = batch.labels;
      std::vector<int> wrong;
      for (std::size_t i = 0; i < truth.size(); ++i)
        wrong.push_back(wrong_label(truth[i], classes, options.seed, batch.samples[i]));
      const PassA a = forward_a(network, batch.images);
      const std::vector<int> predicted = answers(a.probabilities);
      const auto b_answers = [&](const std::vector<int>& hole) { return answers(logits_b(network, a, hole)); };
      const std::vector<int> after_wrong = b_answers(wrong);
      images += static_cast<std::int64_t>(truth.size());
      a_right += agreements(predicted, truth);
      b_truth += agreements(b_answers(truth), truth);
      b_predicted += agreements(b_answers(predicted), truth);
      b_wrong += agreements(after_wrong, truth);
      b_follows += agreements(after_wrong, wrong);
    }
    done = std::min<std::int64_t>(done + options.batch_size, static_cast<std::int64_t>(data.samples.size()));
    if (options.progress) options.progress(done, static_cast<std::int64_t>(data.samples.size()));
    if (options.stop_requested) check(!options.stop_requested(), "probe: stopped");
  }
  check(images > 0, "probe: none of the ", data.samples.size(), " pictures could be read");
  const auto percent = [&](std::int64_t count) {
    return 100.0 * static_cast<double>(count) / static_cast<double>(images);
  };
  return {images, percent(a_right), percent(b_truth), percent(b_predicted), percent(b_wrong), percent(b_follows)};
}

std::string to_json(const ProbeResult& result, int classes, int indent) {
  nlohmann::ordered_json json;
  json["n"] = result.images;
  json["a_acc"] = result.a_acc;
  json["b_acc_truth"] = result.b_acc_truth;
  json["b_acc_predicted"] = result.b_acc_predicted;
  json["b_acc_wrong"] = result.b_acc_wrong;
  json["b_follows_wrong"] = result.b_follows_wrong;
  json["chance"] = 100.0 / classes;
  return json.dump(indent);
}

}  // namespace acol
