#include "acol/evaluate/box_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>

#include "acol/evaluate/boxes.h"
#include "acol/evaluate/component_sweep.h"
#include "acol/evaluate/components.h"
#include "acol/evaluate/contours.h"
#include "acol/evaluate/level_sweep.h"
#include "acol/evaluate/normalise.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr int wsol_side = 224;

struct Known {
  BoxRuleName name;
  const char* text;
  double threshold;
  int grid;
  Interpolation interpolation;
  bool normalised_after_resize;
};
constexpr auto bilinear = Interpolation::bilinear, bicubic = Interpolation::bicubic;
constexpr Known known[] = {{BoxRuleName::cam_paper, "cam-paper", 0.2, 0, bilinear, false},
                           {BoxRuleName::gradcam, "gradcam", 0.15, 0, bilinear, false},
                           {BoxRuleName::union_box, "union", 0.2, 0, bilinear, false},
                           {BoxRuleName::largest_box_area, "largest-box-area", 0.2, 0, bilinear, false},
                           {BoxRuleName::largest_contour, "largest-contour", 0.2, wsol_side, bicubic, true},
                           {BoxRuleName::adl, "adl", 0.2, wsol_side, bilinear, true},
                           {BoxRuleName::pas, "pas", 0.35, wsol_side, bicubic, true},
                           {BoxRuleName::wsol, "wsol", 0.2, wsol_side, bicubic, true},
                           {BoxRuleName::dt_box, "dt-box", 0, 0, bicubic, false}};

const Known& entry(BoxRuleName name) { return known[static_cast<std::size_t>(name)]; }

bool relative_to_maximum(BoxRuleName name) {
  return name == BoxRuleName::cam_paper || name == BoxRuleName::gradcam || name == BoxRuleName::dt_box;
}

bool on_bytes(BoxRuleName name) {
  return name == BoxRuleName::largest_contour || name == BoxRuleName::adl || name == BoxRuleName::pas ||
         name == BoxRuleName::wsol;
}

// Whether the map has anything to say. Error if its scores are not what the rule's thresholds mean.
bool usable(const ScoreMap& map, const BoxRule& rule) {
  validate(map, entry(rule.name).text);
  if (!std::all_of(map.values.begin(), map.values.end(), [](double v) { return std::isfinite(v); })) return false;
  if (relative_to_maximum(rule.name)) return true;
  const auto [low, high] = std::minmax_element(map.values.begin(), map.values.end());
  check(*low >= 0 && *high <= 1, entry(rule.name).text, ": scores must be in [0, 1], got ", *low, " to ", *high,
        "; normalise the map first");
  return true;
}

// The brightness of matplotlib's 256 cubehelix colours (Green, 2011: start .5, -1.5 rotations, hue and gamma 1), cut
// down to bytes, as OpenCV's RGB2GRAY gives it since version 4.
std::array<std::uint8_t, 256> cubehelix_grey() {
  constexpr double along_cosine[] = {-0.14861, -0.29227, 1.97294}, along_sine[] = {1.78277, -0.90649, 0};
  constexpr int weights[] = {9798, 19235, 3735};  // .299, .587, .114 times 2^15
  std::array<std::uint8_t, 256> grey{};
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const double x = static_cast<double>(i) / 255;
    const double angle = 2 * std::numbers::pi * (0.5 / 3 - 1.5 * x), amplitude = x * (1 - x) / 2;
    int sum = 1 << 14;
    for (std::size_t c = 0; c < 3; ++c) {
      const double colour = x + amplitude * (along_cosine[c] * std::cos(angle) + along_sine[c] * std::sin(angle));
      sum += weights[c] * static_cast<int>(std::clamp(colour, 0.0, 1.0) * 255);
    }
    grey[i] = static_cast<std::uint8_t>(sum >> 15);
  }
  return grey;
}

// What the rules on bytes cut: a picture, and the value that a threshold is a share of.
struct Bytes {
  std::vector<std::uint8_t> values;
  double whole = 0;
  int cut(double threshold) const { return static_cast<int>(threshold * whole); }
};

Bytes bytes_of(const ScoreMap& map, const BoxRule& rule) {
  Bytes bytes;
  bytes.values.reserve(map.values.size());
  if (rule.name == BoxRuleName::adl) {
    static const std::array<std::uint8_t, 256> grey = cubehelix_grey();
    for (const double v : map.values) bytes.values.push_back(grey[static_cast<std::size_t>(std::min(v * 256, 255.0))]);
  } else {
    for (const double v : map.values) bytes.values.push_back(static_cast<std::uint8_t>(v * 255));
  }
  bytes.whole = rule.name == BoxRuleName::pas ? percentile({bytes.values.begin(), bytes.values.end()}, rule.percentile)
                                              : *std::max_element(bytes.values.begin(), bytes.values.end());
  return bytes;
}

// A contour's box: x + w and y + h are one past its last pixel.
Box wide_box(const Box& rect, const ScoreMap& map, const BoxRule& rule) {
  const Box box{rect.x0, rect.y0, rect.x1 + 1, rect.y1 + 1};
  return rule.name == BoxRuleName::wsol ? clipped_box(box, map.width, map.height) : box;
}

