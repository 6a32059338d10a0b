#include "network_pxap.h"

#include <algorithm>

#include "acol/data/loader.h"
#include "acol/evaluate/picture_scores.h"
#include "acol/evaluate/pxap.h"
#include "tensor/check.h"

namespace acol {

double network_pxap(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& how) {
  const auto& samples = data.samples;
  const auto masked = [](const Sample& sample) { return !sample.masks.empty(); };
  check(std::any_of(samples.begin(), samples.end(), masked), data.root.string(), " (", data.split,
        "): no picture has a mask, which PxAP needs; give --metadata and --mask-root");
  network.set_training(false);
  Loader loader(data, {.how = preprocessing,
                       .batch_size = how.batch_size,
                       .input = how.input,
                       .workers = how.workers,
                       .cache_bytes = 0});
  loader.start_epoch(0);
  const ScoringRules rules{.box_rule = {}, .normalisation = how.normalisation, .map_side = how.map_side};
  PxAP metric;
  std::int64_t done = 0;
  for (Batch batch; loader.next(batch);) {
    if (how.stop_requested) check(!how.stop_requested(), "PxAP: stopped");
    if (!batch.labels.empty()) {
      const std::vector<ClassMaps> maps = class_maps(network, forward_a(network, batch.images), batch.labels);
      for (std::size_t i = 0; i < maps.size(); ++i) {
        const Sample& sample = samples[static_cast<std::size_t>(batch.samples[i])];
        if (!masked(sample)) continue;
        const SeenPart part = seen_part(batch.sizes[i].width, batch.sizes[i].height, preprocessing, how.input);
        metric.add(metric.counts(on_grid(maps[i].fused, part, rules), mask_truth(data, sample, how.map_side)));
      }
    }
    done = std::min<std::int64_t>(done + how.batch_size, static_cast<std::int64_t>(samples.size()));
    if (how.progress) how.progress(done, static_cast<std::int64_t>(samples.size()));
  }
  return metric.percent();
}

}  // namespace acol
