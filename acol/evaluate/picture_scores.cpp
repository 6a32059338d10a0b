#include "acol/evaluate/picture_scores.h"

#include <algorithm>

#include "acol/data/image.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

ScoreMap placed(const ScoreMap& map, const SeenPart& part, int width, int height, Interpolation interpolation,
                const std::optional<Normalisation>& normalisation) {
  const auto brought_to = [&](int w, int h) {
    ScoreMap out = resized(map, w, h, interpolation);
    if (normalisation) normalise(out, *normalisation);
    return out;
  };
  if (part.whole()) return brought_to(width, height);
  const Box seen = part.pixels(width, height);
  const ScoreMap inside = brought_to(seen.x1 - seen.x0 + 1, seen.y1 - seen.y0 + 1);
  ScoreMap all{width, height, {}};
  all.values.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < inside.height; ++y) {
    const auto row = inside.values.begin() + std::ptrdiff_t{y} * inside.width;
    std::copy_n(row, inside.width, all.values.begin() + std::ptrdiff_t{seen.y0 + y} * width + seen.x0);
  }
  return all;
}

ScoreMap on_grid(const ScoreMap& map, const SeenPart& part, const ScoringRules& rules) {
  return placed(map, part, rules.map_side, rules.map_side, Interpolation::bicubic,
                rules.normalisation.value_or(Normalisation{}));
}

std::vector<Box> clipped_truth(const std::vector<Box>& truth, const Box& part) {
  std::vector<Box> inside;
  for (const Box& box : truth) {
    const Box cut{std::max(box.x0, part.x0), std::max(box.y0, part.y0), std::min(box.x1, part.x1),
                  std::min(box.y1, part.y1)};
    if (cut.x0 <= cut.x1 && cut.y0 <= cut.y1) inside.push_back(cut);
  }
  return inside.empty() ? truth : inside;
}

namespace {

// The grid that the rule works on.
Size grid_of(const BoxRule& rule, const Size& picture) {
  return rule.grid() > 0 ? Size{rule.grid(), rule.grid()} : picture;
}

}  // namespace

std::vector<Box> rule_truth(std::vector<Box> truth, const SeenPart& part, const Size& size, const ScoringRules& rules) {
  if (const int side = rules.box_rule.grid(); side > 0)
    for (Box& box : truth) box = scaled_box(box, size.width, size.height, side);
  const Size target = grid_of(rules.box_rule, size);
  return rules.clip_truth ? clipped_truth(truth, part.pixels(target.width, target.height)) : truth;
}

RuleInput rule_input(const ScoreMap& map, const SeenPart& part, const std::vector<Box>& truth, const Size& size,
                     const ScoringRules& rules) {
  const BoxRule& rule = rules.box_rule;
  const Size target = grid_of(rule, size);
  std::optional<Normalisation> normalisation = rules.normalisation;
  if (!normalisation && rule.normalised_after_resize()) normalisation.emplace();
  return {placed(map, part, target.width, target.height, rule.interpolation(), normalisation),
          rule_truth(truth, part, size, rules)};
}

PredictedBoxes predicted_boxes(RuleInput input, const BoxRule& rule) {
  PredictedBoxes predicted{boxes_by_rule(input.map, rule), std::move(input.truth)};
  if (predicted.boxes.empty()) predicted.boxes.push_back(box_without_answer(rule, input.map.width, input.map.height));
  return predicted;
}

Shown shown(const ScoreMap& full, const std::vector<std::uint8_t>& object, double threshold) {
  const double cut = threshold * *std::max_element(full.values.begin(), full.values.end());
  std::int64_t both = 0, marked = 0, on_object = 0;
  for (std::size_t i = 0; i < object.size(); ++i) {
    const bool mark = cut > 0 && full.values[i] >= cut;
    marked += mark;
    on_object += object[i];
    both += mark && object[i] != 0;
  }
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  return {share(both, on_object), share(both, marked)};
}

std::vector<std::uint8_t> object_pixels(const Dataset& data, const Sample& sample, const Size& size) {
  const auto width = static_cast<std::size_t>(size.width), height = static_cast<std::size_t>(size.height);
  std::vector<std::uint8_t> object(width * height, 0);
  for (const std::string& name : sample.masks) {
    const fs::path path = data.mask_path(name);
    const Image mask = read_image(path);
    check(mask.width == size.width && mask.height == size.height, path.string(), ": the mask is ", mask.width, "x",
          mask.height, ", its picture ", size.width, "x", size.height);
    for (std::size_t i = 0; i < object.size(); ++i) object[i] |= mask.rgb[3 * i] > 127;
  }
  if (!sample.masks.empty()) return object;
  for (const Box& box : data.true_boxes(sample, size.width, size.height))
    for (int y = std::max(0, box.y0); y <= std::min(size.height - 1, box.y1); ++y)
      for (int x = std::max(0, box.x0); x <= std::min(size.width - 1, box.x1); ++x)
        object[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)] = 1;
  return object;
}

}  // namespace acol