std::vector<Box> contour_boxes(const ScoreMap& map, const BoxRule& rule) {
  const Bytes bytes = bytes_of(map, rule);
  std::vector<Contour> contours = find_contours(bytes.values, map.width, map.height, bytes.cut(rule.threshold));
  if (contours.empty()) return {};
  const auto largest = contours.begin() + largest_contour(contours);
  std::rotate(contours.begin(), largest, largest + 1);
  if (rule.name != BoxRuleName::wsol) contours.resize(1);
  std::vector<Box> boxes;
  for (const Contour& contour : contours) boxes.push_back(wide_box(contour.rect, map, rule));
  return boxes;
}

void add_to(std::optional<Box>& all, const Box& box) {
  all = all ? Box{std::min(all->x0, box.x0), std::min(all->y0, box.y0), std::max(all->x1, box.x1),
                  std::max(all->y1, box.y1)}
            : box;
}

// The box around all (union) or around the component with the largest box.
std::vector<Box> segment_boxes(const ScoreMap& map, const BoxRule& rule) {
  std::vector<std::uint8_t> mask(map.values.size());
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = map.values[i] >= rule.threshold;
  std::optional<Box> best;
  for (const Component& part : components(mask, map.width, map.height, Neighbours::four))
    if (rule.name == BoxRuleName::union_box)
      add_to(best, part.box);
    else if (!best || area(part.box) > area(*best))
      best = part.box;
  return best ? std::vector<Box>{*best} : std::vector<Box>{};
}

// The boxes around all pixels >= each cut. cuts: ascending.
std::vector<std::optional<Box>> unions(const ScoreMap& map, const std::vector<double>& cuts) {
  std::vector<std::optional<Box>> boxes(cuts.size());
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      const auto reached = std::upper_bound(cuts.begin(), cuts.end(), map.at(x, y)) - cuts.begin();
      if (reached > 0) add_to(boxes[static_cast<std::size_t>(reached) - 1], Box{x, y, x, y});
    }
  for (std::size_t i = boxes.size(); i-- > 1;)  // what reaches a cut reaches those below
    if (boxes[i]) add_to(boxes[i - 1], *boxes[i]);
  return boxes;
}

// Thresholds as cuts of one map, many of which may be the same.
template <class Cut>
struct Cuts {
  std::vector<Cut> distinct;       // ascending, each once
  std::vector<std::size_t> place;  // of each threshold in `distinct`

  template <class CutOf>
  Cuts(const std::vector<double>& thresholds, const CutOf& cut_of) {
    for (const double threshold : thresholds) distinct.push_back(cut_of(threshold));
    const std::vector<Cut> cuts = distinct;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (const Cut cut : cuts)
      place.push_back(
          static_cast<std::size_t>(std::lower_bound(distinct.begin(), distinct.end(), cut) - distinct.begin()));
  }
};

std::vector<Box> dt_boxes_of(const ScoreMap& map, const BoxRule& rule) {
  const std::vector<std::uint8_t> grey = dt_box_grey(map);
  if (grey.empty()) return {};
  return dt_boxes(grey, map.width, map.height, rule.dt_box);
}

void validate(const BoxRule& rule) {
  check(rule.threshold >= 0 && rule.threshold <= 1, entry(rule.name).text, ": the threshold must be in [0, 1], got ",
        rule.threshold);
  check(rule.percentile >= 0 && rule.percentile <= 100, entry(rule.name).text,
        ": the percentile must be in [0, 100], got ", rule.percentile);
  validate(rule.dt_box);
}

std::string text_of(double number) {
  char text[32];
  return {std::begin(text), std::to_chars(std::begin(text), std::end(text), number).ptr};
}

// The numbers of "20/100/110". Error, with the whole text, if one is not.
std::vector<double> numbers_of(const std::string& list, const std::string& whole) {
  std::vector<double> numbers;
  for (const char* at = list.data();;) {
    double number = 0;
    const char* const end = list.data() + list.size();
    const auto [stopped, error] = std::from_chars(at, end, number);
    check(error == std::errc() && (stopped == end || *stopped == '/'), "box rule: expected numbers separated by '/' ",
          "after the ':', got ", whole);
    numbers.push_back(number);
    if (stopped == end) return numbers;
    at = stopped + 1;
  }
}

}  // namespace

int BoxRule::grid() const { return entry(name).grid; }
Interpolation BoxRule::interpolation() const { return entry(name).interpolation; }
bool BoxRule::normalised_after_resize() const { return entry(name).normalised_after_resize; }

BoxRule parse_box_rule(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  const auto at = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return name == k.text; });
  if (at == std::end(known)) {
    std::string names;
    for (const Known& k : known) names.append(names.empty() ? "" : ", ").append(k.text);
    fail("box rule: expected one of ", names, ", got ", text);
  }
  BoxRule rule{at->name, at->threshold, 90, {}};
  if (name.size() == text.size()) return rule;

  std::string list = text.substr(name.size() + 1);
  if (rule.name == BoxRuleName::dt_box) {
    if (const std::string clear = "/clear"; list.ends_with(clear)) {
      list.resize(list.size() - clear.size());
      rule.dt_box.clear_border = true;
    }
    const std::vector<double> levels = numbers_of(list, text);
    check(levels.size() == 3, "box rule: dt-box takes three levels, as in dt-box:20/100/110, got ", text);
    for (std::size_t i = 0; i < 3; ++i) {
      check(levels[i] == std::floor(levels[i]) && levels[i] > 0 && levels[i] < 255,
            "box rule: a level of dt-box is a whole number between 0 and 255, got ", text);
      rule.dt_box.levels[i] = static_cast<int>(levels[i]);
    }
  } else {
    const std::vector<double> numbers = numbers_of(list, text);
    const std::size_t most = rule.name == BoxRuleName::pas ? 2 : 1;
    check(numbers.size() <= most, "box rule: ", name, " takes ",
          most == 1 ? "one threshold" : "a threshold and a percentile", ", got ", text);
    rule.threshold = numbers[0];
    if (numbers.size() > 1) rule.percentile = numbers[1];
  }
  validate(rule);
  return rule;
}

std::string name_of(const BoxRule& rule) {
  const std::string name = entry(rule.name).text;
  if (rule.name == BoxRuleName::dt_box) {
    const auto [low, middle, high] = rule.dt_box.levels;
    return message(name, ":", low, "/", middle, "/", high, rule.dt_box.clear_border ? "/clear" : "");
  }
  const std::string percentile_text = rule.name == BoxRuleName::pas ? message("/", text_of(rule.percentile)) : "";
  return message(name, ":", text_of(rule.threshold), percentile_text);
}

std::vector<std::string> box_rule_names() {
  std::vector<std::string> names;
  for (const Known& k : known) names.emplace_back(k.text);
  return names;
}

std::vector<Box> boxes_by_rule(const ScoreMap& map, const BoxRule& rule) {
  validate(rule);
  if (!usable(map, rule)) return {};
  if (on_bytes(rule.name)) return contour_boxes(map, rule);
  if (rule.name == BoxRuleName::dt_box) return dt_boxes_of(map, rule);
  if (!relative_to_maximum(rule.name)) return segment_boxes(map, rule);
  const std::optional<Box> box = largest_component_box(map, rule.threshold);
  return box ? std::vector<Box>{*box} : std::vector<Box>{};
}

Box box_without_answer(const BoxRule& rule, int width, int height) {
  switch (rule.name) {
    case BoxRuleName::largest_contour:
    case BoxRuleName::adl:
      return Box{0, 0, 1, 1};
    case BoxRuleName::union_box:
    case BoxRuleName::largest_box_area:
    case BoxRuleName::wsol:
      return Box{0, 0, 0, 0};
    case BoxRuleName::pas:
      return Box{0, 0, width, height};
    default:
      return whole_box(width, height);
  }
}

Box predicted_box(const ScoreMap& map, const BoxRule& rule) {
  const std::vector<Box> boxes = boxes_by_rule(map, rule);
  return boxes.empty() ? box_without_answer(rule, map.width, map.height) : boxes.front();
}

std::vector<Box> predicted_boxes(const ScoreMap& map, const BoxRule& rule, const std::vector<double>& thresholds) {
  check(rule.has_threshold(), entry(rule.name).text, ": this box rule has no threshold to vary");
  for (const double threshold : thresholds) {
    BoxRule at = rule;
    at.threshold = threshold;
    validate(at);
  }
  const Box without = box_without_answer(rule, map.width, map.height);
  const bool has_map = usable(map, rule);
  const double maximum = *std::max_element(map.values.begin(), map.values.end());
  if (!has_map || (relative_to_maximum(rule.name) && !(maximum > 0))) return {thresholds.size(), without};

  std::vector<std::optional<Box>> boxes;
  if (on_bytes(rule.name)) {
    const Bytes bytes = bytes_of(map, rule);
    const Cuts<int> cuts(thresholds, [&](double threshold) { return bytes.cut(threshold); });
    const LevelSweep sweep = sweep_levels(bytes.values, map.width, map.height, cuts.distinct);
    for (const std::size_t level : cuts.place) {
      const std::optional<Box>& rect = sweep.largest[level];
      boxes.push_back(rect ? std::optional(wide_box(*rect, map, rule)) : std::nullopt);
    }
  } else {
    const bool relative = relative_to_maximum(rule.name);
    const Cuts<double> cuts(thresholds, [&](double t) { return relative ? t * maximum : t; });
    const std::vector<std::optional<Box>> found =
        rule.name == BoxRuleName::union_box
            ? unions(map, cuts.distinct)
            : sweep_components(map, cuts.distinct, relative ? Neighbours::eight : Neighbours::four,
                               relative ? LargestBy::pixels : LargestBy::box_area);
    for (const std::size_t level : cuts.place) boxes.push_back(found[level]);
  }
  std::vector<Box> predicted;
  for (const std::optional<Box>& box : boxes) predicted.push_back(box.value_or(without));
  return predicted;
}

}  // namespace acol
